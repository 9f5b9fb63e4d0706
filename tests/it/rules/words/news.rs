//! What the naive model is asked to tell, and what it tells.

use super::{Hold, Micros, Total, View};

/// A type of notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tiding {
    Created,
    Activated,
    Exhausted,
    Expired,
    Voided,
    Expiring,
    Low,
    Recovered,
    HoldExpired,
}

impl Tiding {
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Activated,
        Self::Exhausted,
        Self::Expired,
        Self::Voided,
        Self::Expiring,
        Self::Low,
        Self::Recovered,
        Self::HoldExpired,
    ];

    /// What the contract calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "grant.created",
            Self::Activated => "grant.activated",
            Self::Exhausted => "grant.exhausted",
            Self::Expired => "grant.expired",
            Self::Voided => "grant.voided",
            Self::Expiring => "grant.expiring",
            Self::Low => "balance.low",
            Self::Recovered => "balance.recovered",
            Self::HoldExpired => "hold.expired",
        }
    }
}

/// What a threshold adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purse {
    Money(&'static str),
    Metric(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold {
    pub of: Purse,
    pub amount: i128,
    pub recover_at: i128,
}

impl Threshold {
    /// What makes it another one. How a balance recovers may change.
    pub fn line(&self) -> (Purse, i128) {
        (self.of, self.amount)
    }
}

/// Who is to be told of what: the endpoints and the settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// What each endpoint is subscribed to; None is everything.
    pub endpoints: Vec<Option<Vec<Tiding>>>,
    /// How long before its end a grant is warned of.
    pub periods: Vec<Micros>,
    pub thresholds: Vec<Threshold>,
}

impl Wishes {
    /// Whether anybody is subscribed to it.
    pub fn want(&self, tiding: Tiding) -> bool {
        self.endpoints.iter().any(|types| wants(types.as_deref(), tiding))
    }
}

/// Whether an endpoint with these types is subscribed to it.
pub fn wants(types: Option<&[Tiding]>, tiding: Tiding) -> bool {
    types.is_none_or(|types| types.contains(&tiding))
}

/// What happened to what, as it was right after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Grant(Tiding, View),
    /// The period that has begun.
    Expiring(Micros, View),
    HoldExpired(Hold),
    /// What remained.
    Low(Threshold, i128),
    Recovered(Threshold, i128),
}

/// Something that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub at: Micros,
    /// The customer's revision after it.
    pub sequence: i64,
    pub about: About,
    /// The balance after it.
    pub totals: Vec<Total>,
}

impl News {
    pub fn tiding(&self) -> Tiding {
        match &self.about {
            About::Grant(tiding, _) => *tiding,
            About::Expiring(..) => Tiding::Expiring,
            About::HoldExpired(_) => Tiding::HoldExpired,
            About::Low(..) => Tiding::Low,
            About::Recovered(..) => Tiding::Recovered,
        }
    }
}

/// What is remembered of what was told, so that it is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Grant, period, end; sorted.
    pub warned: Vec<(u32, Micros, Micros)>,
    /// Lines below which the balance was told to be; sorted.
    pub low: Vec<(Purse, i128)>,
}
