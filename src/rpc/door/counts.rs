//! Who came to the door, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::Connection;
use super::connection::Refused;

/// Counters of one door.
#[derive(Debug)]
pub struct Counts {
    most: usize,
    room: Arc<Semaphore>,
    came_in: AtomicU64,
    turned_away: AtomicU64,
    failed: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Connections that are open, or about to be.
    pub open: usize,
    /// Those that came in.
    pub came_in: u64,
    /// Those for which there was no room.
    pub turned_away: u64,
    /// Those that did not get through TLS, or speak no HTTP/2, or took too long.
    pub failed: u64,
}

impl Counts {
    pub(super) fn new(most: usize, room: Arc<Semaphore>) -> Self {
        let [came_in, turned_away, failed] = Default::default();
        Self { most, room, came_in, turned_away, failed }
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let [came_in, turned_away, failed] = [&self.came_in, &self.turned_away, &self.failed]
            .map(|counter| counter.load(Ordering::Relaxed));
        let open = self.most.saturating_sub(self.room.available_permits());
        Snapshot { open, came_in, turned_away, failed }
    }

    /// How many may be open.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts how a connection began.
    pub(super) fn began(
        &self,
        began: Result<Result<Connection, Refused>, JoinError>,
    ) -> Option<Connection> {
        let counter = match &began {
            Ok(Ok(_)) => &self.came_in,
            Ok(Err(_)) | Err(_) => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        match began {
            Ok(Ok(connection)) => return Some(connection),
            // Whoever scans ports would fill a log with these.
            Ok(Err(refused)) => tracing::debug!(address = %refused.address, why = %refused.why),
            Err(error) => tracing::error!(%error, "a connection could not begin"),
        }
        None
    }
}
