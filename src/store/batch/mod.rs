//! The statements of one batch: two round trips, whose number of statements does not depend on
//! the batch's size.
//!
//! 1. [`Batch::open`]: BEGIN, lock the customers in the order of their keys, read the clock, and
//!    load what the commands need, all in one pipeline. The lock is a statement of its own: a
//!    statement that waited for a lock returns other tables' rows as of before the wait.
//! 2. [`Batch::save`]: write rows, figures, entries, revisions and COMMIT, all in one pipeline.

mod assemble;
mod load;
mod occasion;
mod prior;
mod save;

use std::collections::HashMap;
use std::sync::Arc;

use diesel_async::{AsyncConnectionCore as _, AsyncPgConnection};
use futures_util::future::join_all;
use uuid::Uuid;

pub use load::Wanted;
pub use occasion::KnownInterests;
pub(super) use prior::{
    ApplicationSqlType, EventSqlType, application_columns, application_draws, event_by_key,
    event_columns, event_draws,
};

use super::clock::Clock;
use super::connection::Connection;
use super::error::Result;
use super::statement::Statement;
use crate::domain::account::Account;
use crate::domain::notification::Interests;
use crate::domain::time::{Timestamp, Windows};

struct Begin;
struct Commit;
struct Rollback;

/// The accounts of one batch, by the customers' keys.
pub type Accounts = HashMap<Uuid, Box<Account>>;

/// A transaction that is open on a lane's connection.
///
/// Dropping it leaves the transaction open: the lane then drops the connection, too.
pub struct Batch<'c> {
    conn: &'c AsyncPgConnection,
}

/// What a batch begins with.
pub struct Opened<'c> {
    /// The transaction.
    pub batch: Batch<'c>,
    /// The accounts, each with what its commands need.
    pub accounts: Accounts,
    /// The clock, read after the locks.
    pub clock: Timestamp,
    /// Who is to be told of what.
    pub interests: Arc<Interests>,
}

impl<'c> Batch<'c> {
    /// Begins a transaction, locks the customers and loads their accounts; `cached` accounts are
    /// used where they are still current, which the lock tells.
    ///
    /// # Errors
    /// As the database says; the connection must then be rolled back or dropped.
    pub async fn open(
        Connection(conn): &'c Connection,
        wanted: &Wanted,
        mut cached: Accounts,
        windows: Windows,
        clock: &Clock,
        known: &mut KnownInterests,
    ) -> Result<Opened<'c>> {
        let begin = run(conn, Statement::<Begin, (), ()>::new("BEGIN", (), ""));
        let locked = load::lock(conn, wanted);
        let occasion = occasion::look(conn, clock, known);
        let loaded = load::Loaded::read(conn, wanted, &cached);
        // In this order: a statement that overtook BEGIN would run, and lock, for itself alone.
        let (begun, locked, occasion, loaded) =
            tokio::join!(biased; begin, locked, occasion, loaded);
        begun?;
        let (locked, (clock, interests), mut loaded) = (locked?, occasion?, loaded?);
        loaded.refresh(conn, &locked, &mut cached).await?;
        let accounts = assemble::assemble(wanted, locked, loaded, cached, windows)?;
        Ok(Opened { batch: Self { conn }, accounts, clock, interests })
    }

    /// Writes what the accounts have changed and commits.
    ///
    /// # Errors
    /// As the database says; whether it committed is then unknown.
    pub async fn save(self, accounts: &Accounts) -> Result<()> {
        let mut statements = save::statements(self.conn, accounts)?;
        statements.push(run(self.conn, Statement::<Commit, (), ()>::new("COMMIT", (), "")));
        // All of them, even where one fails: COMMIT is in the pipeline, and that of an aborted
        // transaction returns Ok, so that every earlier result counts.
        let results = join_all(statements).await;
        results.into_iter().collect::<Result<Vec<_>>>().map(drop)
    }

    /// Ends a batch that changed nothing.
    ///
    /// # Errors
    /// As the database says.
    pub async fn close(self) -> Result<()> {
        run(self.conn, Statement::<Rollback, (), ()>::new("ROLLBACK", (), "")).await.map(drop)
    }
}

/// Reads accounts without locking or writing, as one snapshot, for what `validate_only` and
/// previews ask.
///
/// # Errors
/// As the database says.
pub async fn peek(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    windows: Windows,
    clock: &Clock,
) -> Result<(Accounts, Timestamp)> {
    // Through diesel's own transaction, of which the pool knows: a caller that hangs up in the
    // middle drops this future, and the connection, still in its old snapshot, is not lent again.
    let mut snapshot = conn.build_transaction().repeatable_read().read_only();
    snapshot
        .run(async |conn| {
            let standing = load::standing(conn, wanted).await?;
            let clock = clock.read(conn).await?;
            let loaded = load::Loaded::read(conn, wanted, &Accounts::new()).await?;
            let accounts = assemble::assemble(wanted, standing, loaded, Accounts::new(), windows)?;
            Ok((accounts, clock))
        })
        .await
}

type Running<'c> = std::pin::Pin<Box<dyn Future<Output = Result<usize>> + Send + 'c>>;

/// Starts a statement that returns no rows. It is sent when the future is first polled.
fn run<Id, Binds>(mut conn: &AsyncPgConnection, statement: Statement<Id, (), Binds>) -> Running<'_>
where
    Id: 'static,
    Binds: diesel::query_builder::QueryFragment<diesel::pg::Pg>,
{
    let running = conn.execute_returning_count(statement);
    Box::pin(async move { Ok(running.await?) })
}
