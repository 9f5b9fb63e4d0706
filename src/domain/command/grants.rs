//! Commands about grants.

use std::sync::Arc;

use uuid::Uuid;

use super::Key;
use super::payload::Canon;
use crate::domain::amount::Amount;
use crate::domain::grant::{Category, Metadata, Notes, Priority, Scope};
use crate::domain::ids::GrantId;
use crate::domain::time::Timestamp;

/// Terms of a grant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGrant {
    /// The idempotency key.
    pub key: Key,
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
        text.fingerprint()
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
