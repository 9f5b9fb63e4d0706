//! Reading usage events.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;

use super::Store;
use super::batch::{EventSqlType, event_by_key, event_columns, event_draws};
use super::error::Result;
use super::rows::EventRow;
use super::statement::Statement;
use crate::domain::ids::{Customer, EventId, GrantId, Metric};
use crate::domain::time::Timestamp;
use crate::domain::usage::UsageEvent;

struct GetEvent;
struct ListEvents;

/// Which events to list; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this metric.
    pub metric: Option<Metric>,
    /// That drew on this grant.
    pub grant_id: Option<GrantId>,
    /// Happened from, inclusive.
    pub timestamp_after: Option<Timestamp>,
    /// Happened before, exclusive.
    pub timestamp_before: Option<Timestamp>,
    /// Recorded from, inclusive.
    pub recorded_after: Option<Timestamp>,
}

impl Store {
    /// A usage event by its id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn usage_event(
        &self,
        customer: &Customer,
        event_id: &EventId,
    ) -> Result<Option<UsageEvent>> {
        let statement = Statement::<GetEvent, EventSqlType, _>::new(
            concat!("SELECT ", event_columns!(), " FROM (SELECT "),
            (customer.key.into_sql::<SqlUuid>(), event_id.as_str().into_sql::<Text>()),
            concat!(") AS x(customer_id, event_id)", event_by_key!(), "u", event_draws!()),
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<EventRow> = statement.load(&mut conn).await?;
        rows.into_iter().next().map(UsageEvent::try_from).transpose()
    }

    /// A customer's events by `recorded_at` and id, from behind `after` on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_usage_events(
        &self,
        customer: &Customer,
        filter: &EventFilter,
        after: Option<(Timestamp, String)>,
        limit: i64,
    ) -> Result<Vec<UsageEvent>> {
        let (after_at, after_id) = after.unzip();
        let from = filter.recorded_after.into_iter().chain(after_at).max();
        let binds = (
            customer.key.into_sql::<SqlUuid>(),
            filter.metric.as_ref().map(Metric::as_str).into_sql::<Nullable<Text>>(),
            filter.grant_id.map(|id| id.0).into_sql::<Nullable<SqlUuid>>(),
            filter.timestamp_after.into_sql::<Nullable<Timestamptz>>(),
            filter.timestamp_before.into_sql::<Nullable<Timestamptz>>(),
            from.into_sql::<Nullable<Timestamptz>>(),
            after_at.into_sql::<Nullable<Timestamptz>>(),
            after_id.into_sql::<Nullable<Text>>(),
            limit.into_sql::<BigInt>(),
        );
        let statement = Statement::<ListEvents, EventSqlType, _>::new(
            concat!("SELECT ", event_columns!(), " FROM (SELECT "),
            binds,
            concat!(
                ") AS x(customer_id, metric, grant_id, happened_from, happened_before, \
                 recorded_from, after_at, after_id, items) \
                 CROSS JOIN LATERAL (SELECT * FROM usage_events v \
                 WHERE v.customer_id = x.customer_id \
                 AND v.recorded_at >= coalesce(x.recorded_from, '-infinity') \
                 AND (x.after_at IS NULL \
                   OR (v.recorded_at, v.event_id) > (x.after_at, x.after_id)) \
                 AND (x.metric IS NULL OR v.metric = x.metric) \
                 AND (x.happened_from IS NULL OR v.timestamp >= x.happened_from) \
                 AND (x.happened_before IS NULL OR v.timestamp < x.happened_before) \
                 AND (x.grant_id IS NULL OR EXISTS (SELECT 1 FROM ledger_entries d \
                   WHERE d.customer_id = v.customer_id \
                   AND d.sequence BETWEEN v.first_sequence AND v.last_sequence \
                   AND d.grant_id = x.grant_id)) \
                 ORDER BY v.recorded_at, v.event_id LIMIT x.items) u",
                event_draws!(),
                " ORDER BY u.recorded_at, u.event_id"
            ),
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<EventRow> = statement.load(&mut conn).await?;
        rows.into_iter().map(UsageEvent::try_from).collect()
    }
}
