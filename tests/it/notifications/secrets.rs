//! Secrets are shown once, and replaced without haste.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tonic::Code;

use crate::harness::{World, notify, say, t0};

/// What is kept: the secret, and those before it with the instants until which they sign.
async fn kept(world: &World, id: &str) -> (String, Vec<(String, DateTime<Utc>)>) {
    let database = world.database.connect().await;
    let query = "SELECT secret, old_secrets::text FROM webhook_endpoints WHERE id::text = $1";
    let row = database.query_one(query, &[&id]).await.expect("an endpoint");
    let old: Vec<Value> = serde_json::from_str(row.get(1)).expect("JSON");
    let read = |old: &Value| {
        let text = |field: &str| old[field].as_str().expect("text").to_owned();
        (text("secret"), text("until").parse().expect("a time"))
    };
    (row.get(0), old.iter().map(read).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn old_secrets_sign_for_a_day() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (made, first) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        assert_eq!(made.old_secrets_until, None);
        world.advance(TimeDelta::hours(1)).await;
        let (rotated, second) = client.try_rotate(&made.id).await.expect("a rotation");
        assert_eq!((rotated.old_secrets_until, rotated.updated_at), (say::hour(25), say::hour(1)));
        world.advance(TimeDelta::hours(1)).await;
        let (rotated, third) = client.try_rotate(&made.id).await.expect("a rotation");
        assert_eq!(rotated.old_secrets_until, say::hour(26));
        let until = |hours| t0() + TimeDelta::hours(hours);
        let old = vec![(second.clone(), until(26)), (first.clone(), until(25))];
        assert_eq!(kept(world, &made.id).await, (third.clone(), old));
        assert_eq!(BTreeSet::from([&first, &second, &third]).len(), 3);
        // Reads tell it only while it is so.
        world.advance_to(until(26) - TimeDelta::microseconds(1)).await;
        assert_eq!(client.get_endpoint(&made.id).await.old_secrets_until, say::hour(26));
        world.advance_to(until(26)).await;
        assert_eq!(client.get_endpoint(&made.id).await.old_secrets_until, None);
        // What signs no more is forgotten at the next rotation.
        let (_, fourth) = client.try_rotate(&made.id).await.expect("a rotation");
        assert_eq!(kept(world, &made.id).await, (fourth, vec![(third, until(50))]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_old_secrets_sign_at_most() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (made, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        for hour in 0..5 {
            world.advance_to(t0() + TimeDelta::hours(hour)).await;
            client.try_rotate(&made.id).await.expect("a rotation");
        }
        let before = kept(world, &made.id).await;
        let refused = client.try_rotate(&made.id).await;
        let status = say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        let told = say::metadata(&status);
        assert_eq!((told["name"].as_str(), told["limit"].as_str()), ("webhook_secrets", "5"));
        assert_eq!(kept(world, &made.id).await, before);
        world.advance_to(t0() + TimeDelta::hours(24)).await;
        client.try_rotate(&made.id).await.expect("the first has ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_by_the_calls_that_make_them() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (made, first) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        let (rotated, second) = client.try_rotate(&made.id).await.expect("a rotation");
        let delivery = client.try_send_test(&made.id).await.expect("a delivery");
        let shown = format!(
            "{made:?} {rotated:?} {delivery:?} {:?} {:?} {:?} {:?}",
            client.endpoints().await,
            client.get_endpoint(&made.id).await,
            client.disable(&made.id, true).await,
            client.deliveries().await,
        );
        for secret in [first, second] {
            assert!(!shown.contains(&secret[6..]), "{shown}");
        }
    })
    .await;
}
