//! The schema: how it stands, and how it is brought up to date.

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel_async::{
    AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::error::{Error, Result};
use super::postgres::Address;
use super::statement::Statement;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Number under which replicas that migrate at the same time wait for each other: "creditd" in
/// ASCII, as a 64-bit advisory lock key.
const MIGRATION_LOCK: i64 = 0x0063_7265_6469_7464;

/// A schema, beside what this creditd works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// It is the one.
    Current,
    /// Migrations are missing, or all is.
    Older,
    /// It has a migration, this one, that a newer creditd made: this one does not know what it would
    /// be writing to.
    Newer(String),
}

impl Address {
    /// How the schema stands. Whoever only looks changes nothing.
    ///
    /// # Errors
    /// [`Error::Away`], or [`Error::Other`] where the database will not have us.
    pub async fn schema(&self) -> Result<Schema> {
        look(&mut self.connect_plain().await?).await
    }

    /// A plain connection to a database whose schema is this creditd's, for who must not change it.
    ///
    /// # Errors
    /// As [`Address::schema`]; [`Error::Unusable`] where the schema is an older or a newer one.
    pub async fn connect_current(&self) -> Result<AsyncPgConnection> {
        let mut conn = self.connect_plain().await?;
        match look(&mut conn).await? {
            Schema::Current => Ok(conn),
            Schema::Older => Err(Error::unusable(
                "its schema is an older one: `creditd migrate` brings it up to date",
            )),
            Schema::Newer(version) => Err(newer(&version)),
        }
    }

    /// Brings the schema up to date; safe to run from several places at once. How many migrations were
    /// missing.
    ///
    /// # Errors
    /// [`Error::Away`]; [`Error::Unusable`] where the schema is a newer one, or its text is no UTF-8;
    /// [`Error::Other`] where a migration fails.
    pub async fn migrate(&self) -> Result<usize> {
        let mut conn = self.connect_plain().await?;
        let ask = Statement::<Encoding, (Text,), ()>::new("SHOW server_encoding", (), "");
        let found: Vec<(String,)> = ask.load(&mut conn).await?;
        if let Some((found,)) = found.into_iter().find(|(found,)| found != "UTF8") {
            return Err(Error::unusable(format!("its encoding is {found}; creditd needs UTF8")));
        }
        // It goes with the connection.
        conn.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
        if let Schema::Newer(version) = look(&mut conn).await? {
            return Err(newer(&version));
        }
        // The harness blocks its thread.
        let run = tokio::task::spawn_blocking(move || {
            let mut harness = AsyncMigrationHarness::new(conn);
            let run = harness.run_pending_migrations(MIGRATIONS);
            (run.map(|run| run.len()).map_err(|error| error.to_string()), harness.into_inner())
        });
        let (run, mut conn) = run.await.map_err(|error| Error::Other(error.to_string()))?;
        match run {
            Ok(run) => Ok(run),
            // The harness keeps to itself what kind of failure it was.
            Err(why) if conn.batch_execute("SELECT 1").await.is_err() => Err(Error::Away(why)),
            Err(why) => Err(Error::Other(why)),
        }
    }
}

struct Encoding;
struct IsKept;
struct Applied;

async fn look(conn: &mut AsyncPgConnection) -> Result<Schema> {
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(|error| Error::Other(error.to_string()))?;
    let known: Vec<_> = known.iter().map(|one| one.name().version().to_string()).collect();
    // Diesel would make the table to look into it: of two who do so at once one fails.
    let ask = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL";
    let is_kept: Vec<(bool,)> =
        Statement::<IsKept, (Bool,), ()>::new(ask, (), "").load(conn).await?;
    let applied: Vec<(String,)> = if is_kept == [(true,)] {
        let ask = "SELECT version::text FROM __diesel_schema_migrations ORDER BY version";
        Statement::<Applied, (Text,), ()>::new(ask, (), "").load(conn).await?
    } else {
        Vec::new()
    };
    Ok(compare(&known, applied.into_iter().map(|(version,)| version).collect()))
}

fn compare(known: &[String], mut applied: Vec<String>) -> Schema {
    let is_older = known.iter().any(|version| !applied.contains(version));
    applied.retain(|version| !known.contains(version));
    match applied.pop() {
        Some(foreign) => Schema::Newer(foreign),
        None if is_older => Schema::Older,
        None => Schema::Current,
    }
}

fn newer(version: &str) -> Error {
    Error::unusable(format!("its schema has migration {version}, which a newer creditd made"))
}
