//! A hold's key, an event's key, and every refusal in its published place.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{hold, minute, stands};
use crate::harness::{Client, World, say, t0};

type Create = pb::CreateHoldRequest;
type Settle = pb::SettleHoldRequest;

#[tokio::test(flavor = "multi_thread")]
async fn payloads_compare_by_value() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let first = say::hold("acme", "h1", "m", "6");
        let made = client.hold(first.clone()).await;
        let rows = world.database.counts().await;
        let same: &[fn(&mut Create)] = &[
            |_| {},
            |r| r.quantity = "06.000".into(),
            |r| r.ttl = say::duration(TimeDelta::minutes(15)),
            |r| r.ttl = Some(prost_types::Duration { seconds: 900, nanos: 999 }),
        ];
        for change in same {
            let mut again = first.clone();
            change(&mut again);
            let answer = client.try_hold(again.clone()).await.expect("a replay");
            assert_eq!((answer.replayed, answer.hold.as_ref()), (true, Some(&made)), "{again:?}");
        }
        let other: &[fn(&mut Create)] = &[
            |r| r.quantity = "6.000000000001".into(),
            |r| r.metric = "n".into(),
            |r| r.allow_partial = true,
            |r| r.ttl = say::duration(TimeDelta::microseconds(900_000_001)),
            // Before what depends on credits.
            |r| r.quantity = "100".into(),
        ];
        for change in other {
            let mut again = first.clone();
            change(&mut again);
            let refused = client.try_hold(again).await;
            say::refused(refused, Code::AlreadyExists, "HOLD_ID_REUSED");
        }
        assert_eq!(world.database.counts().await, rows);
    })
    .await;
}

