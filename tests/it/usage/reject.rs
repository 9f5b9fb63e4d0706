//! REJECT: all of it or nothing.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{at, or_reject};
use crate::harness::{World, say, t0};

async fn refused(world: &World, event: pb::RecordUsageRequest, requested: &str, available: &str) {
    let before = world.database.counts().await;
    let answer = world.client.try_record(or_reject(event)).await;
    let status = say::refused(answer, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
    let metadata = say::metadata(&status);
    assert_eq!(metadata.get("requested").map(String::as_str), Some(requested));
    assert_eq!(metadata.get("available").map(String::as_str), Some(available));
    assert_eq!(world.database.counts().await, before, "something was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_covered_is_refused_whole() {
    World::run(async |world| {
        let client = world.client.clone();
        let a = client.grant(say::units("acme", "1.5")).await;
        let b = client.grant(say::units("acme", "1.5")).await;
        client.grant(say::money("acme", "100", "USD")).await;
        refused(world, at(None, "e1", "3.000000000001"), "3.000000000001", "3").await;
        refused(world, at(None, "e1", "100.50"), "100.5", "3").await;
        assert_eq!(client.ledger("acme").await.len(), 3);
        assert_eq!(client.balance("acme").await.totals[1].available, "3");
        let missing = client.try_event("acme", "e1").await;
        say::refused(missing, Code::NotFound, "EVENT_NOT_FOUND");
        // The key is not burnt, not for another payload either.
        let event = client.record(or_reject(at(None, "e1", "3"))).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("3", "0"));
        assert_eq!(say::paid(&event.allocations), [(a.id.as_str(), "1.5"), (b.id.as_str(), "1.5")]);
        refused(world, at(None, "e2", "0.000000000001"), "0.000000000001", "0").await;
        // Recorded under REJECT, repeated with nothing left: a duplicate.
        let again = client.try_record(or_reject(at(None, "e1", "3"))).await.expect("a duplicate");
        assert_eq!((again.duplicate, again.event), (true, Some(event)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_customer_is_not_left_behind() {
    World::run(async |world| {
        refused(world, at(None, "e1", "1"), "1", "0").await;
        assert!(world.database.counts().await.iter().all(|(_, count)| *count == 0));
        let event = world.client.record(at(None, "e1", "1")).await;
        assert_eq!(event.uncovered, "1");
    })
    .await;
}

/// What is available is counted at the event's timestamp, with what a late event may reclaim.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_decided_at_the_events_timestamp() {
    World::run(async |world| {
        let client = world.client.clone();
        let until = |hour| pb::CreateGrantRequest {
            expires_at: say::hour(hour),
            ..say::units("acme", "10")
        };
        client.grant(until(1)).await;
        client.grant(until(100)).await;
        world.advance(TimeDelta::hours(2)).await;
        refused(world, at(None, "e1", "11"), "11", "10").await;
        refused(world, at(say::hour(0), "e1", "20.5"), "20.5", "20").await;
        assert_eq!(client.record(or_reject(at(say::hour(0), "e1", "20"))).await.covered, "20");
    })
    .await;
}

/// What has fallen due is not available, whoever books it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_not_spent() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "10") };
        client.grant(asked).await;
        world.only_clock_to(t0() + TimeDelta::hours(1));
        let answer = client.try_record(or_reject(at(None, "e1", "1"))).await;
        let status = say::refused(answer, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
        assert_eq!(say::metadata(&status).get("available").map(String::as_str), Some("0"));
        let lines = say::lines(&client.ledger("acme").await);
        assert_eq!(lines, ["1 GRANTED 10 -> 10", "2 EXPIRED -10 -> 0"]);
    })
    .await;
}

/// Many at once for the last credit: exactly as many are taken as it pays for.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_credit_is_spent_once() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "7.5")).await;
        let events = (0..40).map(|n| or_reject(at(None, &format!("e{n}"), "1")));
        let answers =
            futures_util::future::join_all(events.map(|event| client.try_record(event))).await;
        let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((taken.len(), refused.len()), (7, 33));
        for answer in refused {
            say::refused(answer, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
        }
        assert_eq!(client.balance("acme").await.totals[0].available, "0.5");
        assert_eq!(client.events("acme").await.len(), 7);
    })
    .await;
}
