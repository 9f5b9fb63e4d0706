//! What is told is told once: whichever server comes first, whenever it comes, and whatever is
//! asked for in between.

use chrono::TimeDelta;
use creditd::pb;

use crate::harness::notify::{line, subscribed, thresholds, warnings};
use crate::harness::{Client, World, say, t0};
use crate::rules::wire::heard::notification;

const DAY: TimeDelta = TimeDelta::days(1);

/// An endpoint that is subscribed to these types.
async fn endpoint(client: &Client, types: &[&str]) {
    client.create_endpoint(subscribed("https://example.com/hook", types)).await;
}

/// By type and period: how many were told, of how many customers or grants, and how many at
/// another instant than their grant's end, or the beginning of its period.
async fn counts(world: &World) -> Vec<(String, i64, i64, i64)> {
    let query = "WITH d AS (SELECT *, payload::jsonb AS told FROM deliveries), \
         t AS (SELECT *, told #> '{data,grant}' AS of, told #>> '{data,expiry_warning}' AS ahead FROM d) \
         SELECT concat_ws(' ', event_type, ahead), count(*), \
         count(DISTINCT coalesce(of ->> 'id', told #>> '{data,customer_id}')), \
         count(*) FILTER (WHERE (told ->> 'timestamp')::timestamptz <> \
           (of ->> 'expires_at')::timestamptz - coalesce(ahead::interval, '0')) \
         FROM t GROUP BY 1 ORDER BY 1";
    let rows = world.database.connect().await.query(query, &[]).await.expect("counts");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

fn count(what: &str, told: i64, late: i64) -> (String, i64, i64, i64) {
    (what.to_owned(), told, told, late)
}

/// Grants to so many customers in turn, which end on one of twenty days from the 41st on.
async fn grants(client: &Client, grants: usize, customers: usize) {
    let row = |number: usize| pb::CreateGrantRequest {
        expires_at: say::after(DAY * (41 + i32::try_from(number % 20).expect("few"))),
        ..say::row(&format!("customer-{}", number % customers), "5")
    };
    let made = client.import("file", (0..grants).map(row).collect()).await;
    assert_eq!(made.created, i64::try_from(grants).expect("not so many"));
}

/// Ninety days at once, on two servers at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_jump_over_everything_tells_each_thing_once() {
    World::run_silent(async |world| {
        endpoint(&world.client, &["grant.expiring", "grant.expired"]).await;
        grants(&world.client, 10_000, 1_500).await;
        assert_eq!(counts(world).await, []);
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        let request = pb::AdvanceToRequest { time: say::after(DAY * 90) };
        let [one, two] = clients.map(|client| {
            tokio::spawn(async move { client.try_advance(request).await.expect("the clock moves") })
        });
        one.await.expect("a sweep");
        two.await.expect("a sweep");
        let expected = [
            count("grant.expired", 10_000, 0),
            count("grant.expiring 2592000s", 10_000, 0),
            count("grant.expiring 259200s", 10_000, 0),
        ];
        assert_eq!(counts(world).await, expected);
        world.advance(DAY).await;
        assert_eq!(counts(world).await, expected, "nothing comes twice");
        other.stop().await;
    })
    .await;
}

/// A period that is asked for later begins at once for whom it has begun, and on time for others:
/// for all, however many they are.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_later_is_told_to_everybody_once() {
    const CUSTOMERS: usize = 2_300;
    World::run_silent(async |world| {
        grants(&world.client, CUSTOMERS, CUSTOMERS).await;
        let all = i64::try_from(CUSTOMERS).expect("not so many");
        // All are within the period of 60 days that somebody will ask for.
        world.client.update_settings(warnings(&[60])).await;
        world.advance(DAY * 2).await;
        assert_eq!(counts(world).await, [], "nobody listens");
        endpoint(&world.client, &["grant.expiring"]).await;
        world.advance(DAY).await;
        let at_once = count("grant.expiring 5184000s", all, all);
        assert_eq!(counts(world).await, std::slice::from_ref(&at_once));
        world.client.update_settings(warnings(&[60, 30])).await;
        world.advance(DAY).await;
        assert_eq!(counts(world).await, std::slice::from_ref(&at_once), "not yet");
        // Rows know by now when the new period begins.
        world.advance(DAY * 27).await;
        let on_time = count("grant.expiring 2592000s", all, 0);
        assert_eq!(counts(world).await, [on_time, at_once]);
    })
    .await;
}

/// Every event is sent to both servers at once.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_tell_of_one_crossing() {
    World::run_silent(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        endpoint(&world.client, &[]).await;
        let lines = [line("tokens", "50")];
        world.client.update_settings(thresholds(&lines)).await;
        for round in 0..5 {
            let customer = format!("customer-{round}");
            world.client.grant(say::units(&customer, "100")).await;
            let tasks = (0..200).map(|number| {
                let client = clients[number % 2].clone();
                let event = say::usage(&customer, &format!("e{}", number / 2), "tokens", "1");
                tokio::spawn(async move { client.try_record(event).await.expect("usage") })
            });
            let tasks: Vec<_> = tasks.collect();
            for task in tasks {
                task.await.expect("a task");
            }
        }
        let told = ["balance.low", "grant.created", "grant.exhausted"];
        let told = told.map(|kind| count(kind, 5, 0));
        assert_eq!(counts(world).await, told);
        let sql = world.database.connect().await;
        let low = "SELECT payload FROM deliveries WHERE event_type = 'balance.low'";
        for row in sql.query(low, &[]).await.expect("deliveries") {
            let told = notification(row.get(0)).data.expect("data");
            let stood = (told.sequence, told.threshold_remaining.as_str());
            assert_eq!(stood, (52, "49"), "at the very event that crossed the line");
        }
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_what_came_before() {
    World::run_silent(async |world| {
        let grant = pb::CreateGrantRequest {
            expires_at: say::time(t0() + DAY).into(),
            ..say::units("acme", "5")
        };
        world.client.grant(grant).await;
        assert_eq!(counts(world).await, []);
        endpoint(&world.client, &["grant.created", "grant.expired"]).await;
        world.advance(DAY * 2).await;
        assert_eq!(counts(world).await, [count("grant.expired", 1, 0)]);
    })
    .await;
}
