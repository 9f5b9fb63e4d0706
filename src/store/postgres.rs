//! Connections, and the pool of readers.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use deadpool::Status;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use futures_util::FutureExt as _;
use tokio_postgres::Config;

use super::conninfo;
use super::error::{Error, Result};
use super::servers::Servers;
use super::tls::Tls;
use crate::limits;

/// Plans must not depend on how full a table looked when a statement was prepared: every statement
/// of creditd is a look-up by index, and is told so. Measured: a hash join planned while the table
/// was empty costs two thirds of the throughput, or all of it.
/// Sorts are off so that a page of a long list is sorted piece by piece, behind an index, and not
/// as a whole.
const PLAN_SETTINGS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
                             -c enable_bitmapscan=off -c enable_hashjoin=off \
                             -c enable_mergejoin=off -c enable_material=off -c enable_memoize=off \
                             -c enable_sort=off \
                             -c jit=off";

/// Where the database is. The password is not printed.
#[derive(Clone)]
pub struct Address(Servers);

impl Address {
    /// Reads a `postgres://` URL or a libpq key/value string.
    ///
    /// # Errors
    /// [`Error::Unusable`] where it is neither, or names files that do not read.
    pub fn parse(url: &str) -> Result<Self> {
        let (url, given) = conninfo::split(url)?;
        let config =
            Config::from_str(&url).map_err(|_| Error::unusable("the URL does not read as one"))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Error::unusable("the URL names no host"));
        }
        Ok(Self(Servers::new(&config, Tls::new(given)?)))
    }

    /// The same database, on a standby, too, for who changes nothing.
    #[must_use]
    pub fn for_reading(&self) -> Self {
        Self(self.0.for_reading())
    }

    /// A connection for the service's own statements: planned as look-ups, with timeouts.
    ///
    /// # Errors
    /// [`Error::Away`].
    pub async fn connect(&self) -> Result<AsyncPgConnection> {
        let timeouts = format!(
            "-c statement_timeout={} -c lock_timeout={} \
             -c idle_in_transaction_session_timeout={}",
            limits::STATEMENT_TIMEOUT.as_millis(),
            limits::LOCK_TIMEOUT.as_millis(),
            limits::IDLE_IN_TRANSACTION_TIMEOUT.as_millis(),
        );
        self.0.connect(&format!("{PLAN_SETTINGS} {timeouts}")).await
    }

    /// A connection with the server's own settings: for migrations and the audit, whose
    /// statements read whole tables.
    ///
    /// # Errors
    /// [`Error::Away`].
    pub async fn connect_plain(&self) -> Result<AsyncPgConnection> {
        self.0.connect("").await
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.0.each().iter();
        f.debug_list()
            .entries(servers.map(|one| (one.get_hosts(), one.get_ports(), one.get_dbname())))
            .finish()
    }
}

/// How busy a pool is.
#[derive(Debug, Clone, Copy)]
pub struct PoolLoad {
    /// Connections that are lent.
    pub used: usize,
    /// Connections that are not.
    pub idle: usize,
    /// Those who wait for one.
    pub waiting: usize,
}

/// A connection lent by the pool.
pub(super) type Lent = Object<AsyncPgConnection>;

/// Connections that reads share.
#[derive(Clone)]
pub(super) struct ReadPool(Pool<AsyncPgConnection>);

impl ReadPool {
    pub(super) fn new(address: &Address, size: usize) -> Result<Self> {
        let address = address.clone();
        let mut config = ManagerConfig::<AsyncPgConnection>::default();
        config.custom_setup = Box::new(move |_| {
            let address = address.clone();
            async move {
                address
                    .connect()
                    .await
                    .map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
        let wait: Option<Duration> = Some(limits::POOL_WAIT_MAX);
        let pool = Pool::builder(manager)
            .max_size(size)
            .wait_timeout(wait)
            .create_timeout(wait)
            .recycle_timeout(wait)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok(Self(pool))
    }

    pub(super) async fn get(&self) -> Result<Lent> {
        Ok(self.0.get().await?)
    }

    pub(super) fn load(&self) -> PoolLoad {
        let Status { size, available, waiting, .. } = self.0.status();
        PoolLoad { used: size.saturating_sub(available), idle: available, waiting }
    }
}
