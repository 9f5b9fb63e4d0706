//! Holds: credits set aside before the work is done.

use std::fmt;

use chrono::TimeDelta;

use super::amount::{Amount, AmountError};
use super::ids::{EventId, HoldId, Metric};
use super::time::Timestamp;
use super::usage::Allocation;

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A usage event was recorded for it.
    Settled {
        /// The event.
        event_id: EventId,
        /// What of the credits set aside paid for it.
        settled: Amount,
    },
    /// All of it was given back.
    Released,
    /// Its deadline came.
    Expired,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settled { .. } => "was settled",
            Self::Released => "was released",
            Self::Expired => "has expired",
        })
    }
}

/// What holds whose deadlines have come, but are not booked yet, give back to one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueRelease {
    /// How much.
    pub amount: Amount,
    /// The latest of the deadlines.
    pub last: Timestamp,
}

/// Credits set aside, or once set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The caller's id.
    pub hold_id: HoldId,
    /// What will be used.
    pub metric: Metric,
    /// How much was asked for.
    pub quantity: Amount,
    /// How long it was to last at first; a part of what was sent.
    pub ttl: TimeDelta,
    /// Whether less would do; a part of what was sent.
    pub allow_partial: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its deadline, exclusive: from this instant on nothing is set aside.
    pub expires_at: Timestamp,
    /// What was set aside of each grant, in the order of consumption.
    pub slices: Vec<Allocation>,
    /// When and how it ended.
    pub end: Option<(Timestamp, Ending)>,
}

impl Hold {
    /// Whether its deadline has come by `now` and nobody has booked that yet.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.end.is_none() && self.expires_at <= now
    }

    /// The hold as every read shows it at `now`: with its deadline booked.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.is_due(now) {
            self.end = Some((self.expires_at, Ending::Expired));
        }
        self
    }

    /// What was set aside at first: `held + settled + released`.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn set_aside(&self) -> Result<Amount, AmountError> {
        Amount::sum(self.slices.iter().map(|slice| slice.amount))
    }

    /// What of it still is.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn held(&self) -> Result<Amount, AmountError> {
        if self.end.is_none() { self.set_aside() } else { Ok(Amount::ZERO) }
    }

    /// What of it paid for the event that settled it.
    #[must_use]
    pub fn settled(&self) -> Amount {
        match &self.end {
            Some((_, Ending::Settled { settled, .. })) => *settled,
            _ => Amount::ZERO,
        }
    }

    /// What of it was given back.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn released(&self) -> Result<Amount, AmountError> {
        self.set_aside()?.less(self.held()?)?.less(self.settled())
    }
}
