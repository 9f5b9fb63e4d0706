//! UsageService: what is recorded and looked at.

use creditd::pb;
use tonic::Code;

use super::{Spot, refuses};
use crate::harness::{World, say};

fn of_usage() -> Vec<Spot<pb::RecordUsageRequest>> {
    vec![
        Spot::Id("customer_id", |r| &mut r.customer_id),
        Spot::Id("event_id", |r| &mut r.event_id),
        Spot::Id("metric", |r| &mut r.metric),
        Spot::Quantity("quantity", |r| &mut r.quantity),
        Spot::Time("timestamp", |r| &mut r.timestamp),
        Spot::Enum("insufficient_credits", |r| &mut r.insufficient_credits),
        Spot::Metadata(|r| &mut r.metadata),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_recorded_by_a_call() {
    World::run(async |world| {
        let client = world.client.clone();
        let good = say::usage("acme", "e1", "tokens", "1");
        refuses(world, good, &of_usage(), on!(client, try_record)).await;
    })
    .await;
}

/// The same faults in a stream cost only their own event.
#[tokio::test(flavor = "multi_thread")]
async fn usage_recorded_by_a_stream() {
    World::run(async |world| {
        let client = world.client.clone();
        let stream = |event: pb::RecordUsageRequest| {
            let mut usage = client.usage.clone();
            async move {
                let beside = say::usage("beside", "e1", "tokens", "1");
                let sent = event.event_id.clone();
                let request = pb::StreamUsageRequest { events: vec![event, beside] };
                let answer = usage.stream_usage(tokio_stream::once(request)).await?;
                let answer = answer.into_inner().message().await?.expect("a response");
                assert_eq!(answer.results.len(), 2);
                assert_eq!(answer.results[0].event_id, sent);
                assert!(
                    matches!(answer.results[1].outcome, Some(pb::usage_result::Outcome::Event(_))),
                    "{answer:?}"
                );
                match answer.results[0].outcome.clone().expect("an outcome") {
                    pb::usage_result::Outcome::Event(event) => Ok(event),
                    pb::usage_result::Outcome::Error(error) => Err(say::status(&error)),
                }
            }
        };
        let good = say::usage("acme", "e1", "tokens", "1");
        refuses(world, good, &of_usage(), stream).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<pb::PreviewUsageRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("metric", |r| &mut r.metric),
            Spot::Quantity("quantity", |r| &mut r.quantity),
            Spot::Time("timestamp", |r| &mut r.timestamp),
        ];
        refuses(world, say::preview("acme", "tokens", "1"), spots, on!(client, try_preview)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<pb::SummarizeUsageRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::OptionalId("metric", |r| &mut r.metric),
            Spot::Time("timestamp_after", |r| &mut r.timestamp_after),
            Spot::Time("timestamp_before", |r| &mut r.timestamp_before),
            Spot::Enum("window", |r| &mut r.window),
        ];
        let good = pb::SummarizeUsageRequest {
            customer_id: "acme".into(),
            timestamp_after: say::hour(0),
            timestamp_before: say::hour(1),
            ..Default::default()
        };
        refuses(world, good.clone(), spots, on!(client, try_summarize)).await;
        // One field several times in the table: it is spoilt, and named, once.
        let ends: &[Spot<pb::SummarizeUsageRequest>] = &[
            Spot::Case("timestamp_after", |r| r.timestamp_after = None),
            Spot::Case("timestamp_before", |r| r.timestamp_before = None),
            Spot::Case("timestamp_before", |r| r.timestamp_before = r.timestamp_after),
        ];
        for spot in ends {
            let spot = std::slice::from_ref(spot);
            refuses(world, good.clone(), spot, on!(client, try_summarize)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_named() {
    World::run(async |world| {
        let client = world.client.clone();
        client.record(say::usage("acme", "e1", "tokens", "1")).await;
        let spots: &[Spot<pb::GetUsageEventRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("event_id", |r| &mut r.event_id),
        ];
        let good = pb::GetUsageEventRequest { customer_id: "acme".into(), event_id: "e1".into() };
        let get = |request: pb::GetUsageEventRequest| {
            let client = client.clone();
            async move { client.try_event(&request.customer_id, &request.event_id).await }
        };
        refuses(world, good, spots, get).await;
    })
    .await;
}

/// What is wrong with the fields alone comes before what depends on the clock or on credits.
#[tokio::test(flavor = "multi_thread")]
async fn fields_are_looked_at_first() {
    World::run(async |world| {
        let client = &world.client;
        let bad = pb::RecordUsageRequest {
            timestamp: say::hour(100_000),
            insufficient_credits: pb::InsufficientCredits::Reject.into(),
            ..say::usage("acme", "", "tokens", "1")
        };
        let status = client.try_record(bad.clone()).await.expect_err("no event id");
        assert_eq!(say::bad_fields(&status), ["event_id"]);
        let late = pb::RecordUsageRequest { event_id: "e1".into(), ..bad };
        let refused = client.try_record(late).await;
        say::refused(refused, Code::FailedPrecondition, "TIMESTAMP_OUT_OF_WINDOW");
    })
    .await;
}
