//! Adding usage up.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;

use super::Store;
use super::error::{Error, Result};
use super::statement::Statement;
use crate::domain::amount::Amount;
use crate::domain::ids::{Customer, Metric};
use crate::domain::summary::{UsageSummary, Window};
use crate::domain::time::Timestamp;
use crate::limits;

struct Summarize;

/// What usage to add up, and by what.
#[derive(Debug, Clone)]
pub struct SummaryFilter {
    /// Of this metric; of all where it is left out.
    pub metric: Option<Metric>,
    /// Happened from, inclusive.
    pub timestamp_after: Timestamp,
    /// Happened before, exclusive.
    pub timestamp_before: Timestamp,
    /// What to add up by.
    pub window: Window,
}

/// A row: metric, beginning of the window, events; quantity, uncovered and reversed as
/// [`units_of`] reads them.
type Row = (String, Timestamp, i64, String, String, String);
type Columns = (Text, Timestamptz, BigInt, Text, Text, Text);

/// What a row adds of an event called `u`.
macro_rules! event_figures {
    () => {
        "SELECT u.metric, u.timestamp, 1, u.quantity, \
         u.uncovered - least(u.uncovered, u.reversed), u.reversed FROM usage_events u "
    };
}
/// Which events of those that an index finds are meant.
macro_rules! event_matches {
    () => {
        " AND u.timestamp >= x.happened_from AND u.timestamp < x.happened_before \
         AND (x.metric IS NULL OR u.metric = x.metric) "
    };
}

/// Behind the binds. Every event counts once:
///
/// - in the rollup of its hour, where the range has all or none of the rollup's events;
/// - by itself, where it is rolled up, but the range cuts the rollups of its hour. Most events are
///   found by when they were recorded, which is soon after they happened; late ones by an index of
///   their own, whose predicate parts the two;
/// - by itself, where it is not rolled up yet.
const SUMS: &str = concat!(
    ") AS x(customer_id, metric, happened_from, happened_before, width, ahead_micros, items) \
     JOIN customers c ON c.id = x.customer_id \
     CROSS JOIN LATERAL (SELECT coalesce(array_agg(DISTINCT r.hour), '{}') AS hours \
       FROM usage_rollups r WHERE r.customer_id = x.customer_id \
         AND r.hour = ANY (ARRAY[date_trunc('hour', x.happened_from, 'UTC'), \
                                 date_trunc('hour', x.happened_before, 'UTC')]) \
         AND (x.metric IS NULL OR r.metric = x.metric) \
         AND r.first_timestamp < x.happened_before AND r.last_timestamp >= x.happened_from \
         AND (r.first_timestamp < x.happened_from OR r.last_timestamp >= x.happened_before)) cut \
     CROSS JOIN LATERAL (SELECT e.metric, \
         CASE WHEN x.width IS NULL THEN x.happened_from \
           ELSE date_trunc(x.width, e.timestamp, 'UTC') END AS window_start, \
         sum(e.events)::bigint, trunc(sum(e.quantity) * 1000000000000)::text, \
         trunc(sum(e.uncovered) * 1000000000000)::text, \
         trunc(sum(e.reversed) * 1000000000000)::text \
       FROM (SELECT r.metric, r.hour, r.events, r.quantity, r.uncovered, r.reversed \
           FROM usage_rollups r WHERE r.customer_id = x.customer_id \
             AND r.hour >= date_trunc('hour', x.happened_from, 'UTC') \
             AND r.hour < x.happened_before AND r.hour <> ALL (cut.hours) \
             AND (x.metric IS NULL OR r.metric = x.metric) \
             AND r.first_timestamp >= x.happened_from AND r.last_timestamp < x.happened_before \
         UNION ALL SELECT * FROM (",
    // Each in the order of its index, so that no plan made while the table is empty takes another.
    event_figures!(),
    "WHERE u.customer_id = x.customer_id AND u.recorded_at >= c.rolled_until",
    event_matches!(),
    "    ORDER BY u.recorded_at OFFSET 0) unrolled \
         UNION ALL SELECT e.* FROM unnest(cut.hours) AS h(hour) CROSS JOIN LATERAL (SELECT * FROM (",
    event_figures!(),
    "      WHERE u.customer_id = x.customer_id AND u.recorded_at < c.rolled_until \
             AND u.recorded_at - u.timestamp <= interval '1 hour' \
             AND u.recorded_at < h.hour + interval '2 hours' \
             AND u.recorded_at >= h.hour - x.ahead_micros * interval '1 microsecond' \
             AND u.timestamp >= h.hour AND u.timestamp < h.hour + interval '1 hour'",
    event_matches!(),
    "      ORDER BY u.recorded_at OFFSET 0) soon UNION ALL SELECT * FROM (",
    event_figures!(),
    "      WHERE u.customer_id = x.customer_id AND u.recorded_at < c.rolled_until \
             AND u.recorded_at - u.timestamp > interval '1 hour' \
             AND u.timestamp >= h.hour AND u.timestamp < h.hour + interval '1 hour'",
    event_matches!(),
    "      ORDER BY u.timestamp OFFSET 0) late) e) e(metric, timestamp, events, quantity, uncovered, reversed) \
       GROUP BY 1, 2 ORDER BY 1, 2 LIMIT x.items) s \
         (metric, window_start, events, quantity, uncovered, reversed) ORDER BY 1, 2"
);

impl Store {
    /// Adds up a customer's usage by metric and window, in this order: the first `limit` rows. One
    /// statement, whose cost follows hours and not events.
    ///
    /// # Errors
    /// As the database says; [`Error::Corrupt`] for a sum outside the exact range.
    pub async fn summarize_usage(
        &self,
        customer: &Customer,
        filter: &SummaryFilter,
        limit: i64,
    ) -> Result<Vec<UsageSummary>> {
        let width = match filter.window {
            Window::Hour => Some("hour"),
            Window::Day => Some("day"),
            Window::All => None,
        };
        let ahead = limits::TIMESTAMP_AHEAD_MAX.num_microseconds();
        let binds = (
            customer.key.into_sql::<SqlUuid>(),
            filter.metric.as_ref().map(Metric::as_str).into_sql::<Nullable<Text>>(),
            filter.timestamp_after.into_sql::<Timestamptz>(),
            filter.timestamp_before.into_sql::<Timestamptz>(),
            width.into_sql::<Nullable<Text>>(),
            ahead.into_sql::<Nullable<BigInt>>(),
            limit.into_sql::<BigInt>(),
        );
        let statement =
            Statement::<Summarize, Columns, _>::new("SELECT s.* FROM (SELECT ", binds, SUMS);
        let mut conn = self.readers.get().await?;
        let rows: Vec<Row> = statement.load(&mut conn).await?;
        rows.into_iter().map(summary).collect()
    }
}

fn summary(
    (metric, window_start, events, quantity, uncovered, reversed): Row,
) -> Result<UsageSummary> {
    Ok(UsageSummary {
        metric: Metric::stored(metric),
        window_start,
        events,
        quantity: units_of(&quantity)?,
        uncovered: units_of(&uncovered)?,
        reversed: units_of(&reversed)?,
    })
}

/// A sum that comes as the count of 10^-12: `Decimal`, which reads other amounts, rounds what needs
/// more than 96 bits.
fn units_of(count: &str) -> Result<Amount> {
    let units = count.parse().map_err(|_| Error::corrupt("a sum outside the exact range"))?;
    Ok(Amount::from_units(units))
}
