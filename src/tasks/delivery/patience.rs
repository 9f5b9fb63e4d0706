//! How to wait for a database that is away.

use std::time::Duration;

use tokio::time::sleep;

use crate::limits;
use crate::store::Error;

/// Says once what failed, and waits longer each time.
pub(super) struct Patience {
    what: &'static str,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, pause: limits::RECONNECT_PAUSE_MIN }
    }

    /// Waits before it is tried again.
    pub(super) async fn wait(&mut self, error: &Error) {
        if self.pause == limits::RECONNECT_PAUSE_MIN {
            tracing::warn!(%error, "{}", self.what);
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(limits::RECONNECT_PAUSE_MAX);
    }

    /// It did not fail.
    pub(super) fn restore(&mut self) {
        self.pause = limits::RECONNECT_PAUSE_MIN;
    }
}
