//! Repetition: the same request_id with the same payload, and with another.

use chrono::TimeDelta;
use creditd::pb;
use futures_util::future::join_all;
use prost_types::Timestamp;
use tonic::Code;

use crate::harness::{World, say, t0};

type Create = pb::CreateGrantRequest;

/// What is repeated, in one way and another.
pub fn first() -> Create {
    Create {
        request_id: "r1".into(),
        metrics: say::names(&["a", "b"]),
        category: pb::GrantCategory::Loyalty.into(),
        effective_at: say::after(TimeDelta::microseconds(7)),
        expires_at: say::hour(9),
        description: "d".into(),
        metadata: say::pairs(&[("k", "v"), ("l", "w")]),
        ..say::units("acme", "1")
    }
}

/// Changes of [`first`] that leave the payload as it is, by value.
pub const SAME: &[fn(&mut Create)] = &[
    |_| {},
    |r| r.amount = "1.00".into(),
    |r| r.amount = "01.000000000000000".into(),
    |r| r.metrics = say::names(&["b", "a", "b", "a"]),
    |r| r.effective_at = None,
];

/// Changes of [`first`] that make it another payload.
pub const OTHER: &[fn(&mut Create)] = &[
    |r| r.amount = "1.000000000001".into(),
    |r| r.metrics = say::names(&["a"]),
    |r| r.metrics = say::names(&["a", "c"]),
    |r| r.metrics = say::names(&["ab"]),
    |r| r.metrics.clear(),
    |r| r.priority = Some(26),
    |r| r.category = 0,
    |r| r.category = pb::GrantCategory::Purchased.into(),
    |r| r.effective_at = say::after(TimeDelta::microseconds(8)),
    |r| r.expires_at = None,
    |r| r.expires_at = say::after(TimeDelta::hours(9) + TimeDelta::microseconds(1)),
    |r| r.description = "D".into(),
    |r| r.description.clear(),
    |r| r.metadata = say::pairs(&[("k", "v")]),
    |r| r.metadata = say::pairs(&[("k", "w"), ("l", "v")]),
    |r| r.metadata = say::pairs(&[("kv", ""), ("l", "w")]),
    |r| {
        r.r#type = pb::GrantType::Monetary.into();
        r.metrics.clear();
        r.currency = "USD".into();
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn payloads_compare_by_value() {
    World::run(async |world| {
        let made = world.client.grant(first()).await;
        let before = world.database.counts().await;
        let finer = |at: Option<Timestamp>| {
            at.map(|at| Timestamp { nanos: at.nanos + 999, seconds: at.seconds })
        };
        let trial: fn(&mut Create) = |r| r.validate_only = true;
        for change in SAME.iter().chain([&trial]) {
            let mut again = first();
            change(&mut again);
            let answer = world.client.try_grant(again.clone()).await.expect("a replay");
            assert!(answer.replayed, "{again:?}");
            assert_eq!(answer.grant.as_ref(), Some(&made), "{again:?}");
        }
        let again = Create {
            effective_at: finer(first().effective_at),
            expires_at: finer(first().expires_at),
            ..first()
        };
        let answer = world.client.try_grant(again).await.expect("a replay");
        assert_eq!((answer.replayed, answer.grant.as_ref()), (true, Some(&made)));
        assert_eq!(world.database.counts().await, before);
    })
    .await;
}

/// Which of two says when a grant begins does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn an_omitted_beginning_agrees_with_any() {
    World::run(async |world| {
        let made = world.client.grant(Create { effective_at: None, ..first() }).await;
        world.advance(TimeDelta::hours(1)).await;
        for effective_at in [None, say::hour(5), say::hour(-5)] {
            let again = Create { effective_at, ..first() };
            let answer = world.client.try_grant(again).await.expect("a replay");
            assert!(answer.replayed);
            assert_eq!(answer.grant.as_ref(), Some(&made));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_payload_is_refused() {
    World::run(async |world| {
        let made = world.client.grant(first()).await;
        let before = world.database.counts().await;
        for change in OTHER {
            let mut again = first();
            change(&mut again);
            let refused = world.client.try_grant(again.clone()).await;
            say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
            let refused = world.client.try_grant(Create { validate_only: true, ..again }).await;
            say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
        }
        assert_eq!(world.database.counts().await, before);
        assert_eq!(world.client.fetch(&made.id).await, made);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_compares_by_currency_and_value() {
    World::run(async |world| {
        let client = &world.client;
        let first = say::money("acme", "5", "USD");
        client.grant(first.clone()).await;
        let again = Create { amount: "5.00".into(), ..first.clone() };
        assert!(client.try_grant(again).await.expect("a replay").replayed);
        let refused = client.try_grant(Create { currency: "EUR".into(), ..first }).await;
        say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_belong_to_their_customer() {
    World::run(async |world| {
        let mine = world.client.grant(first()).await;
        let theirs = Create { customer_id: "umbrella".into(), amount: "2".into(), ..first() };
        let theirs = world.client.grant(theirs).await;
        assert_ne!(mine.id, theirs.id);
        // An event's id is a key of another kind.
        let event = world.client.record(say::usage("acme", "r1", "a", "0.5")).await;
        assert_eq!(event.uncovered, "0.5", "the grant begins in 7 microseconds");
    })
    .await;
}

/// A repetition shows the grant as it is by then, whatever became of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_the_grant_as_it_is_now() {
    World::run(async |world| {
        let client = world.client.clone();
        let first = Create { expires_at: say::hour(9), ..say::units("acme", "10") };
        let made = client.grant(first.clone()).await;
        let replay = async |first: &Create| {
            let answer = client.try_grant(first.clone()).await.expect("a replay");
            assert!(answer.replayed);
            let grant = answer.grant.expect("a grant");
            assert_eq!(client.fetch(&grant.id).await, grant);
            grant
        };
        client.record(say::usage("acme", "e1", "a", "3")).await;
        let update = pb::UpdateGrantRequest {
            description: "changed".into(),
            ..say::update(&made.id, &["description"])
        };
        client.update(update).await;
        let now = replay(&first).await;
        assert_eq!((now.remaining.as_str(), now.description.as_str()), ("7", "changed"));

        // After its expiry, with an expires_at that a new request could not have.
        world.only_clock_to(t0() + TimeDelta::hours(9));
        let now = replay(&first).await;
        assert_eq!((now.status(), now.expired.as_str()), (pb::GrantStatus::Expired, "7"));
        world.advance(TimeDelta::days(30)).await;
        let now = replay(&first).await;
        assert_eq!((now.status(), now.expired.as_str()), (pb::GrantStatus::Expired, "7"));
        // Another payload is told as such, though its expires_at has passed, too.
        let other = Create { expires_at: say::hour(8), ..first.clone() };
        let refused = client.try_grant(other).await;
        say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");

        let second = say::units("acme", "20");
        let made = client.grant(second.clone()).await;
        client.void(&made.id, "a mistake").await;
        let now = replay(&second).await;
        assert_eq!((now.status(), now.voided.as_str()), (pb::GrantStatus::Voided, "20"));
        assert_eq!(now.void_reason, "a mistake");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_that_has_passed_is_refused_and_burns_no_key() {
    World::run(async |world| {
        world.advance(TimeDelta::hours(5)).await;
        let empty = world.database.counts().await;
        let asked = say::units("acme", "1");
        for expires_at in [say::hour(5), say::hour(4), say::hour(-1)] {
            let past = Create { expires_at, ..asked.clone() };
            let status = world.client.try_grant(past).await.expect_err("it has expired");
            assert_eq!(say::bad_fields(&status), ["expires_at"]);
            let past = Create { expires_at, effective_at: say::hour(-9), ..asked.clone() };
            let status = world.client.try_grant(past).await.expect_err("it has expired");
            assert_eq!(say::bad_fields(&status), ["expires_at"]);
        }
        assert_eq!(world.database.counts().await, empty);
        let soon = say::after(TimeDelta::hours(5) + TimeDelta::microseconds(1));
        let made = world.client.grant(Create { expires_at: soon, ..asked }).await;
        assert_eq!((made.expires_at, made.status()), (soon, pb::GrantStatus::Active));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_makes_it() {
    World::run(async |world| {
        let client = &world.client;
        let answers = join_all((0..30).map(|_| client.try_grant(first()))).await;
        let answers: Vec<_> = answers.into_iter().map(|a| a.expect("a grant")).collect();
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(answers.iter().all(|answer| answer.grant == answers[0].grant));
        assert_eq!(say::lines(&client.ledger("acme").await), ["1 GRANTED 1 -> 1"]);
    })
    .await;
}
