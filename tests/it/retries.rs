//! Connections die between a change and the word of it. Who asks again with the same key is told
//! what the first try did.

use chrono::TimeDelta;
use tonic::Status;

use crate::harness::proxy::Proxy;
use crate::harness::{Client, Database, Options, Server, World, say, t0};

/// The part of the answers that is lost.
const LOST: f64 = 0.4;
const ROUNDS: usize = 8;

/// Asks until there is an answer.
async fn insist<T>(mut ask: impl AsyncFnMut() -> Result<T, Status>) -> T {
    for _ in 0..100 {
        match ask().await {
            Ok(answer) => return answer,
            // The transport's own word: a refusal of creditd's would have a reason.
            Err(status) => assert!(status.details().is_empty(), "{status:?}"),
        }
    }
    panic!("no answer came through");
}

/// Everything that has a key, or is the same when it is done twice: each call over a connection of
/// its own, and what came of it checked on one that is sound.
async fn a_round(near: impl Fn() -> Client, sound: &Client, customer: &str) {
    let grants = [say::units(customer, "10"), say::money(customer, "10", "USD")];
    for grant in grants {
        insist(async || near().try_grant(grant.clone()).await).await;
    }
    let hold = say::hold(customer, "h1", "m", "6");
    let made = insist(async || near().try_hold(hold.clone()).await).await.hold.expect("a hold");
    assert_eq!((made.held.as_str(), &made), ("6", &sound.get_hold(customer, "h1").await));
    let extend = say::extend(customer, "h1", TimeDelta::hours(1));
    let made = insist(async || near().try_extend(extend.clone()).await).await;
    assert_eq!((made.held.as_str(), &made), ("6", &sound.get_hold(customer, "h1").await));
    let settle = say::settle(customer, "h1", "4");
    let (held, event) = insist(async || near().try_settle(settle.clone()).await).await;
    assert_eq!((held.settled.as_str(), event.covered.as_str()), ("4", "4"));
    assert_eq!(
        (held, &event),
        (sound.get_hold(customer, "h1").await, &sound.event(customer, "h1").await)
    );
    let other = say::hold(customer, "h2", "m", "6");
    insist(async || near().try_hold(other.clone()).await).await;
    let held = insist(async || near().try_release(customer, "h2").await).await;
    assert_eq!((held.released.as_str(), &held), ("6", &sound.get_hold(customer, "h2").await));
    let reverse = say::reverse_usage(customer, "h1", "3");
    let back = insist(async || near().try_reverse_usage(reverse.clone()).await).await;
    assert_eq!(
        (back.restored.as_str(), back.event),
        ("3", Some(sound.event(customer, "h1").await))
    );
    let apply = say::apply(customer, "i1", "USD", "7");
    let applied = insist(async || near().try_apply(apply.clone()).await).await.application;
    assert_eq!(applied, Some(sound.application(customer, "i1").await));
    let reverse = say::reverse_application(customer, "i1", "2");
    let back = insist(async || near().try_reverse_application(reverse.clone()).await).await;
    let told = (back.restored.as_str(), back.forfeited.as_str(), back.application);
    assert_eq!(told, ("2.00", "0.00", Some(sound.application(customer, "i1").await)));
}

/// Each of them was done once.
async fn is_done_once(sound: &Client, customer: &str) {
    let entries = sound.ledger(customer).await;
    let lines: Vec<_> = say::lines(&entries);
    let expected = [
        "1 GRANTED 10 -> 10",
        "2 GRANTED 10.00 -> 10.00",
        "3 HELD 0 -> 10",
        "4 CONSUMED -4 -> 6",
        "5 HOLD_RELEASED 0 -> 6",
        "6 HELD 0 -> 6",
        "7 HOLD_RELEASED 0 -> 6",
        "8 USAGE_REVERSED 3 -> 9",
        "9 APPLIED -7.00 -> 3.00",
        "10 APPLICATION_REVERSED 2.00 -> 5.00",
    ];
    assert_eq!(lines, expected, "{customer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_on_the_way_to_the_caller() {
    World::run(async |world| {
        let proxy = Proxy::start(world.server.address, LOST, 3).await;
        for round in 0..ROUNDS {
            let customer = format!("customer-{round}");
            a_round(|| proxy.client(), &world.client, &customer).await;
            is_done_once(&world.client, &customer).await;
        }
        assert!(proxy.cuts() > 20, "only {} connections were cut", proxy.cuts());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_are_lost_on_the_way_to_the_server() {
    let database = Database::create().await;
    let (url, proxy) = Proxy::of_database(&database, LOST).await;
    let server = Server::start(&url, &Options::at(t0())).await;
    // Its own connection to the database is sound.
    let other = Server::start(&database.url, &Options::at(t0())).await;
    let (client, sound) = (server.client(), other.client());
    for round in 0..ROUNDS {
        let customer = format!("customer-{round}");
        a_round(|| client.clone(), &sound, &customer).await;
        is_done_once(&sound, &customer).await;
    }
    assert!(proxy.cuts() > 20, "only {} commits were lost", proxy.cuts());
    server.stop().await;
    other.stop().await;
    database.audit().await;
    database.drop().await;
}
