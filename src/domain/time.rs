//! Instants: UTC, cut to microseconds on arrival, as PostgreSQL keeps them.
//!
//! Time is an argument everywhere: nothing in creditd reads the machine's clock to decide
//! anything. `now` comes from the database or from the test clock.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// An instant, UTC, in whole microseconds.
pub type Timestamp = DateTime<Utc>;

/// Cuts (never rounds) an instant to microseconds.
#[must_use]
pub fn to_micros(at: DateTime<Utc>) -> Timestamp {
    at.trunc_subsecs(6)
}

/// The configured windows that decisions depend on.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// How far behind the clock an event's timestamp may lie.
    pub max_event_age: TimeDelta,
    /// How long after its expiry a grant may still pay for a late event.
    pub late_usage: TimeDelta,
}
