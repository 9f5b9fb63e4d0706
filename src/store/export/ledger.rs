//! Reading all ledgers, as far as they were recorded by one instant.

use std::collections::HashSet;

use chrono::TimeDelta;
use diesel::IntoSql as _;
use diesel::sql_types::Uuid as SqlUuid;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::super::Store;
use super::super::error::Result;
use super::super::ledger::{ListedEntry, terms};
use super::super::rows::{EntryRow, EntrySqlType, entry_columns, entry_type_name};
use super::super::statement::Statement;
use super::walk::Walk;
use super::{Pages, last_before, patience, turn};
use crate::domain::entry::EntryType;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;
use crate::limits;

struct LedgerEntries;

/// Which entries to export; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct LedgerFilter {
    /// Of this customer.
    pub customer: Option<Customer>,
    /// Of one of these types; None = of any.
    pub types: Option<Vec<EntryType>>,
    /// Recorded from, inclusive.
    pub recorded_after: Option<Timestamp>,
    /// Recorded before, exclusive.
    pub recorded_before: Option<Timestamp>,
}

/// An entry, and whose it is.
#[derive(Debug, Clone)]
pub struct OwnedEntry {
    /// Whose.
    pub customer: Customer,
    /// The entry.
    pub listed: ListedEntry,
}

/// All entries recorded by one instant: by customer and sequence.
pub struct LedgerExport {
    store: Store,
    filter: LedgerFilter,
    as_of: Timestamp,
    walk: Walk<i64>,
}

type Row = (i64, EntryRow);

impl Store {
    /// An export as of an instant by which everything is [settled](Store::settle) and booked.
    #[must_use]
    pub fn ledger(&self, mut filter: LedgerFilter, as_of: Timestamp) -> LedgerExport {
        let from = filter.recorded_after;
        // Where only a part is wanted, its beginning is looked for.
        let start = if from.is_none() { Some(0) } else { None };
        let walk = Walk::new(filter.customer.take(), from, start);
        LedgerExport { store: self.clone(), filter, as_of, walk }
    }
}

impl Pages for LedgerExport {
    type Row = OwnedEntry;

    async fn page(&mut self) -> Result<Option<Vec<OwnedEntry>>> {
        let _turn = turn(&self.store).await?;
        let mut conn = self.store.readers.get().await?;
        if !self.walk.fill(&mut conn).await? {
            return Ok(None);
        }
        let this = &*self;
        let mut transaction = conn.build_transaction().read_only();
        let (rows, terms) = transaction
            .run(async |conn| {
                let conn = &*conn;
                let (patience, rows) = tokio::join!(biased; patience(conn), this.rows(conn));
                patience?;
                let rows = rows?;
                let grants: HashSet<_> = rows
                    .iter()
                    .map(|(ordinal, row)| Ok((this.walk.customer(*ordinal)?.key, row.grant_id)))
                    .collect::<Result<_>>()?;
                let terms = terms(conn, grants).await?;
                Ok::<_, super::super::Error>((rows, terms))
            })
            .await?;
        let (count, last) = (rows.len(), rows.last());
        let last = last.map(|(ordinal, row)| (*ordinal, row.sequence));
        let mut page = Vec::with_capacity(count);
        for (ordinal, row) in rows {
            let customer = self.walk.customer(ordinal)?.clone();
            let terms = terms.get(&row.grant_id).cloned().unwrap_or_default();
            let listed = ListedEntry::new(row.try_into()?, terms);
            page.push(OwnedEntry { customer, listed });
        }
        self.walk.pass(count, last);
        Ok(Some(page))
    }
}

impl LedgerExport {
    async fn rows(&self, mut conn: &AsyncPgConnection) -> Result<Vec<Row>> {
        let (customers, after) = self.walk.waiting();
        // Its end, inclusive: instants are whole microseconds.
        let before = self.filter.recorded_before.map(|end| end - TimeDelta::microseconds(1));
        let until = before.map_or(self.as_of, |end| end.min(self.as_of));
        let types = self.filter.types.as_ref();
        let types: Option<Vec<&str>> =
            types.map(|types| types.iter().map(|kind| entry_type_name(*kind)).collect());
        let statement = Statement::<LedgerEntries, (BigInt, EntrySqlType), _>::new(
            concat!("SELECT x.n, ", entry_columns!(), " FROM (SELECT "),
            (
                customers.into_sql::<Array<SqlUuid>>(),
                after.into_sql::<Array<Nullable<BigInt>>>(),
                self.filter.recorded_after.into_sql::<Nullable<Timestamptz>>(),
                until.into_sql::<Timestamptz>(),
                types.into_sql::<Nullable<Array<Text>>>(),
                limits::EXPORT_PAGE.into_sql::<BigInt>(),
            ),
            // LIMIT takes no column of its own statement, so that its bind is named once more.
            concat!(
                ") AS y(customers, after, recorded_from, until, types, items) \
                 CROSS JOIN LATERAL unnest(y.customers, y.after) \
                   WITH ORDINALITY AS x(customer_id, after, n) \
                 CROSS JOIN LATERAL (SELECT * FROM ledger_entries l \
                   WHERE l.customer_id = x.customer_id AND l.sequence > coalesce(x.after, ",
                last_before!("y.recorded_from"),
                ") AND l.recorded_at <= y.until \
                   AND (y.types IS NULL OR l.type = ANY(y.types)) \
                   ORDER BY l.sequence LIMIT y.items) e \
                 ORDER BY x.n, e.sequence LIMIT $6"
            ),
        );
        Ok(statement.load(&mut conn).await?)
    }
}
