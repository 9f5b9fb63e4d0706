//! What is held, wherever it shows: open, past its grant's end, past its own.

use chrono::TimeDelta;
use creditd::pb;

use super::{hold, is_seen_before_it_is_booked, minute, stands, story};
use crate::harness::{World, say, t0};

/// So much, of which so much is held, of the only kind of credits that there is.
#[track_caller]
fn has(balance: &pb::Balance, available: &str, held: &str, remaining: &str) {
    assert_eq!(balance.totals.len(), 1);
    let total = &balance.totals[0];
    let shown = [total.available.as_str(), &total.held, &total.remaining];
    assert_eq!(shown, [available, held, remaining]);
}

fn until(amount: &str, minutes: i64) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { expires_at: minute(minutes), ..say::units("acme", amount) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_told_by_every_read() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(until("10", 600)).await;
        world.advance(TimeDelta::minutes(1)).await;
        let made = client.hold(say::hold("acme", "h1", "m", "4.50")).await;
        let expected = pb::Hold {
            customer_id: "acme".into(),
            hold_id: "h1".into(),
            metric: "m".into(),
            quantity: "4.5".into(),
            held: "4.5".into(),
            settled: "0".into(),
            released: "0".into(),
            status: pb::HoldStatus::Open.into(),
            expires_at: minute(16),
            allocations: vec![pb::Allocation { grant_id: grant.id.clone(), amount: "4.5".into() }],
            created_at: minute(1),
            ended_at: None,
            event_id: String::new(),
        };
        assert_eq!(made, expected);
        assert_eq!(client.get_hold("acme", "h1").await, expected);
        let now = client.fetch(&grant.id).await;
        let figures = "10: 10 remaining, 4.5 held, 0 consumed, 0 expired, 0 voided";
        assert_eq!((say::figures(&now).as_str(), now.updated_at), (figures, minute(1)));
        let balance = client.balance("acme").await;
        has(&balance, "5.5", "4.5", "10");
        assert_eq!(balance.upcoming_expirations[0].amount, "5.5");
        let shown = &balance.grants[0];
        assert_eq!([&*shown.available, &shown.held, &shown.remaining], ["5.5", "4.5", "10"]);
        let entry = client.ledger("acme").await.pop().expect("an entry");
        let expected = pb::LedgerEntry {
            customer_id: "acme".into(),
            sequence: 2,
            grant_id: grant.id.clone(),
            r#type: pb::LedgerEntryType::Held.into(),
            amount: "0".into(),
            balance_after: "10".into(),
            held_amount: "4.5".into(),
            held_after: "4.5".into(),
            actor: "anonymous".into(),
            occurred_at: minute(1),
            recorded_at: minute(1),
            hold_id: "h1".into(),
            ..Default::default()
        };
        assert_eq!(entry, expected);
        // What is held is nobody else's: not another's hold, not usage.
        let rest = pb::CreateHoldRequest { allow_partial: true, ..hold("h2", "9", 1) };
        assert_eq!(client.hold(rest).await.held, "5.5");
        let event = client.record(say::usage("acme", "e1", "m", "1")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("0", "1"));
    })
    .await;
}

