//! Repetitions: the same event_id with the same payload, and with another.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{at, or_reject};
use crate::harness::{World, say};

type Record = pb::RecordUsageRequest;

fn first() -> Record {
    Record {
        timestamp: say::after(TimeDelta::microseconds(-7)),
        metadata: say::pairs(&[("k", "v"), ("l", "w")]),
        ..say::usage("acme", "e1", "m", "1")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_compare_by_value() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let event = client.record(first()).await;
        world.advance(TimeDelta::hours(1)).await;
        let before = world.database.counts().await;
        let same: &[fn(&mut Record)] = &[
            |_| {},
            |r| r.quantity = "1.00".into(),
            |r| r.quantity = "01.000000000000000".into(),
            |r| r.timestamp = None,
            |r| r.timestamp.as_mut().expect("a time").nanos += 999,
            |r| r.insufficient_credits = pb::InsufficientCredits::AllowOverage.into(),
        ];
        for change in same {
            let mut again = first();
            change(&mut again);
            let answer = client.try_record(again.clone()).await.expect("a duplicate");
            assert_eq!((answer.duplicate, answer.event), (true, Some(event.clone())), "{again:?}");
        }
        assert_eq!(world.database.counts().await, before);
    })
    .await;
}

/// An event whose timestamp was left out agrees with any, within the window or not.
#[tokio::test(flavor = "multi_thread")]
async fn an_omitted_timestamp_agrees_with_any() {
    World::run(async |world| {
        let client = world.client.clone();
        let event = client.record(at(None, "e1", "1")).await;
        world.advance(TimeDelta::hours(1)).await;
        for timestamp in [None, say::hour(0), say::hour(1), say::hour(-20), say::hour(100_000)] {
            let answer = client.try_record(at(timestamp, "e1", "1")).await.expect("a duplicate");
            assert_eq!((answer.duplicate, answer.event), (true, Some(event.clone())));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_payload_is_refused() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let event = client.record(first()).await;
        let before = world.database.counts().await;
        let other: &[fn(&mut Record)] = &[
            |r| r.quantity = "1.000000000001".into(),
            |r| r.quantity = "0".into(),
            |r| r.metric = "n".into(),
            |r| r.timestamp = say::after(TimeDelta::microseconds(-8)),
            // Out of its window, which is not looked at before the key.
            |r| r.timestamp = say::hour(-100_000),
            |r| r.insufficient_credits = pb::InsufficientCredits::Reject.into(),
            |r| r.metadata = say::pairs(&[("k", "v")]),
            |r| r.metadata = say::pairs(&[("k", "w"), ("l", "v")]),
            |r| r.metadata.clear(),
        ];
        for change in other {
            let mut again = first();
            change(&mut again);
            let refused = client.try_record(again).await;
            say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
        }
        assert_eq!(world.database.counts().await, before);
        assert_eq!(client.event("acme", "e1").await, event);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_part_of_what_was_sent() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.record(or_reject(at(None, "e1", "1"))).await;
        let refused = client.try_record(at(None, "e1", "1")).await;
        say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
        assert!(client.try_record(or_reject(at(None, "e1", "1"))).await.expect("one").duplicate);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_belong_to_their_customer_and_kind() {
    World::run(async |world| {
        let client = world.client.clone();
        let mine = client.record(say::usage("acme", "e1", "m", "1")).await;
        let theirs = client.record(say::usage("umbrella", "e1", "m", "2")).await;
        let grant = pb::CreateGrantRequest { request_id: "e1".into(), ..say::units("acme", "1") };
        client.grant(grant).await;
        assert_eq!(client.event("acme", "e1").await, mine);
        assert_eq!(client.event("umbrella", "e1").await, theirs);
    })
    .await;
}

/// Thirty at once: one records it, and all say the same.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_records_it() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let answers =
            futures_util::future::join_all((0..30).map(|_| client.try_record(first()))).await;
        let answers: Vec<_> = answers.into_iter().map(|a| a.expect("usage")).collect();
        assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
        assert!(answers.iter().all(|answer| answer.event == answers[0].event));
        assert_eq!(client.balance("acme").await.totals[0].available, "10");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_event_is_not_found() {
    World::run(async |world| {
        let client = world.client.clone();
        client.record(say::usage("acme", "e1", "m", "1")).await;
        for (customer, event) in [("acme", "e2"), ("umbrella", "e1"), ("acme", "E1")] {
            let status = say::refused(
                client.try_event(customer, event).await,
                Code::NotFound,
                "EVENT_NOT_FOUND",
            );
            let resource = ("credits.v1.UsageEvent".to_owned(), event.to_owned());
            assert_eq!(say::resource(&status), resource);
        }
    })
    .await;
}
