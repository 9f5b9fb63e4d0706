//! Going down: what was accepted is answered, what was acknowledged stays.

use creditd::pb;

use super::{free_address, health, until_ready};
use crate::harness::child::Serving;
use crate::harness::load::{self, Known, Load, OnFailure};
use crate::harness::wait::until;
use crate::harness::{Database, Options, Server, say};

/// Callers at once, on a few connections.
const CALLERS: usize = 48;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_that_it_goes_and_answers_what_it_has_begun() {
    let database = Database::create().await;
    let probes = free_address();
    let flags = ["--health-listen", &probes.to_string()];
    let serving = Serving::start_with(&database.url, &flags).await;
    until_ready(probes, true).await;
    let client = serving.client();
    client.grant(say::units("acme", "10")).await;
    let locked = database.lock("acme").await;
    let mut usage = client.usage.clone();
    let call = async move { usage.record_usage(say::usage("acme", "e1", "m", "4")).await };
    let call = tokio::spawn(call);
    database.until_waiting(1).await;
    let ended = tokio::spawn(serving.stop());
    until_ready(probes, false).await;
    assert!(!call.is_finished() && !ended.is_finished(), "it drains");
    locked.release().await;
    let event = call.await.expect("a call").expect("an answer").into_inner().event;
    assert_eq!(event.expect("an event").covered, "4");
    assert!(ended.await.expect("a child").success());
    assert_eq!(health(probes, "liveness").await, None);
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recorded_that_was_not_answered() {
    let database = Database::create().await;
    let mut known = Known::default();
    for round in 0..2 {
        let serving = Serving::start(&database.url).await;
        if round == 0 {
            load::grants(&serving.client()).await;
        }
        let connections: Vec<_> = (0..4).map(|_| serving.client()).collect();
        let clients = connections.iter().cycle().take(CALLERS).cloned().collect();
        let load = Load::start(&format!("round-{round}"), clients, OnFailure::Stop);
        load.more(500).await;
        assert!(serving.stop().await.success());
        let told = load.end().await;
        // Those of which nobody was told were never begun.
        assert!(!told.unanswered.is_empty(), "callers were at it");
        known.acknowledged.extend(told.acknowledged);
    }
    let server = Server::start(&database.url, &Options::real()).await;
    known.is_all(&server.client()).await;
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_told_and_keep_what_they_were_told() {
    let database = Database::create().await;
    let serving = Serving::start(&database.url).await;
    let client = serving.client();
    let messages = (0..).map(|message| {
        let event = |number| say::usage("acme", &format!("s{message}-{number}"), "m", "1");
        pb::StreamUsageRequest { events: (0..20).map(event).collect() }
    });
    let answers = client.usage.clone().stream_usage(tokio_stream::iter(messages)).await;
    let mut answers = answers.expect("a stream").into_inner();
    let mut acknowledged = Vec::new();
    let mut take = |answer: pb::StreamUsageResponse| {
        for result in answer.results {
            match result.outcome {
                Some(pb::usage_result::Outcome::Event(event)) => acknowledged.push(event),
                other => panic!("{other:?}"),
            }
        }
    };
    for _ in 0..20 {
        take(answers.message().await.expect("an answer").expect("an answer"));
    }
    let ended = tokio::spawn(serving.stop());
    let farewell = loop {
        match answers.message().await {
            Ok(Some(answer)) => take(answer),
            Ok(None) => panic!("it ended without a word"),
            Err(status) => break status,
        }
    };
    load::unavailable(&farewell);
    assert!(ended.await.expect("a child").success());
    let server = Server::start(&database.url, &Options::real()).await;
    let mut listed = load::events(&server.client(), "acme").await;
    acknowledged.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    listed.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    assert_eq!(listed, acknowledged);
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_dies_and_the_other_goes_on() {
    let database = Database::create().await;
    let (dies, stays) = (Serving::start(&database.url).await, Serving::start(&database.url).await);
    load::grants(&stays.client()).await;
    let clients = |serving: &Serving| (0..6).map(|_| serving.client()).collect();
    let on_dying = Load::start("dies", clients(&dies), OnFailure::Stop);
    let on_staying = Load::start("stays", clients(&stays), OnFailure::Panic);
    on_dying.more(100).await;
    on_staying.more(100).await;
    dies.kill().await;
    let mut known = on_dying.end().await;
    // What it had locked is free, and nobody else notices.
    on_staying.more(200).await;
    known.add(on_staying.stop().await);
    let client = stays.client();
    load::settle(&client, &mut known).await;
    known.is_all(&client).await;
    until("nothing waits", async || {
        let sql = database.connect().await;
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        sql.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0) == 0
    })
    .await;
    assert!(stays.stop().await.success());
    database.audit().await;
    database.drop().await;
}
