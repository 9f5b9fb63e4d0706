//! How holds end: settled, released, or by another deadline than the first.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{hold, is_seen_before_it_is_booked, minute, stands, story};
use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_is_an_event_like_any_other() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "6", 30)).await;
        world.advance(TimeDelta::minutes(10)).await;
        let (held, event) = client.settle(say::settle("acme", "h1", "4")).await;
        assert_eq!(stands(&held), "SETTLED 6: 0 held, 4 settled, 2 released");
        assert_eq!((held.ended_at, held.event_id.as_str()), (minute(10), "h1"));
        let expected = pb::UsageEvent {
            customer_id: "acme".into(),
            event_id: "h1".into(),
            metric: "m".into(),
            quantity: "4".into(),
            timestamp: minute(10),
            covered: "4".into(),
            uncovered: "0".into(),
            reversed: "0".into(),
            allocations: vec![pb::Allocation { grant_id: grant.id.clone(), amount: "4".into() }],
            recorded_at: minute(10),
            hold_id: "h1".into(),
            ..Default::default()
        };
        assert_eq!(event, expected);
        assert_eq!(client.event("acme", "h1").await, event);
        assert_eq!(client.events("acme").await, [event]);
        assert_eq!(client.get_hold("acme", "h1").await, held);
        let told = ["3 CONSUMED -4 -> 6, held -4 -> 2", "4 HOLD_RELEASED 0 -> 6, held -2 -> 0"];
        assert_eq!(story(world).await[2..], told);
        let entries = client.ledger("acme").await;
        let causes: Vec<_> =
            entries[2..].iter().map(|e| (e.event_id.as_str(), e.hold_id.as_str())).collect();
        assert_eq!(causes, [("h1", "h1"), ("", "h1")]);
    })
    .await;
}

/// What is held goes first, though another grant would; then what is available; the rest is overage.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_takes_more_than_was_held() {
    World::run(async |world| {
        let client = world.client.clone();
        let held = client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "4", 30)).await;
        let first = client
            .grant(pb::CreateGrantRequest { priority: Some(1), ..say::units("acme", "3") })
            .await;
        let (ended, event) = client.settle(say::settle("acme", "h1", "20")).await;
        assert_eq!(stands(&ended), "SETTLED 4: 0 held, 4 settled, 0 released");
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("13", "7"));
        // One allocation for a grant that paid twice.
        assert_eq!(say::paid(&event.allocations), [(&*held.id, "10"), (&first.id, "3")]);
        let told = [
            "4 CONSUMED -4 -> 6, held -4 -> 0",
            "5 CONSUMED -3 -> 0, held 0 -> 0",
            "6 CONSUMED -6 -> 0, held 0 -> 0",
        ];
        assert_eq!(story(world).await[3..], told);
        // Given back: what was uncovered; the 6; the 3; the 4.
        let some = client.reverse_usage(say::reverse_usage("acme", "h1", "9")).await;
        let event = some.event.expect("an event");
        assert_eq!(say::paid(&event.allocations), [(&*held.id, "8"), (&first.id, "3")]);
        let more = client.reverse_usage(say::reverse_usage("acme", "h1", "8")).await;
        let event = more.event.expect("an event");
        assert_eq!(say::paid(&event.allocations), [(&*held.id, "3")]);
        assert_eq!(client.get_hold("acme", "h1").await, ended, "a hold keeps its story");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_settled_after_its_deadline() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "6", 30)).await;
        // Whether or not somebody has booked its end.
        client.hold(hold("h2", "1", 30)).await;
        world.advance(TimeDelta::minutes(40)).await;
        client.record(say::usage("acme", "e1", "m", "7")).await;
        let late = pb::SettleHoldRequest {
            event_id: "late".into(),
            timestamp: minute(20),
            ..say::settle("acme", "h1", "5")
        };
        let (held, event) = client.settle(late.clone()).await;
        assert_eq!(stands(&held), "SETTLED 6: 0 held, 0 settled, 6 released");
        assert_eq!((held.ended_at, held.expires_at), (minute(40), minute(30)));
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("3", "2"));
        assert_eq!(say::paid(&event.allocations), [(&*grant.id, "3")]);
        // Once: the same again is the same, another is not.
        assert_eq!(client.settle(late.clone()).await, (held, event));
        let other = pb::SettleHoldRequest { event_id: "later".into(), ..late };
        say::refused(client.try_settle(other).await, Code::FailedPrecondition, "HOLD_NOT_OPEN");
        let (held, event) = client.settle(say::settle("acme", "h2", "0")).await;
        assert_eq!(stands(&held), "SETTLED 1: 0 held, 0 settled, 1 released");
        assert_eq!((event.quantity.as_str(), event.allocations.len()), ("0", 0));
    })
    .await;
}

