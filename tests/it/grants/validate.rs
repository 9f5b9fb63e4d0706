//! validate_only: the answer of the real call, and nothing written.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_as_the_real_call_and_leaves_nothing() {
    World::run(async |world| {
        let empty = world.database.counts().await;
        let real = pb::CreateGrantRequest {
            category: pb::GrantCategory::Promotional.into(),
            effective_at: say::hour(1),
            expires_at: say::hour(2),
            description: "a trial".into(),
            metadata: say::pairs(&[("k", "v")]),
            ..say::money("acme", "12.5", "EUR")
        };
        let trial = pb::CreateGrantRequest { validate_only: true, ..real.clone() };
        let tried = world.client.grant(trial).await;
        assert_eq!(tried.status(), pb::GrantStatus::Pending);
        assert_eq!(world.database.counts().await, empty, "a customer was left behind");
        assert_eq!(world.client.balance("acme").await.revision, 0);
        if !tried.id.is_empty() {
            let refused = world.client.try_fetch(&tried.id).await;
            say::refused(refused, Code::NotFound, "GRANT_NOT_FOUND");
        }
        let made = world.client.grant(real).await;
        assert_eq!(pb::Grant { id: tried.id.clone(), ..made }, tried);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_use_its_key_up() {
    World::run(async |world| {
        let real = say::units("acme", "1");
        let trial =
            pb::CreateGrantRequest { validate_only: true, amount: "2".into(), ..real.clone() };
        world.client.grant(trial).await;
        let made = world.client.grant(real).await;
        assert_eq!(made.amount, "1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_replays_as_the_real_call() {
    World::run(async |world| {
        let client = world.client.clone();
        let real = pb::CreateGrantRequest { expires_at: say::hour(2), ..say::units("acme", "10") };
        let trial = pb::CreateGrantRequest { validate_only: true, ..real.clone() };
        let made = client.grant(real.clone()).await;
        client.record(say::usage("acme", "e1", "tokens", "4")).await;
        for hour in [1, 2, 100] {
            // Active, expired but not booked, expired for long.
            world.only_clock_to(t0() + TimeDelta::hours(hour));
            let before = world.database.counts().await;
            let tried = client.try_grant(trial.clone()).await.expect("a replay");
            assert!(tried.replayed);
            assert_eq!(world.database.counts().await, before);
            let replayed = client.try_grant(real.clone()).await.expect("a replay");
            assert_eq!(tried, replayed);
            assert_eq!(tried.grant.as_ref().map(|grant| &grant.id), Some(&made.id));
        }
        let expired = client.fetch(&made.id).await;
        assert_eq!(
            say::figures(&expired),
            "10: 0 remaining, 0 held, 4 consumed, 6 expired, 0 voided"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_as_the_real_call() {
    World::run(async |world| {
        let client = world.client.clone();
        let real = say::units("acme", "10");
        client.grant(real.clone()).await;
        let before = world.database.counts().await;
        let other = pb::CreateGrantRequest { amount: "11".into(), validate_only: true, ..real };
        let refused = client.try_grant(other).await;
        say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
        let past = pb::CreateGrantRequest {
            expires_at: say::hour(0),
            validate_only: true,
            ..say::units("umbrella", "1")
        };
        let status = client.try_grant(past).await.expect_err("it has expired");
        assert_eq!(say::bad_fields(&status), ["expires_at"]);
        let empty = pb::CreateGrantRequest { validate_only: true, ..Default::default() };
        let status = client.try_grant(empty).await.expect_err("nothing given");
        assert_eq!(say::bad_fields(&status).len(), 4);
        assert_eq!(world.database.counts().await, before);
    })
    .await;
}