/// Whatever became of it: a hold's key never sets anything aside again.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_the_hold_as_it_is_now() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        for id in ["settled", "released", "expired"] {
            client.hold(hold(id, "2", 30)).await;
        }
        client.settle(say::settle("acme", "settled", "1")).await;
        client.release("acme", "released").await;
        world.only_clock_to(t0() + TimeDelta::minutes(30));
        for (id, shown) in [
            ("settled", "SETTLED 2: 0 held, 1 settled, 1 released"),
            ("released", "RELEASED 2: 0 held, 0 settled, 2 released"),
            ("expired", "EXPIRED 2: 0 held, 0 settled, 2 released"),
        ] {
            let answer = client.try_hold(hold(id, "2", 30)).await.expect("a replay");
            let again = answer.hold.expect("a hold");
            assert_eq!((answer.replayed, stands(&again).as_str()), (true, shown));
            assert_eq!(client.get_hold("acme", id).await, again);
        }
        assert_eq!(client.balance("acme").await.totals[0].available, "9");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_hold_leaves_nothing() {
    World::run(async |world| {
        let client = world.client.clone();
        let empty = world.database.counts().await;
        for partial in [false, true] {
            let asked = Create { allow_partial: partial, ..hold("h1", "6.50", 30) };
            let refused = client.try_hold(asked).await;
            let status = say::refused(refused, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
            let metadata = say::metadata(&status);
            assert_eq!((&*metadata["requested"], &*metadata["available"]), ("6.5", "0"));
        }
        assert_eq!(world.database.counts().await, empty, "no customer either");
        client.grant(say::units("acme", "6")).await;
        client.grant(say::money("acme", "6", "USD")).await;
        let pending = pb::CreateGrantRequest { effective_at: minute(1), ..say::units("acme", "6") };
        client.grant(pending).await;
        let refused = client.try_hold(hold("h1", "6.5", 30)).await;
        let status = say::refused(refused, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
        assert_eq!(say::metadata(&status)["available"], "6");
        // The key is not used up.
        let partly = Create { allow_partial: true, ..hold("h1", "7", 30) };
        let held = client.hold(partly).await;
        assert_eq!(stands(&held), "OPEN 7: 6 held, 0 settled, 0 released");
    })
    .await;
}

/// Holds that are not there; whatever else is wrong with the call.
async fn nobody_knows(client: &Client) {
    let ttl = TimeDelta::hours(1);
    for (customer, id) in [("acme", "none"), ("umbrella", "open"), ("acme", "OPEN")] {
        let named = ("credits.v1.Hold".to_owned(), id.to_owned());
        let settle = Settle {
            event_id: "used".into(),
            timestamp: say::hour(-10_000),
            ..say::settle(customer, id, "1")
        };
        let statuses = [
            client.try_get_hold(customer, id).await.expect_err("none"),
            client.try_extend(say::extend(customer, id, ttl)).await.expect_err("none"),
            client.try_release(customer, id).await.expect_err("none"),
            client.try_settle(settle).await.expect_err("none"),
        ];
        for status in statuses {
            assert_eq!((status.code(), &*say::reason(&status)), (Code::NotFound, "HOLD_NOT_FOUND"));
            assert_eq!(say::resource(&status), named);
        }
    }
}

/// For each call the first that applies, from the published list, is what is said.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_come_in_their_order() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "100")).await;
        client.record(say::usage("acme", "used", "m", "1")).await;
        for id in ["open", "settled", "released", "expired"] {
            let minutes = if id == "expired" { 1 } else { 600 };
            client.hold(hold(id, "2", minutes)).await;
        }
        client.settle(say::settle("acme", "settled", "1")).await;
        client.release("acme", "released").await;
        world.only_clock_to(t0() + TimeDelta::minutes(1));
        let rows = world.database.counts().await;

        let not_open = |status: &tonic::Status| say::metadata(status)["status"].clone();
        let ttl = TimeDelta::hours(1);
        for (id, said) in [("settled", "SETTLED"), ("released", "RELEASED"), ("expired", "EXPIRED")]
        {
            let refused = client.try_extend(say::extend("acme", id, ttl)).await;
            let status = say::refused(refused, Code::FailedPrecondition, "HOLD_NOT_OPEN");
            assert_eq!(not_open(&status), said);
        }
        let refused = client.try_release("acme", "settled").await;
        let status = say::refused(refused, Code::FailedPrecondition, "HOLD_NOT_OPEN");
        assert_eq!(not_open(&status), "SETTLED");

        nobody_knows(&client).await;

        // An event's key comes before the hold's end, and that before the timestamp's window.
        let event = |hold: &str, event: &str| Settle {
            event_id: event.into(),
            timestamp: say::hour(-10_000),
            ..say::settle("acme", hold, "1")
        };
        for id in ["open", "settled", "released", "expired"] {
            let refused = client.try_settle(event(id, "used")).await;
            say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
        }
        for (id, why) in [
            ("open", "TIMESTAMP_OUT_OF_WINDOW"),
            ("expired", "TIMESTAMP_OUT_OF_WINDOW"),
            ("settled", "HOLD_NOT_OPEN"),
            ("released", "HOLD_NOT_OPEN"),
        ] {
            say::refused(client.try_settle(event(id, "new")).await, Code::FailedPrecondition, why);
        }
        let mut now = world.database.counts().await;
        // What the clock had brought was booked on the way, and nothing else.
        now.iter_mut().filter(|(table, _)| table == "ledger_entries").for_each(|(_, n)| *n -= 1);
        assert_eq!(now, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_is_repeated_by_its_event() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "6", 30)).await;
        client.hold(hold("h2", "2", 30)).await;
        let first = Settle { event_id: "e1".into(), ..say::settle("acme", "h1", "4") };
        let settled = client.settle(first.clone()).await;
        world.advance(TimeDelta::minutes(5)).await;
        let rows = world.database.counts().await;
        let same: &[fn(&mut Settle)] = &[
            |_| {},
            |r| r.quantity = "4.0".into(),
            // An omitted timestamp agrees with any.
            |r| r.timestamp = say::hour(-10_000),
        ];
        for change in same {
            let mut again = first.clone();
            change(&mut again);
            assert_eq!(client.settle(again).await, settled);
        }
        let other: &[fn(&mut Settle)] = &[|r| r.quantity = "5".into(), |r| r.hold_id = "h2".into()];
        for change in other {
            let mut again = first.clone();
            change(&mut again);
            let refused = client.try_settle(again).await;
            say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
        }
        // As usage it is a duplicate, whatever only RecordUsage can say.
        let usage = pb::RecordUsageRequest {
            insufficient_credits: pb::InsufficientCredits::Reject.into(),
            metadata: say::pairs(&[("k", "v")]),
            timestamp: say::hour(-10_000),
            ..say::usage("acme", "e1", "m", "4")
        };
        let answer = client.try_record(usage.clone()).await.expect("a duplicate");
        assert_eq!((answer.duplicate, answer.event.as_ref()), (true, Some(&settled.1)));
        for other in [
            pb::RecordUsageRequest { metric: "n".into(), ..usage.clone() },
            pb::RecordUsageRequest { quantity: "5".into(), ..usage },
        ] {
            let refused = client.try_record(other).await;
            say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
        }
        assert_eq!(world.database.counts().await, rows);
        // What it did may be reversed: the same call draws nothing again.
        client.reverse_usage(say::reverse_usage("acme", "e1", "")).await;
        let (held, event) = client.settle(first).await;
        assert_eq!((held, event.reversed.as_str()), (settled.0, "4"));
        assert_eq!(client.balance("acme").await.totals[0].available, "8");
    })
    .await;
}

