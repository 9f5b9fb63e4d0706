//! Deliveries: looking at them, sending them again, and sending a test.

use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::super::Store;
use super::super::error::{Error, Result};
use super::super::schema::deliveries;
use super::super::statement::Statement;
use super::payload::test_body;
use crate::domain::ids::{Customer, DeliveryId, EndpointId};
use crate::domain::notification::EventType;
use crate::domain::time::Timestamp;
use crate::limits;

struct OfEndpoints;
struct OfCustomer;
struct Parked;
struct Retry;
struct Test;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It waits for an attempt.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// It failed for long enough.
    Parked,
}

impl DeliveryStatus {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Parked];

    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
        }
    }
}

/// One notification on its way to one endpoint.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub endpoint_id: EndpointId,
    /// The same for all endpoints.
    pub notification_id: Uuid,
    /// What happened, by name.
    pub event_type: String,
    /// To whose credits; None in a test.
    pub customer: Option<Customer>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: i32,
    /// The last answer's HTTP status.
    pub response_status: Option<i16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
    /// When the last attempt ended.
    pub attempted_at: Option<Timestamp>,
    /// When the next one is due.
    pub next_attempt_at: Option<Timestamp>,
    /// What is sent.
    pub payload: String,
}

/// Which deliveries to list; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// To this endpoint.
    pub endpoint_id: Option<EndpointId>,
    /// That stand like this.
    pub statuses: Vec<DeliveryStatus>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// About this customer.
    pub customer: Option<Customer>,
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// There is no such delivery, or no such endpoint.
    NotFound,
    /// Nothing is sent to the endpoint.
    Disabled,
}

type Row = (
    Uuid,
    Uuid,
    Uuid,
    String,
    Option<String>,
    String,
    i32,
    Option<i16>,
    Option<String>,
    Timestamp,
    Option<Timestamp>,
    Option<Timestamp>,
    String,
);

type RowSqlType = (
    SqlUuid,
    SqlUuid,
    SqlUuid,
    Text,
    Nullable<Text>,
    Text,
    Integer,
    Nullable<SmallInt>,
    Nullable<Text>,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Text,
);

/// The columns of [`Row`], of a table called `d`.
macro_rules! columns {
    () => {
        "d.id, d.endpoint_id, d.notification_id, d.event_type, \
         (SELECT c.external_id FROM customers c WHERE c.id = d.customer_id), d.status, d.attempts, \
         d.response_status, d.error, d.created_at, d.attempted_at, d.next_attempt_at, d.payload"
    };
}

/// What of `deliveries v` a list shows: `x` is its filter. An index gives each page from where it
/// begins.
macro_rules! listed {
    ($of:expr) => {
        concat!(
            "CROSS JOIN LATERAL (SELECT * FROM deliveries v WHERE ",
            $of,
            " AND v.created_at <= coalesce(x.after_at, 'infinity') \
             AND (x.after_at IS NULL OR (v.created_at, v.id) < (x.after_at, x.after_id)) \
             AND (x.statuses = '{}' OR v.status = ANY(x.statuses)) \
             AND (x.event_type IS NULL OR v.event_type = x.event_type) \
             ORDER BY v.created_at DESC, v.id DESC LIMIT x.items) d "
        )
    };
}

const LIST: &str = "WITH x(endpoint_id, customer_id, statuses, event_type, after_at, after_id, \
                    items) AS (SELECT ";

const OF_ENDPOINTS: &str = concat!(
    ") SELECT ",
    columns!(),
    " FROM x CROSS JOIN webhook_endpoints e ",
    listed!("v.endpoint_id = e.id"),
    "WHERE e.deleted_at IS NULL AND (x.endpoint_id IS NULL OR e.id = x.endpoint_id) \
     ORDER BY d.created_at DESC, d.id DESC LIMIT (SELECT items FROM x)"
);

/// The rest of a list that one range of an index gives.
macro_rules! in_one_range {
    ($of:literal) => {
        concat!(
            ") SELECT ",
            columns!(),
            " FROM x ",
            listed!(concat!(
                $of,
                " AND (x.endpoint_id IS NULL OR v.endpoint_id = x.endpoint_id) \
                 AND EXISTS (SELECT 1 FROM webhook_endpoints e \
                   WHERE e.id = v.endpoint_id AND e.deleted_at IS NULL)"
            )),
            "ORDER BY d.created_at DESC, d.id DESC"
        )
    };
}

const OF_CUSTOMER: &str = in_one_range!("v.customer_id = x.customer_id");
const PARKED: &str = in_one_range!("v.status = 'parked'");

