//! What is on its way, and what became of it.

use chrono::{DateTime, TimeDelta, Utc};
use creditd::pb::{self, DeliveryStatus};
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tonic::Code;
use uuid::Uuid;

use crate::harness::receiver::Receiver;
use crate::harness::wait::until;
use crate::harness::{World, notify, say, t0};

type List = pb::ListDeliveriesRequest;

/// Writes a delivery as a batch would, that stands like this, and gives its id.
async fn written(
    world: &World,
    endpoint: &str,
    (customer, kind, status): (Option<&str>, &str, &str),
    at: DateTime<Utc>,
) -> String {
    let database = world.database.connect().await;
    let query = "INSERT INTO deliveries VALUES ($1::text::uuid, $2::text::uuid, \
                 gen_random_uuid(), $3, (SELECT id FROM customers WHERE external_id = $4), \
                 'the payload', $5, 3, 503, '503 Service Unavailable', $6::text::timestamptz, \
                 $6::text::timestamptz, CASE WHEN $5 = 'pending' THEN $7::text::timestamptz END, \
                 $7::text::timestamptz)";
    let id = Uuid::now_v7().to_string();
    let next = (at + TimeDelta::days(9)).to_rfc3339();
    let at = at.to_rfc3339();
    let values: [&(dyn ToSql + Sync); 7] = [&id, &endpoint, &kind, &customer, &status, &at, &next];
    database.execute(query, &values).await.expect("a delivery");
    id
}

