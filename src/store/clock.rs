//! Where `now` comes from: PostgreSQL's clock, or the test clock. The machine's own is never
//! asked, so that replicas whose clocks differ cannot disagree.

use std::sync::Arc;

use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use tokio::sync::watch;

use super::Store;
use super::error::{Error, Result};
use super::statement::Statement;
use crate::domain::time::Timestamp;

struct Now;

/// The source of `now`.
#[derive(Debug, Clone)]
pub enum Clock {
    /// PostgreSQL's `clock_timestamp()`.
    Database,
    /// A clock that stands still until told otherwise.
    Test(TestClock),
}

/// A clock that stands still until told otherwise, and never runs backwards.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<watch::Sender<Timestamp>>);

impl TestClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(at)))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    /// Sets it forward.
    ///
    /// # Errors
    /// What it shows, where that is later than `at`.
    pub fn advance_to(&self, at: Timestamp) -> std::result::Result<(), Timestamp> {
        let moved = self.0.send_if_modified(|now| {
            let forward = at >= *now;
            if forward {
                *now = at;
            }
            forward
        });
        if moved { Ok(()) } else { Err(self.now()) }
    }

    /// Waits until it shows `at` or later.
    pub async fn reaches(&self, at: Timestamp) {
        // It fails only where the clock is gone, and this is it.
        drop(self.0.subscribe().wait_for(|now| *now >= at).await);
    }
}

impl Clock {
    /// What the test clock shows; None where it is the database's.
    #[must_use]
    pub(super) fn test_now(&self) -> Option<Timestamp> {
        match self {
            Self::Database => None,
            Self::Test(clock) => Some(clock.now()),
        }
    }

    /// Reads `now`. Of the database it is `clock_timestamp()` and not `now()`: a transaction
    /// begins before it waits for its locks.
    ///
    /// # Errors
    /// As the database says.
    pub(super) async fn read(&self, mut conn: &AsyncPgConnection) -> Result<Timestamp> {
        if let Self::Test(clock) = self {
            return Ok(clock.now());
        }
        let ask = Statement::<Now, (Timestamptz,), ()>::new("SELECT clock_timestamp()", (), "");
        let rows: Vec<(Timestamp,)> = ask.load(&mut conn).await?;
        rows.into_iter().next().map(|row| row.0).ok_or_else(|| Error::corrupt("no clock"))
    }
}

impl Store {
    /// What the clock shows.
    ///
    /// # Errors
    /// As the database says.
    pub async fn now(&self) -> Result<Timestamp> {
        self.clock.read(&*self.readers.get().await?).await
    }

    /// The same, asked for over the connections of who delivers webhooks.
    ///
    /// # Errors
    /// As the database says.
    pub async fn delivery_now(&self) -> Result<Timestamp> {
        self.clock.read(&*self.deliverers.get().await?).await
    }
}
