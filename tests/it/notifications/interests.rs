//! What batches are told: worked out anew with every change, and never behind one.

use std::time::Instant;

use chrono::TimeDelta;
use creditd::{limits, pb};
use serde_json::{Value, json};

use crate::harness::wait::until;
use crate::harness::{Options, World, notify, say};

/// The row that batches read: version, interests, and where a renewal stands.
async fn row(world: &World) -> (i64, Value, Option<String>) {
    let database = world.database.connect().await;
    let query = "SELECT version, interests::text, renewed_up_to::text FROM notification_settings";
    let row = database.query_one(query, &[]).await.expect("the row");
    (row.get(0), serde_json::from_str(row.get(1)).expect("JSON"), row.get(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_every_change() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let lines = notify::thresholds(&[notify::line("tokens", "10")]);
        client.update_settings(lines).await;
        // Nobody hears of anything.
        let none = json!({ "endpoints": [], "warnings": [], "thresholds": [] });
        assert_eq!(row(world).await, (1, none.clone(), None));
        // Of nothing that has a period or a line.
        let asked = notify::subscribed("https://example.com", &["hold.expired", "grant.created"]);
        let one = client.create_endpoint(asked).await.0.id;
        let first = json!({ "id": one, "types": ["grant.created", "hold.expired"] });
        let expected = json!({ "endpoints": [first], "warnings": [], "thresholds": [] });
        assert_eq!(row(world).await, (2, expected, None));
        // Of everything.
        let two = client.create_endpoint(notify::endpoint("https://example.org")).await.0.id;
        let second = json!({ "id": two, "types": null });
        let line = json!({ "metric": "tokens", "amount": "10", "recover_at": "10" });
        let expected = json!({
            "endpoints": [first, second], "warnings": [2_592_000, 259_200], "thresholds": [line],
        });
        assert_eq!(row(world).await, (3, expected.clone(), None));
        let text = |description: &str| pb::UpdateWebhookEndpointRequest {
            description: description.to_owned(),
            ..notify::update(&one, &["description"])
        };
        client.update_endpoint(text("changed")).await;
        assert_eq!(row(world).await, (4, expected.clone(), None));
        // What changes nothing writes nothing.
        client.update_endpoint(text("changed")).await;
        assert_eq!(row(world).await, (4, expected, None));
        client.disable(&two, true).await;
        let expected = json!({ "endpoints": [first], "warnings": [], "thresholds": [] });
        assert_eq!(row(world).await, (5, expected, None));
        client.try_rotate(&one).await.expect("a rotation");
        client.delete_endpoint(&one).await;
        assert_eq!(row(world).await, (7, none.clone(), None));
        client.delete_endpoint(&one).await;
        assert_eq!(row(world).await, (7, none, None));
    })
    .await;
}

/// A world where nobody finishes renewals: what a change asks for stays to be seen.
async fn renewal_after(world: &World, change: impl AsyncFnOnce()) -> bool {
    let database = world.database.connect().await;
    // Whoever goes on with a renewal finds that it is not where it was.
    let hinder = "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                  IF new.renewed_up_to = '00000000-0000-0000-0000-000000000000' THEN \
                  CREATE TABLE IF NOT EXISTS asked (); END IF; RETURN new; END $$; \
                  CREATE OR REPLACE TRIGGER note BEFORE UPDATE ON notification_settings \
                  FOR EACH ROW EXECUTE FUNCTION note(); DROP TABLE IF EXISTS asked";
    database.batch_execute(hinder).await.expect("a trigger");
    change().await;
    let query = "SELECT to_regclass('asked') IS NOT NULL";
    database.query_one(query, &[]).await.expect("a word").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_that_is_new_to_somebody_renews() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let update = async |days: &[i64]| {
            client.update_settings(notify::warnings(days)).await;
        };
        // Nobody hears of it.
        assert!(!renewal_after(world, async || update(&[30, 7]).await).await);
        let ask = |types| notify::subscribed("https://example.com", types);
        let make = async |types| client.create_endpoint(ask(types)).await.0.id;
        assert!(!renewal_after(world, async || drop(make(&["grant.created"]).await)).await);
        let mut id = String::new();
        assert!(renewal_after(world, async || id = make(&["grant.expiring"]).await).await);
        // Another who hears of the same.
        assert!(!renewal_after(world, async || drop(make(&[]).await)).await);
        assert!(renewal_after(world, async || update(&[30, 7, 1]).await).await);
        assert!(!renewal_after(world, async || update(&[1, 7]).await).await);
        assert!(renewal_after(world, async || update(&[2]).await).await);
        // Heard of again after a while.
        let second = client.endpoints().await.remove(2).id;
        client.disable(&second, true).await;
        assert!(!renewal_after(world, async || drop(client.disable(&id, true).await)).await);
        assert!(renewal_after(world, async || drop(client.disable(&id, false).await)).await);
        assert!(!renewal_after(world, async || client.delete_endpoint(&id).await).await);
        // Under a test clock it is done when the call is answered.
        assert_eq!(row(world).await.2, None);
    })
    .await;
}

/// The sweeper sleeps for up to half a minute; who changes the warnings wakes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_warning_is_sent_by_the_sweeper() {
    let real = Options { delivers: false, ..Options::real() };
    World::run_with(real, async |world| {
        let client = world.client.clone();
        client.update_settings(notify::warnings(&[])).await;
        client.create_endpoint(notify::subscribed("https://a.example", &["grant.expiring"])).await;
        let now = client.grant(say::units("acme", "1")).await.created_at;
        let expires_at = Some(say::time(say::instant(now.as_ref()) + TimeDelta::days(5)));
        client.grant(pb::CreateGrantRequest { expires_at, ..say::units("acme", "1") }).await;
        let begun = Instant::now();
        // The first change may find the sweeper awake.
        for round in 1..=3 {
            let days = i64::try_from(5 + round).expect("days");
            client.update_settings(notify::warnings(&[days])).await;
            until("it is warned of", async || client.deliveries().await.len() == round).await;
        }
        assert!(begun.elapsed() < limits::SWEEP_SLEEP_MAX / 2, "nobody woke the sweeper");
    })
    .await;
}
