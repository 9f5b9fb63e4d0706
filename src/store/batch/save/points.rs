//! Writing points of balances.

use diesel::IntoSql as _;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;

use super::super::super::error::Result;
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::{Of, column};
use crate::domain::account::{Point, Remainder};

struct Insert;

/// Parts what grants of a point had left: neither ids nor numbers hold it.
const SEPARATOR: &str = ",";

pub(super) fn insert<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, Point>],
) -> Result<Running<'c>> {
    let ids = joined(rows, |of| Ok(of.grant_id.0.to_string()))?;
    let remaining = joined(rows, |of| Ok(of.remaining.to_decimal()?.to_string()))?;
    let held = joined(rows, |of| Ok(of.held.to_decimal()?.to_string()))?;
    let statement = Statement::<Insert, (), _>::new(
        "INSERT INTO balance_points (customer_id, sequence, recorded_at, grant_ids, remaining, \
         held) SELECT x.c1, x.c2, x.c3, string_to_array(x.c4, ',')::uuid[], \
         string_to_array(x.c5, ',')::numeric[], string_to_array(x.c6, ',')::numeric[] FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<BigInt, _, _>(rows, |of| of.row.sequence),
            column::<Timestamptz, _, _>(rows, |of| of.row.recorded_at),
            ids.into_sql::<Array<Text>>(),
            remaining.into_sql::<Array<Text>>(),
            held.into_sql::<Array<Text>>(),
        ),
        ") AS x(c1, c2, c3, c4, c5, c6)",
    );
    Ok(run(conn, statement))
}

/// A text for each point: an array of arrays could not hold points of different lengths.
fn joined(
    rows: &[Of<'_, Point>],
    text: impl Fn(&Remainder) -> Result<String>,
) -> Result<Vec<String>> {
    let of_point = |of: &Of<'_, Point>| {
        let texts: Result<Vec<String>> = of.row.remainders.iter().map(&text).collect();
        Ok(texts?.join(SEPARATOR))
    };
    rows.iter().map(of_point).collect()
}
