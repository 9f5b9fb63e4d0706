//! Connections, the pool of readers, and migrations.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use deadpool::Status;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::Text;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{
    AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use futures_util::FutureExt as _;
use tokio_postgres::Config;

use super::conninfo;
use super::error::{Error, Result};
use super::servers::Servers;
use super::statement::Statement;
use super::tls::Tls;
use crate::limits;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Number under which replicas that migrate at the same time wait for each other: "creditd" in
/// ASCII, as a 64-bit advisory lock key.
const MIGRATION_LOCK: i64 = 0x0063_7265_6469_7464;

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
    /// [`Error::Other`] where it is neither, or names files that do not read.
    pub fn parse(url: &str) -> Result<Self> {
        let (url, given) = conninfo::split(url)?;
        let config = Config::from_str(&url)
            .map_err(|_| Error::Other("the database URL does not read as one".into()))?;
        Ok(Self(Servers::new(&config, Tls::new(given)?)))
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

    /// Brings the schema up to date; safe to run from several places at once. How many migrations were
    /// missing.
    ///
    /// # Errors
    /// [`Error::Away`], or [`Error::Other`] where a migration fails.
    pub async fn migrate(&self) -> Result<usize> {
        let mut conn = self.connect_plain().await?;
        let ask = Statement::<Encoding, (Text,), ()>::new("SHOW server_encoding", (), "");
        let found: Vec<(String,)> = ask.load(&mut conn).await?;
        if let Some((found,)) = found.into_iter().find(|(found,)| found != "UTF8") {
            return Err(Error::Other(format!("its encoding is {found}; creditd needs UTF8")));
        }
        conn.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
        // The harness blocks its thread; the lock goes with the connection.
        tokio::task::spawn_blocking(move || {
            let mut harness = AsyncMigrationHarness::new(conn);
            refuse_newer(&mut harness)?;
            let run = harness.run_pending_migrations(MIGRATIONS);
            run.map(|run| run.len()).map_err(|e| e.to_string())
        })
        .await
        .map_err(|error| Error::Other(error.to_string()))?
        .map_err(Error::Other)
    }

    /// A plain connection to a database whose schema is this creditd's, for who must not change it.
    ///
    /// # Errors
    /// [`Error::Away`], or [`Error::Other`] where the schema is an older or a newer one.
    pub async fn connect_current(&self) -> Result<AsyncPgConnection> {
        match self.look_at_schema().await? {
            (Schema::Current, conn) => Ok(conn),
            (Schema::Older, _) => Err(Error::Other(
                "its schema is an older one: `creditd migrate` brings it up to date".into(),
            )),
        }
    }

    /// How the schema stands.
    ///
    /// # Errors
    /// [`Error::Away`], or [`Error::Other`] where a newer creditd has been here.
    pub async fn schema(&self) -> Result<Schema> {
        Ok(self.look_at_schema().await?.0)
    }

    async fn look_at_schema(&self) -> Result<(Schema, AsyncPgConnection)> {
        let conn = self.connect_plain().await?;
        tokio::task::spawn_blocking(move || {
            let mut harness = AsyncMigrationHarness::new(conn);
            refuse_newer(&mut harness)?;
            let pending = harness.has_pending_migration(MIGRATIONS);
            let older = pending.map_err(|error| error.to_string())?;
            Ok((if older { Schema::Older } else { Schema::Current }, harness.into_inner()))
        })
        .await
        .map_err(|error| Error::Other(error.to_string()))?
        .map_err(Error::Other)
    }
}

/// A schema, beside what this creditd works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It is the one.
    Current,
    /// Migrations are missing, or all is.
    Older,
}

struct Encoding;

/// A newer creditd has been here: this one does not know what it would be writing to.
fn refuse_newer(
    harness: &mut AsyncMigrationHarness<AsyncPgConnection>,
) -> std::result::Result<(), String> {
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(|e| e.to_string())?;
    let applied = harness.applied_migrations().map_err(|e| e.to_string())?;
    let foreign = applied
        .iter()
        .find(|version| !known.iter().any(|migration| migration.name().version() == **version));
    foreign.map_or(Ok(()), |version| {
        Err(format!("its schema has migration {version}, which a newer creditd made"))
    })
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
