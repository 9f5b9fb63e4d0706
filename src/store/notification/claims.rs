//! Deliveries on their way: which endpoints have some, who takes them, and what came of them.
//!
//! Replicas share the work by claims. A claim is a lease on PostgreSQL's own clock, taken with SKIP
//! LOCKED: nobody waits for anybody, and what a replica had in hand when it died is taken up by
//! another once the lease has ended. When a delivery is due is told by creditd's clock, which may
//! be a test clock.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::IntoSql as _;
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Integer, Interval, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::super::Store;
use super::super::error::Result;
use super::super::schema::webhook_endpoints;
use super::super::statement::Statement;
use super::interests::list;
use super::rows::old_secret;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::Secret;

/// An endpoint that is to be told what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// When the first delivery falls due that nobody has in hand; None where there is none.
    pub due: Option<Timestamp>,
}

/// Deliveries of one endpoint that were claimed together, and what it takes to make them.
#[derive(Clone)]
pub struct Claim {
    /// Where they go.
    pub url: String,
    /// What signs them, the newest first.
    pub secrets: Vec<Secret>,
    /// The real time, which receivers compare with theirs.
    pub sent_at: Timestamp,
    /// How long they are claimed for, as it is told with what came of them.
    pub until: Timestamp,
    /// The deliveries.
    pub deliveries: Vec<Claimed>,
}

/// The URL is not printed: it may hold a secret.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("deliveries", &self.deliveries).finish_non_exhaustive()
    }
}

/// A delivery in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub id: DeliveryId,
    /// The notification's, the same for all endpoints and attempts.
    pub notification_id: Uuid,
    /// What is sent, byte by byte.
    pub payload: String,
    /// Attempts made so far.
    pub attempts: i32,
    /// A failure whose next attempt would come after this parks it.
    pub give_up_at: Timestamp,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is delivered.
    Delivered,
    /// It is tried again at this instant.
    Again(Timestamp),
    /// It waits for somebody to ask for it.
    Parked,
}

impl Next {
    fn status(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again(_) => "pending",
            Self::Parked => "parked",
        }
    }

    fn at(self) -> Option<Timestamp> {
        match self {
            Self::Again(at) => Some(at),
            Self::Delivered | Self::Parked => None,
        }
    }
}

/// An attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// Of which delivery.
    pub id: DeliveryId,
    /// The claim's end: what came of the attempt counts only while the claim does.
    pub until: Timestamp,
    /// What becomes of the delivery.
    pub next: Next,
    /// The status of the response, where there was one.
    pub response_status: Option<i16>,
    /// Why it failed, where it did.
    pub error: Option<String>,
}

struct FindWaiting;
struct ClaimDue;
struct SaveAttempts;

#[derive(Queryable)]
struct ClaimedRow {
    id: Uuid,
    notification_id: Uuid,
    payload: String,
    attempts: i32,
    give_up_at: Timestamp,
    claimed_until: Timestamp,
    sent_at: Timestamp,
    url: String,
    secret: String,
    old_secrets: Value,
}

type ClaimedSqlType =
    (SqlUuid, SqlUuid, Text, Integer, Timestamptz, Timestamptz, Timestamptz, Text, Text, Jsonb);

