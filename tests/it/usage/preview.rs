//! PreviewUsage: what an event would do, and what each grant says to it.

use chrono::TimeDelta;
use creditd::pb::{self, CandidateVerdict as Verdict};

use super::at;
use crate::harness::{World, say, t0};

type Create = pb::CreateGrantRequest;

fn named(name: &str, amount: &str, change: impl FnOnce(&mut Create)) -> Create {
    let mut asked = Create { description: name.into(), ..say::units("acme", amount) };
    change(&mut asked);
    asked
}

/// Verdicts and what is available, by the grants' names, in the candidates' order.
async fn candidates(
    world: &World,
    preview: &pb::PreviewUsageResponse,
) -> Vec<(String, Verdict, String)> {
    let mut all = Vec::new();
    for (position, candidate) in (1..).zip(&preview.candidates) {
        assert_eq!(candidate.position, position);
        let name = world.client.fetch(&candidate.grant_id).await.description;
        all.push((name, candidate.verdict(), candidate.available.clone()));
    }
    all
}

/// A grant for every verdict, made so that the order of consumption is that of their names.
async fn one_for_each_verdict(world: &mut World) {
    let client = world.client.clone();
    let first = |r: &mut Create| r.priority = Some(1);
    client.grant(named("a exhausted", "1", first)).await;
    client.record(say::usage("acme", "before", "m", "1")).await;
    let money = Create {
        description: "b money".into(),
        priority: Some(2),
        ..say::money("acme", "100", "USD")
    };
    client.grant(money).await;
    let other = named("c other metric", "1", |r| {
        r.priority = Some(3);
        r.metrics = say::names(&["n"]);
    });
    client.grant(other).await;
    let voided = client.grant(named("d voided", "1", |r| r.priority = Some(4))).await;
    client.void(&voided.id, "r").await;
    let window = |from: i64, until: i64, priority: i32| {
        move |r: &mut Create| {
            r.effective_at = say::hour(from);
            r.expires_at = say::hour(until);
            r.priority = Some(priority);
        }
    };
    client.grant(named("e closed for late events", "1", window(0, 48, 5))).await;
    client.grant(named("f reclaimable", "2", window(0, 50, 6))).await;
    client.grant(named("g expired by then", "1", window(0, 10, 7))).await;
    client.grant(named("h pending then", "1", window(30, 500, 8))).await;
    client.grant(named("i live", "3", |r| r.priority = Some(9))).await;
    client
        .grant(named("j live, tied", "4", |r| {
            r.priority = Some(10);
            r.metrics = say::names(&["m", "n"]);
        }))
        .await;
    client.grant(named("k never needed", "5", |r| r.priority = Some(11))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_grant_says_why_or_why_not() {
    World::run(async |world| {
        one_for_each_verdict(world).await;
        // Nobody has booked what has expired; the event happened at hour 20.
        world.only_clock_to(t0() + TimeDelta::hours(120));
        let asked = pb::PreviewUsageRequest {
            timestamp: say::hour(20),
            ..say::preview("acme", "m", "7.5")
        };
        let before = world.database.counts().await;
        let preview = world.client.preview(asked).await;
        let expected = [
            ("a exhausted", Verdict::Exhausted, "0"),
            ("b money", Verdict::OtherType, "0"),
            ("c other metric", Verdict::OtherMetric, "0"),
            ("d voided", Verdict::Voided, "0"),
            ("e closed for late events", Verdict::Expired, "0"),
            ("f reclaimable", Verdict::Eligible, "2"),
            ("g expired by then", Verdict::Expired, "0"),
            ("h pending then", Verdict::Pending, "0"),
            ("i live", Verdict::Eligible, "3"),
            ("j live, tied", Verdict::Eligible, "4"),
            ("k never needed", Verdict::Eligible, "5"),
        ]
        .map(|(name, verdict, available)| (name.to_owned(), verdict, available.to_owned()));
        assert_eq!(candidates(world, &preview).await, expected);
        assert_eq!(preview.candidates_omitted, 0);
        assert_eq!((preview.covered.as_str(), preview.uncovered.as_str()), ("7.5", "0"));
        let paid: Vec<_> = preview.allocations.iter().map(|a| a.amount.as_str()).collect();
        assert_eq!(paid, ["2", "3", "2.5"]);
        assert_eq!(world.database.counts().await, before, "a preview wrote something");

        // And then it happens.
        let event = world.client.record(at(say::hour(20), "e1", "7.5")).await;
        assert_eq!(event.allocations, preview.allocations);
        assert_eq!((event.covered, event.uncovered), (preview.covered, preview.uncovered));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_follow_the_windows_edges() {
    World::run(async |world| {
        let asked = named("g", "10", |r| {
            (r.effective_at, r.expires_at) = (say::hour(1), say::hour(2));
        });
        world.client.grant(asked).await;
        let tick = TimeDelta::microseconds(1);
        let hours = TimeDelta::hours;
        for (now, then, verdict) in [
            (hours(0), hours(0), Verdict::Pending),
            (hours(1) - tick, hours(1) - tick, Verdict::Pending),
            (hours(1) - tick, hours(1), Verdict::Eligible),
            (hours(1), hours(1), Verdict::Eligible),
            (hours(1), hours(1) - tick, Verdict::Pending),
            (hours(2) - tick, hours(2) - tick, Verdict::Eligible),
            (hours(2) - tick, hours(2), Verdict::Expired),
            (hours(2), hours(2), Verdict::Expired),
            (hours(2), hours(2) - tick, Verdict::Eligible),
            (hours(74) - tick, hours(1), Verdict::Eligible),
            (hours(74), hours(1), Verdict::Expired),
            // Both apply: the first of the published order counts.
            (hours(74), hours(1) - tick, Verdict::Expired),
        ] {
            world.only_clock_to(t0() + now);
            let timestamp = say::after(then);
            let asked = pb::PreviewUsageRequest { timestamp, ..say::preview("acme", "m", "4") };
            let preview = world.client.preview(asked).await;
            let (covered, available) =
                if verdict == Verdict::Eligible { ("4", "10") } else { ("0", "0") };
            assert_eq!(preview.candidates[0].verdict(), verdict, "{then} seen at {now}");
            assert_eq!(preview.candidates[0].available, available);
            assert_eq!(preview.covered, covered);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_customer_has_no_candidates() {
    World::run(async |world| {
        let expected = pb::PreviewUsageResponse {
            covered: "0".into(),
            uncovered: "2.5".into(),
            ..Default::default()
        };
        assert_eq!(world.client.preview(say::preview("nobody", "m", "2.50")).await, expected);
        let expected = pb::PreviewUsageResponse { uncovered: "0".into(), ..expected };
        assert_eq!(world.client.preview(say::preview("nobody", "m", "0")).await, expected);
        assert!(world.database.counts().await.iter().all(|(_, count)| *count == 0));
    })
    .await;
}

/// What has been held, voided, spent and closed since says so of any instant, however long ago:
/// though nothing of then could be recorded any more.
#[tokio::test(flavor = "multi_thread")]
async fn any_past_instant_is_explained() {
    World::run(async |world| {
        let client = world.client.clone();
        let ranked = |priority: i32, until: Option<i64>| {
            move |r: &mut Create| {
                (r.priority, r.expires_at) = (Some(priority), until.and_then(say::hour));
            }
        };
        client.grant(named("d spent", "1", ranked(4, Some(10)))).await;
        client.record(say::usage("acme", "before", "m", "1")).await;
        client.grant(named("a held", "4", ranked(1, None))).await;
        let voided = client.grant(named("b voided", "4", ranked(2, None))).await;
        client.grant(named("c held, ends", "4", ranked(3, Some(90)))).await;
        client.grant(named("e live", "5", ranked(5, None))).await;
        world.advance(TimeDelta::hours(80)).await;
        let ttl = say::duration(TimeDelta::hours(24));
        client.hold(pb::CreateHoldRequest { ttl, ..say::hold("acme", "h1", "m", "12") }).await;
        client.void(&voided.id, "r").await;
        let before = world.database.counts().await;
        let none = |verdict| (verdict, "0");
        let said = [
            // Held, when it could be reclaimed; before any of it; and long after the hold's end.
            (100, 20, [none(Verdict::Held), none(Verdict::Held), (Verdict::Eligible, "5")], "5"),
            (100, -2_000, [none(Verdict::Pending); 3], "0"),
            (
                3_000,
                20,
                [(Verdict::Eligible, "4"), none(Verdict::Expired), (Verdict::Eligible, "5")],
                "7",
            ),
            (3_000, -2_000, [Verdict::Pending, Verdict::Expired, Verdict::Pending].map(none), "0"),
        ];
        for (now, then, [held, ends, live], covered) in said {
            world.only_clock_to(t0() + TimeDelta::hours(now));
            let timestamp = say::hour(then);
            let asked = pb::PreviewUsageRequest { timestamp, ..say::preview("acme", "m", "7") };
            let preview = client.preview(asked).await;
            let expected = [
                ("a held", held),
                ("b voided", none(Verdict::Voided)),
                ("c held, ends", ends),
                ("d spent", none(Verdict::Exhausted)),
                ("e live", live),
            ]
            .map(|(name, (verdict, available))| (name.to_owned(), verdict, available.to_owned()));
            assert_eq!(candidates(world, &preview).await, expected, "{then} seen at {now}");
            assert_eq!(preview.covered, covered);
        }
        assert_eq!(world.database.counts().await, before, "a preview wrote something");
    })
    .await;
}
