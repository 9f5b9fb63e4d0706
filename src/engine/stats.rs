//! What the lanes have done, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that all lanes share.
#[derive(Debug, Default)]
pub struct Stats {
    batches: AtomicU64,
    commands: AtomicU64,
    statements: AtomicU64,
    retries: AtomicU64,
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
    pub(super) fn batch(&self, commands: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(u64::try_from(commands).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            batches: self.batches.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }
}
