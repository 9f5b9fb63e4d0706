//! A credit grant: its terms, its figures, and what they mean at an instant.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::amount::{Amount, AmountError};
use super::currency::Currency;
use super::figures::Figures;
use super::hold::DueRelease;
use super::ids::{CampaignId, GrantId, Metric};
use super::import::ImportRow;
use super::notification::Warned;
use super::time::{Timestamp, Windows};

/// Caller's notes on an object, by key.
pub type Metadata = BTreeMap<String, String>;

/// What a grant can pay for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Usage: of these metrics (a sorted set), or of any where there are none.
    Units(Arc<[Metric]>),
    /// Invoices in this currency.
    Money(Currency),
}

impl Scope {
    /// Units open to the given metrics, as a set.
    #[must_use]
    pub fn units(mut metrics: Vec<Metric>) -> Self {
        metrics.sort_unstable();
        metrics.dedup();
        Self::Units(metrics.into())
    }

    /// True for unit grants that name the metric or name none.
    #[must_use]
    pub fn covers(&self, metric: &Metric) -> bool {
        match self {
            Self::Units(metrics) => metrics.is_empty() || metrics.contains(metric),
            Self::Money(_) => false,
        }
    }

    /// True for unit grants tied to metrics: they are consumed before those open to any.
    #[must_use]
    pub fn is_tied(&self) -> bool {
        matches!(self, Self::Units(metrics) if !metrics.is_empty())
    }

    /// The currency of money.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        match self {
            Self::Units(_) => None,
            Self::Money(currency) => Some(*currency),
        }
    }

    /// Decimals that amounts of this scope may have.
    #[must_use]
    pub fn decimals(&self) -> u32 {
        match self {
            Self::Units(_) => super::amount::SCALE,
            Self::Money(currency) => currency.digits(),
        }
    }

    /// An amount as it is printed: money with its currency's digits, units without trailing zeros.
    #[must_use]
    pub fn print(&self, amount: Amount) -> String {
        match self {
            Self::Units(_) => amount.with_decimals(0),
            Self::Money(currency) => amount.with_decimals(currency.digits()),
        }
    }
}

/// Why the credits were given; it decides the priority where none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Given away to win or keep a customer.
    Promotional,
    /// Paid for.
    Purchased,
    /// Earned.
    Loyalty,
    /// Given to make up for a fault.
    Service,
}

/// 0 to 100; lower is consumed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// A priority, where it lies in 0 to 100.
    #[must_use]
    pub fn new(value: i32) -> Option<Self> {
        let value = u8::try_from(value).ok()?;
        (value <= crate::limits::PRIORITY_MAX).then_some(Self(value))
    }

    /// The one a category stands for: service 5, promotional 10, loyalty 25, purchased and none 50.
    #[must_use]
    pub fn of_category(category: Option<Category>) -> Self {
        Self(match category {
            Some(Category::Service) => 5,
            Some(Category::Promotional) => 10,
            Some(Category::Loyalty) => 25,
            Some(Category::Purchased) | None => 50,
        })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// When and why a grant was voided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voided {
    /// The instant.
    pub at: Timestamp,
    /// The reason given.
    pub reason: Arc<str>,
}

/// What a caller wrote on a grant; it decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// Free text for people.
    pub description: String,
    /// Free pairs for programs.
    pub metadata: Metadata,
}

impl Notes {
    /// How long they are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pairs = self.metadata.iter().map(|(key, value)| key.len() + value.len());
        self.description.len() + pairs.sum::<usize>()
    }
}

/// Derived from the facts and the clock, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not yet effective.
    Pending,
    /// Live, with something left.
    Active,
    /// Spent.
    Exhausted,
    /// Past its expiry.
    Expired,
    /// Taken back.
    Voided,
}

