//! What the lanes and the sweeper have done, counted.

use std::time::Duration;

use super::Pass;
use crate::domain::account::Brought;
use crate::metrics::{Counter, Counters, Gauge, Registry, Result, Sizes, Timing, count, number};

/// What all lanes count together.
#[derive(Debug)]
pub struct Stats {
    batches: Sizes,
    batch_time: Timing,
    queued: Timing,
    lag: Timing,
    statements: Counter,
    retries: Counter,
    sweeps: Sweeps,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Batches that were carried out.
    pub batches: u64,
    /// Commands in them.
    pub commands: u64,
    /// Statements sent by lanes, those that set a connection up left out.
    pub statements: u64,
    /// Batches that had to be tried again.
    pub retries: u64,
}

impl Stats {
    /// Counts in this registry.
    ///
    /// # Errors
    /// Where somebody else does already.
    pub fn new(registry: &Registry) -> Result<Self> {
        Ok(Self {
            batches: registry
                .sizes("creditd_batch_commands", "Commands of a batch that was carried out.")?,
            batch_time: registry.timing(
                "creditd_batch_duration_seconds",
                "From the beginning of a batch's last try to the end of its transaction.",
            )?,
            queued: registry.timing(
                "creditd_queue_wait_seconds",
                "From the arrival of what came together to the batch that takes it.",
            )?,
            lag: registry.timing(
                "creditd_ledger_lag_seconds",
                "From the arrival of what came together to the reply, with the ledger committed.",
            )?,
            statements: registry
                .counter("creditd_statements_total", "Statements that lanes have sent.")?,
            retries: registry
                .counter("creditd_batch_retries_total", "Tries of batches that failed.")?,
            sweeps: Sweeps::new(registry)?,
        })
    }

    pub(super) fn batch(&self, commands: usize, time: Duration) {
        self.batches.came(commands);
        self.batch_time.took(time);
    }

    pub(super) fn waited(&self, time: Duration) {
        self.queued.took(time);
    }

    pub(super) fn answered(&self, time: Duration) {
        self.lag.took(time);
    }

    pub(super) fn statement(&self) {
        self.statements.inc();
    }

    pub(super) fn retry(&self) {
        self.retries.inc();
    }

    pub(super) fn sweeps(&self) -> &Sweeps {
        &self.sweeps
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            batches: self.batches.times(),
            commands: self.batches.all(),
            statements: self.statements.get(),
            retries: self.retries.get(),
        }
    }
}

/// What passes of the sweeper have done.
#[derive(Debug)]
pub(super) struct Sweeps {
    passes: Counters,
    brought: Counters,
    renewed: Counter,
    removed: Counter,
    failures: Counter,
    due: Gauge,
    lag: Gauge,
}

impl Sweeps {
    fn new(registry: &Registry) -> Result<Self> {
        Ok(Self {
            passes: registry.counters(
                "creditd_sweeper_passes_total",
                "Passes over what is due.",
                &["outcome"],
            )?,
            brought: registry.counters(
                "creditd_sweeper_brought_total",
                "What time has brought, and passes have booked.",
                &["what"],
            )?,
            renewed: registry.counter(
                "creditd_sweeper_renewed_total",
                "Customers looked at anew because settings have changed.",
            )?,
            removed: registry.counter(
                "creditd_sweeper_deliveries_removed_total",
                "Old deliveries that were removed.",
            )?,
            failures: registry.counter(
                "creditd_sweeper_failures_total",
                "Customers whose booking failed, to be taken again.",
            )?,
            due: registry.gauge(
                "creditd_sweeper_due_customers",
                "Customers with something due that the last pass has found: so many at most as it takes.",
            )?,
            lag: registry.gauge(
                "creditd_sweeper_lag_seconds",
                "How long the oldest of that had been due.",
            )?,
        })
    }

    /// What a pass has found, before it does anything about it.
    pub(super) fn found(&self, customers: usize, lag: Duration) {
        self.due.set(number(customers));
        self.lag.set(number(lag.as_secs()));
    }

    pub(super) fn done(&self, pass: &Pass) {
        self.passes.with_label_values(&["done"]).inc();
        let Brought { holds_expired, grants_ended, grants_started, warnings } = pass.brought;
        for (what, many) in [
            ("holds_expired", holds_expired),
            ("grants_ended", grants_ended),
            ("grants_started", grants_started),
            ("warnings", warnings),
        ] {
            self.brought.with_label_values(&[what]).inc_by(count(many));
        }
        self.renewed.inc_by(count(pass.renewed));
        self.removed.inc_by(count(pass.removed));
        self.failures.inc_by(count(pass.failures.len()));
    }

    pub(super) fn failed(&self) {
        self.passes.with_label_values(&["failed"]).inc();
    }
}
