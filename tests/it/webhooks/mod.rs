//! Webhooks, delivered to a receiver that speaks HTTP. Endpoints and deliveries are laid into the
//! database, as others would have: what is told of, and who asks for it, is tested elsewhere.

mod crash;
mod failures;
mod many;
mod policy;
mod sent;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use creditd::tasks::delivery::Snapshot;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::receiver::Receiver;
use crate::harness::wait::until;
use crate::harness::{Database, Server, t0};

/// A secret as it is made: 32 bytes.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// What lies in the database.
struct Post {
    sql: Client,
}

/// What the database says of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    status: String,
    attempts: i32,
    response_status: Option<i16>,
    error: Option<String>,
    next_attempt_at: Option<DateTime<Utc>>,
    claimed: bool,
}

impl Post {
    async fn of(database: &Database) -> Self {
        Self { sql: database.connect().await }
    }

    /// An endpoint that is told everything.
    async fn endpoint(&self, url: &str) -> Uuid {
        let id = Uuid::now_v7();
        let insert = "INSERT INTO webhook_endpoints (id, url, event_types, description, secret, \
                      old_secrets, payload, created_at, updated_at) \
                      SELECT id, $2, '{}', '', $3, '[]', id, '2026-01-01Z', '2026-01-01Z' \
                      FROM (SELECT $1::text::uuid) AS x(id)";
        self.sql.execute(insert, &[&id.to_string(), &url, &SECRET]).await.expect("an endpoint");
        id
    }

    /// A delivery of this body that is due at [`t0`], and given up three days later.
    async fn delivery(&self, endpoint: Uuid, body: &str) -> Uuid {
        self.delivery_at(endpoint, body, t0(), t0() + TimeDelta::days(3)).await
    }

    /// A delivery that is due and given up at these instants.
    async fn delivery_at(
        &self,
        endpoint: Uuid,
        body: &str,
        due: DateTime<Utc>,
        give_up: DateTime<Utc>,
    ) -> Uuid {
        let id = Uuid::now_v7();
        let insert = "INSERT INTO deliveries (id, endpoint_id, notification_id, event_type, \
                      payload, status, attempts, created_at, next_attempt_at, give_up_at) \
                      SELECT id, $2::text::uuid, id, 'grant.created', $3, 'pending', 0, due, due, \
                      give_up FROM (SELECT $1::text::uuid, $4::text::timestamptz, \
                      $5::text::timestamptz) AS x(id, due, give_up)";
        let [key, endpoint] = [id, endpoint].map(|id| id.to_string());
        let [due, give_up] = [due, give_up].map(|at| at.to_rfc3339());
        self.sql.execute(insert, &[&key, &endpoint, &body, &due, &give_up]).await.expect("a row");
        id
    }

    /// So many deliveries that are due and not given up, the body of each its number.
    async fn deliveries(&self, endpoint: Uuid, count: i32) {
        let insert = "INSERT INTO deliveries (id, endpoint_id, notification_id, event_type, \
                      payload, status, attempts, created_at, next_attempt_at, give_up_at) \
                      SELECT gen_random_uuid(), $1::text::uuid, gen_random_uuid(), 'grant.created', \
                      number::text, 'pending', 0, now(), '2026-01-01Z', '2126-01-01Z' \
                      FROM generate_series(1, $2) AS number";
        self.sql.execute(insert, &[&endpoint.to_string(), &count]).await.expect("deliveries");
    }

    async fn row(&self, delivery: Uuid) -> Row {
        let select = "SELECT status, attempts, response_status, error, \
                      (extract(epoch FROM next_attempt_at) * 1000000)::bigint, \
                      claimed_until IS NOT NULL FROM deliveries WHERE id = $1::text::uuid";
        let row = self.sql.query_one(select, &[&delivery.to_string()]).await.expect("a delivery");
        let next: Option<i64> = row.get(4);
        Row {
            status: row.get(0),
            attempts: row.get(1),
            response_status: row.get(2),
            error: row.get(3),
            next_attempt_at: next
                .map(|micros| DateTime::from_timestamp_micros(micros).expect("an instant")),
            claimed: row.get(5),
        }
    }

    /// Waits until so many attempts were made at a delivery; what became of it.
    async fn after(&self, delivery: Uuid, attempts: i32) -> Row {
        until("attempts are made", async || self.row(delivery).await.attempts >= attempts).await;
        self.row(delivery).await
    }

    /// How many deliveries to an endpoint are delivered.
    async fn delivered(&self, endpoint: Uuid) -> i64 {
        let count = "SELECT count(*) FROM deliveries \
                     WHERE endpoint_id = $1::text::uuid AND status = 'delivered'";
        self.sql.query_one(count, &[&endpoint.to_string()]).await.expect("a count").get(0)
    }

    /// Waits until that many are.
    async fn until_delivered(&self, endpoint: Uuid, count: i64) {
        until("webhooks are delivered", async || self.delivered(endpoint).await >= count).await;
    }

    /// Changes an endpoint's row.
    async fn set(&self, endpoint: Uuid, what: &str) {
        let update = format!("UPDATE webhook_endpoints SET {what} WHERE id = $1::text::uuid");
        self.sql.execute(&update, &[&endpoint.to_string()]).await.expect("an update");
    }

    /// Why an endpoint is disabled; None where it is not.
    async fn disabled(&self, endpoint: Uuid) -> Option<String> {
        let select = "SELECT disabled_reason FROM webhook_endpoints WHERE id = $1::text::uuid";
        self.sql.query_one(select, &[&endpoint.to_string()]).await.expect("an endpoint").get(0)
    }
}

/// Waits until a server has counted what it has done.
async fn until_counted(server: &Server, yes: impl Fn(Snapshot) -> bool) {
    until("it is counted", async || yes(server.delivered())).await;
}

/// The ids of what was received, each once, and how often anything was received.
fn ids(receiver: &Receiver) -> (BTreeSet<String>, usize) {
    let seen = receiver.seen();
    (seen.iter().map(|received| received.id().to_owned()).collect(), seen.len())
}

/// What a delivery looks like that was delivered at the first attempt, with 200.
fn at_once() -> Row {
    Row {
        status: "delivered".into(),
        attempts: 1,
        response_status: Some(200),
        error: None,
        next_attempt_at: None,
        claimed: false,
    }
}
