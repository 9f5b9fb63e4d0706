//! What the naive model is told and what it answers: plain words of product.md, none of the
//! domain's types. Amounts are counts of 10^-12, instants are counts of microseconds.

use std::collections::BTreeSet;

pub type Micros = i64;
pub const SECOND: Micros = 1_000_000;
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
pub enum Call {
    Create(Create),
    Update(Update),
    Void(Void),
    Usage(Usage),
    /// The sweeper comes by.
    Sweep,
}

/// A call, and who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub actor: &'static str,
    pub call: Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Granted,
    Updated,
    Consumed,
    Expired,
    Voided,
    Reclaimed,
}

/// Old and new.
pub type Changed<T> = Option<(T, T)>;

/// A ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub sequence: i64,
    pub grant: u32,
    pub kind: Kind,
    pub amount: i128,
    pub balance_after: i128,
    pub held_amount: i128,
    pub held_after: i128,
    pub event: Option<u8>,
    pub reason: Option<String>,
    pub priority: Changed<i32>,
    pub expires: Changed<Option<Micros>>,
    pub actor: String,
    pub occurred: Micros,
    pub recorded: Micros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Active,
    Exhausted,
    Expired,
    Voided,
}

/// A grant as it is at some instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub grant: u32,
    pub sequence: i64,
    pub scope: Scope,
    pub amount: i128,
    pub priority: i32,
    pub category: Option<Category>,
    pub effective: Micros,
    pub expires: Option<Micros>,
    pub description: String,
    pub metadata: String,
    pub remaining: i128,
    pub held: i128,
    pub consumed: i128,
    pub expired: i128,
    pub voided: i128,
    pub created: Micros,
    pub updated: Micros,
    pub created_by: String,
    pub voided_at: Option<(Micros, String)>,
    pub status: Status,
}

/// A recorded usage event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub usage: Usage,
    /// Its timestamp, given or not.
    pub at: Micros,
    pub uncovered: i128,
    pub reversed: i128,
    pub paid: Vec<(u32, i128)>,
    /// Its first and last ledger entry.
    pub lines: Option<(i64, i64)>,
    pub recorded: Micros,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Grant { view: View, replayed: bool },
    Usage { event: Event, duplicate: bool },
    Swept,
    Refused(No),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    BadExpiry,
    GrantNotFound,
    RequestIdReused,
    EventIdReused,
    Insufficient {
        requested: i128,
        available: i128,
    },
    GrantNotActive,
    OutOfWindow,
    /// Anything product.md has no word for: the model never says it.
    Other,
}

/// One scope's sum in a balance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Total {
    pub scope: Scope,
    pub available: i128,
    pub held: i128,
    pub remaining: i128,
}

/// A grant's part in a balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub grant: u32,
    pub status: Status,
    pub available: i128,
    pub remaining: i128,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub revision: i64,
    pub as_of: Micros,
    /// Sorted by scope: product.md does not say in which order they come.
    pub totals: Vec<Total>,
    /// Live and pending grants, in the order of consumption.
    pub parts: Vec<Part>,
    /// Grant, instant, amount; soonest first.
    pub upcoming: Vec<(u32, Micros, i128)>,
}
