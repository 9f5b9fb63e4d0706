//! What the keys of a batch's commands did before.

use diesel::dsl::{AsExprOf, SqlTypeOf};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Numeric, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::rows::{
    ApplicationRow, EventRow, GrantRow, GrantSqlType, HoldRow, HoldSqlType, grant_columns,
    hold_columns,
};
use super::super::schema;
use super::super::statement::Statement;
use crate::domain::account::{KeyRecord, Made};
use crate::domain::amount::Amount;
use crate::domain::command::Key;
use crate::domain::ids::{CampaignId, EventId, GrantId, InvoiceId, RequestId};
use crate::domain::import::ImportRow;
use crate::domain::reversal::Reversal;
use crate::domain::time::Timestamp;

struct PriorEvents;
struct PriorRequests;
struct PriorImportRows;
struct PriorCampaignGrants;
struct PriorApplications;
struct NamedHolds;
struct GrantsOfEvents;
struct GrantsOfApplications;

/// Keys as binds.
type Keys<'a> =
    (AsExprOf<Vec<Uuid>, Array<diesel::sql_types::Uuid>>, AsExprOf<Vec<&'a str>, Array<Text>>);

/// The SQL type of a [`RequestRow`].
type RequestSqlType = SqlTypeOf<<RequestRow as Selectable<Pg>>::SelectExpression>;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = schema::requests, check_for_backend(Pg))]
pub(super) struct RequestRow {
    pub customer_id: Uuid,
    pub request_id: String,
    pub payload: Uuid,
    pub effective_at: Option<Timestamp>,
    pub grant_id: Option<Uuid>,
    pub event_id: Option<String>,
    pub invoice_id: Option<String>,
    pub restored: Option<Decimal>,
    pub forfeited: Option<Decimal>,
    pub uncovered_reversed: Option<Decimal>,
}

impl RequestRow {
    /// What the key did.
    pub(super) fn record(self) -> Result<KeyRecord> {
        let amount = |figure: Option<Decimal>| -> Result<Amount> {
            let figure = figure.ok_or_else(|| Error::corrupt("a reversal without figures"))?;
            Ok(Amount::from_decimal(figure)?)
        };
        let reversal = || -> Result<Reversal> {
            Ok(Reversal {
                restored: amount(self.restored)?,
                forfeited: amount(self.forfeited)?,
                uncovered: amount(self.uncovered_reversed)?,
            })
        };
        let made = match (self.grant_id, &self.event_id, &self.invoice_id) {
            (Some(id), None, None) => Made::Grant(GrantId(id)),
            (None, Some(id), None) => Made::UsageReversal(EventId::stored(id.clone()), reversal()?),
            (None, None, Some(id)) => {
                Made::ApplicationReversal(InvoiceId::stored(id.clone()), reversal()?)
            }
            _ => return Err(Error::corrupt("a request that did not make one thing")),
        };
        Ok(KeyRecord {
            key: Key::Request(RequestId::stored(self.request_id)),
            customer: self.customer_id,
            payload: self.payload,
            effective_at: self.effective_at,
            made,
        })
    }
}

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
    Nullable<Text>,
    Nullable<Array<diesel::sql_types::Uuid>>,
    Nullable<Array<Numeric>>,
);

