//! Notifications: what is told, who is told, and of what customers and grants were told before.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;

use super::amount::Amount;
use super::balance::{PayingFor, Total};
use super::currency::Currency;
use super::grant::Grant;
use super::hold::Hold;
use super::ids::{EndpointId, Metric};
use super::time::Timestamp;

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A grant was made.
    GrantCreated,
    /// A pending grant's start came.
    GrantActivated,
    /// The last of a grant was spent.
    GrantExhausted,
    /// A grant with something left reached its end.
    GrantExpired,
    /// A grant was taken back.
    GrantVoided,
    /// A grant's end is near.
    GrantExpiring,
    /// A balance fell below a threshold.
    BalanceLow,
    /// It came back.
    BalanceRecovered,
    /// A hold reached its deadline.
    HoldExpired,
    /// Somebody asked for a test.
    NotificationTest,
}

impl EventType {
    /// What endpoints may be subscribed to. A test is sent to whom it is for, subscribed or not.
    pub const ALL: [Self; 9] = [
        Self::GrantCreated,
        Self::GrantActivated,
        Self::GrantExhausted,
        Self::GrantExpired,
        Self::GrantVoided,
        Self::GrantExpiring,
        Self::BalanceLow,
        Self::BalanceRecovered,
        Self::HoldExpired,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GrantCreated => "grant.created",
            Self::GrantActivated => "grant.activated",
            Self::GrantExhausted => "grant.exhausted",
            Self::GrantExpired => "grant.expired",
            Self::GrantVoided => "grant.voided",
            Self::GrantExpiring => "grant.expiring",
            Self::BalanceLow => "balance.low",
            Self::BalanceRecovered => "balance.recovered",
            Self::HoldExpired => "hold.expired",
            Self::NotificationTest => "notification.test",
        }
    }

    /// The one of this name, among those that endpoints may be subscribed to.
    #[must_use]
    pub fn subscribable(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How long before its end a grant is warned of, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WarningPeriod(i64);

impl WarningPeriod {
    /// A period of so many seconds, where it is above 0 and at most
    /// [`crate::limits::EXPIRY_WARNING_MAX`].
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let most = crate::limits::EXPIRY_WARNING_MAX.num_seconds();
        (1..=most).contains(&seconds).then_some(Self(seconds))
    }

    /// Its seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// Where it begins, before this end.
    #[must_use]
    pub fn before(self, end: Timestamp) -> Timestamp {
        TimeDelta::try_seconds(self.0)
            .and_then(|period| end.checked_sub_signed(period))
            .unwrap_or(Timestamp::MIN_UTC)
    }
}

/// A warning that was sent of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warned {
    /// The period.
    pub period: WarningPeriod,
    /// The end that was warned of, which may have been moved since.
    pub end: Timestamp,
}

/// Which part of a balance a threshold is about: the grants that could pay for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Money in a currency.
    Currency(Currency),
    /// Units that could pay for a metric.
    Metric(Metric),
}

impl Part {
    /// The grants to count.
    #[must_use]
    pub fn paying_for(&self) -> PayingFor {
        match self {
            Self::Currency(currency) => PayingFor::Currency(*currency),
            Self::Metric(metric) => PayingFor::Metric(metric.clone()),
        }
    }
}

/// A line that a balance may cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// What is added up.
    pub of: Part,
    /// Below it, having been at or above it, a balance is low.
    pub amount: Amount,
    /// At or above it a low balance has recovered; `amount` or more.
    pub recover_at: Amount,
}

impl Threshold {
    /// An amount of its credits as it is printed: money with its currency's digits, units without
    /// trailing zeros.
    #[must_use]
    pub fn print(&self, amount: Amount) -> String {
        amount.with_decimals(match self.of {
            Part::Currency(currency) => currency.digits(),
            Part::Metric(_) => 0,
        })
    }

    /// Whether it is the same line: how a balance recovers may have been changed since.
    #[must_use]
    pub fn is_same_line(&self, other: &Self) -> bool {
        self.of == other.of && self.amount == other.amount
    }
}

/// What one endpoint is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// None = everything.
    pub types: Option<BTreeSet<EventType>>,
}

impl Subscription {
    fn wants(&self, kind: EventType) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&kind))
    }
}

/// What anybody is to be told of: decisions note nothing that nobody hears of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interests {
    subscriptions: Vec<Subscription>,
    warnings: Vec<WarningPeriod>,
    thresholds: Vec<Threshold>,
}

impl Interests {
    /// What these are to be told of, with these settings. Warnings and thresholds that nobody
    /// hears of are left out.
    #[must_use]
    pub fn new(
        subscriptions: Vec<Subscription>,
        warnings: Vec<WarningPeriod>,
        thresholds: Vec<Threshold>,
    ) -> Self {
        let mut interests = Self { subscriptions, ..Self::default() };
        if interests.want(EventType::GrantExpiring) {
            interests.warnings = warnings;
        }
        if interests.want(EventType::BalanceLow) || interests.want(EventType::BalanceRecovered) {
            interests.thresholds = thresholds;
        }
        interests
    }

    /// Whether anybody is to be told of this.
    #[must_use]
    pub fn want(&self, kind: EventType) -> bool {
        self.subscriptions.iter().any(|endpoint| endpoint.wants(kind))
    }

    /// Who is to be told of this.
    pub fn who_want(&self, kind: EventType) -> impl Iterator<Item = EndpointId> {
        let wanting = self.subscriptions.iter().filter(move |endpoint| endpoint.wants(kind));
        wanting.map(|endpoint| endpoint.endpoint_id)
    }

    /// Who is to be told of anything.
    #[must_use]
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// How long before their ends grants are warned of.
    #[must_use]
    pub fn warnings(&self) -> &[WarningPeriod] {
        &self.warnings
    }

    /// The lines that balances may cross.
    #[must_use]
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }
}

/// What happened to what.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// To a grant: any of the `grant.` types but a warning.
    Grant(EventType, Box<Grant>),
    /// A grant's end is near: the period that has begun.
    Expiring(WarningPeriod, Box<Grant>),
    /// A hold reached its deadline.
    HoldExpired(Arc<Hold>),
    /// A balance fell below a threshold, to this total.
    Low(Threshold, Amount),
    /// It came back, to this total.
    Recovered(Threshold, Amount),
}

/// Something that happened to a customer's credits, and how things stood right after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What happened.
    pub subject: Subject,
    /// When.
    pub at: Timestamp,
    /// The customer's last sequence after it.
    pub sequence: i64,
    /// What the customer has after it.
    pub totals: Vec<Total>,
}

impl Notification {
    /// Its type.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        match &self.subject {
            Subject::Grant(kind, _) => *kind,
            Subject::Expiring(..) => EventType::GrantExpiring,
            Subject::HoldExpired(_) => EventType::HoldExpired,
            Subject::Low(..) => EventType::BalanceLow,
            Subject::Recovered(..) => EventType::BalanceRecovered,
        }
    }
}
