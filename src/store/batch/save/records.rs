//! Writing what is only ever added: usage events, ledger entries, used keys.

use diesel::IntoSql as _;
use diesel::sql_types::{
    Array, BigInt, Bool, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::super::error::Result;
use super::super::super::rows::{change_json, entry_type_name, metadata_json};
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::{Of, amounts, column};
use crate::domain::account::{KeyRecord, Made};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::entry::Entry;
use crate::domain::ids::{CampaignId, EventId, HoldId, InvoiceId, RequestId};
use crate::domain::import::ImportRow;
use crate::domain::reversal::Reversal;
use crate::domain::usage::{Uncovered, UsageEvent};

struct InsertEvents;
struct InsertEntries;
struct InsertRequests;
struct InsertImportRows;
struct InsertCampaignGrants;

/// A key that was used, and what for.
pub(super) type Used<'a, K> = (&'a K, Of<'a, KeyRecord>);

pub(super) fn insert_events<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, UsageEvent>],
) -> Result<Running<'c>> {
    let statement = Statement::<InsertEvents, (), _>::new(
        "INSERT INTO usage_events (customer_id, event_id, metric, quantity, uncovered, \
         timestamp, recorded_at, first_sequence, last_sequence, timestamp_given, reject, \
         metadata, hold_id, reversed) SELECT x.*, 0 FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<Text, _, _>(rows, |of| of.row.event_id.as_str()),
            column::<Text, _, _>(rows, |of| of.row.metric.as_str()),
            amounts(rows, |of| of.row.quantity)?,
            amounts(rows, |of| of.row.uncovered)?,
            column::<Timestamptz, _, _>(rows, |of| of.row.timestamp),
            column::<Timestamptz, _, _>(rows, |of| of.row.recorded_at),
            column::<Nullable<BigInt>, _, _>(rows, |of| of.row.entries.map(|range| range.0)),
            column::<Nullable<BigInt>, _, _>(rows, |of| of.row.entries.map(|range| range.1)),
            column::<Bool, _, _>(rows, |of| of.row.timestamp_given),
            column::<Bool, _, _>(rows, |of| of.row.policy == Uncovered::Reject),
            column::<Nullable<Jsonb>, _, _>(rows, |of| metadata_json(&of.row.metadata)),
            column::<Nullable<Text>, _, _>(rows, |of| of.row.hold_id.as_ref().map(HoldId::as_str)),
        ),
        ") AS x",
    );
    Ok(run(conn, statement))
}

pub(super) fn insert_entries<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, Entry>],
) -> Result<Running<'c>> {
    let statement = Statement::<InsertEntries, (), _>::new(
        "INSERT INTO ledger_entries (customer_id, sequence, grant_id, type, amount, \
         balance_after, held_amount, held_after, event_id, reason, change, actor, occurred_at, \
         recorded_at, invoice_id, hold_id) SELECT * FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<BigInt, _, _>(rows, |of| of.row.sequence),
            column::<SqlUuid, _, _>(rows, |of| of.row.grant_id.0),
            column::<Text, _, _>(rows, |of| entry_type_name(of.row.kind)),
            amounts(rows, |of| of.row.amount)?,
            amounts(rows, |of| of.row.balance_after)?,
            amounts(rows, |of| of.row.held_amount)?,
            amounts(rows, |of| of.row.held_after)?,
            column::<Nullable<Text>, _, _>(rows, |of| {
                of.row.event_id.as_ref().map(EventId::as_str)
            }),
            column::<Nullable<Text>, _, _>(rows, |of| of.row.reason.as_deref()),
            column::<Nullable<Jsonb>, _, _>(rows, |of| of.row.change.as_ref().map(change_json)),
            column::<Text, _, _>(rows, |of| &*of.row.actor),
            column::<Timestamptz, _, _>(rows, |of| of.row.occurred_at),
            column::<Timestamptz, _, _>(rows, |of| of.row.recorded_at),
            column::<Nullable<Text>, _, _>(rows, |of| {
                of.row.invoice_id.as_ref().map(InvoiceId::as_str)
            }),
            column::<Nullable<Text>, _, _>(rows, |of| of.row.hold_id.as_ref().map(HoldId::as_str)),
        ),
        ")",
    );
    Ok(run(conn, statement))
}

