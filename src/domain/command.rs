//! Commands: everything that changes a customer's credits. Parsed at the door, decided by
//! [`super::account::Account`].

use std::sync::Arc;

use uuid::Uuid;

use super::amount::Amount;
use super::grant::{Category, Grant, Metadata, Notes, Priority, Scope};
use super::ids::{Customer, EventId, GrantId, Metric, RequestId};
use super::import::ImportRow;
use super::time::Timestamp;
use super::usage::{Uncovered, UsageEvent};

/// One thing to do for one customer.
#[derive(Debug, Clone)]
pub struct Command {
    /// For whom.
    pub customer: Customer,
    /// By whom.
    pub actor: Arc<str>,
    /// What.
    pub action: Action,
}

impl Command {
    /// The row of an import that it is.
    #[must_use]
    pub fn import_row(&self) -> Option<&ImportRow> {
        match &self.action {
            Action::CreateGrant(create) => match &create.key {
                GrantKey::Import(row) => Some(row),
                GrantKey::Request(_) => None,
            },
            _ => None,
        }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Make a grant.
    CreateGrant(Box<CreateGrant>),
    /// Change a grant's rules or notes.
    UpdateGrant(Box<UpdateGrant>),
    /// Take a grant back.
    VoidGrant(Box<VoidGrant>),
    /// Record usage.
    RecordUsage(Box<RecordUsage>),
    /// Book what has fallen due, and nothing else.
    BookDue,
}

/// The idempotency key of a grant to be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GrantKey {
    /// The caller's own, unique for the customer.
    Request(RequestId),
    /// A row of an import, unique among all customers.
    Import(ImportRow),
}

/// Terms of a grant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGrant {
    /// The idempotency key.
    pub key: GrantKey,
    /// The id it will have.
    pub grant_id: GrantId,
    /// What it can pay for.
    pub scope: Scope,
    /// How much.
    pub amount: Amount,
    /// Lower is consumed first.
    pub priority: Priority,
    /// Why it is given.
    pub category: Option<Category>,
    /// From when on; the instant of recording where none is given.
    pub effective_at: Option<Timestamp>,
    /// Until when; for ever where none is given.
    pub expires_at: Option<Timestamp>,
    /// Description and metadata.
    pub notes: Notes,
}

/// Namespace of payloads' fingerprints (UUIDv5, RFC 9562). Never to be changed.
const PAYLOADS: Uuid = Uuid::from_u128(0x6372_6564_6974_6400_8000_7061_796c_6f61);

impl CreateGrant {
    /// A fingerprint of the payload as sent, by value: all of it but the key, the id made for it,
    /// and `effective_at`, which is compared apart because an omitted one agrees with any.
    #[must_use]
    pub fn payload(&self) -> Uuid {
        let mut text = Canon::default();
        text.field(match &self.scope {
            Scope::Units(_) => "units",
            Scope::Money(currency) => currency.code(),
        });
        if let Scope::Units(metrics) = &self.scope {
            text.field(&metrics.len().to_string());
            metrics.iter().for_each(|metric| text.field(metric.as_str()));
        }
        text.field(&self.amount.to_string());
        text.field(&self.priority.get().to_string());
        // Names of their own: these fingerprints are kept for years.
        text.field(match self.category {
            None => "",
            Some(Category::Promotional) => "promotional",
            Some(Category::Purchased) => "purchased",
            Some(Category::Loyalty) => "loyalty",
            Some(Category::Service) => "service",
        });
        text.field(
            &self.expires_at.map_or_else(String::new, |at| at.timestamp_micros().to_string()),
        );
        text.field(&self.notes.description);
        for (key, value) in &self.notes.metadata {
            text.field(key);
            text.field(value);
        }
        Uuid::new_v5(&PAYLOADS, text.0.as_bytes())
    }
}

/// Fields written so that no two payloads read the same: each with its length before it.
#[derive(Default)]
struct Canon(String);

impl Canon {
    fn field(&mut self, text: &str) {
        self.0.push_str(&text.len().to_string());
        self.0.push(':');
        self.0.push_str(text);
    }
}

/// What to change of a grant; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateGrant {
    /// Which grant.
    pub grant_id: GrantId,
    /// A new description.
    pub description: Option<String>,
    /// New metadata, in place of all the old.
    pub metadata: Option<Metadata>,
    /// A new priority; `Some(None)` = the one of its category.
    pub priority: Option<Option<Priority>>,
    /// A new expiry; `Some(None)` = never.
    pub expires_at: Option<Option<Timestamp>>,
}

/// A grant to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidGrant {
    /// Which grant.
    pub grant_id: GrantId,
    /// Why.
    pub reason: Arc<str>,
}

/// Usage to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordUsage {
    /// The idempotency key.
    pub event_id: EventId,
    /// What was used.
    pub metric: Metric,
    /// How much.
    pub quantity: Amount,
    /// When; the instant of recording where none is given.
    pub timestamp: Option<Timestamp>,
    /// What to do with what no grant covers.
    pub policy: Uncovered,
    /// The caller's notes.
    pub metadata: Metadata,
}

impl RecordUsage {
    /// Whether `event` is what this command recorded: the same payload, by value.
    #[must_use]
    pub fn made(&self, event: &UsageEvent) -> bool {
        let same_time = match self.timestamp {
            Some(at) if event.timestamp_given => at == event.timestamp,
            _ => true,
        };
        same_time
            && self.metric == event.metric
            && self.quantity == event.quantity
            && self.policy == event.policy
            && self.metadata == event.metadata
    }
}

/// What came of a command.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A grant, as it is now.
    Grant {
        /// The grant.
        grant: Box<Grant>,
        /// Whether it was there before: its key had made it, or it was voided already.
        replayed: bool,
        /// The instant at which it is like this.
        now: Timestamp,
    },
    /// A usage event, as it is now.
    Usage {
        /// The event.
        event: Arc<UsageEvent>,
        /// Whether it had been recorded before.
        duplicate: bool,
    },
    /// What had fallen due is booked.
    Booked,
}
