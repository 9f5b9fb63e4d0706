//! Late events: what has expired since may be reclaimed, for 72 hours, exactly as much as is used.

use chrono::TimeDelta;
use creditd::pb;

use super::at;
use crate::harness::{World, say, t0};

fn until(hour: i64, amount: &str) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { expires_at: say::hour(hour), ..say::units("acme", amount) }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_is_used_is_reclaimed() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(until(1, "10")).await;
        client.record(at(None, "e1", "3")).await;
        // Nobody has booked the expiry when the first late event comes.
        world.only_clock_to(t0() + TimeDelta::hours(72));
        let event = client.record(at(say::after(TimeDelta::minutes(59)), "e2", "2.5")).await;
        assert_eq!(say::paid(&event.allocations), [(grant.id.as_str(), "2.5")]);
        let figures = |of: &str| format!("10: 0 remaining, 0 held, {of}, 0 voided");
        let now = client.fetch(&grant.id).await;
        assert_eq!(say::figures(&now), figures("5.5 consumed, 4.5 expired"));
        assert_eq!((now.status(), now.updated_at), (pb::GrantStatus::Expired, say::hour(72)));

        let event = client.record(at(say::hour(0), "e3", "100")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("4.5", "95.5"));
        let now = client.fetch(&grant.id).await;
        assert_eq!(say::figures(&now), figures("10 consumed, 0 expired"));
        let entries = client.ledger("acme").await;
        let lines = [
            "1 GRANTED 10 -> 10",
            "2 CONSUMED -3 -> 7",
            "3 EXPIRED -7 -> 0",
            "4 EXPIRATION_RECLAIMED 2.5 -> 2.5",
            "5 CONSUMED -2.5 -> 0",
            "6 EXPIRATION_RECLAIMED 4.5 -> 4.5",
            "7 CONSUMED -4.5 -> 0",
        ];
        assert_eq!(say::lines(&entries), lines);
        assert_eq!((entries[2].occurred_at, entries[2].recorded_at), (say::hour(1), say::hour(1)));
        for entry in &entries[3..5] {
            assert_eq!((entry.event_id.as_str(), entry.actor.as_str()), ("e2", "anonymous"));
            assert_eq!(entry.occurred_at, say::after(TimeDelta::minutes(59)));
            assert_eq!(entry.recorded_at, say::hour(72));
        }
        // Nothing comes back to be spent now.
        assert_eq!(client.record(at(None, "e4", "1")).await.covered, "0");
        assert_eq!(client.balance("acme").await.grants, []);
    })
    .await;
}

/// Expired less than 72 hours ago: a microsecond less is, 72 hours are not.
#[tokio::test(flavor = "multi_thread")]
async fn after_72_hours_nothing_is_reclaimed() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(until(1, "10")).await;
        let closes = t0() + TimeDelta::hours(73);
        world.only_clock_to(closes - TimeDelta::microseconds(1));
        assert_eq!(client.record(at(say::hour(0), "e1", "1")).await.covered, "1");
        // With the account in the lane's hand, and with the rows of the table booked.
        world.only_clock_to(closes);
        let event = client.record(at(say::hour(0), "e2", "1")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("0", "1"));
        world.advance(TimeDelta::zero()).await;
        assert_eq!(client.record(at(say::hour(0), "e3", "1")).await.covered, "0");
        let lines = say::lines(&client.ledger("acme").await);
        assert_eq!(lines.len(), 4, "{lines:?}");
    })
    .await;
}

/// The event must have happened while the grant was live.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_outside_its_window_reclaims_nothing() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest { effective_at: say::hour(1), ..until(2, "10") };
        client.grant(asked).await;
        world.advance(TimeDelta::hours(3)).await;
        let tick = TimeDelta::microseconds(1);
        for (n, (when, covered)) in [
            (TimeDelta::hours(1) - tick, "0"),
            (TimeDelta::hours(1), "1"),
            (TimeDelta::hours(2) - tick, "1"),
            (TimeDelta::hours(2), "0"),
            (TimeDelta::hours(3), "0"),
        ]
        .into_iter()
        .enumerate()
        {
            let event = client.record(at(say::after(when), &format!("e{n}"), "1")).await;
            assert_eq!(event.covered, covered, "{when}");
        }
    })
    .await;
}