/// A grant that expires and one that is voided while they are held, and one that lives on.
async fn three_held(world: &World) -> [pb::Grant; 3] {
    let client = &world.client;
    let ends = client.grant(until("10", 60)).await;
    let voided = client.grant(say::units("acme", "5")).await;
    let lives = client.grant(say::units("acme", "10")).await;
    let held = client.hold(hold("h1", "17", 90)).await;
    let paid = [(&*ends.id, "10"), (&voided.id, "5"), (&lives.id, "2")];
    assert_eq!(say::paid(&held.allocations), paid);
    let now = client.void(&voided.id, "over").await;
    assert_eq!(say::figures(&now), "5: 5 remaining, 5 held, 0 consumed, 0 expired, 0 voided");
    [ends, voided, lives]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_outlives_its_grant() {
    World::run(async |world| {
        let [ends, voided, lives] = three_held(world).await;
        world.advance(TimeDelta::minutes(70)).await;
        let client = &world.client;
        let grant = client.fetch(&ends.id).await;
        assert_eq!(grant.status(), pb::GrantStatus::Expired);
        assert_eq!(
            say::figures(&grant),
            "10: 10 remaining, 10 held, 0 consumed, 0 expired, 0 voided"
        );
        assert_eq!(client.fetch(&voided.id).await.status(), pb::GrantStatus::Voided);
        let balance = client.balance("acme").await;
        has(&balance, "8", "17", "25");
        let shown: Vec<_> = balance.grants.iter().map(|g| (&*g.grant_id, &*g.available)).collect();
        assert_eq!(shown, [(&*ends.id, "0"), (&voided.id, "0"), (&lives.id, "8")]);
        assert_eq!(balance.upcoming_expirations, []);
        // Nothing of what has ended pays for anything but the hold.
        let preview = client.preview(say::preview("acme", "m", "20")).await;
        let verdicts: Vec<_> =
            preview.candidates.iter().map(|c| (c.verdict(), c.available.as_str())).collect();
        let verdict = |verdict, available| (verdict, available);
        assert_eq!(
            verdicts,
            [
                verdict(pb::CandidateVerdict::Expired, "0"),
                verdict(pb::CandidateVerdict::Voided, "0"),
                verdict(pb::CandidateVerdict::Eligible, "8"),
            ]
        );
        assert_eq!(client.void(&voided.id, "again").await.void_reason, "over");
        let refused = client.try_void(&ends.id, "too late").await;
        say::refused(refused, tonic::Code::FailedPrecondition, "GRANT_NOT_ACTIVE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_seen_before_it_is_booked() {
    World::run(async |world| {
        let [ends, ..] = three_held(world).await;
        world.only_clock_to(t0() + TimeDelta::minutes(100));
        is_seen_before_it_is_booked(world, "h1").await;
        let client = &world.client;
        let held = client.get_hold("acme", "h1").await;
        assert_eq!(stands(&held), "EXPIRED 17: 0 held, 0 settled, 17 released");
        assert_eq!(held.ended_at, minute(90));
        has(&client.balance("acme").await, "10", "0", "10");
        let grant = client.fetch(&ends.id).await;
        assert_eq!(
            say::figures(&grant),
            "10: 0 remaining, 0 held, 0 consumed, 10 expired, 0 voided"
        );
        assert_eq!(grant.updated_at, minute(90));
        let expected = [
            "1 GRANTED 10 -> 10, held 0 -> 0",
            "2 GRANTED 5 -> 5, held 0 -> 0",
            "3 GRANTED 10 -> 10, held 0 -> 0",
            "4 HELD 0 -> 10, held 10 -> 10",
            "5 HELD 0 -> 5, held 5 -> 5",
            "6 HELD 0 -> 10, held 2 -> 2",
            "7 VOIDED 0 -> 5, held 0 -> 5",
            "8 HOLD_RELEASED 0 -> 10, held -10 -> 0",
            "9 EXPIRED -10 -> 0, held 0 -> 0",
            "10 HOLD_RELEASED 0 -> 5, held -5 -> 0",
            "11 VOIDED -5 -> 0, held 0 -> 0",
            "12 HOLD_RELEASED 0 -> 10, held -2 -> 0",
        ];
        assert_eq!(story(world).await, expected);
        for entry in &client.ledger("acme").await[7..] {
            assert_eq!((entry.actor.as_str(), entry.hold_id.as_str()), ("creditd", "h1"));
            assert_eq!((entry.occurred_at, entry.recorded_at), (minute(90), minute(90)));
        }
    })
    .await;
}

/// At the same instant a hold's end comes before its grant's, which takes all of it at once.
#[tokio::test(flavor = "multi_thread")]
async fn both_may_end_at_the_same_instant() {
    World::run(async |world| {
        let client = world.client.clone();
        let early = client.grant(until("5", 30)).await;
        client.grant(until("10", 60)).await;
        client.hold(hold("h2", "7", 60)).await;
        client.hold(hold("h1", "1", 60)).await;
        client.hold(hold("h0", "1", 30)).await;
        world.only_clock_to(t0() + TimeDelta::minutes(60));
        is_seen_before_it_is_booked(world, "h1").await;
        let told = &story(world).await[6..];
        let expected = [
            // Nothing of the first is free when it expires.
            "7 HOLD_RELEASED 0 -> 10, held -1 -> 3",
            "8 HOLD_RELEASED 0 -> 10, held -1 -> 2",
            "9 HOLD_RELEASED 0 -> 5, held -5 -> 0",
            "10 EXPIRED -5 -> 0, held 0 -> 0",
            "11 HOLD_RELEASED 0 -> 10, held -2 -> 0",
            "12 EXPIRED -10 -> 0, held 0 -> 0",
        ];
        assert_eq!(told, expected);
        let entries = client.ledger("acme").await;
        assert_eq!((&entries[9].grant_id, entries[9].hold_id.as_str()), (&early.id, "h2"));
        assert_eq!(entries[11].hold_id, "", "it has come by its own end");
        let deadlines: Vec<_> = entries[6..].iter().map(|entry| entry.occurred_at).collect();
        assert_eq!(deadlines[0], minute(30));
        assert!(deadlines[1..].iter().all(|at| *at == minute(60)));
    })
    .await;
}

/// To the microsecond: held just before the deadline, and free at it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_kept_to_the_microsecond() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let ttl = TimeDelta::microseconds(1_500_001);
        let asked = pb::CreateHoldRequest { ttl: say::duration(ttl), ..hold("h1", "10", 1) };
        let made = client.hold(asked).await;
        assert_eq!(made.expires_at, say::after(ttl));
        world.only_clock_to(t0() + ttl - TimeDelta::microseconds(1));
        has(&client.balance("acme").await, "0", "10", "10");
        assert_eq!(client.record(say::usage("acme", "e1", "m", "1")).await.covered, "0");
        world.only_clock_to(t0() + ttl);
        has(&client.balance("acme").await, "10", "0", "10");
        assert_eq!(client.record(say::usage("acme", "e2", "m", "1")).await.covered, "1");
    })
    .await;
}