/// One deposit of credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Made by creditd.
    pub id: GrantId,
    /// Sequence of its first ledger entry: the last word in the order of consumption.
    pub sequence: i64,
    /// What it can pay for.
    pub scope: Scope,
    /// What was granted.
    pub amount: Amount,
    /// Lower is consumed first.
    pub priority: Priority,
    /// Why it was given.
    pub category: Option<Category>,
    /// Live from this instant, inclusive.
    pub effective_at: Timestamp,
    /// Live until this instant, exclusive; never-ending where there is none.
    pub expires_at: Option<Timestamp>,
    /// Description and metadata.
    pub notes: Arc<Notes>,
    /// What of it went where.
    pub figures: Figures,
    /// When creditd took it in.
    pub created_at: Timestamp,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
    /// Who made it.
    pub created_by: Arc<str>,
    /// The row of an import that made it.
    pub import: Option<ImportRow>,
    /// The campaign that made it.
    pub campaign: Option<CampaignId>,
    /// Set once it was voided.
    pub voided: Option<Voided>,
    /// The warnings of its end that were sent.
    pub warned: Vec<Warned>,
}

impl Grant {
    /// Whether it has reached its expiry at `at` (the end is exclusive).
    #[must_use]
    pub fn is_past(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= at)
    }

    /// Whether that instant lies within its time, and it is not voided.
    #[must_use]
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.voided.is_none() && self.effective_at <= at && !self.is_past(at)
    }

    /// Its status at `now`, of a grant whose expiry has been booked.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        if self.voided.is_some() {
            Status::Voided
        } else if self.figures.remaining.is_zero() && self.figures.expired.is_zero() {
            Status::Exhausted
        } else if self.is_past(now) {
            Status::Expired
        } else if now < self.effective_at {
            Status::Pending
        } else {
            Status::Active
        }
    }

    /// Whether time has brought an expiry at `now` that is not booked yet. (Of a voided grant nothing
    /// is free.)
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn is_due(&self, now: Timestamp) -> Result<bool, AmountError> {
        Ok(self.is_past(now) && self.figures.free()?.is_positive())
    }

    /// The instant from which on no late event can reach what has expired of it.
    #[must_use]
    pub fn closes_at(&self, windows: &Windows) -> Option<Timestamp> {
        self.expires_at?.checked_add_signed(windows.late_usage)
    }

    /// Whether a decision at `now` may still draw on it: something remains, or something has
    /// expired so lately that a late event may reclaim it.
    #[must_use]
    pub fn is_open(&self, now: Timestamp, windows: &Windows) -> bool {
        self.figures.remaining.is_positive()
            || (self.figures.expired.is_positive()
                && self.closes_at(windows).is_some_and(|end| now < end))
    }

    /// The next instant at which time alone changes it: its start, its end, and then the end of the
    /// late window; none where nothing is left that time could give or take.
    #[must_use]
    pub fn due_at(&self, now: Timestamp, windows: &Windows) -> Option<Timestamp> {
        if self.voided.is_some() {
            None
        } else if !self.is_past(now) {
            let start = Some(self.effective_at).filter(|start| now < *start);
            let turn = start.into_iter().chain(self.expires_at).min();
            turn.filter(|_| self.figures.remaining.is_positive())
        } else {
            let closes_at = self.closes_at(windows).filter(|end| now < *end);
            closes_at.filter(|_| self.figures.expired.is_positive())
        }
    }

    /// The next instant after `now` at which time alone changes what a balance shows of it: its
    /// start, and then its end.
    #[must_use]
    pub fn turns_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.voided.is_some() || self.figures.remaining.is_zero() {
            return None;
        }
        let ends = self.expires_at.filter(|end| now < *end);
        if now < self.effective_at { Some(self.effective_at) } else { ends }
    }

    /// The grant as every read shows it at `now`: with what time has brought booked, which is what
    /// holds give back at their deadlines, and its expiry.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn at(mut self, now: Timestamp, due: Option<DueRelease>) -> Result<Self, AmountError> {
        if let Some(due) = due {
            self.figures = self.figures.release(due.amount)?;
            self.updated_at = self.updated_at.max(due.last);
        }
        if self.voided.is_some() {
            self.figures = self.figures.void()?;
        } else if self.is_due(now)? {
            self.figures = self.figures.expire()?;
            self.updated_at = self.updated_at.max(self.expires_at.unwrap_or(self.updated_at));
        }
        Ok(self)
    }
}
