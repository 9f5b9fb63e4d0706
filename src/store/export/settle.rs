//! The instant of an export, and waiting until nothing can be recorded by it any more.

use diesel::IntoSql as _;
use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl as _;
use tokio::time::{Instant, sleep};

use super::super::Store;
use super::super::error::{Error, Result};
use super::super::statement::Statement;
use crate::limits;

struct Mark;
struct Ended;

impl Store {
    /// Waits until every batch that may have read the clock by now has ended: what is recorded by
    /// an instant that was read before is then there to be seen.
    ///
    /// A batch has a transaction id before it reads the clock, and ids count up. So it is enough
    /// that all below a new one have ended; who only reads has none. A transaction that lasts
    /// longer than a batch may is not creditd's, and is not waited for.
    ///
    /// # Errors
    /// As the database says.
    pub async fn settle(&self) -> Result<()> {
        let until = Instant::now() + limits::BATCH_TIMEOUT;
        let mark = self.new_transaction_id().await?;
        let mut pause = limits::SETTLE_PAUSE;
        while !self.have_ended_up_to(&mark).await? && Instant::now() < until {
            sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    /// Above all that were given until now. (What a snapshot calls its xmax is not: it is behind
    /// the last one that has ended, and others may be under way beyond it.)
    async fn new_transaction_id(&self) -> Result<String> {
        let ask = Statement::<Mark, (Text,), ()>::new("SELECT pg_current_xact_id()::text", (), "");
        let rows: Vec<(String,)> = ask.load(&mut self.readers.get().await?).await?;
        rows.into_iter().next().map(|row| row.0).ok_or_else(|| Error::corrupt("no id"))
    }

    async fn have_ended_up_to(&self, mark: &str) -> Result<bool> {
        let ask = Statement::<Ended, (Bool,), _>::new(
            "SELECT pg_snapshot_xmin(pg_current_snapshot()) > ",
            mark.into_sql::<Text>(),
            "::xid8",
        );
        let rows: Vec<(bool,)> = ask.load(&mut self.readers.get().await?).await?;
        Ok(rows.into_iter().any(|row| row.0))
    }
}