async fn endpoint(world: &World) -> String {
    world.client.create_endpoint(notify::endpoint("https://example.com")).await.0.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_to_one_endpoint_whatever_it_hears_of() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let asked = notify::subscribed("https://example.com", &["grant.voided"]);
        let (to, _) = client.create_endpoint(asked).await;
        endpoint(world).await;
        let sent = client.try_send_test(&to.id).await.expect("a delivery");
        let expected = pb::Delivery {
            id: sent.id.clone(),
            endpoint_id: to.id.clone(),
            notification_id: sent.notification_id.clone(),
            event_type: "notification.test".to_owned(),
            status: DeliveryStatus::Pending.into(),
            created_at: say::hour(0),
            next_attempt_at: say::hour(0),
            payload: sent.payload.clone(),
            ..Default::default()
        };
        assert_eq!(sent, expected);
        let id = sent.notification_id.strip_prefix("msg_").expect("an id");
        Uuid::try_parse(id).expect("a UUID");
        let payload: Value = serde_json::from_str(&sent.payload).expect("JSON");
        let told = serde_json::json!({
            "id": sent.notification_id, "type": "notification.test",
            "timestamp": "2026-01-01T00:00:00Z", "data": {},
        });
        assert_eq!(payload, told);
        let another = client.try_send_test(&to.id).await.expect("a delivery");
        assert_ne!((&another.id, &another.notification_id), (&sent.id, &sent.notification_id));
        assert_eq!(client.deliveries().await, [another, sent]);
        client.disable(&to.id, true).await;
        let refused = client.try_send_test(&to.id).await;
        say::refused(refused, Code::FailedPrecondition, "ENDPOINT_DISABLED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_sent_again_whatever_became_of_it() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "1")).await;
        let to = endpoint(world).await;
        world.advance(TimeDelta::days(20)).await;
        for status in ["pending", "delivered", "parked"] {
            let id = written(world, &to, (Some("acme"), "hold.expired", status), t0()).await;
            let database = world.database.connect().await;
            let claim = "UPDATE deliveries SET claimed_until = now() WHERE id::text = $1";
            database.execute(claim, &[&id]).await.expect("a claim");
            let again = client.try_retry(&id).await.expect("a delivery");
            let expected = pb::Delivery {
                id: id.clone(),
                endpoint_id: to.clone(),
                notification_id: again.notification_id.clone(),
                event_type: "hold.expired".to_owned(),
                customer_id: "acme".to_owned(),
                status: DeliveryStatus::Pending.into(),
                attempts: 3,
                response_status: 503,
                error: "503 Service Unavailable".to_owned(),
                created_at: say::hour(0),
                attempted_at: say::hour(0),
                next_attempt_at: say::hour(20 * 24),
                payload: "the payload".to_owned(),
            };
            assert_eq!(again, expected);
            let query = "SELECT give_up_at = '2026-01-24Z' AND claimed_until IS NULL \
                         FROM deliveries WHERE id::text = $1";
            let row = database.query_one(query, &[&id]).await.expect("a row");
            assert!(row.get::<_, bool>(0));
            // Once more is the same once more.
            assert_eq!(client.try_retry(&id).await.expect("a delivery"), expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_cannot_be_sent_is_refused() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let to = endpoint(world).await;
        let sent = client.try_send_test(&to).await.expect("a delivery").id;
        let never = "0198b6a0-0000-7000-8000-000000000000";
        let status = client.try_retry(never).await;
        let status = say::refused(status, Code::NotFound, "DELIVERY_NOT_FOUND");
        let named = ("credits.v1.Delivery".to_owned(), never.to_owned());
        assert_eq!(say::resource(&status), named);
        client.disable(&to, true).await;
        let refused = client.try_retry(&sent).await;
        say::refused(refused, Code::FailedPrecondition, "ENDPOINT_DISABLED");
        // What waits is seen all the same, and goes on when the endpoint does.
        assert_eq!(client.deliveries().await.len(), 1);
        client.disable(&to, false).await;
        client.try_retry(&sent).await.expect("a delivery");
        client.delete_endpoint(&to).await;
        let refused = client.try_retry(&sent).await;
        say::refused(refused, Code::FailedPrecondition, "ENDPOINT_DISABLED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_tried_at_once_when_its_endpoint_is_enabled() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (one, other) = (endpoint(world).await, endpoint(world).await);
        let waits = written(world, &one, (None, "hold.expired", "pending"), t0()).await;
        let parked = written(world, &one, (None, "hold.expired", "parked"), t0()).await;
        let elsewhere = written(world, &other, (None, "hold.expired", "pending"), t0()).await;
        world.advance(TimeDelta::hours(5)).await;
        client.disable(&one, true).await;
        client.disable(&one, false).await;
        let next = async |id: &str| {
            let mut all = client.deliveries().await;
            all.retain(|delivery| delivery.id == id);
            all.remove(0).next_attempt_at
        };
        assert_eq!(next(&waits).await, say::hour(5));
        assert_eq!(next(&parked).await, None);
        assert_eq!(next(&elsewhere).await, say::hour(9 * 24));
    })
    .await;
}

/// The ids of a list's pages of this size.
async fn paged(world: &World, filter: List, page_size: i32) -> Vec<String> {
    let mut request = List { page_size, ..filter };
    let mut ids = Vec::new();
    loop {
        let page = world.client.try_list_deliveries(request.clone()).await.expect("a page");
        assert!(page.deliveries.len() <= usize::try_from(page_size).expect("a size"));
        ids.extend(page.deliveries.into_iter().map(|delivery| delivery.id));
        if page.next_page_token.is_empty() {
            return ids;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_newest_first_filtered_and_paged() {
    World::run_silent(async |world| {
        for customer in ["acme", "umbrella"] {
            world.client.grant(say::units(customer, "1")).await;
        }
        let endpoints = [endpoint(world).await, endpoint(world).await, endpoint(world).await];
        let kinds = ["grant.created", "hold.expired", "balance.low"];
        let statuses = ["pending", "delivered", "parked"];
        let mut all = Vec::new();
        for n in 0..54_usize {
            let to = &endpoints[n % 3];
            let customer = [Some("acme"), Some("umbrella"), None][n / 3 % 3];
            let (kind, status) = (kinds[n / 9 % 3], statuses[n / 2 % 3]);
            // Several at one instant.
            let at = t0() + TimeDelta::minutes(i64::try_from(n / 4).expect("a number"));
            let id = written(world, to, (customer, kind, status), at).await;
            all.push((id, to.clone(), customer.unwrap_or_default(), kind, status));
        }
        all.reverse();
        let by_name = |name: &str| match name {
            "pending" => DeliveryStatus::Pending.into(),
            "delivered" => DeliveryStatus::Delivered.into(),
            _ => DeliveryStatus::Parked.into(),
        };
        for bits in 0..16 {
            let wanted: [bool; 4] = std::array::from_fn(|bit| bits >> bit & 1 == 1);
            let given = |bit: usize, text: &str| {
                if wanted[bit] { text.to_owned() } else { String::new() }
            };
            let wanted_statuses: &[&str] = if wanted[3] { &["parked", "pending"] } else { &[] };
            let filter = List {
                endpoint_id: given(0, &endpoints[1]),
                customer_id: given(1, "umbrella"),
                event_type: given(2, "hold.expired"),
                statuses: wanted_statuses.iter().copied().map(by_name).collect(),
                ..Default::default()
            };
            let passing = all.iter().filter(|(_, to, customer, kind, status)| {
                (!wanted[0] || *to == endpoints[1])
                    && (!wanted[1] || *customer == "umbrella")
                    && (!wanted[2] || *kind == "hold.expired")
                    && (!wanted[3] || wanted_statuses.contains(status))
            });
            let expected: Vec<&String> = passing.map(|(id, ..)| id).collect();
            assert!(!expected.is_empty(), "{filter:?}");
            for size in [1, 5, 1_000] {
                let listed = paged(world, filter.clone(), size).await;
                assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{size} of {filter:?}");
            }
        }
        let nobody = List { customer_id: "nobody".to_owned(), ..Default::default() };
        assert!(paged(world, nobody, 10).await.is_empty());
        let test = List { event_type: "notification.test".to_owned(), ..Default::default() };
        assert!(paged(world, test, 10).await.is_empty());
        // Those of a deleted endpoint are seen no more.
        world.client.delete_endpoint(&endpoints[0]).await;
        let left = all.iter().filter(|(_, to, ..)| *to != endpoints[0]).count();
        assert_eq!(paged(world, List::default(), 7).await.len(), left);
        let acme = List { customer_id: "acme".to_owned(), ..Default::default() };
        assert_eq!(paged(world, acme, 7).await.len(), 12);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_arrives() {
    World::run(async |world| {
        let client = world.client.clone();
        let receiver = Receiver::start().await;
        let asked = notify::subscribed(&receiver.url(), &["grant.voided"]);
        let (to, _) = client.create_endpoint(asked).await;
        let sent = client.try_send_test(&to.id).await.expect("a delivery");
        let delivered = async |count: i32| {
            until("it is delivered", async || {
                let all = client.deliveries().await;
                let is = |one: &pb::Delivery| one.status() == DeliveryStatus::Delivered;
                all.iter().all(|one| is(one) && one.attempts == count)
            })
            .await;
        };
        delivered(1).await;
        client.try_retry(&sent.id).await.expect("a delivery");
        delivered(2).await;
        for received in receiver.seen() {
            assert_eq!(
                (received.id(), &received.body),
                (sent.notification_id.as_str(), &sent.payload)
            );
        }
        assert_eq!(receiver.seen().len(), 2);
    })
    .await;
}

/// What was delivered goes after a week, what was not after a month, and what was for somebody who is
/// gone at once; but for what another replica has in hand.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_removed() {
    World::run_silent(async |world| {
        let (to, gone) = (endpoint(world).await, endpoint(world).await);
        let enabled = endpoint(world).await;
        world.client.disable(&to, true).await;
        world.client.delete_endpoint(&gone).await;
        let mut kept = Vec::new();
        for (endpoint, status, day, stays) in [
            (&to, "delivered", 1, false),
            (&to, "delivered", 33, false),
            (&to, "delivered", 34, true),
            (&to, "pending", 10, false),
            (&to, "pending", 11, true),
            (&to, "parked", 10, false),
            (&to, "parked", 11, true),
            (&gone, "pending", 40, false),
            // What is still to be tried is never too old.
            (&enabled, "pending", 1, true),
            (&enabled, "parked", 1, false),
        ] {
            let at = t0() + TimeDelta::days(day);
            let id = written(world, endpoint, (None, "hold.expired", status), at).await;
            if stays {
                kept.push(id);
            }
        }
        let locked = t0() + TimeDelta::days(2);
        let locked = written(world, &to, (None, "hold.expired", "delivered"), locked).await;
        let other = world.database.connect().await;
        other.batch_execute("BEGIN").await.expect("a transaction");
        let lock = "SELECT 1 FROM deliveries WHERE id::text = $1 FOR UPDATE";
        other.query_one(lock, &[&locked]).await.expect("a lock");
        let sql = world.database.connect().await;
        let left = async || {
            let ids = "SELECT id::text FROM deliveries ORDER BY id";
            let rows = sql.query(ids, &[]).await.expect("deliveries");
            rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
        };
        world.advance(TimeDelta::days(41) - TimeDelta::hours(1)).await;
        assert_eq!(left().await, [&kept[..], &[locked]].concat());
        other.batch_execute("ROLLBACK").await.expect("a release");
        world.advance(TimeDelta::seconds(1)).await;
        assert_eq!(left().await, kept);
    })
    .await;
}
