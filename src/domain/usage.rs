//! Usage events: what a customer used, and who paid.

use super::amount::{Amount, AmountError};
use super::grant::Metadata;
use super::ids::{EventId, GrantId, HoldId, Metric};
use super::reversal;
use super::time::Timestamp;

/// What one grant paid of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// The grant.
    pub grant_id: GrantId,
    /// What it paid.
    pub amount: Amount,
}

/// What to do with usage that grants do not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Uncovered {
    /// Record it and report the uncovered part.
    #[default]
    AllowOverage,
    /// Record nothing and refuse.
    Reject,
}

/// A recorded usage event. `quantity = covered + uncovered + reversed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// The caller's id.
    pub event_id: EventId,
    /// What was used.
    pub metric: Metric,
    /// How much.
    pub quantity: Amount,
    /// When, for the business.
    pub timestamp: Timestamp,
    /// Whether the caller gave the timestamp: one that was left out agrees with any.
    pub timestamp_given: bool,
    /// The policy it was recorded under; a part of what was sent.
    pub policy: Uncovered,
    /// The caller's notes.
    pub metadata: Metadata,
    /// What no grant paid at first.
    pub uncovered: Amount,
    /// What was given back since.
    pub reversed: Amount,
    /// Which grants paid at first, in the order in which they were taken.
    pub taken: Vec<Allocation>,
    /// The hold that it settled.
    pub hold_id: Option<HoldId>,
    /// Sequences of the first and last ledger entry it made; none where no grant paid.
    pub entries: Option<(i64, i64)>,
    /// When creditd took it in.
    pub recorded_at: Timestamp,
}

impl UsageEvent {
    /// Whether this instant agrees with its own; one that was left out agrees with any.
    #[must_use]
    pub fn happened_at(&self, timestamp: Option<Timestamp>) -> bool {
        timestamp.is_none_or(|at| !self.timestamp_given || at == self.timestamp)
    }

    /// What grants pay, net of what was given back.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn covered(&self) -> Result<Amount, AmountError> {
        self.quantity.less(self.uncovered)?.less(self.given_back()?)
    }

    /// What no grant pays, net of what was reversed: that is reduced first.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn left_uncovered(&self) -> Result<Amount, AmountError> {
        self.uncovered.less(self.uncovered.min(self.reversed))
    }

    /// What of the reversals went back to grants.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn given_back(&self) -> Result<Amount, AmountError> {
        self.reversed.less(self.uncovered.min(self.reversed))
    }

    /// What each grant pays, net of what was given back.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn allocations(&self) -> Result<Vec<Allocation>, AmountError> {
        let left = reversal::left(self.taken.iter().copied(), self.given_back()?)?;
        // Only a hold's event may have taken from one grant twice: what was held, and what was not.
        if self.hold_id.is_some() { reversal::by_grant(left) } else { Ok(left) }
    }
}
