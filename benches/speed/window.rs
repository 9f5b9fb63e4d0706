//! One measurement of a load on creditd: warm up, measure, stop.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Result;
use crate::cpu::Watched;
use crate::meter::{Measured, Meter, float};

/// 0 is warming up.
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What the callers of a load share.
#[derive(Debug, Default)]
pub struct Window {
    phase: AtomicU8,
    answered: AtomicU64,
}

impl Window {
    pub fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == OVER
    }

    /// Whether a call that begins now counts.
    pub fn is_measuring(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == MEASURING
    }

    pub fn answered(&self, events: usize) {
        self.answered.fetch_add(u64::try_from(events).unwrap_or(0), Ordering::Relaxed);
    }

    /// Ends it early: a caller has failed.
    pub fn end(&self) {
        self.phase.store(OVER, Ordering::Relaxed);
    }

    /// Sees a load through that is already running.
    pub async fn measure(&self, watched: Watched, seconds: f64) -> Result<Measured> {
        self.pass(Duration::from_secs_f64((seconds / 4.0).clamp(0.5, 2.0))).await;
        let (before, meter) = (self.count(), Meter::start(watched)?);
        if !self.is_over() {
            self.phase.store(MEASURING, Ordering::Relaxed);
        }
        self.pass(Duration::from_secs_f64(seconds)).await;
        let measured = meter.after(self.count() - before)?;
        self.end();
        Ok(measured)
    }

    async fn pass(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_over() && Instant::now() < until {
            sleep((until - Instant::now()).min(Duration::from_millis(50))).await;
        }
    }

    fn count(&self) -> f64 {
        float(self.answered.load(Ordering::Relaxed))
    }
}
