//! Writing grants.

use diesel::sql_types::{
    BigInt, Bool, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::AsyncPgConnection;

use super::super::super::error::Result;
use super::super::super::rows::{
    category_name, metadata_json, scope_columns, scope_metrics, warned_json,
};
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::{Of, amounts, column};
use crate::domain::grant::Grant;
use crate::domain::ids::CampaignId;
use crate::domain::import::ImportRow;

struct Insert;
struct UpdateFigures;
struct UpdateTerms;

/// Parts a grant's metrics in one text: a control character, which no metric's name may hold.
const METRICS_SEPARATOR: &str = "\u{1f}";

type Row<'a> = Of<'a, Grant>;

fn is_open(of: &Row<'_>) -> bool {
    of.row.is_open(of.account.now(), of.account.windows())
}

fn import<'a>(of: &Row<'a>) -> Option<&'a ImportRow> {
    of.row.import.as_ref()
}

pub(super) fn insert<'c>(conn: &'c AsyncPgConnection, rows: &[Row<'_>]) -> Result<Running<'c>> {
    let statement = Statement::<Insert, (), _>::new(
        "INSERT INTO grants (customer_id, id, sequence, type, currency, metrics, amount, \
         priority, category, effective_at, expires_at, description, metadata, remaining, held, \
         consumed, expired, voided, created_at, updated_at, created_by, voided_at, void_reason, \
         open, due_at, import_id, import_row, warned, campaign_id) \
         SELECT x.c1, x.c2, x.c3, x.c4, x.c5, string_to_array(x.c6, E'\\x1f'), x.c7, x.c8, x.c9, \
         x.c10, x.c11, x.c12, x.c13, x.c14, x.c15, x.c16, x.c17, x.c18, x.c19, x.c20, x.c21, \
         x.c22, x.c23, x.c24, x.c25, x.c26, x.c27, x.c28, x.c29 FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<SqlUuid, _, _>(rows, |of| of.row.id.0),
            column::<BigInt, _, _>(rows, |of| of.row.sequence),
            column::<Text, _, _>(rows, |of| scope_columns(&of.row.scope).0),
            column::<Nullable<Text>, _, _>(rows, |of| scope_columns(&of.row.scope).1),
            column::<Text, _, _>(rows, |of| scope_metrics(&of.row.scope).join(METRICS_SEPARATOR)),
            amounts(rows, |of| of.row.amount)?,
            column::<SmallInt, _, _>(rows, |of| i16::from(of.row.priority.get())),
            column::<Nullable<Text>, _, _>(rows, |of| of.row.category.map(category_name)),
            column::<Timestamptz, _, _>(rows, |of| of.row.effective_at),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.row.expires_at),
            column::<Text, _, _>(rows, |of| of.row.notes.description.as_str()),
            column::<Nullable<Jsonb>, _, _>(rows, |of| metadata_json(&of.row.notes.metadata)),
            amounts(rows, |of| of.row.figures.remaining)?,
            amounts(rows, |of| of.row.figures.held)?,
            amounts(rows, |of| of.row.figures.consumed)?,
            amounts(rows, |of| of.row.figures.expired)?,
            amounts(rows, |of| of.row.figures.voided)?,
            column::<Timestamptz, _, _>(rows, |of| of.row.created_at),
            column::<Timestamptz, _, _>(rows, |of| of.row.updated_at),
            column::<Text, _, _>(rows, |of| &*of.row.created_by),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.row.voided.as_ref().map(|v| v.at)),
            column::<Nullable<Text>, _, _>(rows, |of| of.row.voided.as_ref().map(|v| &*v.reason)),
            column::<Bool, _, _>(rows, is_open),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.account.due_at(of.row)),
            column::<Nullable<Text>, _, _>(rows, |of| import(of).map(|row| row.import_id.as_str())),
            column::<Nullable<BigInt>, _, _>(rows, |of| import(of).map(|row| row.row)),
            column::<Nullable<Jsonb>, _, _>(rows, |of| warned_json(&of.row.warned)),
            column::<Nullable<Text>, _, _>(rows, |of| {
                of.row.campaign.as_ref().map(CampaignId::as_str)
            }),
        ),
        ") AS x(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, \
         c19, c20, c21, c22, c23, c24, c25, c26, c27, c28, c29)",
    );
    Ok(run(conn, statement))
}

/// The hot one: figures, and what follows from them.
pub(super) fn update_figures<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Row<'_>],
) -> Result<Running<'c>> {
    let statement = Statement::<UpdateFigures, (), _>::new(
        "UPDATE grants g SET remaining = x.remaining, held = x.held, consumed = x.consumed, \
         expired = x.expired, voided = x.voided, updated_at = x.updated_at, open = x.open, \
         due_at = x.due_at FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<SqlUuid, _, _>(rows, |of| of.row.id.0),
            amounts(rows, |of| of.row.figures.remaining)?,
            amounts(rows, |of| of.row.figures.held)?,
            amounts(rows, |of| of.row.figures.consumed)?,
            amounts(rows, |of| of.row.figures.expired)?,
            amounts(rows, |of| of.row.figures.voided)?,
            column::<Timestamptz, _, _>(rows, |of| of.row.updated_at),
            column::<Bool, _, _>(rows, is_open),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.account.due_at(of.row)),
        ),
        ") AS x(customer_id, id, remaining, held, consumed, expired, voided, updated_at, open, \
         due_at) WHERE g.customer_id = x.customer_id AND g.id = x.id",
    );
    Ok(run(conn, statement))
}

/// Rules, notes, voids and warnings: rare, so that they do not widen the hot statement. The figures of the
/// same grants are written by [`update_figures`], which runs behind it.
pub(super) fn update_terms<'c>(conn: &'c AsyncPgConnection, rows: &[Row<'_>]) -> Running<'c> {
    let statement = Statement::<UpdateTerms, (), _>::new(
        "UPDATE grants g SET priority = x.priority, expires_at = x.expires_at, \
         description = x.description, metadata = x.metadata, voided_at = x.voided_at, \
         void_reason = x.void_reason, warned = x.warned FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<SqlUuid, _, _>(rows, |of| of.row.id.0),
            column::<SmallInt, _, _>(rows, |of| i16::from(of.row.priority.get())),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.row.expires_at),
            column::<Text, _, _>(rows, |of| of.row.notes.description.as_str()),
            column::<Nullable<Jsonb>, _, _>(rows, |of| metadata_json(&of.row.notes.metadata)),
            column::<Nullable<Timestamptz>, _, _>(rows, |of| of.row.voided.as_ref().map(|v| v.at)),
            column::<Nullable<Text>, _, _>(rows, |of| of.row.voided.as_ref().map(|v| &*v.reason)),
            column::<Nullable<Jsonb>, _, _>(rows, |of| warned_json(&of.row.warned)),
        ),
        ") AS x(customer_id, id, priority, expires_at, description, metadata, voided_at, \
         void_reason, warned) WHERE g.customer_id = x.customer_id AND g.id = x.id",
    );
    run(conn, statement)
}
