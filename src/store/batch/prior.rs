//! What the keys of a batch's commands did before.

use diesel::IntoSql as _;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Numeric, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::super::error::Result;
use super::super::rows::{EventRow, GrantRow, GrantSqlType, grant_columns};
use super::super::schema;
use super::super::statement::Statement;
use crate::domain::import::ImportRow;
use crate::domain::time::Timestamp;

struct PriorEvents;
struct PriorRequests;
struct PriorImportRows;

pub(super) type RequestRow = (Uuid, String, Uuid, Option<Timestamp>, Uuid, Timestamp);
/// Who asked, as a place among those wanted, and what is there.
pub(super) type ImportRowRow = (i64, Uuid, Uuid, Option<Timestamp>, Uuid);

/// The SQL type of an [`EventRow`].
pub(in super::super) type EventSqlType = (
    diesel::sql_types::Uuid,
    Text,
    Text,
    Numeric,
    Numeric,
    Numeric,
    Timestamptz,
    Timestamptz,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Bool,
    Bool,
    Nullable<Jsonb>,
    Nullable<Array<diesel::sql_types::Uuid>>,
    Nullable<Array<Numeric>>,
);

/// The columns of an [`EventRow`], of a usage event called `u` and what it drew called `l`.
macro_rules! event_columns {
    () => {
        "u.customer_id, u.event_id, u.metric, u.quantity, u.uncovered, u.reversed, u.timestamp, \
         u.recorded_at, u.first_sequence, u.last_sequence, u.timestamp_given, u.reject, \
         u.metadata, l.grant_ids, l.amounts"
    };
}
/// What a usage event called `u` drew, called `l`.
macro_rules! event_draws {
    () => {
        " LEFT JOIN LATERAL (SELECT array_agg(e.grant_id ORDER BY e.sequence) AS grant_ids, \
         array_agg(e.amount ORDER BY e.sequence) AS amounts FROM ledger_entries e \
         WHERE e.customer_id = u.customer_id \
         AND e.sequence BETWEEN u.first_sequence AND u.last_sequence \
         AND e.type = 'consumed') l ON u.first_sequence IS NOT NULL"
    };
}
pub(in super::super) use {event_columns, event_draws};

pub(super) async fn events(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<EventRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (customers, ids) = keys(wanted);
    let statement = Statement::<PriorEvents, EventSqlType, _>::new(
        concat!("SELECT ", event_columns!(), " FROM unnest("),
        (customers.into_sql::<Array<diesel::sql_types::Uuid>>(), ids.into_sql::<Array<Text>>()),
        concat!(
            ") AS x(customer_id, event_id) CROSS JOIN LATERAL (SELECT * FROM usage_events \
             WHERE customer_id = x.customer_id AND event_id = x.event_id LIMIT 1) u",
            event_draws!()
        ),
    );
    Ok(statement.load(&mut conn).await?)
}

pub(super) async fn requests(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<(RequestRow, GrantRow)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (customers, ids) = keys(wanted);
    let statement = Statement::<PriorRequests, (schema::requests::SqlType, GrantSqlType), _>::new(
        concat!(
            "SELECT r.customer_id, r.request_id, r.payload, r.effective_at, r.grant_id, \
             r.recorded_at, ",
            grant_columns!(),
            " FROM unnest("
        ),
        (customers.into_sql::<Array<diesel::sql_types::Uuid>>(), ids.into_sql::<Array<Text>>()),
        ") AS x(customer_id, request_id) CROSS JOIN LATERAL (SELECT * FROM requests \
         WHERE customer_id = x.customer_id AND request_id = x.request_id LIMIT 1) r \
         CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = x.customer_id AND id = r.grant_id LIMIT 1) g",
    );
    Ok(statement.load(&mut conn).await?)
}

type ImportRowSqlType = (
    BigInt,
    diesel::sql_types::Uuid,
    diesel::sql_types::Uuid,
    Nullable<Timestamptz>,
    diesel::sql_types::Uuid,
);

pub(super) async fn import_rows(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, ImportRow)],
) -> Result<Vec<(ImportRowRow, GrantRow)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let imports: Vec<Uuid> = wanted.iter().map(|(_, row)| row.import_id.key()).collect();
    let rows: Vec<i64> = wanted.iter().map(|(_, row)| row.row).collect();
    let statement = Statement::<PriorImportRows, (ImportRowSqlType, GrantSqlType), _>::new(
        concat!(
            "SELECT x.place, r.customer_id, r.payload, r.effective_at, r.grant_id, ",
            grant_columns!(),
            " FROM unnest("
        ),
        (imports.into_sql::<Array<diesel::sql_types::Uuid>>(), rows.into_sql::<Array<BigInt>>()),
        ") WITH ORDINALITY AS x(import_key, row, place) CROSS JOIN LATERAL \
         (SELECT * FROM import_rows WHERE import_key = x.import_key AND row = x.row LIMIT 1) r \
         CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = r.customer_id AND id = r.grant_id LIMIT 1) g",
    );
    Ok(statement.load(&mut conn).await?)
}

fn keys(wanted: &[(Uuid, String)]) -> (Vec<Uuid>, Vec<&str>) {
    wanted.iter().map(|(customer, id)| (*customer, id.as_str())).unzip()
}