impl Store {
    /// The endpoints that are neither disabled nor deleted, each with what waits for it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn endpoints_waiting(&self) -> Result<Vec<Waiting>> {
        let statement = Statement::<FindWaiting, (SqlUuid, Nullable<Timestamptz>), ()>::new(
            "SELECT e.id, (SELECT d.next_attempt_at FROM deliveries d \
              WHERE d.endpoint_id = e.id AND d.status = 'pending' \
                AND (d.claimed_until IS NULL OR d.claimed_until <= clock_timestamp()) \
              ORDER BY d.next_attempt_at LIMIT 1) \
             FROM webhook_endpoints e WHERE e.disabled_at IS NULL AND e.deleted_at IS NULL",
            (),
            "",
        );
        let mut conn = self.deliverers.get().await?;
        let rows: Vec<(Uuid, Option<Timestamp>)> = statement.load(&mut conn).await?;
        let waiting = |(id, due)| Waiting { endpoint: EndpointId(id), due };
        Ok(rows.into_iter().map(waiting).collect())
    }

    /// Claims at most so many of an endpoint's deliveries that are due at `now`, for as long as
    /// `lease`; None where there are none, or the endpoint is not to be told anything.
    ///
    /// # Errors
    /// As the database says.
    pub async fn claim_deliveries(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        most: usize,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        let statement = Statement::<ClaimDue, ClaimedSqlType, _>::new(
            "WITH x(endpoint_id, now, most, lease) AS (SELECT ",
            (
                endpoint.0.into_sql::<SqlUuid>(),
                now.into_sql::<Timestamptz>(),
                most.into_sql::<BigInt>(),
                lease.into_sql::<Interval>(),
            ),
            "), due AS ( \
               SELECT d.id FROM deliveries d \
               WHERE d.endpoint_id = (SELECT endpoint_id FROM x) AND d.status = 'pending' \
                 AND d.next_attempt_at <= (SELECT now FROM x) \
                 AND (d.claimed_until IS NULL OR d.claimed_until <= clock_timestamp()) \
               ORDER BY d.next_attempt_at LIMIT (SELECT most FROM x) FOR UPDATE SKIP LOCKED \
             ), clock AS MATERIALIZED (SELECT clock_timestamp() AS real) \
             UPDATE deliveries d SET claimed_until = clock.real + x.lease \
             FROM x, clock, due, webhook_endpoints e \
             WHERE d.id = due.id AND e.id = x.endpoint_id \
               AND e.disabled_at IS NULL AND e.deleted_at IS NULL \
             RETURNING d.id, d.notification_id, d.payload, d.attempts, d.give_up_at, \
                       d.claimed_until, clock.real, e.url, e.secret, e.old_secrets",
        );
        let mut conn = self.deliverers.get().await?;
        let rows: Vec<ClaimedRow> = statement.load(&mut conn).await?;
        claim(rows, now)
    }

    /// Takes note of what came of attempts at deliveries to one endpoint, and since when it has
    /// only failed. What somebody else has claimed meanwhile, or asked for anew, is left to them.
    ///
    /// # Errors
    /// As the database says; to do it again is safe.
    pub async fn finish_deliveries(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        attempts: &[Attempted],
    ) -> Result<()> {
        let mut conn = self.deliverers.get().await?;
        save(&mut conn, now, attempts).await?;
        let succeeded = attempts.iter().any(|attempt| attempt.next == Next::Delivered);
        // Written only where it changes: a healthy endpoint costs a look.
        let row = webhook_endpoints::table.find(endpoint.0);
        if succeeded {
            let failing = row.filter(webhook_endpoints::failing_since.is_not_null());
            let healthy = webhook_endpoints::failing_since.eq(None::<Timestamp>);
            diesel::update(failing).set(healthy).execute(&mut conn).await?;
        } else {
            let healthy = row.filter(webhook_endpoints::failing_since.is_null());
            let failing = webhook_endpoints::failing_since.eq(Some(now));
            diesel::update(healthy).set(failing).execute(&mut conn).await?;
        }
        Ok(())
    }

    /// Since when every attempt at an endpoint has failed; None where the last one did not.
    ///
    /// # Errors
    /// As the database says.
    pub async fn failing_since(&self, endpoint: EndpointId) -> Result<Option<Timestamp>> {
        let mut conn = self.deliverers.get().await?;
        let since = webhook_endpoints::table
            .find(endpoint.0)
            .select(webhook_endpoints::failing_since)
            .first(&mut conn)
            .await
            .optional()?;
        Ok(since.flatten())
    }
}

fn claim(rows: Vec<ClaimedRow>, now: Timestamp) -> Result<Option<Claim>> {
    let [first, ..] = rows.as_slice() else { return Ok(None) };
    let claim = Claim {
        url: first.url.clone(),
        secrets: signing(first, now)?,
        sent_at: first.sent_at,
        until: first.claimed_until,
        deliveries: Vec::new(),
    };
    let deliveries = rows.into_iter().map(|row| Claimed {
        id: DeliveryId(row.id),
        notification_id: row.notification_id,
        payload: row.payload,
        attempts: row.attempts,
        give_up_at: row.give_up_at,
    });
    Ok(Some(Claim { deliveries: deliveries.collect(), ..claim }))
}

/// The secrets that sign now: the present one, and those before it that still do.
fn signing(row: &ClaimedRow, now: Timestamp) -> Result<Vec<Secret>> {
    let mut secrets = vec![Secret::stored(row.secret.clone())];
    for old in list(&row.old_secrets)? {
        let old = old_secret(old)?;
        secrets.extend((old.until > now).then_some(old.secret));
    }
    Ok(secrets)
}

async fn save(
    conn: &mut AsyncPgConnection,
    now: Timestamp,
    attempts: &[Attempted],
) -> Result<usize> {
    let ids: Vec<Uuid> = attempts.iter().map(|each| each.id.0).collect();
    let untils: Vec<Timestamp> = attempts.iter().map(|each| each.until).collect();
    let statuses: Vec<&str> = attempts.iter().map(|each| each.next.status()).collect();
    let nexts: Vec<Option<Timestamp>> = attempts.iter().map(|each| each.next.at()).collect();
    let responses: Vec<Option<i16>> = attempts.iter().map(|each| each.response_status).collect();
    let errors: Vec<Option<&str>> = attempts.iter().map(|each| each.error.as_deref()).collect();
    let statement = Statement::<SaveAttempts, (), _>::new(
        "UPDATE deliveries d SET status = y.status, attempts = d.attempts + 1, \
             response_status = y.response_status, error = y.error, attempted_at = x.now, \
             next_attempt_at = y.next, claimed_until = NULL FROM (SELECT ",
        (
            now.into_sql::<Timestamptz>(),
            ids.into_sql::<Array<SqlUuid>>(),
            untils.into_sql::<Array<Timestamptz>>(),
            statuses.into_sql::<Array<Text>>(),
            nexts.into_sql::<Array<Nullable<Timestamptz>>>(),
            responses.into_sql::<Array<Nullable<SmallInt>>>(),
            errors.into_sql::<Array<Nullable<Text>>>(),
        ),
        ") AS x(now, ids, untils, statuses, nexts, responses, errors) \
         CROSS JOIN LATERAL unnest(x.ids, x.untils, x.statuses, x.nexts, x.responses, x.errors) \
             AS y(id, until, status, next, response_status, error) \
         WHERE d.id = y.id AND d.claimed_until = y.until",
    );
    Ok(statement.execute(conn).await?)
}
