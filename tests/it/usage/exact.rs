//! Exact figures at the extremes, and windows to the microsecond.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{at, or_reject};
use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_and_the_smallest_together() {
    World::run(async |world| {
        let client = world.client.clone();
        let large = client.grant(say::units("acme", "1000000000000000")).await;
        let event = client.record(say::usage("acme", "e1", "m", "0.000000000001")).await;
        assert_eq!(say::paid(&event.allocations), [(large.id.as_str(), "0.000000000001")]);
        let left = "999999999999999.999999999999";
        let now = client.fetch(&large.id).await;
        assert_eq!((now.remaining.as_str(), now.consumed.as_str()), (left, "0.000000000001"));
        // Together they need more than 96 bits of 10^-12.
        for n in 0..100 {
            let asked = pb::CreateGrantRequest { priority: Some(n), ..say::units("acme", left) };
            client.grant(asked).await;
        }
        let sum = "100999999999999999.999999999899";
        assert_eq!(client.balance("acme").await.totals[0].available, sum);
        let event = client.record(say::usage("acme", "e2", "m", "1000000000000000")).await;
        let paid: Vec<_> = event.allocations.iter().map(|a| a.amount.as_str()).collect();
        assert_eq!(paid, [left, "0.000000000001"]);
        let event = client.record(say::usage("acme", "e3", "m", left)).await;
        let paid: Vec<_> = event.allocations.iter().map(|a| a.amount.as_str()).collect();
        assert_eq!(paid, ["999999999999999.999999999998", "0.000000000001"]);
        let sum = "98999999999999999.9999999999";
        assert_eq!(client.balance("acme").await.totals[0].available, sum);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_parts_add_up() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::units("acme", "1")).await;
        let events = (0..30).map(|n| say::usage("acme", &n.to_string(), "m", "0.033333333333"));
        futures_util::future::join_all(events.map(|event| client.record(event))).await;
        assert_eq!(client.fetch(&grant.id).await.remaining, "0.00000000001");
        let event = client.record(say::usage("acme", "last", "m", "0.1")).await;
        let figures = (event.covered.as_str(), event.uncovered.as_str());
        assert_eq!(figures, ("0.00000000001", "0.09999999999"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_used_is_an_event_too() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "1")).await;
        for (id, quantity) in [("e1", "0"), ("e2", "0.000")] {
            let event = client.record(or_reject(at(None, id, quantity))).await;
            let figures = [&event.quantity, &event.covered, &event.uncovered, &event.reversed];
            assert_eq!(figures, ["0", "0", "0", "0"]);
            assert_eq!(event.allocations, []);
            assert_eq!(client.event("acme", id).await, event);
        }
        assert_eq!(client.ledger("acme").await.len(), 1);
        // Under REJECT with nothing to spend, too: all of nothing is covered.
        let event = pb::RecordUsageRequest { customer_id: "new".into(), ..at(None, "e1", "0") };
        client.record(or_reject(event)).await;
    })
    .await;
}

/// A grant pays from effective_at on, and until just before expires_at, by the event's timestamp.
#[tokio::test(flavor = "multi_thread")]
async fn a_grants_window_is_kept_to_the_microsecond() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest {
            effective_at: say::hour(1),
            expires_at: say::hour(2),
            ..say::units("acme", "10")
        };
        client.grant(asked).await;
        world.advance(TimeDelta::minutes(119)).await;
        let tick = TimeDelta::microseconds(1);
        let (starts, ends) = (TimeDelta::hours(1), TimeDelta::hours(2));
        for (n, (when, covered)) in
            [(starts - tick, "0"), (starts, "1"), (ends - tick, "1"), (ends, "0")]
                .into_iter()
                .enumerate()
        {
            // The last two are a minute ahead of the clock.
            let event = client.record(at(say::after(when), &format!("e{n}"), "1")).await;
            assert_eq!(event.covered, covered, "{when}");
            assert_eq!(event.timestamp, say::after(when));
        }
        // The same by the clock alone.
        world.only_clock_to(t0() + ends - tick);
        assert_eq!(client.record(at(None, "before", "1")).await.covered, "1");
        world.only_clock_to(t0() + ends);
        assert_eq!(client.record(at(None, "after", "1")).await.covered, "0");
        let entries = client.ledger("acme").await;
        let lines = say::lines(&entries);
        assert_eq!(lines.last().map(String::as_str), Some("5 EXPIRED -7 -> 0"));
    })
    .await;
}

/// 5 minutes ahead and 35 days behind: exactly that is taken, a microsecond more is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_events_window_is_kept_to_the_microsecond() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest {
            effective_at: say::after(TimeDelta::days(-100)),
            ..say::units("acme", "10")
        };
        client.grant(asked).await;
        let tick = TimeDelta::microseconds(1);
        let (ahead, behind) = (TimeDelta::minutes(5), TimeDelta::days(-35));
        let before = world.database.counts().await;
        for when in [ahead + tick, behind - tick, TimeDelta::days(-36), TimeDelta::days(36)] {
            let refused = client.try_record(at(say::after(when), "e1", "1")).await;
            say::refused(refused, Code::FailedPrecondition, "TIMESTAMP_OUT_OF_WINDOW");
            let preview = pb::PreviewUsageRequest {
                timestamp: say::after(when),
                ..say::preview("acme", "m", "1")
            };
            let preview = client.try_preview(preview).await;
            if when > ahead {
                say::refused(preview, Code::FailedPrecondition, "TIMESTAMP_OUT_OF_WINDOW");
            } else {
                // It explains any past instant, though no event of then can be recorded any more.
                assert_eq!(preview.expect("a preview").covered, "1");
            }
        }
        assert_eq!(world.database.counts().await, before);
        // The key is not burnt; less than a microsecond more is cut.
        let mut just = say::after(ahead).expect("a time");
        just.nanos += 999;
        assert_eq!(client.record(at(Some(just), "e1", "1")).await.timestamp, say::after(ahead));
        let event = client.record(at(say::after(behind), "e2", "1")).await;
        assert_eq!((event.covered.as_str(), event.timestamp), ("1", say::after(behind)));
        assert_eq!(event.recorded_at, say::hour(0));
        // What was recorded stays recorded when its window has closed: the key comes first.
        world.advance(TimeDelta::days(40)).await;
        let again =
            client.try_record(at(say::after(behind), "e2", "1")).await.expect("a duplicate");
        assert_eq!((again.duplicate, again.event), (true, Some(event)));
        let refused = client.try_record(at(say::after(behind), "e2", "2")).await;
        say::refused(refused, Code::AlreadyExists, "EVENT_ID_REUSED");
    })
    .await;
}
