//! Commands about holds.

use chrono::TimeDelta;

use crate::domain::amount::Amount;
use crate::domain::hold::Hold;
use crate::domain::ids::{EventId, HoldId, Metric};
use crate::domain::time::Timestamp;
use crate::domain::usage::UsageEvent;

/// Credits to set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateHold {
    /// The idempotency key.
    pub hold_id: HoldId,
    /// What will be used.
    pub metric: Metric,
    /// How much to set aside.
    pub quantity: Amount,
    /// From now until the deadline.
    pub ttl: TimeDelta,
    /// Whether less will do.
    pub allow_partial: bool,
}

impl CreateHold {
    /// Whether `hold` is what this command made: the same payload, by value.
    #[must_use]
    pub fn made(&self, hold: &Hold) -> bool {
        self.metric == hold.metric
            && self.quantity == hold.quantity
            && self.ttl == hold.ttl
            && self.allow_partial == hold.allow_partial
    }
}

/// A deadline to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendHold {
    /// Which hold.
    pub hold_id: HoldId,
    /// From now until the new deadline.
    pub ttl: TimeDelta,
}

/// What a hold was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleHold {
    /// Which hold.
    pub hold_id: HoldId,
    /// The idempotency key: of the usage event to record.
    pub event_id: EventId,
    /// How much was used.
    pub quantity: Amount,
    /// When; the instant of recording where none is given.
    pub timestamp: Option<Timestamp>,
}

impl SettleHold {
    /// Whether `event` is what this command recorded: the same payload, by value.
    #[must_use]
    pub fn made(&self, event: &UsageEvent) -> bool {
        event.hold_id.as_ref() == Some(&self.hold_id)
            && self.quantity == event.quantity
            && event.happened_at(self.timestamp)
    }
}
