//! Writing notifications: a delivery for each endpoint that is to be told.

use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::super::super::error::Result;
use super::super::super::notification::body;
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::{Of, column};
use crate::domain::ids::DeliveryId;
use crate::domain::notification::{EventType, Notification};
use crate::domain::time::Timestamp;
use crate::limits;

struct Insert;

struct Delivery {
    endpoint: Uuid,
    notification: Uuid,
    kind: EventType,
    customer: Uuid,
    payload: String,
    created_at: Timestamp,
}

pub(super) fn insert<'c>(
    conn: &'c AsyncPgConnection,
    notifications: &[Of<'_, Notification>],
) -> Result<Running<'c>> {
    let mut rows = Vec::with_capacity(notifications.len());
    for of in notifications {
        let notification = Uuid::now_v7();
        let kind = of.row.event_type();
        let payload = body(notification, of.account.customer(), of.row)?;
        rows.extend(of.account.interests().who_want(kind).map(|endpoint| Delivery {
            endpoint: endpoint.0,
            notification,
            kind,
            customer: of.key,
            payload: payload.clone(),
            created_at: of.account.now(),
        }));
    }
    let give_up = |row: &Delivery| {
        let end = row.created_at.checked_add_signed(limits::DELIVERY_RETRY_FOR);
        end.unwrap_or(Timestamp::MAX_UTC)
    };
    let statement = Statement::<Insert, (), _>::new(
        "INSERT INTO deliveries (id, endpoint_id, notification_id, event_type, customer_id, \
         payload, created_at, next_attempt_at, give_up_at, status, attempts) \
         SELECT x.c1, x.c2, x.c3, x.c4, x.c5, x.c6, x.c7, x.c7, x.c8, 'pending', 0 FROM unnest(",
        (
            column::<SqlUuid, _, _>(&rows, |_| DeliveryId::fresh().0),
            column::<SqlUuid, _, _>(&rows, |row| row.endpoint),
            column::<SqlUuid, _, _>(&rows, |row| row.notification),
            column::<Text, _, _>(&rows, |row| row.kind.name()),
            column::<SqlUuid, _, _>(&rows, |row| row.customer),
            column::<Text, _, _>(&rows, |row| row.payload.as_str()),
            column::<Timestamptz, _, _>(&rows, |row| row.created_at),
            column::<Timestamptz, _, _>(&rows, give_up),
        ),
        ") AS x(c1, c2, c3, c4, c5, c6, c7, c8)",
    );
    Ok(run(conn, statement))
}
