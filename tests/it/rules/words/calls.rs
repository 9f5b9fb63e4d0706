//! What the naive model is told.

use std::collections::BTreeSet;

pub type Micros = i64;
const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
/// One credit.
pub const ONE: i128 = 1_000_000_000_000;

/// What a grant pays for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Any,
    /// Usage of these metrics, as sent: repeated and unsorted where the caller liked it so.
    Metrics(Vec<&'static str>),
    Money(&'static str),
}

impl Scope {
    pub fn metrics(&self) -> BTreeSet<&'static str> {
        match self {
            Self::Metrics(names) => names.iter().copied().collect(),
            Self::Any | Self::Money(_) => BTreeSet::new(),
        }
    }

    /// Metrics are a set: how they were written does not count.
    pub fn tidy(&self) -> Self {
        match self {
            Self::Metrics(_) => Self::Metrics(self.metrics().into_iter().collect()),
            other => other.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Promotional,
    Purchased,
    Loyalty,
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub max_event_age: Micros,
    pub late_usage: Micros,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    pub key: u8,
    /// The id creditd makes for the call; a repetition comes with another one.
    pub grant: u32,
    pub scope: Scope,
    pub amount: i128,
    pub priority: Option<i32>,
    pub category: Option<Category>,
    pub effective: Option<Micros>,
    pub expires: Option<Micros>,
    pub notes: Notes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notes {
    pub description: &'static str,
    /// The value of the one pair there is; none where it is empty.
    pub metadata: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    pub grant: u32,
    pub description: Option<&'static str>,
    pub metadata: Option<&'static str>,
    pub priority: Option<Option<i32>>,
    pub expires: Option<Option<Micros>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Void {
    pub grant: u32,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub event: u8,
    pub metric: &'static str,
    pub quantity: i128,
    pub at: Option<Micros>,
    pub reject: bool,
    pub metadata: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apply {
    pub invoice: u8,
    pub currency: &'static str,
    pub due: i128,
    pub at: Option<Micros>,
}

/// Credits to set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    pub hold: u8,
    pub metric: &'static str,
    pub quantity: i128,
    pub ttl: Option<Micros>,
    pub partial: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extend {
    pub hold: u8,
    pub ttl: Micros,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    pub hold: u8,
    pub event: u8,
    pub quantity: i128,
    pub at: Option<Micros>,
}

/// What is reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Event(u8),
    Invoice(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverse {
    pub key: u8,
    pub of: Of,
    /// All that is left where none is given.
    pub amount: Option<i128>,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Create(Create),
    Update(Update),
    Void(Void),
    Usage(Usage),
    Apply(Apply),
    Aside(Aside),
    Extend(Extend),
    Settle(Settle),
    Release(u8),
    Reverse(Reverse),
    /// The sweeper comes by.
    Sweep,
}

/// A call, and who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub actor: &'static str,
    pub call: Call,
}
