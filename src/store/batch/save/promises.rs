//! Writing what can change after it was made: holds, applications, and what was reversed.

use diesel::IntoSql as _;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::super::error::{Error, Result};
use super::super::super::rows::hold_status;
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::{Of, amounts, column};
use crate::domain::amount::Amount;
use crate::domain::application::CreditApplication;
use crate::domain::hold::{Ending, Hold};
use crate::domain::ids::{EventId, InvoiceId};

struct InsertHolds;
struct UpdateHolds;
struct InsertApplications;
struct ReverseEvents;
struct ReverseApplications;

/// What has been given back by now of something with a key.
pub(super) type Reversed<'a, K> = (Uuid, &'a K, Amount);

pub(super) fn insert_holds<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, Hold>],
) -> Result<Running<'c>> {
    // An array of arrays cannot be unnested by one level: the slices of all holds lie in a row, and
    // each hold knows from where to where its own are.
    let mut grants: Vec<Uuid> = Vec::new();
    let mut parts: Vec<Decimal> = Vec::new();
    let mut ends: Vec<i32> = Vec::new();
    for of in rows {
        for slice in &of.row.slices {
            grants.push(slice.grant_id.0);
            parts.push(slice.amount.to_decimal()?);
        }
        ends.push(i32::try_from(grants.len()).map_err(|_| Error::corrupt("too many slices"))?);
    }
    let firsts: Vec<i32> = std::iter::once(1).chain(ends.iter().map(|end| end + 1)).collect();
    let firsts = &firsts[..rows.len()];
    let statement = Statement::<InsertHolds, (), _>::new(
        "INSERT INTO holds (customer_id, hold_id, metric, quantity, ttl_micros, allow_partial, \
         created_at, expires_at, status, settled, event_id, ended_at, grant_ids, amounts) \
         SELECT x.c1, x.c2, x.c3, x.c4, x.c5, x.c6, x.c7, x.c8, x.c9, x.c10, x.c11, x.c12, \
         y.grants[x.first:x.last], y.parts[x.first:x.last] FROM (SELECT ",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<Text, _, _>(rows, |of| of.row.hold_id.as_str()),
            column::<Text, _, _>(rows, |of| of.row.metric.as_str()),
            amounts(rows, |of| of.row.quantity)?,
            column::<BigInt, _, _>(rows, |of| of.row.ttl.num_microseconds().unwrap_or(i64::MAX)),
            column::<Bool, _, _>(rows, |of| of.row.allow_partial),
            column::<Timestamptz, _, _>(rows, |of| of.row.created_at),
            column::<Timestamptz, _, _>(rows, |of| of.row.expires_at),
            column::<Text, _, _>(rows, |of| hold_status(of.row)),
            amounts(rows, |of| of.row.settled())?,
            column::<Nullable<Text>, _, _>(rows, |of| settled_by(of.row)),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.row.end.as_ref().map(|end| end.0)),
            firsts.into_sql::<Array<Integer>>(),
            ends.into_sql::<Array<Integer>>(),
            grants.into_sql::<Array<SqlUuid>>(),
            parts.into_sql::<Array<Numeric>>(),
        ),
        ") AS y(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, firsts, lasts, grants, parts) \
         CROSS JOIN LATERAL unnest(y.c1, y.c2, y.c3, y.c4, y.c5, y.c6, y.c7, y.c8, y.c9, y.c10, \
         y.c11, y.c12, y.firsts, y.lasts) AS x(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, \
         first, last)",
    );
    Ok(run(conn, statement))
}

fn settled_by(hold: &Hold) -> Option<&str> {
    match &hold.end {
        Some((_, Ending::Settled { event_id, .. })) => Some(event_id.as_str()),
        _ => None,
    }
}

/// Deadlines that were moved, and ends.
pub(super) fn update_holds<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, Hold>],
) -> Result<Running<'c>> {
    let statement = Statement::<UpdateHolds, (), _>::new(
        "UPDATE holds h SET expires_at = x.expires_at, status = x.status, settled = x.settled, \
         event_id = x.event_id, ended_at = x.ended_at FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<Text, _, _>(rows, |of| of.row.hold_id.as_str()),
            column::<Timestamptz, _, _>(rows, |of| of.row.expires_at),
            column::<Text, _, _>(rows, |of| hold_status(of.row)),
            amounts(rows, |of| of.row.settled())?,
            column::<Nullable<Text>, _, _>(rows, |of| settled_by(of.row)),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.row.end.as_ref().map(|end| end.0)),
        ),
        ") AS x(customer_id, hold_id, expires_at, status, settled, event_id, ended_at) \
         WHERE h.customer_id = x.customer_id AND h.hold_id = x.hold_id",
    );
    Ok(run(conn, statement))
}

pub(super) fn insert_applications<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, CreditApplication>],
) -> Result<Running<'c>> {
    let applied: Result<Vec<Decimal>> =
        rows.iter().map(|of| Ok(of.row.applied()?.to_decimal()?)).collect();
    let statement = Statement::<InsertApplications, (), _>::new(
        "INSERT INTO credit_applications (customer_id, invoice_id, currency, amount_due, applied, \
         applied_at, applied_at_given, recorded_at, first_sequence, last_sequence, reversed) \
         SELECT x.*, 0 FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<Text, _, _>(rows, |of| of.row.invoice_id.as_str()),
            column::<Text, _, _>(rows, |of| of.row.currency.code()),
            amounts(rows, |of| of.row.amount_due)?,
            applied?.into_sql::<Array<Numeric>>(),
            column::<Timestamptz, _, _>(rows, |of| of.row.applied_at),
            column::<Bool, _, _>(rows, |of| of.row.applied_at_given),
            column::<Timestamptz, _, _>(rows, |of| of.row.recorded_at),
            column::<Nullable<BigInt>, _, _>(rows, |of| of.row.entries.map(|range| range.0)),
            column::<Nullable<BigInt>, _, _>(rows, |of| of.row.entries.map(|range| range.1)),
        ),
        ") AS x",
    );
    Ok(run(conn, statement))
}

pub(super) fn reverse_events<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Reversed<'_, EventId>],
) -> Result<Running<'c>> {
    let statement = Statement::<ReverseEvents, (), _>::new(
        "UPDATE usage_events u SET reversed = x.reversed FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |(key, ..)| *key),
            column::<Text, _, _>(rows, |(_, id, _)| id.as_str()),
            amounts(rows, |(.., reversed)| *reversed)?,
        ),
        ") AS x(customer_id, event_id, reversed) \
         WHERE u.customer_id = x.customer_id AND u.event_id = x.event_id",
    );
    Ok(run(conn, statement))
}

pub(super) fn reverse_applications<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Reversed<'_, InvoiceId>],
) -> Result<Running<'c>> {
    let statement = Statement::<ReverseApplications, (), _>::new(
        "UPDATE credit_applications a SET reversed = x.reversed FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |(key, ..)| *key),
            column::<Text, _, _>(rows, |(_, id, _)| id.as_str()),
            amounts(rows, |(.., reversed)| *reversed)?,
        ),
        ") AS x(customer_id, invoice_id, reversed) \
         WHERE a.customer_id = x.customer_id AND a.invoice_id = x.invoice_id",
    );
    Ok(run(conn, statement))
}
