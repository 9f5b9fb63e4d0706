//! What was recorded after an instant, grant by grant.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use diesel::IntoSql as _;
use diesel::sql_types::Uuid as SqlUuid;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Numeric, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::super::error::Result;
use super::super::rows::change;
use super::super::statement::Statement;
use super::last_before;
use crate::domain::amount::Amount;
use crate::domain::as_of::Since;
use crate::domain::entry::RuleChange;
use crate::domain::time::Timestamp;

struct RecordedSince;

type Figures = (Numeric, Numeric, Numeric, Numeric);
type Columns = (SqlUuid, Figures, Nullable<Array<BigInt>>, Nullable<Array<Jsonb>>);
type FiguresRow = (Decimal, Decimal, Decimal, Decimal);
type Row = (Uuid, FiguresRow, Option<Vec<i64>>, Option<Vec<Value>>);

/// What these customers' ledgers recorded after `at`, by grant. One pass over those entries,
/// however many grants they are on.
pub(super) async fn since(
    mut conn: &AsyncPgConnection,
    customers: HashSet<Uuid>,
    at: Timestamp,
) -> Result<HashMap<Uuid, Since>> {
    if customers.is_empty() {
        return Ok(HashMap::new());
    }
    let customers: Vec<Uuid> = customers.into_iter().collect();
    let statement = Statement::<RecordedSince, Columns, _>::new(
        // Net: what went to and fro many times may be more than a grant ever had.
        "SELECT e.grant_id, \
         coalesce(-sum(e.amount) FILTER (WHERE e.type IN ('consumed', 'applied', \
           'usage_reversed', 'application_reversed')), 0), \
         coalesce(-sum(e.amount) FILTER (WHERE e.type IN ('expired', 'expiration_reclaimed')), 0), \
         coalesce(-sum(e.amount) FILTER (WHERE e.type = 'voided'), 0), sum(e.held_amount), \
         array_agg(e.sequence) FILTER (WHERE e.change IS NOT NULL), \
         array_agg(e.change) FILTER (WHERE e.change IS NOT NULL) FROM (SELECT ",
        (
            customers.into_sql::<Array<SqlUuid>>(),
            (at + TimeDelta::microseconds(1)).into_sql::<Timestamptz>(),
        ),
        concat!(
            ") AS y(customers, after) CROSS JOIN LATERAL unnest(y.customers) AS x(customer_id) \
             CROSS JOIN LATERAL (SELECT * FROM ledger_entries l \
             WHERE l.customer_id = x.customer_id AND l.sequence > ",
            last_before!("y.after"),
            " OFFSET 0) e GROUP BY e.grant_id"
        ),
    );
    let rows: Vec<Row> = statement.load(&mut conn).await?;
    let mut all: HashMap<Uuid, Since> = HashMap::new();
    for (grant, (consumed, expired, voided, held), sequences, changes) in rows {
        let since = Since {
            consumed: Amount::from_decimal(consumed)?,
            expired: Amount::from_decimal(expired)?,
            voided: Amount::from_decimal(voided)?,
            held: Amount::from_decimal(held)?,
            changes: in_order(sequences, changes)?,
        };
        all.insert(grant, since);
    }
    Ok(all)
}

/// Changes by the sequences of their entries.
fn in_order(sequences: Option<Vec<i64>>, changes: Option<Vec<Value>>) -> Result<Vec<RuleChange>> {
    let (sequences, changes) = (sequences.unwrap_or_default(), changes.unwrap_or_default());
    let mut numbered: Vec<(i64, Value)> = sequences.into_iter().zip(changes).collect();
    numbered.sort_unstable_by_key(|(sequence, _)| *sequence);
    numbered.iter().map(|(_, kept)| change(kept)).collect()
}
