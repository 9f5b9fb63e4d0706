//! SummarizeUsage: what it adds up is what ListUsageEvents lists, whatever is rolled up.

mod edges;
mod history;

use creditd::pb;
use creditd::pb::UsageWindow::{self, All, Day, Hour, Unspecified};
use prost_types::Timestamp;
use tonic::Code;

use crate::harness::{Client, World, say};

type Ask = pb::SummarizeUsageRequest;

/// Usage between two instants.
fn between(from: Option<Timestamp>, before: Option<Timestamp>, window: UsageWindow) -> Ask {
    Ask {
        customer_id: "acme".into(),
        metric: String::new(),
        timestamp_after: from,
        timestamp_before: before,
        window: window.into(),
    }
}

async fn summary(client: &Client, ask: &Ask) -> Vec<pb::UsageSummary> {
    client.try_summarize(ask.clone()).await.expect("a summary").rows
}

/// A line for each row: metric, window, events; quantity, covered, uncovered.
fn lines(rows: &[pb::UsageSummary]) -> Vec<String> {
    let line = |row: &pb::UsageSummary| {
        let start = say::instant(row.window_start.as_ref()).format("%d %H:%M:%S%.f");
        let pb::UsageSummary { metric, events, quantity, covered, uncovered, reversed, .. } = row;
        assert_eq!(reversed, "0");
        format!("{metric} {start}: {events}, {quantity} = {covered} + {uncovered}")
    };
    rows.iter().map(line).collect()
}

/// Sends events on one stream, all of which must be recorded.
async fn send(client: &Client, events: &[pb::RecordUsageRequest]) {
    let requests: Vec<_> = events
        .chunks(1_000)
        .map(|events| pb::StreamUsageRequest { events: events.to_vec() })
        .collect();
    let mut usage = client.usage.clone();
    let answers = usage.stream_usage(tokio_stream::iter(requests)).await.expect("a stream");
    let mut answers = answers.into_inner();
    while let Some(answer) = answers.message().await.expect("an answer") {
        for result in answer.results {
            assert!(matches!(result.outcome, Some(pb::usage_result::Outcome::Event(_))));
            assert!(!result.duplicate);
        }
    }
}