pub(super) fn insert_requests<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Used<'_, RequestId>],
) -> Result<Running<'c>> {
    let figure = |of: fn(&Reversal) -> Amount| {
        let figures = rows.iter().map(|(_, row)| reversal(&row.row.made).map(of));
        let decimals = figures.map(|figure| figure.map(Amount::to_decimal).transpose());
        let decimals: std::result::Result<Vec<Option<Decimal>>, _> = decimals.collect();
        Ok::<_, AmountError>(decimals?.into_sql::<Array<Nullable<Numeric>>>())
    };
    let statement = Statement::<InsertRequests, (), _>::new(
        "INSERT INTO requests (customer_id, request_id, payload, effective_at, grant_id, \
         recorded_at, event_id, invoice_id, restored, forfeited, uncovered_reversed) \
         SELECT * FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |(_, of)| of.key),
            column::<Text, _, _>(rows, |(id, _)| id.as_str()),
            column::<SqlUuid, _, _>(rows, |(_, of)| of.row.payload),
            column::<Nullable<Timestamptz>, _, _>(rows, |(_, of)| of.row.effective_at),
            column::<Nullable<SqlUuid>, _, _>(rows, |(_, of)| grant_id(&of.row.made)),
            column::<Timestamptz, _, _>(rows, |(_, of)| of.account.now()),
            column::<Nullable<Text>, _, _>(rows, |(_, of)| match &of.row.made {
                Made::UsageReversal(event_id, _) => Some(event_id.as_str()),
                Made::Grant(_) | Made::ApplicationReversal(..) => None,
            }),
            column::<Nullable<Text>, _, _>(rows, |(_, of)| match &of.row.made {
                Made::ApplicationReversal(invoice_id, _) => Some(invoice_id.as_str()),
                Made::Grant(_) | Made::UsageReversal(..) => None,
            }),
            figure(|reversal| reversal.restored)?,
            figure(|reversal| reversal.forfeited)?,
            figure(|reversal| reversal.uncovered)?,
        ),
        ")",
    );
    Ok(run(conn, statement))
}

fn grant_id(made: &Made) -> Option<Uuid> {
    match made {
        Made::Grant(id) => Some(id.0),
        Made::UsageReversal(..) | Made::ApplicationReversal(..) => None,
    }
}

fn reversal(made: &Made) -> Option<&Reversal> {
    match made {
        Made::Grant(_) => None,
        Made::UsageReversal(_, reversal) | Made::ApplicationReversal(_, reversal) => Some(reversal),
    }
}

pub(super) fn insert_import_rows<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Used<'_, ImportRow>],
) -> Running<'c> {
    let statement = Statement::<InsertImportRows, (), _>::new(
        "INSERT INTO import_rows (import_key, row, customer_id, payload, effective_at, grant_id, \
         recorded_at) SELECT * FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |(row, _)| row.import_id.key()),
            column::<BigInt, _, _>(rows, |(row, _)| row.row),
            column::<SqlUuid, _, _>(rows, |(_, of)| of.key),
            column::<SqlUuid, _, _>(rows, |(_, of)| of.row.payload),
            column::<Nullable<Timestamptz>, _, _>(rows, |(_, of)| of.row.effective_at),
            column::<Nullable<SqlUuid>, _, _>(rows, |(_, of)| grant_id(&of.row.made)),
            column::<Timestamptz, _, _>(rows, |(_, of)| of.account.now()),
        ),
        ")",
    );
    run(conn, statement)
}

/// Each is the doing of the campaign's last run, of which there is one, because a campaign that was
/// never run gives nobody anything.
pub(super) fn insert_campaign_grants<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Used<'_, CampaignId>],
) -> Running<'c> {
    let statement = Statement::<InsertCampaignGrants, (), _>::new(
        "INSERT INTO campaign_grants (customer_id, campaign_key, payload, effective_at, grant_id, \
         recorded_at, run) SELECT x.*, r.run FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |(_, of)| of.key),
            column::<SqlUuid, _, _>(rows, |(id, _)| id.key()),
            column::<SqlUuid, _, _>(rows, |(_, of)| of.row.payload),
            column::<Nullable<Timestamptz>, _, _>(rows, |(_, of)| of.row.effective_at),
            column::<Nullable<SqlUuid>, _, _>(rows, |(_, of)| grant_id(&of.row.made)),
            column::<Timestamptz, _, _>(rows, |(_, of)| of.account.now()),
        ),
        ") AS x(customer_id, campaign_key, payload, effective_at, grant_id, recorded_at) \
         CROSS JOIN LATERAL (SELECT run FROM campaign_runs \
         WHERE campaign_key = x.campaign_key ORDER BY run DESC LIMIT 1) r",
    );
    run(conn, statement)
}