/// What a hold keeps alive of ended grants pays for it; what it does not need ends with them.
#[tokio::test(flavor = "multi_thread")]
async fn held_parts_of_ended_grants_pay_for_their_hold() {
    World::run(async |world| {
        let client = world.client.clone();
        let until = pb::CreateGrantRequest { expires_at: minute(10), ..say::units("acme", "5") };
        let ends = client.grant(until).await;
        let voided = client.grant(say::units("acme", "5")).await;
        let lives = client.grant(say::units("acme", "5")).await;
        client.hold(hold("h1", "12", 30)).await;
        client.void(&voided.id, "over").await;
        world.only_clock_to(t0() + TimeDelta::minutes(20));
        let (held, event) = client.settle(say::settle("acme", "h1", "7")).await;
        assert_eq!(stands(&held), "SETTLED 12: 0 held, 7 settled, 5 released");
        assert_eq!(say::paid(&event.allocations), [(&*ends.id, "5"), (&voided.id, "2")]);
        let told = [
            "8 CONSUMED -5 -> 0, held -5 -> 0",
            "9 CONSUMED -2 -> 3, held -2 -> 3",
            "10 HOLD_RELEASED 0 -> 3, held -3 -> 0",
            "11 VOIDED -3 -> 0, held 0 -> 0",
            "12 HOLD_RELEASED 0 -> 5, held -2 -> 0",
        ];
        assert_eq!(story(world).await[7..], told);
        let voided = client.fetch(&voided.id).await;
        assert_eq!(
            say::figures(&voided),
            "5: 0 remaining, 0 held, 2 consumed, 0 expired, 3 voided"
        );
        assert_eq!(client.fetch(&lives.id).await.held, "0");
    })
    .await;
}

/// The order of consumption is that of the settlement, not that in which it was set aside.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_grant_may_change_its_rules() {
    World::run(async |world| {
        let client = world.client.clone();
        let a = client.grant(say::units("acme", "5")).await;
        let b = client.grant(say::units("acme", "5")).await;
        let made = client.hold(hold("h1", "8", 30)).await;
        let first = pb::UpdateGrantRequest {
            priority: Some(1),
            expires_at: minute(20),
            ..say::update(&b.id, &["priority", "expires_at"])
        };
        let updated = client.update(first).await;
        assert_eq!(
            say::figures(&updated),
            "5: 5 remaining, 3 held, 0 consumed, 0 expired, 0 voided"
        );
        // What is free of it expires at its new end, and the rest with the hold.
        world.only_clock_to(t0() + TimeDelta::minutes(25));
        is_seen_before_it_is_booked(world, "h1").await;
        assert_eq!(client.fetch(&b.id).await.expired, "2");
        let (held, event) = client.settle(say::settle("acme", "h1", "4")).await;
        assert_eq!(say::paid(&event.allocations), [(&*b.id, "3"), (&a.id, "1")]);
        assert_eq!(held.allocations, made.allocations);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_gives_all_of_it_back() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "6", 30)).await;
        world.advance(TimeDelta::minutes(10)).await;
        let held = client.release("acme", "h1").await;
        assert_eq!(stands(&held), "RELEASED 6: 0 held, 0 settled, 6 released");
        assert_eq!((held.ended_at, held.event_id.as_str()), (minute(10), ""));
        assert_eq!(client.balance("acme").await.totals[0].available, "10");
        assert_eq!(story(world).await[2..], ["3 HOLD_RELEASED 0 -> 10, held -6 -> 0"]);
        // And again, before its deadline and behind it.
        let rows = world.database.counts().await;
        for minutes in [10, 40] {
            world.only_clock_to(t0() + TimeDelta::minutes(minutes));
            assert_eq!(client.release("acme", "h1").await, held);
        }
        assert_eq!(world.database.counts().await, rows);
        // One whose deadline has come is returned as it is, booked or not.
        client.hold(hold("h2", "6", 30)).await;
        world.only_clock_to(t0() + TimeDelta::minutes(80));
        for _ in 0..2 {
            let held = client.release("acme", "h2").await;
            assert_eq!(stands(&held), "EXPIRED 6: 0 held, 0 settled, 6 released");
            assert_eq!(held.ended_at, minute(70));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_moves_the_deadline_either_way() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "6", 30)).await;
        let entries = client.ledger("acme").await;
        world.advance(TimeDelta::minutes(10)).await;
        let extend = |minutes| say::extend("acme", "h1", TimeDelta::minutes(minutes));
        for (minutes, deadline) in [(1_440, 1_450), (1, 11), (60, 70)] {
            let held = client.extend(extend(minutes)).await;
            assert_eq!((held.expires_at, held.status()), (minute(deadline), pb::HoldStatus::Open));
            assert_eq!(client.get_hold("acme", "h1").await, held);
        }
        assert_eq!(client.ledger("acme").await, entries, "it leaves no entry");
        world.only_clock_to(t0() + TimeDelta::minutes(69));
        assert_eq!(client.balance("acme").await.totals[0].held, "6");
        world.only_clock_to(t0() + TimeDelta::minutes(71));
        is_seen_before_it_is_booked(world, "h1").await;
        assert_eq!(client.get_hold("acme", "h1").await.ended_at, minute(70));
        // The ttl of its creation is what a repetition must name.
        assert!(client.try_hold(hold("h1", "6", 30)).await.expect("the hold").replayed);
        let refused = client.try_hold(hold("h1", "6", 60)).await;
        say::refused(refused, Code::AlreadyExists, "HOLD_ID_REUSED");
    })
    .await;
}