/// A hold without an event id settles under its own id, in the events' namespace.
#[tokio::test(flavor = "multi_thread")]
async fn keys_belong_to_their_customer_and_kind() {
    World::run(async |world| {
        let client = world.client.clone();
        for customer in ["acme", "umbrella"] {
            let grant =
                pb::CreateGrantRequest { request_id: "k".into(), ..say::units(customer, "9") };
            client.grant(grant).await;
            client.hold(say::hold(customer, "k", "m", "3")).await;
            client.apply(say::apply(customer, "k", "USD", "1")).await;
        }
        client.record(say::usage("acme", "k", "m", "1")).await;
        let refused = client.try_settle(say::settle("acme", "k", "1")).await;
        say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
        let (_, event) = client.settle(say::settle("umbrella", "k", "1")).await;
        assert_eq!((event.event_id.as_str(), event.covered.as_str()), ("k", "1"));
        client.settle(Settle { event_id: "l".into(), ..say::settle("acme", "k", "1") }).await;
    })
    .await;
}

/// Thirty at once: one sets credits aside, and one settles.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_does_it() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let all = (0..30).map(|_| client.try_hold(hold("h1", "6", 30)));
        let all = futures_util::future::join_all(all).await;
        let all: Vec<_> = all.into_iter().map(|answer| answer.expect("a hold")).collect();
        assert_eq!(all.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(all.iter().all(|answer| answer.hold == all[0].hold));
        let all = (0..30).map(|_| client.settle(say::settle("acme", "h1", "4")));
        let all = futures_util::future::join_all(all).await;
        assert!(all.iter().all(|answer| *answer == all[0]));
        assert_eq!(client.balance("acme").await.totals[0].available, "6");
        // Six events and one hold want what one of them can have.
        client.hold(hold("h2", "6", 30)).await;
        let ends = (0..6).map(|n| {
            let event_id = format!("e{n}");
            client.try_settle(Settle { event_id, ..say::settle("acme", "h2", "1") })
        });
        let ends = futures_util::future::join_all(ends).await;
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
        for refused in ends.into_iter().filter(Result::is_err) {
            say::refused(refused, Code::FailedPrecondition, "HOLD_NOT_OPEN");
        }
    })
    .await;
}