impl Store {
    /// Deliveries to endpoints that are not deleted, newest first, from behind `after` on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Delivery>> {
        let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.name()).collect();
        let (after_at, after_id) = after.unzip();
        let customer = filter.customer.as_ref().map(|customer| customer.key);
        let binds = (
            filter.endpoint_id.map(|id| id.0).into_sql::<Nullable<SqlUuid>>(),
            customer.into_sql::<Nullable<SqlUuid>>(),
            statuses.into_sql::<Array<Text>>(),
            filter.event_type.map(EventType::name).into_sql::<Nullable<Text>>(),
            after_at.into_sql::<Nullable<Timestamptz>>(),
            after_id.into_sql::<Nullable<SqlUuid>>(),
            limit.into_sql::<BigInt>(),
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<Row> = if customer.is_some() {
            let of = Statement::<OfCustomer, RowSqlType, _>::new(LIST, binds, OF_CUSTOMER);
            of.load(&mut conn).await?
        } else if filter.statuses == [DeliveryStatus::Parked] {
            let parked = Statement::<Parked, RowSqlType, _>::new(LIST, binds, PARKED);
            parked.load(&mut conn).await?
        } else {
            let of = Statement::<OfEndpoints, RowSqlType, _>::new(LIST, binds, OF_ENDPOINTS);
            of.load(&mut conn).await?
        };
        rows.into_iter().map(Delivery::try_from).collect()
    }

    /// Makes a delivery due, and tries it for as long as at first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn retry_delivery(
        &self,
        id: DeliveryId,
    ) -> Result<std::result::Result<Delivery, NotSent>> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let statement = Statement::<Retry, RowSqlType, _>::new(
            "WITH x(id, now, give_up_at) AS (SELECT ",
            (
                id.0.into_sql::<SqlUuid>(),
                now.into_sql::<Timestamptz>(),
                (now + limits::DELIVERY_RETRY_FOR).into_sql::<Timestamptz>(),
            ),
            concat!(
                "), d AS (UPDATE deliveries d SET status = 'pending', next_attempt_at = x.now, \
                 give_up_at = x.give_up_at, claimed_until = NULL FROM x, webhook_endpoints e \
                 WHERE d.id = x.id AND e.id = d.endpoint_id \
                 AND e.deleted_at IS NULL AND e.disabled_at IS NULL RETURNING d.*) SELECT ",
                columns!(),
                " FROM d"
            ),
        );
        let rows: Vec<Row> = statement.load(&mut conn).await?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(Ok(row.try_into()?));
        }
        let known = deliveries::table.find(id.0).count().get_result::<i64>(&mut conn).await? > 0;
        Ok(Err(if known { NotSent::Disabled } else { NotSent::NotFound }))
    }

    /// Sends a test to an endpoint, whatever it is subscribed to.
    ///
    /// # Errors
    /// As the database says.
    pub async fn send_test(
        &self,
        endpoint_id: EndpointId,
    ) -> Result<std::result::Result<Delivery, NotSent>> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let notification_id = Uuid::now_v7();
        let statement = Statement::<Test, RowSqlType, _>::new(
            "WITH x(endpoint_id, id, notification_id, event_type, payload, now, give_up_at) \
             AS (SELECT ",
            (
                endpoint_id.0.into_sql::<SqlUuid>(),
                DeliveryId::fresh().0.into_sql::<SqlUuid>(),
                notification_id.into_sql::<SqlUuid>(),
                EventType::NotificationTest.name().into_sql::<Text>(),
                test_body(notification_id, now).into_sql::<Text>(),
                now.into_sql::<Timestamptz>(),
                (now + limits::DELIVERY_RETRY_FOR).into_sql::<Timestamptz>(),
            ),
            concat!(
                "), d AS (INSERT INTO deliveries (id, endpoint_id, notification_id, event_type, \
                 payload, status, attempts, created_at, next_attempt_at, give_up_at) \
                 SELECT x.id, e.id, x.notification_id, x.event_type, x.payload, 'pending', 0, \
                 x.now, x.now, x.give_up_at FROM x JOIN webhook_endpoints e ON e.id = x.endpoint_id \
                 WHERE e.deleted_at IS NULL AND e.disabled_at IS NULL RETURNING *) SELECT ",
                columns!(),
                " FROM d"
            ),
        );
        let rows: Vec<Row> = statement.load(&mut conn).await?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(Ok(row.try_into()?));
        }
        let (endpoints, _) = self.endpoints().await?;
        let known = endpoints.iter().any(|endpoint| endpoint.id == endpoint_id);
        Ok(Err(if known { NotSent::Disabled } else { NotSent::NotFound }))
    }
}

impl TryFrom<Row> for Delivery {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let (id, endpoint_id, notification_id, event_type, customer, status, ..) = row;
        let (.., attempts, response_status, error, created_at, attempted_at, next, payload) = row;
        let status = DeliveryStatus::ALL.into_iter().find(|known| known.name() == status);
        Ok(Self {
            id: DeliveryId(id),
            endpoint_id: EndpointId(endpoint_id),
            notification_id,
            event_type,
            customer: customer.as_deref().map(Customer::stored),
            status: status.ok_or_else(|| Error::corrupt("a delivery's status"))?,
            attempts,
            response_status,
            error,
            created_at,
            attempted_at,
            next_attempt_at: next,
            payload,
        })
    }
}
