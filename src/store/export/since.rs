//! What was recorded after an instant, grant by grant.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use diesel::IntoSql as _;
use diesel::sql_types::Uuid as SqlUuid;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Numeric, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::super::error::Result;
use super::super::rows::{change, entry_type};
use super::super::statement::Statement;
use super::last_before;
use crate::domain::amount::Amount;
use crate::domain::as_of::{Moved, Since};
use crate::domain::entry::RuleChange;
use crate::domain::time::Timestamp;

struct RecordedSince;

type Columns = (SqlUuid, Text, Numeric, Numeric, Nullable<Array<BigInt>>, Nullable<Array<Jsonb>>);
type Row = (Uuid, String, Decimal, Decimal, Option<Vec<i64>>, Option<Vec<Value>>);

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
        "SELECT e.grant_id, e.type, sum(e.amount), sum(e.held_amount), \
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
            " OFFSET 0) e GROUP BY e.grant_id, e.type"
        ),
    );
    let rows: Vec<Row> = statement.load(&mut conn).await?;
    let mut all: HashMap<Uuid, Since> = HashMap::new();
    for (grant, kind, amount, held, sequences, changes) in rows {
        let since = all.entry(grant).or_default();
        since.moved.push(Moved {
            kind: entry_type(&kind)?,
            amount: Amount::from_decimal(amount)?,
            held: Amount::from_decimal(held)?,
        });
        since.changes.extend(in_order(sequences, changes)?);
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
