//! FLOOR 1: PostgreSQL. Rows never leave; no SQL lives anywhere else.
//!
//! Reads are methods of [`Store`], a file per subject. Writes are batches of the engine
//! ([`batch`]), on connections that its lanes own.

mod account;
pub mod audit;
pub mod batch;
mod campaigns;
mod changes;
pub mod clock;
mod connection;
mod conninfo;
mod due;
pub mod error;
pub mod export;
mod grants;
mod keys;
mod ledger;
mod listen;
mod migrations;
mod notification;
mod past;
pub mod postgres;
pub mod private;
mod profiles;
mod promises;
mod rows;
mod schema;
mod servers;
mod standing;
mod statement;
mod summary;
mod tls;
mod usage;

pub use self::account::Accounts;
pub use self::campaigns::{Done, Forecast, Stretch};
pub use self::changes::KeyPrefix;
use std::sync::Arc;

use tokio::sync::Semaphore;

pub use self::clock::{Clock, TestClock};
pub use self::connection::Connection;
pub use self::error::{Error, Result};
pub use self::grants::{GrantFilter, OwnedGrant};
pub use self::keys::{KeyBook, TakenKey};
pub use self::ledger::{EntryFilter, ListedEntry};
pub use self::listen::Listener;
pub use self::migrations::Schema;
pub use self::notification::{Attempted, Claim, Claimed, Next, Waiting};
pub use self::notification::{
    Changed, Delivery, DeliveryFilter, DeliveryStatus, NotChanged, NotSent,
};
pub use self::postgres::{Address, PoolLoad};
pub use self::summary::SummaryFilter;
pub use self::usage::EventFilter;
use crate::domain::time::Windows;
use crate::limits;

/// The readers' side of the database.
#[derive(Clone)]
pub struct Store {
    address: Address,
    readers: postgres::ReadPool,
    /// Exports that may hold one of these at a time: the others are for calls.
    exporting: Arc<Semaphore>,
    /// A connection for signs of life and for keys, so that slow reads neither look like a dead
    /// database nor keep a revoked key alive.
    pulse: postgres::ReadPool,
    /// Connections over which webhooks are claimed and noted, so that they and calls do not wait
    /// for each other.
    deliverers: postgres::ReadPool,
    clock: Clock,
    windows: Windows,
}

impl Store {
    /// A store on the database at `address`; it connects when first asked.
    ///
    /// # Errors
    /// [`Error::Other`] where the pool cannot be made.
    pub fn new(address: Address, readers: usize, clock: Clock, windows: Windows) -> Result<Self> {
        let pulse = postgres::ReadPool::new(&address, 1)?;
        let deliverers = postgres::ReadPool::new(&address, limits::DELIVERY_CONNECTIONS)?;
        let exporting = Arc::new(Semaphore::new((readers / 2).max(1)));
        let readers = postgres::ReadPool::new(&address, readers)?;
        Ok(Self { address, readers, exporting, pulse, deliverers, clock, windows })
    }

    /// Where `now` comes from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The configured windows.
    #[must_use]
    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// How busy the pools are, by name.
    #[must_use]
    pub fn pools(&self) -> [(&'static str, PoolLoad); 2] {
        [("readers", self.readers.load()), ("deliverers", self.deliverers.load())]
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// As the database says.
    pub async fn ping(&self) -> Result<()> {
        self.pulse.get().await.map(drop)
    }
}