/// Recorded at 10:30 but for the last, which is recorded at 12:00.
async fn some_usage(world: &mut World) {
    let client = world.client.clone();
    client.grant(say::units("acme", "10")).await;
    world.advance(chrono::TimeDelta::minutes(10 * 60 + 30)).await;
    let events = [
        ("e1", "tokens", say::hour(10), "4"),
        ("e2", "tokens", say::after(chrono::TimeDelta::minutes(629)), "4.5"),
        ("e3", "calls", say::hour(10), "0.000000000001"),
        ("e4", "tokens", say::hour(9), "3"),
        ("e5", "tokens", say::hour(-10), "0.5"),
        ("e6", "calls", say::hour(-10), "0"),
    ];
    for (id, metric, timestamp, quantity) in events {
        let event = say::usage("acme", id, metric, quantity);
        client.record(pb::RecordUsageRequest { timestamp, ..event }).await;
    }
    client.record(say::usage("umbrella", "e1", "tokens", "7")).await;
    world.advance(chrono::TimeDelta::minutes(90)).await;
    client.record(say::usage("acme", "e7", "tokens", "1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_by_metric_and_window_with_figures_that_add_up() {
    World::run(async |world| {
        some_usage(world).await;
        let client = world.client.clone();
        let all = [
            "calls 31 12:00:00: 2, 0.000000000001 = 0.000000000001 + 0",
            "tokens 31 12:00:00: 5, 13 = 9.999999999999 + 3.000000000001",
        ];
        let days = [
            "calls 31 00:00:00: 1, 0 = 0 + 0",
            "calls 01 00:00:00: 1, 0.000000000001 = 0.000000000001 + 0",
            "tokens 31 00:00:00: 1, 0.5 = 0 + 0.5",
            "tokens 01 00:00:00: 4, 12.5 = 9.999999999999 + 2.500000000001",
        ];
        let hours = [
            "calls 31 14:00:00: 1, 0 = 0 + 0",
            "calls 01 10:00:00: 1, 0.000000000001 = 0.000000000001 + 0",
            "tokens 31 14:00:00: 1, 0.5 = 0 + 0.5",
            "tokens 01 09:00:00: 1, 3 = 1.499999999999 + 1.500000000001",
            "tokens 01 10:00:00: 2, 8.5 = 8.5 + 0",
            "tokens 01 12:00:00: 1, 1 = 0 + 1",
        ];
        let cases: [(UsageWindow, &[&str]); 4] =
            [(All, &all), (Unspecified, &all), (Day, &days), (Hour, &hours)];
        // What is rolled up between the two says the same.
        for rolled in [false, true] {
            for (window, expected) in cases {
                let ask = between(say::hour(-12), say::hour(13), window);
                assert_eq!(lines(&summary(&client, &ask).await), expected, "{rolled}");
            }
            let ask = between(say::hour(-12), say::hour(13), All);
            let calls = Ask { metric: "calls".into(), ..ask.clone() };
            assert_eq!(lines(&summary(&client, &calls).await), all[..1]);
            let umbrella = Ask { customer_id: "umbrella".into(), ..ask.clone() };
            let theirs = ["tokens 31 12:00:00: 1, 7 = 0 + 7"];
            assert_eq!(lines(&summary(&client, &umbrella).await), theirs);
            let nobody = Ask { customer_id: "nobody".into(), ..ask.clone() };
            assert_eq!(summary(&client, &nobody).await, []);
            let nothing = Ask { metric: "other".into(), ..ask };
            assert_eq!(summary(&client, &nothing).await, []);
            world.database.roll_up_next().await;
            world.advance(chrono::TimeDelta::hours(2)).await;
            client.record(say::usage("acme", &format!("later {rolled}"), "tokens", "1")).await;
        }
    })
    .await;
}

/// The order is that of bytes, as it is for ids.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_ordered_by_their_bytes() {
    World::run(async |world| {
        let mut metrics = say::names(&["b", "B", "a", "é", "a b", "a.b", "顧", "~"]);
        for metric in &metrics {
            world.client.record(say::usage("acme", metric, metric, "1")).await;
        }
        metrics.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        let rows = summary(&world.client, &between(say::hour(0), say::hour(1), All)).await;
        assert_eq!(rows.into_iter().map(|row| row.metric).collect::<Vec<_>>(), metrics);
    })
    .await;
}

/// More than a single event may have, and more than a 96-bit decimal holds.
#[tokio::test(flavor = "multi_thread")]
async fn large_sums_are_exact() {
    World::run(async |world| {
        let most = "999999999999999.999999999999";
        let event = |n: usize| say::usage("acme", &format!("e{n}"), "m", most);
        send(&world.client, &(0..500).map(event).collect::<Vec<_>>()).await;
        world.database.roll_up_next().await;
        world.advance(chrono::TimeDelta::hours(1)).await;
        send(&world.client, &(500..1_000).map(event).collect::<Vec<_>>()).await;
        let rows = summary(&world.client, &between(say::hour(0), say::hour(2), All)).await;
        let sum = "999999999999999999.999999999";
        assert_eq!(lines(&rows), [format!("m 01 00:00:00: 1000, {sum} = 0 + {sum}")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_has_at_most_10000_rows() {
    World::run(async |world| {
        let client = &world.client;
        let event = |n: usize| say::usage("acme", &format!("e{n}"), &format!("m{n:05}"), "1");
        send(client, &(0..10_000).map(event).collect::<Vec<_>>()).await;
        let ask = between(say::hour(0), say::hour(2), Day);
        assert_eq!(summary(client, &ask).await.len(), 10_000);
        client.record(event(10_000)).await;
        let refused = client.try_summarize(ask.clone()).await;
        let refused = say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        let metadata = say::metadata(&refused);
        assert_eq!((&*metadata["name"], &*metadata["limit"]), ("summary_rows", "10000"));
        let one = Ask { metric: "m00007".into(), ..ask };
        assert_eq!(summary(client, &one).await.len(), 1);
    })
    .await;
}
