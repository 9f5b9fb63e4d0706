//! What the naive model answers.

use super::{Apply, Aside, Category, Micros, Scope, Usage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Granted,
    Updated,
    Consumed,
    Applied,
    Held,
    Released,
    Expired,
    Voided,
    UsageReversed,
    ApplicationReversed,
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
    pub invoice: Option<u8>,
    pub hold: Option<u8>,
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

/// A usage event as it is at some instant: net of what was reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub usage: Usage,
    /// Its timestamp, given or not.
    pub at: Micros,
    pub covered: i128,
    pub uncovered: i128,
    pub reversed: i128,
    /// What each grant pays.
    pub paid: Vec<(u32, i128)>,
    /// Its first and last ledger entry.
    pub lines: Option<(i64, i64)>,
    pub recorded: Micros,
    /// The hold that it settled.
    pub hold: Option<u8>,
}

/// What was applied to an invoice, as it is at some instant: net of what was reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub apply: Apply,
    /// When it counts as applied, given or not.
    pub at: Micros,
    pub applied: i128,
    pub remaining: i128,
    pub reversed: i128,
    /// What each grant pays, and what the grant is called now.
    pub paid: Vec<(u32, i128, String)>,
    pub recorded: Micros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStatus {
    Open,
    Settled,
    Released,
    Expired,
}

/// A hold as it is at some instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// How it was asked for, its first time to live included.
    pub aside: Aside,
    pub held: i128,
    pub settled: i128,
    pub released: i128,
    pub status: HoldStatus,
    pub deadline: Micros,
    /// What was set aside of each grant at first.
    pub slices: Vec<(u32, i128)>,
    pub created: Micros,
    pub ended: Option<Micros>,
    /// The event that settled it.
    pub event: Option<u8>,
}

/// What a reversal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reversed {
    pub restored: i128,
    pub forfeited: i128,
    pub uncovered: i128,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Grant {
        view: View,
        replayed: bool,
    },
    Usage {
        event: Event,
        duplicate: bool,
    },
    Application {
        application: Application,
        replayed: bool,
    },
    /// Replayed is what changed nothing.
    Hold {
        hold: Hold,
        replayed: bool,
    },
    Settled {
        hold: Hold,
        event: Event,
    },
    UsageReversed {
        event: Event,
        did: Reversed,
        replayed: bool,
    },
    ApplicationReversed {
        application: Application,
        did: Reversed,
        replayed: bool,
    },
    Swept,
    Refused(No),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    BadExpiry,
    /// More decimals than the invoice's currency has.
    BadAmount,
    GrantNotFound,
    EventNotFound,
    ApplicationNotFound,
    HoldNotFound,
    RequestIdReused,
    EventIdReused,
    InvoiceAlreadyApplied,
    HoldIdReused,
    Insufficient {
        requested: i128,
        available: i128,
    },
    ReversalExceeds {
        requested: i128,
        left: i128,
    },
    GrantNotActive,
    HoldNotOpen(HoldStatus),
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
    pub held: i128,
    pub remaining: i128,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub revision: i64,
    pub as_of: Micros,
    /// Sorted by scope: product.md does not say in which order they come.
    pub totals: Vec<Total>,
    /// Live and pending grants, and others with something held, in the order of consumption.
    pub parts: Vec<Part>,
    /// Grant, instant, amount; soonest first.
    pub upcoming: Vec<(u32, Micros, i128)>,
}
