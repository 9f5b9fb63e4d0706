//! Statuses: derived from the facts and the clock.

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus};

use crate::harness::{World, say, t0};

async fn status(world: &World, grant: &pb::Grant) -> GrantStatus {
    let seen = world.client.fetch(&grant.id).await;
    let filter = pb::ListGrantsRequest {
        customer_id: grant.customer_id.clone(),
        statuses: vec![seen.status],
        ..Default::default()
    };
    let listed = world.client.try_list_grants(filter).await.expect("grants").grants;
    assert!(listed.contains(&seen), "{listed:?} has not {seen:?}");
    seen.status()
}

/// The beginning is inclusive and the end exclusive, to the microsecond, whether or not anybody
/// has booked anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_begins_and_ends_exactly() {
    World::run(async |world| {
        let asked = pb::CreateGrantRequest {
            effective_at: say::hour(1),
            expires_at: say::hour(2),
            ..say::units("acme", "10")
        };
        let grant = world.client.grant(asked).await;
        assert_eq!(grant.status(), GrantStatus::Pending);
        let tick = TimeDelta::microseconds(1);
        let (starts, ends) = (t0() + TimeDelta::hours(1), t0() + TimeDelta::hours(2));
        for (at, expected) in [
            (starts - tick, GrantStatus::Pending),
            (starts, GrantStatus::Active),
            (ends - tick, GrantStatus::Active),
            (ends, GrantStatus::Expired),
            (ends + tick, GrantStatus::Expired),
        ] {
            world.only_clock_to(at);
            assert_eq!(status(world, &grant).await, expected, "{at}");
        }
        assert_eq!(world.client.fetch(&grant.id).await.updated_at, say::hour(2));
        world.advance(TimeDelta::days(10)).await;
        let booked = world.client.fetch(&grant.id).await;
        assert_eq!(
            say::figures(&booked),
            "10: 0 remaining, 0 held, 0 consumed, 10 expired, 0 voided"
        );
        assert_eq!((booked.status(), booked.updated_at), (GrantStatus::Expired, say::hour(2)));
    })
    .await;
}

/// The first that applies: voided, exhausted, expired, pending, active.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_up_is_exhausted_for_ever() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest { expires_at: say::hour(2), ..say::units("acme", "10") };
        let grant = client.grant(asked).await;
        client.record(say::usage("acme", "e1", "a", "9.999999999999")).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Active);
        client.record(say::usage("acme", "e2", "a", "0.000000000001")).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Exhausted);
        world.advance(TimeDelta::hours(2)).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Exhausted);
        let lines = say::lines(&client.ledger("acme").await);
        assert_eq!(
            lines,
            [
                "1 GRANTED 10 -> 10",
                "2 CONSUMED -9.999999999999 -> 0.000000000001",
                "3 CONSUMED -0.000000000001 -> 0"
            ],
            "nothing was left to expire"
        );
    })
    .await;
}

/// An event a little ahead of the clock may use up a grant that has not begun.
#[tokio::test(flavor = "multi_thread")]
async fn exhausted_comes_before_pending() {
    World::run(async |world| {
        let soon = say::after(TimeDelta::minutes(4));
        let asked = pb::CreateGrantRequest { effective_at: soon, ..say::units("acme", "10") };
        let grant = world.client.grant(asked).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Pending);
        let ahead =
            pb::RecordUsageRequest { timestamp: soon, ..say::usage("acme", "e1", "a", "10") };
        assert_eq!(world.client.record(ahead).await.covered, "10");
        assert_eq!(status(world, &grant).await, GrantStatus::Exhausted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn voided_comes_before_all() {
    World::run(async |world| {
        let asked = pb::CreateGrantRequest {
            effective_at: say::hour(1),
            expires_at: say::hour(2),
            ..say::units("acme", "10")
        };
        let grant = world.client.grant(asked).await;
        world.client.void(&grant.id, "r").await;
        for hour in [0, 1, 2, 1_000] {
            world.only_clock_to(t0() + TimeDelta::hours(hour));
            assert_eq!(status(world, &grant).await, GrantStatus::Voided);
        }
        let lines = say::lines(&world.client.ledger("acme").await);
        assert_eq!(lines, ["1 GRANTED 10 -> 10", "2 VOIDED -10 -> 0"]);
    })
    .await;
}

/// An expired grant of which a late event takes all that had expired is used up.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_may_exhaust_an_expired_grant() {
    World::run(async |world| {
        let asked = pb::CreateGrantRequest { expires_at: say::hour(2), ..say::units("acme", "10") };
        let grant = world.client.grant(asked).await;
        world.advance(TimeDelta::hours(3)).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Expired);
        let late = |id: &str, quantity: &str| pb::RecordUsageRequest {
            timestamp: say::hour(1),
            ..say::usage("acme", id, "a", quantity)
        };
        world.client.record(late("e1", "9")).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Expired);
        world.client.record(late("e2", "1")).await;
        assert_eq!(status(world, &grant).await, GrantStatus::Exhausted);
    })
    .await;
}
