//! What was delivered, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::Next;

/// Counters that all endpoints share.
#[derive(Debug, Default)]
pub struct Stats {
    delivered: AtomicU64,
    failed: AtomicU64,
    parked: AtomicU64,
    disabled: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Attempts whose outcome was written down; what was cut off at the end is none.
    pub attempts: u64,
    /// Those that succeeded.
    pub delivered: u64,
    /// Those that are followed by another.
    pub failed: u64,
    /// Those that are not.
    pub parked: u64,
    /// Endpoints that were disabled.
    pub disabled: u64,
}

impl Stats {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let [delivered, failed, parked, disabled] =
            [&self.delivered, &self.failed, &self.parked, &self.disabled]
                .map(|counter| counter.load(Ordering::Relaxed));
        Snapshot { attempts: delivered + failed + parked, delivered, failed, parked, disabled }
    }

    pub(super) fn attempt(&self, next: Next) {
        let counter = match next {
            Next::Delivered => &self.delivered,
            Next::Again(_) => &self.failed,
            Next::Parked => &self.parked,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn disabled(&self) {
        self.disabled.fetch_add(1, Ordering::Relaxed);
    }
}
