//! Who came to the door, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinError;

use super::Connection;
use super::connection::Refused;
use super::room::{Full, Room};

/// Counters of one door.
#[derive(Debug)]
pub struct Counts {
    room: Arc<Room>,
    came_in: AtomicU64,
    full: AtomicU64,
    of_one_address: AtomicU64,
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
    pub full: u64,
    /// Those of whose address there were too many.
    pub of_one_address: u64,
    /// Those that did not get through TLS, or speak no HTTP/2, or took too long.
    pub failed: u64,
}

impl Counts {
    pub(super) fn new(room: Arc<Room>) -> Self {
        let [came_in, full, of_one_address, failed] = Default::default();
        Self { room, came_in, full, of_one_address, failed }
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let counters = [&self.came_in, &self.full, &self.of_one_address, &self.failed];
        let [came_in, full, of_one_address, failed] =
            counters.map(|counter| counter.load(Ordering::Relaxed));
        Snapshot { open: self.room.taken(), came_in, full, of_one_address, failed }
    }

    pub(super) fn turned_away(&self, why: Full) {
        let counter = match why {
            Full::All => &self.full,
            Full::Address => &self.of_one_address,
        };
        counter.fetch_add(1, Ordering::Relaxed);
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
