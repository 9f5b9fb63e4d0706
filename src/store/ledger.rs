//! Reading ledgers.

use std::collections::{HashMap, HashSet};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Store;
use super::error::Result;
use super::rows::{EntryRow, currency_of, entry_type_name, import};
use super::schema::{ledger_entries, usage_events};
use super::statement::Statement;
use crate::domain::currency::Currency;
use crate::domain::entry::{Entry, EntryType};
use crate::domain::ids::{CampaignId, Customer, EventId, GrantId, HoldId, InvoiceId};
use crate::domain::import::ImportRow;
use crate::domain::time::Timestamp;

struct GrantTerms;

/// Which entries to list; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    /// On this grant.
    pub grant_id: Option<GrantId>,
    /// Caused by this usage event, by its being recorded or reversed.
    pub event_id: Option<EventId>,
    /// Caused by this invoice, by credits being applied to it or reversed.
    pub invoice_id: Option<InvoiceId>,
    /// Caused by this hold, its settlement included.
    pub hold_id: Option<HoldId>,
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
    /// The campaign that did.
    pub campaign: Option<CampaignId>,
}

impl ListedEntry {
    /// An entry and its grant's terms.
    pub(super) fn new(entry: Entry, (currency, import, campaign): Terms) -> Self {
        let made = entry.kind == EntryType::Granted;
        let (import, campaign) = (import.filter(|_| made), campaign.filter(|_| made));
        Self { entry, currency, import, campaign }
    }
}

impl Store {
    /// A customer's entries by sequence, from behind `after` on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_entries(
        &self,
        customer: &Customer,
        filter: &EntryFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ListedEntry>> {
        use ledger_entries as e;
        let mut conn = self.readers.get().await?;
        let mut query = e::table
            .filter(e::customer_id.eq(customer.key))
            .filter(e::sequence.gt(after))
            .select(EntryRow::as_select())
            .order(e::sequence)
            .limit(limit)
            .into_boxed();
        if let Some(grant_id) = filter.grant_id {
            query = query.filter(e::grant_id.eq(grant_id.0));
        }
        if let Some(event_id) = &filter.event_id {
            let sequences = sequences_of(&mut conn, customer, event_id).await?;
            query = query.filter(e::sequence.eq_any(sequences));
        }
        if let Some(invoice_id) = &filter.invoice_id {
            query = query.filter(e::invoice_id.eq(invoice_id.as_str()));
        }
        if let Some(hold_id) = &filter.hold_id {
            query = query.filter(e::hold_id.eq(hold_id.as_str()));
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
        let grants = rows.iter().map(|row| (customer.key, row.grant_id)).collect();
        let terms = terms(&conn, grants).await?;
        let listed = rows.into_iter().map(|row| {
            let terms = terms.get(&row.grant_id).cloned().unwrap_or_default();
            Ok(ListedEntry::new(row.try_into()?, terms))
        });
        listed.collect()
    }
}

/// The entries that an event caused: a range of what it took, and, by their index, what came of
/// reversals.
async fn sequences_of(
    conn: &mut AsyncPgConnection,
    customer: &Customer,
    event_id: &EventId,
) -> Result<Vec<i64>> {
    use ledger_entries as e;
    let range: Option<(Option<i64>, Option<i64>)> = usage_events::table
        .find((customer.key, event_id.as_str()))
        .select((usage_events::first_sequence, usage_events::last_sequence))
        .first(conn)
        .await
        .optional()?;
    let mut sequences: Vec<i64> = match range {
        Some((Some(first), Some(last))) => (first..=last).collect(),
        _ => Vec::new(),
    };
    let later: Vec<i64> = e::table
        .filter(e::customer_id.eq(customer.key))
        .filter(e::event_id.eq(event_id.as_str()))
        // As the index has it.
        .filter(sql::<Bool>("type NOT IN ('consumed', 'expiration_reclaimed')"))
        .select(e::sequence)
        .load(conn)
        .await?;
    sequences.extend(later);
    Ok(sequences)
}

/// What an entry shows of its grant.
pub(super) type Terms = (Option<Currency>, Option<ImportRow>, Option<CampaignId>);

type TermsSqlType = (SqlUuid, Nullable<Text>, Nullable<Text>, Nullable<BigInt>, Nullable<Text>);
type TermsRow = (Uuid, Option<String>, Option<String>, Option<i64>, Option<String>);

/// Currency, import and campaign of grants, where they have one, by the customers' keys and their ids: a
/// look-up of its own for each of them, because a join may be planned as a walk over all grants of
/// a customer for each entry.
pub(super) async fn terms(
    mut conn: &AsyncPgConnection,
    grants: HashSet<(Uuid, Uuid)>,
) -> Result<HashMap<Uuid, Terms>> {
    let (customers, ids): (Vec<Uuid>, Vec<Uuid>) = grants.into_iter().unzip();
    let statement = Statement::<GrantTerms, TermsSqlType, _>::new(
        "SELECT g.id, g.currency, g.import_id, g.import_row, g.campaign_id FROM unnest(",
        (customers.into_sql::<Array<SqlUuid>>(), ids.into_sql::<Array<SqlUuid>>()),
        ") AS x(customer_id, id) CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = x.customer_id AND id = x.id LIMIT 1) g \
         WHERE num_nonnulls(g.currency, g.import_id, g.campaign_id) > 0",
    );
    let found: Vec<TermsRow> = statement.load(&mut conn).await?;
    let read = found.into_iter().map(|(id, code, import_id, row, campaign_id)| {
        let currency = code.as_deref().map(currency_of).transpose()?;
        Ok((id, (currency, import(import_id, row), campaign_id.map(CampaignId::stored))))
    });
    read.collect()
}
