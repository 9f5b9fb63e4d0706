//! Reading ledgers.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Store;
use super::error::Result;
use super::rows::{EntryRow, currency_of, entry_type_name, import};
use super::schema::{grants, ledger_entries, usage_events};
use crate::domain::currency::Currency;
use crate::domain::entry::{Entry, EntryType};
use crate::domain::ids::{Customer, EventId, GrantId};
use crate::domain::import::ImportRow;
use crate::domain::time::Timestamp;

/// Which entries to list; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    /// On this grant.
    pub grant_id: Option<GrantId>,
    /// Caused by this usage event.
    pub event_id: Option<EventId>,
    /// Of one of these types; None = of any.
    pub types: Option<Vec<EntryType>>,
    /// Recorded from, inclusive.
    pub recorded_after: Option<Timestamp>,
    /// Recorded before, exclusive.
    pub recorded_before: Option<Timestamp>,
}

/// An entry, and what its grant adds to it.
#[derive(Debug, Clone)]
pub struct ListedEntry {
    /// The entry.
    pub entry: Entry,
    /// The grant's currency (None for units), which says how amounts print.
    pub currency: Option<Currency>,
    /// The row of an import that made the grant, and so this entry.
    pub import: Option<ImportRow>,
}

impl ListedEntry {
    /// An entry and its grant's terms.
    fn new(entry: Entry, currency: Option<Currency>, import: Option<ImportRow>) -> Self {
        let import = import.filter(|_| entry.kind == EntryType::Granted);
        Self { entry, currency, import }
    }
}

impl EntryFilter {
    fn keeps(&self, entry: &Entry) -> bool {
        self.grant_id.is_none_or(|id| entry.grant_id == id)
            && self.event_id.as_ref().is_none_or(|id| entry.event_id.as_ref() == Some(id))
            && self.types.as_ref().is_none_or(|types| types.contains(&entry.kind))
            && self.recorded_after.is_none_or(|from| entry.recorded_at >= from)
            && self.recorded_before.is_none_or(|before| entry.recorded_at < before)
    }
}

impl Store {
    /// A customer's entries by sequence, from behind `after` on, with everything due booked: what
    /// time has brought and nobody has booked yet is listed with the sequences it will have.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_entries(
        &self,
        customer: &Customer,
        filter: &EntryFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ListedEntry>> {
        let account = self.account(customer).await?;
        let due = &account.changes().entries;
        let booked = due.iter().map(|entry| entry.sequence - 1).min();
        let booked = booked.unwrap_or(account.standing().revision);
        let mut entries = self.booked_entries(customer, filter, after, booked, limit).await?;
        let missing = limit.saturating_sub(entries.len());
        let due = due.iter().filter(|entry| entry.sequence > after && filter.keeps(entry));
        entries.extend(due.take(missing).map(|entry| {
            let grant = account.grants().find(|grant| grant.id == entry.grant_id);
            let currency = grant.and_then(|grant| grant.scope.currency());
            ListedEntry::new(entry.clone(), currency, None)
        }));
        Ok(entries)
    }

    /// Those in the table, up to the sequence `last`.
    async fn booked_entries(
        &self,
        customer: &Customer,
        filter: &EntryFilter,
        after: i64,
        last: i64,
        limit: usize,
    ) -> Result<Vec<ListedEntry>> {
        use ledger_entries as e;
        let mut conn = self.readers.get().await?;
        let mut query = e::table
            .filter(e::customer_id.eq(customer.key))
            .filter(e::sequence.gt(after).and(e::sequence.le(last)))
            .select(EntryRow::as_select())
            .order(e::sequence)
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .into_boxed();
        if let Some(grant_id) = filter.grant_id {
            query = query.filter(e::grant_id.eq(grant_id.0));
        }
        if let Some(event_id) = &filter.event_id {
            let range: Option<(Option<i64>, Option<i64>)> = usage_events::table
                .find((customer.key, event_id.as_str()))
                .select((usage_events::first_sequence, usage_events::last_sequence))
                .first(&mut conn)
                .await
                .optional()?;
            let Some((Some(first), Some(last))) = range else { return Ok(Vec::new()) };
            query = query.filter(e::sequence.between(first, last));
        }
        if let Some(types) = &filter.types {
            query = query.filter(e::kind.eq_any(types.iter().map(|kind| entry_type_name(*kind))));
        }
        if let Some(from) = filter.recorded_after {
            query = query.filter(e::recorded_at.ge(from));
        }
        if let Some(before) = filter.recorded_before {
            query = query.filter(e::recorded_at.lt(before));
        }
        let rows: Vec<EntryRow> = query.load(&mut conn).await?;
        let grants = grants_of(&mut conn, customer, &rows).await?;
        let listed = rows.into_iter().map(|row| {
            let (currency, import) = grants.get(&row.grant_id).cloned().unwrap_or_default();
            Ok(ListedEntry::new(row.try_into()?, currency, import))
        });
        listed.collect()
    }
}

/// Id, currency, import and its row.
type GrantTerms = (Uuid, Option<String>, Option<String>, Option<i64>);

/// Currency and import of the entries' grants, where they have one: a look-up of its own, because
/// a join may be planned as a walk over all grants of the customer for each entry.
async fn grants_of(
    conn: &mut AsyncPgConnection,
    customer: &Customer,
    rows: &[EntryRow],
) -> Result<HashMap<Uuid, (Option<Currency>, Option<ImportRow>)>> {
    let ids: HashSet<Uuid> = rows.iter().map(|row| row.grant_id).collect();
    let found: Vec<GrantTerms> = grants::table
        .filter(grants::customer_id.eq(customer.key))
        .filter(grants::id.eq_any(ids.into_iter().collect::<Vec<_>>()))
        .filter(grants::currency.is_not_null().or(grants::import_id.is_not_null()))
        .select((grants::id, grants::currency, grants::import_id, grants::import_row))
        .load(conn)
        .await?;
    let read = found.into_iter().map(|(id, code, import_id, row)| {
        let currency = code.as_deref().map(currency_of).transpose()?;
        Ok((id, (currency, import(import_id, row))))
    });
    read.collect()
}
