//! Calls that are repeated while creditd is away. Every one carries a key, so that is safe.

use tokio::time::{Instant, sleep};
use tonic::Status;

use super::error::is_passing;
use super::progress::Progress;
use crate::limits;

/// How long to go on trying.
pub struct Patience {
    since: Option<Instant>,
}

impl Patience {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self { since: None }
    }

    /// A call came through: the next failure is a new one.
    pub fn restore(&mut self) {
        self.since = None;
    }

    /// Waits, or gives the status back where the call is not worth repeating.
    pub async fn wait(&mut self, status: Status, progress: &Progress) -> Result<(), Status> {
        if !is_passing(&status) {
            return Err(status);
        }
        match self.since {
            Some(since) if since.elapsed() >= limits::CLIENT_PATIENCE => return Err(status),
            Some(_) => {}
            None => {
                progress.away(status.message());
                self.since = Some(Instant::now());
            }
        }
        sleep(limits::RETRY_AFTER).await;
        Ok(())
    }
}
