//! Commands about usage.

use std::sync::Arc;

use uuid::Uuid;

use super::payload::reversal_payload;
use crate::domain::amount::Amount;
use crate::domain::grant::Metadata;
use crate::domain::ids::{EventId, Metric, RequestId};
use crate::domain::time::Timestamp;
use crate::domain::usage::{Uncovered, UsageEvent};

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
        let same_notes = self.policy == event.policy && self.metadata == event.metadata;
        event.happened_at(self.timestamp)
            && self.metric == event.metric
            && self.quantity == event.quantity
            // Who settles a hold cannot say these: any agree.
            && (same_notes || event.hold_id.is_some())
    }
}

/// Usage to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseUsage {
    /// The idempotency key.
    pub request_id: RequestId,
    /// Of which event.
    pub event_id: EventId,
    /// How much; all that is left where none is given.
    pub quantity: Option<Amount>,
    /// Why.
    pub reason: Arc<str>,
}

impl ReverseUsage {
    /// A fingerprint of the payload as sent, by value.
    #[must_use]
    pub fn payload(&self) -> Uuid {
        reversal_payload("reverse_usage", self.event_id.as_str(), self.quantity, &self.reason)
    }
}