/// Expired and live grants pay for one late event together, in the one order.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_draws_on_live_grants_too() {
    World::run(async |world| {
        let client = world.client.clone();
        let live = pb::CreateGrantRequest { priority: Some(1), ..say::units("acme", "2") };
        let live = client.grant(live).await;
        let gone = client.grant(until(1, "3")).await;
        let never = client.grant(say::units("acme", "4")).await;
        world.advance(TimeDelta::hours(2)).await;
        let event = client.record(at(say::hour(0), "e1", "6")).await;
        let paid = [(live.id.as_str(), "2"), (gone.id.as_str(), "3"), (never.id.as_str(), "1")];
        assert_eq!(say::paid(&event.allocations), paid);
        let lines = say::lines(&client.ledger("acme").await.split_off(3));
        let expected = [
            "4 EXPIRED -3 -> 0",
            "5 CONSUMED -2 -> 0",
            "6 EXPIRATION_RECLAIMED 3 -> 3",
            "7 CONSUMED -3 -> 0",
            "8 CONSUMED -1 -> 3",
        ];
        assert_eq!(lines, expected);
        assert_eq!(client.event("acme", "e1").await, event);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voided_grant_gives_nothing_to_a_late_event() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(until(5, "10")).await;
        world.advance(TimeDelta::hours(1)).await;
        client.void(&grant.id, "r").await;
        assert_eq!(client.record(at(say::hour(0), "e1", "1")).await.covered, "0");
    })
    .await;
}

/// A grant never pays for what was recorded before it was made; but what is recorded later may
/// have happened earlier.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_made_later_with_a_beginning_in_the_past() {
    World::run(async |world| {
        let client = world.client.clone();
        let before = client.record(at(None, "e1", "4")).await;
        assert_eq!((before.covered.as_str(), before.uncovered.as_str()), ("0", "4"));
        world.advance(TimeDelta::hours(10)).await;
        let asked =
            pb::CreateGrantRequest { effective_at: say::hour(-1), ..say::units("acme", "5") };
        let grant = client.grant(asked).await;
        assert_eq!(client.event("acme", "e1").await, before);
        let again = client.try_record(at(None, "e1", "4")).await.expect("a duplicate");
        assert_eq!((again.duplicate, again.event), (true, Some(before)));
        let late = client.record(at(say::hour(0), "e2", "4")).await;
        assert_eq!(say::paid(&late.allocations), [(grant.id.as_str(), "4")]);
        let early = client.record(at(say::hour(-2), "e3", "1")).await;
        assert_eq!(early.covered, "0", "it happened before the grant began");
        // One that begins when it is made pays for nothing that happened before.
        client.grant(say::units("acme", "5")).await;
        let late = client.record(at(say::hour(9), "e4", "5")).await;
        assert_eq!((late.covered.as_str(), late.uncovered.as_str()), ("1", "4"));
    })
    .await;
}

/// A grant may be made with a window that has all but passed, and moved while it is open.
#[tokio::test(flavor = "multi_thread")]
async fn the_late_window_follows_a_moved_expiry() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(until(100, "10")).await;
        world.advance(TimeDelta::hours(1)).await;
        let update = pb::UpdateGrantRequest {
            expires_at: say::hour(2),
            ..say::update(&grant.id, &["expires_at"])
        };
        client.update(update).await;
        world.advance_to(t0() + TimeDelta::hours(73)).await;
        assert_eq!(client.record(at(say::hour(1), "e1", "1")).await.covered, "1");
        assert_eq!(client.record(at(say::hour(2), "e2", "1")).await.covered, "0");
        world.advance(TimeDelta::hours(1)).await;
        assert_eq!(client.record(at(say::hour(1), "e3", "1")).await.covered, "0");
    })
    .await;
}
