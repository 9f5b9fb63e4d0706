//! Exports: rows of all customers as of one instant, page by page.
//!
//! A snapshot held for a whole export would keep PostgreSQL from pruning, and halve what writers
//! get done. So an export has an instant instead, and each page a short snapshot of its own: what
//! was recorded after the instant is left out of a ledger, and taken back from a grant. That is
//! exact because entries are only ever added and `recorded_at` never decreases along a
//! customer's sequence, once every batch that may yet record something by then has ended
//! ([`Store::settle`](super::Store::settle)).

mod ledger;
mod report;
mod settle;
mod since;
mod walk;

use std::sync::Arc;

use diesel::IntoSql as _;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use tokio::sync::OwnedSemaphorePermit;

pub use self::ledger::{LedgerExport, LedgerFilter, OwnedEntry};
pub use self::report::{Report, ReportFilter};
use super::Store;
use super::error::{Error, Result};
use super::statement::Statement;
use crate::limits;

struct Patience;

/// An export, read page by page.
pub trait Pages: Send {
    /// What it is made of.
    type Row: Send;

    /// The next rows, possibly none of a page; None at the end. A page that failed may be asked
    /// for again.
    ///
    /// # Errors
    /// As the database says.
    fn page(&mut self) -> impl Future<Output = Result<Option<Vec<Self::Row>>>> + Send;
}

/// Waits for a turn: exports together take half of the readers' connections at most, so that calls
/// do not wait behind their pages.
async fn turn(store: &Store) -> Result<OwnedSemaphorePermit> {
    let turn = Arc::clone(&store.exporting).acquire_owned().await;
    turn.map_err(|_| Error::Away("exports have ended".into()))
}

/// Lets the statements of this transaction take their time.
async fn patience(mut conn: &AsyncPgConnection) -> Result<()> {
    let most = limits::EXPORT_STATEMENT_TIMEOUT.as_millis().to_string();
    let statement = Statement::<Patience, (Text,), _>::new(
        "SELECT set_config('statement_timeout', ",
        most.into_sql::<Text>(),
        ", true)",
    );
    let _: Vec<(String,)> = statement.load(&mut conn).await?;
    Ok(())
}

/// The sequence of the last entry of the customer `x.customer_id` that was recorded before an
/// instant, or 0. Looked for backwards from the first point behind it, or else from the end: the
/// cost follows the entries between two points, not the history.
macro_rules! last_before {
    ($instant:literal) => {
        concat!(
            "coalesce((SELECT b.sequence FROM ledger_entries b \
             WHERE b.customer_id = x.customer_id AND b.recorded_at < ",
            $instant,
            " AND b.sequence < coalesce((SELECT p.sequence FROM balance_points p \
               WHERE p.customer_id = x.customer_id AND p.recorded_at >= ",
            $instant,
            " ORDER BY p.recorded_at, p.sequence LIMIT 1), 9223372036854775807) \
             ORDER BY b.sequence DESC LIMIT 1), 0)"
        )
    };
}
pub(super) use last_before;
