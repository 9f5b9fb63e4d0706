//! Voids.

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus};
use tonic::Code;

use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn what_remains_is_voided_and_what_was_used_stays() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest { expires_at: say::hour(9), ..say::units("acme", "10") };
        let grant = client.grant(asked).await;
        client.record(say::usage("acme", "e1", "a", "4")).await;
        world.advance(TimeDelta::hours(1)).await;
        let voided = client.void(&grant.id, "fraud").await;
        let expected = pb::Grant {
            status: GrantStatus::Voided.into(),
            remaining: "0".into(),
            consumed: "4".into(),
            voided: "6".into(),
            voided_at: say::hour(1),
            void_reason: "fraud".into(),
            updated_at: say::hour(1),
            ..grant
        };
        assert_eq!(voided, expected);
        assert_eq!(client.fetch(&voided.id).await, expected);

        let entries = client.ledger("acme").await;
        let lines = ["1 GRANTED 10 -> 10", "2 CONSUMED -4 -> 6", "3 VOIDED -6 -> 0"];
        assert_eq!(say::lines(&entries), lines);
        let entry = &entries[2];
        assert_eq!((entry.reason.as_str(), entry.actor.as_str()), ("fraud", "anonymous"));
        assert_eq!((entry.occurred_at, entry.recorded_at), (say::hour(1), say::hour(1)));
        // It pays no more, and the event that it paid stays paid.
        let event = client.record(say::usage("acme", "e2", "a", "1")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("0", "1"));
        assert_eq!(client.event("acme", "e1").await.covered, "4");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn voiding_again_changes_nothing() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::money("acme", "10", "USD")).await;
        let voided = client.void(&grant.id, "first").await;
        assert_eq!(voided.voided, "10.00");
        world.advance(TimeDelta::hours(1)).await;
        let before = world.database.counts().await;
        for reason in ["first", "second"] {
            assert_eq!(client.void(&grant.id, reason).await, voided);
        }
        assert_eq!(world.database.counts().await, before);
        assert_eq!(say::lines(&client.ledger("acme").await)[1], "2 VOIDED -10.00 -> 0.00");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_grant_is_voided_before_it_begins() {
    World::run(async |world| {
        let asked = pb::CreateGrantRequest {
            effective_at: say::hour(1),
            expires_at: say::hour(2),
            ..say::units("acme", "10")
        };
        let grant = world.client.grant(asked).await;
        let voided = world.client.void(&grant.id, "never mind").await;
        assert_eq!((voided.status(), voided.voided.as_str()), (GrantStatus::Voided, "10"));
        world.advance(TimeDelta::hours(3)).await;
        let late = pb::RecordUsageRequest {
            timestamp: say::hour(1),
            ..say::usage("acme", "e1", "a", "1")
        };
        assert_eq!(world.client.record(late).await.covered, "0");
        let lines = say::lines(&world.client.ledger("acme").await);
        assert_eq!(lines, ["1 GRANTED 10 -> 10", "2 VOIDED -10 -> 0"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_otherwise_is_refused() {
    World::run(async |world| {
        let client = world.client.clone();
        let exhausted = client.grant(say::units("acme", "10")).await;
        client.record(say::usage("acme", "e1", "a", "10")).await;
        let asked = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "5") };
        let expired = client.grant(asked).await;
        for hour in [1, 2, 100] {
            // First with nobody having booked the expiry.
            world.only_clock_to(t0() + TimeDelta::hours(hour));
            for grant in [&exhausted, &expired] {
                let refused = client.try_void(&grant.id, "too late").await;
                say::refused(refused, Code::FailedPrecondition, "GRANT_NOT_ACTIVE");
            }
        }
        let lines = say::lines(&client.ledger("acme").await);
        assert_eq!(lines[3..], ["4 EXPIRED -5 -> 0"]);
        assert_eq!(client.fetch(&expired.id).await.void_reason, "");
    })
    .await;
}

/// A reason of 1,000 characters is kept whole, in the grant and in the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_reason_is_kept() {
    World::run(async |world| {
        let grant = world.client.grant(say::units("acme", "10")).await;
        let reason = "ß".repeat(1_000);
        assert_eq!(world.client.void(&grant.id, &reason).await.void_reason, reason);
        assert_eq!(world.client.ledger("acme").await[1].reason, reason);
    })
    .await;
}
