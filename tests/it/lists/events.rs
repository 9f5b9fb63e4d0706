//! ListUsageEvents.

use chrono::TimeDelta;
use creditd::pb;

use crate::harness::{World, say};

type List = pb::ListUsageEventsRequest;

fn acme() -> List {
    List { customer_id: "acme".into(), ..Default::default() }
}

async fn pages(world: &World, list: &List) -> (Vec<pb::UsageEvent>, Vec<usize>) {
    let (mut all, mut sizes, mut list) = (Vec::new(), Vec::new(), list.clone());
    loop {
        let page = world.client.try_list_events(list.clone()).await.expect("a page");
        sizes.push(page.events.len());
        all.extend(page.events);
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            return (all, sizes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_filters() {
    World::run(async |world| {
        let client = world.client.clone();
        let a = client.grant(say::units("acme", "10")).await;
        let b = client.grant(say::units("acme", "10")).await;
        let theirs = client.grant(say::units("umbrella", "10")).await;
        client.record(say::usage("umbrella", "e1", "m", "1")).await;
        // Each is recorded an hour after the one before; they happened the other way round.
        for (n, metric, quantity) in
            [(1, "m", "4"), (2, "n", "8"), (3, "m", "8"), (4, "m", "1"), (5, "n", "0")]
        {
            let event = pb::RecordUsageRequest {
                timestamp: say::hour(10 - n),
                metadata: say::pairs(&[("n", &n.to_string())]),
                ..say::usage("acme", &format!("e{n}"), metric, quantity)
            };
            world.advance_to(crate::harness::t0() + TimeDelta::hours(10 + n)).await;
            client.record(event).await;
        }
        let grant = |grant: &pb::Grant| List { grant_id: grant.id.clone(), ..acme() };
        let metric = |metric: &str| List { metric: metric.into(), ..acme() };
        let happened = |after: i64, before: i64| List {
            timestamp_after: say::hour(after),
            timestamp_before: say::hour(before),
            ..acme()
        };
        let cases: Vec<(List, &[&str])> = vec![
            (acme(), &["e1", "e2", "e3", "e4", "e5"]),
            (metric("m"), &["e1", "e3", "e4"]),
            (metric("n"), &["e2", "e5"]),
            (metric("o"), &[]),
            (grant(&a), &["e1", "e2"]),
            (grant(&b), &["e2", "e3"]),
            (grant(&theirs), &[]),
            (List { metric: "m".into(), ..grant(&b) }, &["e3"]),
            (happened(6, 8), &["e3", "e4"]),
            (List { timestamp_after: say::hour(8), ..acme() }, &["e1", "e2"]),
            (List { timestamp_before: say::hour(6), ..acme() }, &["e5"]),
            (List { recorded_after: say::hour(13), ..acme() }, &["e3", "e4", "e5"]),
            (List { recorded_after: say::hour(16), ..acme() }, &[]),
            (List { recorded_after: say::hour(13), ..happened(7, 100) }, &["e3"]),
            (List { customer_id: "umbrella".into(), ..Default::default() }, &["e1"]),
        ];
        for (list, expected) in cases {
            for page_size in [1, 2, 1_000] {
                let list = List { page_size, ..list.clone() };
                let (found, _) = pages(world, &list).await;
                let ids: Vec<_> = found.iter().map(|event| event.event_id.as_str()).collect();
                assert_eq!(ids, expected, "{list:?}");
                for event in &found {
                    let got = client.event(&list.customer_id, &event.event_id).await;
                    assert_eq!(*event, got);
                }
            }
        }
        let event = client.event("acme", "e2").await;
        assert_eq!(say::paid(&event.allocations), [(a.id.as_str(), "6"), (b.id.as_str(), "2")]);
        let event = client.event("acme", "e3").await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("8", "0"));
    })
    .await;
}

/// By recorded_at and then event_id, byte by byte, however they were sent.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_instant_are_ordered_by_their_ids() {
    World::run(async |world| {
        let mut ids: Vec<String> = (0..40).map(|n| format!("e{}", (n * 17) % 40)).collect();
        ids.extend(say::names(&["B", "a", "A", "b", "é", "e", "e1 x", "e1:x", "顧", "~"]));
        let events = ids.iter().map(|id| say::usage("acme", id, "m", "1")).collect();
        let request = pb::StreamUsageRequest { events };
        let mut usage = world.client.usage.clone();
        let mut answers =
            usage.stream_usage(tokio_stream::once(request)).await.expect("a stream").into_inner();
        assert_eq!(answers.message().await.expect("an answer").expect("one").results.len(), 50);
        world.advance(TimeDelta::hours(1)).await;
        world.client.record(say::usage("acme", "!", "m", "1")).await;

        ids.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        ids.push("!".into());
        let (all, sizes) = pages(world, &acme()).await;
        assert_eq!(sizes, [51]);
        let found: Vec<_> = all.iter().map(|event| event.event_id.clone()).collect();
        assert_eq!(found, ids);
        for (page_size, expected) in [(1, vec![1; 51]), (2, [vec![2; 25], vec![1]].concat())] {
            let list = List { page_size, ..acme() };
            assert_eq!(pages(world, &list).await, (all.clone(), expected));
        }
        // A page that begins in the middle of an instant, with a filter that names the same one.
        let list = List { page_size: 7, recorded_after: say::hour(0), ..acme() };
        assert_eq!(pages(world, &list).await.0, all);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_100_unless_asked_and_1000_at_most() {
    World::run(async |world| {
        let event = |n| say::usage("acme", &format!("e{n:04}"), "m", "1");
        let requests = [
            pb::StreamUsageRequest { events: (0..1_000).map(event).collect() },
            pb::StreamUsageRequest { events: vec![event(1_000)] },
        ];
        let mut usage = world.client.usage.clone();
        let answers = usage.stream_usage(tokio_stream::iter(requests)).await.expect("a stream");
        let mut answers = answers.into_inner();
        while answers.message().await.expect("an answer").is_some() {}
        let of = |page_size| List { page_size, ..acme() };
        let (all, sizes) = pages(world, &of(5_000)).await;
        assert_eq!((all.len(), sizes), (1_001, vec![1_000, 1]));
        let (same, sizes) = pages(world, &of(0)).await;
        assert_eq!((same, sizes), (all, [vec![100; 10], vec![1]].concat()));
    })
    .await;
}
