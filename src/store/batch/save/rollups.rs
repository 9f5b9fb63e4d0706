//! Rolling usage up.

use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;

use super::super::super::error::Result;
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::{Of, amounts, column, some};
use crate::domain::account::{Account, RolledReversal};
use crate::domain::time::Timestamp;

struct RollUp;
struct Reverse;

/// The statements that bring the rollups of these customers' usage up to date.
pub(super) fn statements<'c>(
    conn: &'c AsyncPgConnection,
    accounts: &[&Account],
) -> Result<impl Iterator<Item = Running<'c>> + use<'c>> {
    let mut roll_ups = Vec::new();
    let mut reversals = Vec::new();
    for account in accounts.iter().copied() {
        let (key, changes) = (account.customer().key, account.changes());
        roll_ups.extend(changes.roll_up_from.iter().map(|row| Of { key, account, row }));
        reversals.extend(changes.rolled_reversals.iter().map(|row| Of { key, account, row }));
    }
    let roll_up = some(&roll_ups, |rows| Ok(roll_up(conn, rows)))?;
    let reverse = some(&reversals, |rows| reverse(conn, rows))?;
    Ok(roll_up.into_iter().chain(reverse))
}

/// Adds the events that each of these customers recorded since the last time, and before now, to
/// the sums. No other batch can record one before now: the customers are locked.
fn roll_up<'c>(conn: &'c AsyncPgConnection, rows: &[Of<'_, Timestamp>]) -> Running<'c> {
    let statement = Statement::<RollUp, (), _>::new(
        "INSERT INTO usage_rollups AS r (customer_id, hour, metric, events, quantity, uncovered, \
         reversed, first_timestamp, last_timestamp) \
         SELECT x.customer_id, e.* FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<Timestamptz, _, _>(rows, |of| *of.row),
            column::<Timestamptz, _, _>(rows, |of| of.account.standing().rolled.until),
        ),
        ") AS x(customer_id, recorded_from, recorded_before) CROSS JOIN LATERAL \
         (SELECT date_trunc('hour', u.timestamp, 'UTC'), u.metric, count(*), sum(u.quantity), \
           sum(u.uncovered - least(u.uncovered, u.reversed)), sum(u.reversed), \
           min(u.timestamp), max(u.timestamp) FROM usage_events u \
         WHERE u.customer_id = x.customer_id \
           AND u.recorded_at >= x.recorded_from AND u.recorded_at < x.recorded_before \
         GROUP BY 1, 2) e \
         ON CONFLICT (customer_id, hour, metric) DO UPDATE SET \
           events = r.events + excluded.events, quantity = r.quantity + excluded.quantity, \
           uncovered = r.uncovered + excluded.uncovered, \
           reversed = r.reversed + excluded.reversed, \
           first_timestamp = least(r.first_timestamp, excluded.first_timestamp), \
           last_timestamp = greatest(r.last_timestamp, excluded.last_timestamp)",
    );
    run(conn, statement)
}

/// Takes what was reversed of events that are in the sums into account.
fn reverse<'c>(
    conn: &'c AsyncPgConnection,
    rows: &[Of<'_, RolledReversal>],
) -> Result<Running<'c>> {
    let statement = Statement::<Reverse, (), _>::new(
        // An UPDATE changes a row once, however many events of its hour were reversed.
        "UPDATE usage_rollups r SET uncovered = r.uncovered - x.uncovered, \
         reversed = r.reversed + x.reversed FROM (SELECT e.customer_id, e.metric, \
           date_trunc('hour', e.timestamp, 'UTC') AS hour, \
           sum(e.reversed) AS reversed, sum(e.uncovered) AS uncovered FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |of| of.key),
            column::<Text, _, _>(rows, |of| of.row.metric.as_str()),
            column::<Timestamptz, _, _>(rows, |of| of.row.timestamp),
            amounts(rows, |of| of.row.reversed)?,
            amounts(rows, |of| of.row.uncovered)?,
        ),
        ") AS e(customer_id, metric, timestamp, reversed, uncovered) GROUP BY 1, 2, 3) x \
         WHERE r.customer_id = x.customer_id AND r.hour = x.hour AND r.metric = x.metric",
    );
    Ok(run(conn, statement))
}
