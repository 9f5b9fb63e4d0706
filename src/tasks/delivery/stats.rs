//! What was delivered, counted.

use std::time::Duration;

use crate::metrics::{Counter, Gauge, Registry, Result, number};
use crate::store::Next;

/// Counters that all endpoints share.
#[derive(Debug)]
pub struct Stats {
    delivered: Counter,
    failed: Counter,
    parked: Counter,
    disabled: Counter,
    lag: Gauge,
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
    /// Counts in this registry.
    ///
    /// # Errors
    /// Where somebody else does already.
    pub fn new(registry: &Registry) -> Result<Self> {
        let attempts = registry.counters(
            "creditd_webhook_attempts_total",
            "Attempts at webhooks whose outcome was written down.",
            &["outcome"],
        )?;
        let of = |outcome| attempts.with_label_values(&[outcome]);
        Ok(Self {
            delivered: of("delivered"),
            failed: of("retried"),
            parked: of("parked"),
            disabled: registry.counter(
                "creditd_webhook_endpoints_disabled_total",
                "Endpoints that were disabled because they kept failing.",
            )?,
            lag: registry.gauge(
                "creditd_outbox_lag_seconds",
                "How long the oldest delivery that nobody has in hand has been due.",
            )?,
        })
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let [delivered, failed, parked, disabled] =
            [&self.delivered, &self.failed, &self.parked, &self.disabled].map(Counter::get);
        Snapshot { attempts: delivered + failed + parked, delivered, failed, parked, disabled }
    }

    pub(super) fn attempt(&self, next: Next) {
        let counter = match next {
            Next::Delivered => &self.delivered,
            Next::Again(_) => &self.failed,
            Next::Parked => &self.parked,
        };
        counter.inc();
    }

    pub(super) fn disabled(&self) {
        self.disabled.inc();
    }

    /// How long the oldest delivery that nobody has in hand has been due.
    pub(super) fn lags(&self, lag: Duration) {
        self.lag.set(number(lag.as_secs()));
    }
}