/// The columns of an [`EventRow`], of a usage event called `u` and what it drew called `l`.
macro_rules! event_columns {
    () => {
        "u.customer_id, u.event_id, u.metric, u.quantity, u.uncovered, u.reversed, u.timestamp, \
         u.recorded_at, u.first_sequence, u.last_sequence, u.timestamp_given, u.reject, \
         u.metadata, u.hold_id, l.grant_ids, l.amounts"
    };
}
/// The usage event with the key of something called `x`.
///
/// While the table is small, every index that begins with the customer looks as good as the one of
/// the keys, and another would read all events of the customer. Where equality leaves it to luck,
/// an order does not: no other index has it, and sorting is off.
macro_rules! event_by_key {
    () => {
        " CROSS JOIN LATERAL (SELECT * FROM usage_events WHERE customer_id = x.customer_id \
         AND event_id BETWEEN x.event_id AND x.event_id ORDER BY event_id LIMIT 1) "
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

/// The SQL type of an [`ApplicationRow`].
pub(in super::super) type ApplicationSqlType = (
    diesel::sql_types::Uuid,
    Text,
    Text,
    Numeric,
    Numeric,
    Numeric,
    Timestamptz,
    Bool,
    Timestamptz,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Array<diesel::sql_types::Uuid>>,
    Nullable<Array<Numeric>>,
    Nullable<Array<Text>>,
);

/// The columns of an [`ApplicationRow`], of an application called `a` and what it drew called `l`.
macro_rules! application_columns {
    () => {
        "a.customer_id, a.invoice_id, a.currency, a.amount_due, a.applied, a.reversed, \
         a.applied_at, a.applied_at_given, a.recorded_at, a.first_sequence, a.last_sequence, \
         l.grant_ids, l.amounts, l.descriptions"
    };
}
/// What an application called `a` drew, and of which grants, called `l`.
macro_rules! application_draws {
    () => {
        " LEFT JOIN LATERAL (SELECT array_agg(e.grant_id ORDER BY e.sequence) AS grant_ids, \
         array_agg(e.amount ORDER BY e.sequence) AS amounts, \
         array_agg(d.description ORDER BY e.sequence) AS descriptions FROM ledger_entries e \
         CROSS JOIN LATERAL (SELECT description FROM grants \
           WHERE customer_id = e.customer_id AND id = e.grant_id LIMIT 1) d \
         WHERE e.customer_id = a.customer_id \
         AND e.sequence BETWEEN a.first_sequence AND a.last_sequence \
         AND e.type = 'applied') l ON a.first_sequence IS NOT NULL"
    };
}
/// The grants, called `g`, of which something called `t` took by its entries.
macro_rules! grants_taken_from {
    () => {
        " CROSS JOIN LATERAL (SELECT e.grant_id FROM ledger_entries e \
         WHERE e.customer_id = t.customer_id \
         AND e.sequence BETWEEN t.first_sequence AND t.last_sequence \
         AND e.type IN ('consumed', 'applied') OFFSET 0) e \
         CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = t.customer_id AND id = e.grant_id LIMIT 1) g"
    };
}
pub(in super::super) use {
    application_columns, application_draws, event_by_key, event_columns, event_draws,
};

pub(super) async fn events(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<EventRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = by_keys::<PriorEvents, EventSqlType>(
        wanted,
        concat!("SELECT ", event_columns!(), " FROM unnest("),
        concat!(") AS x(customer_id, event_id)", event_by_key!(), "u", event_draws!()),
    );
    Ok(statement.load(&mut conn).await?)
}

/// Used request ids, each with the grant that it made, where it made one.
pub(super) async fn requests(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<(RequestRow, Option<GrantRow>)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = by_keys::<PriorRequests, (RequestSqlType, Nullable<GrantSqlType>)>(
        wanted,
        concat!(
            "SELECT r.customer_id, r.request_id, r.payload, r.effective_at, r.grant_id, \
             r.event_id, r.invoice_id, r.restored, r.forfeited, r.uncovered_reversed, ",
            grant_columns!(),
            " FROM unnest("
        ),
        ") AS x(customer_id, request_id) CROSS JOIN LATERAL (SELECT * FROM requests \
         WHERE customer_id = x.customer_id AND request_id = x.request_id LIMIT 1) r \
         LEFT JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = x.customer_id AND id = r.grant_id LIMIT 1) g ON true",
    );
    Ok(statement.load(&mut conn).await?)
}

/// Holds by their ids.
pub(super) async fn holds(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<HoldRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = by_keys::<NamedHolds, HoldSqlType>(
        wanted,
        concat!("SELECT ", hold_columns!(), " FROM unnest("),
        ") AS x(customer_id, hold_id) CROSS JOIN LATERAL (SELECT * FROM holds \
         WHERE customer_id = x.customer_id AND hold_id = x.hold_id LIMIT 1) h",
    );
    Ok(statement.load(&mut conn).await?)
}

/// Credit applications by their invoices.
pub(super) async fn applications(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<ApplicationRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = by_keys::<PriorApplications, ApplicationSqlType>(
        wanted,
        concat!("SELECT ", application_columns!(), " FROM unnest("),
        concat!(
            ") AS x(customer_id, invoice_id) CROSS JOIN LATERAL (SELECT * FROM credit_applications \
             WHERE customer_id = x.customer_id AND invoice_id = x.invoice_id LIMIT 1) a",
            application_draws!()
        ),
    );
    Ok(statement.load(&mut conn).await?)
}

/// The grants that events took from.
pub(super) async fn grants_of_events(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<GrantRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = by_keys::<GrantsOfEvents, GrantSqlType>(
        wanted,
        concat!("SELECT ", grant_columns!(), " FROM unnest("),
        concat!(") AS x(customer_id, event_id)", event_by_key!(), "t", grants_taken_from!()),
    );
    Ok(statement.load(&mut conn).await?)
}

/// The grants that applications took from.
pub(super) async fn grants_of_applications(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<GrantRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = by_keys::<GrantsOfApplications, GrantSqlType>(
        wanted,
        concat!("SELECT ", grant_columns!(), " FROM unnest("),
        concat!(
            ") AS x(customer_id, id) CROSS JOIN LATERAL (SELECT * FROM credit_applications \
             WHERE customer_id = x.customer_id AND invoice_id = x.id LIMIT 1) t",
            grants_taken_from!()
        ),
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

/// A place among those wanted, and what is there.
pub(super) type CampaignGrantRow = (i64, Uuid, Option<Timestamp>, Uuid);
type CampaignGrantSqlType =
    (BigInt, diesel::sql_types::Uuid, Nullable<Timestamptz>, diesel::sql_types::Uuid);

pub(super) async fn campaign_grants(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, CampaignId)],
) -> Result<Vec<(CampaignGrantRow, GrantRow)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let customers: Vec<Uuid> = wanted.iter().map(|(customer, _)| *customer).collect();
    let campaigns: Vec<Uuid> = wanted.iter().map(|(_, id)| id.key()).collect();
    let statement = Statement::<PriorCampaignGrants, (CampaignGrantSqlType, GrantSqlType), _>::new(
        concat!(
            "SELECT x.place, c.payload, c.effective_at, c.grant_id, ",
            grant_columns!(),
            " FROM unnest("
        ),
        (
            customers.into_sql::<Array<diesel::sql_types::Uuid>>(),
            campaigns.into_sql::<Array<diesel::sql_types::Uuid>>(),
        ),
        ") WITH ORDINALITY AS x(customer_id, campaign_key, place) CROSS JOIN LATERAL \
         (SELECT * FROM campaign_grants WHERE customer_id = x.customer_id \
         AND campaign_key = x.campaign_key LIMIT 1) c CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = x.customer_id AND id = c.grant_id LIMIT 1) g",
    );
    Ok(statement.load(&mut conn).await?)
}

/// A statement that looks things up by their keys, which are a customer's and a text each; `tail`
/// comes behind `unnest(` and the two arrays.
fn by_keys<'a, Id, Columns>(
    wanted: &'a [(Uuid, String)],
    head: &'static str,
    tail: &'static str,
) -> Statement<Id, Columns, Keys<'a>> {
    let (customers, ids): (Vec<Uuid>, Vec<&str>) =
        wanted.iter().map(|(customer, id)| (*customer, id.as_str())).unzip();
    let keys =
        (customers.into_sql::<Array<diesel::sql_types::Uuid>>(), ids.into_sql::<Array<Text>>());
    Statement::new(head, keys, tail)
}
