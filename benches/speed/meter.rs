//! One measurement: what was done, how long it took, and whose processor time it was.

use std::time::Instant;

use crate::Result;
use crate::cpu::{Used, Watched};

/// A measurement that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    watched: Watched,
    begun: Instant,
    used: Used,
}

/// What was done while measuring.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Events, or rows.
    pub events: f64,
    pub seconds: f64,
    pub used: Used,
}

impl Meter {
    pub fn start(watched: Watched) -> Result<Self> {
        Ok(Self { watched, begun: Instant::now(), used: watched.read()? })
    }

    /// What it comes to with so many done since the start.
    pub fn after(self, events: f64) -> Result<Measured> {
        let seconds = self.begun.elapsed().as_secs_f64();
        Ok(Measured { events, seconds, used: self.used.until(self.watched.read()?) })
    }
}

impl Measured {
    pub fn rate(&self) -> f64 {
        self.events / self.seconds
    }

    /// The two as one, where they were done one after the other.
    pub fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            seconds: self.seconds + other.seconds,
            used: self.used.and(other.used),
        }
    }
}

/// A count, to reckon with.
pub fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::INFINITY, f64::from)
}
