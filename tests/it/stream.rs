//! StreamUsage: dense answers in order, whatever becomes of single events and of the caller.

use chrono::TimeDelta;
use creditd::pb::{self, usage_result::Outcome};
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::harness::{Client, World, say, t0};

type Record = pb::RecordUsageRequest;

fn event(id: &str) -> Record {
    say::usage("acme", id, "m", "1")
}

fn reject(id: &str) -> Record {
    let insufficient_credits = pb::InsufficientCredits::Reject.into();
    Record { insufficient_credits, ..event(id) }
}

fn message(events: impl IntoIterator<Item = Record>) -> pb::StreamUsageRequest {
    pb::StreamUsageRequest { events: events.into_iter().collect() }
}

/// An open stream: a sender that ends it when dropped, and the answers.
async fn open(
    client: &Client,
) -> (mpsc::Sender<pb::StreamUsageRequest>, Streaming<pb::StreamUsageResponse>) {
    let (sender, requests) = mpsc::channel(64);
    let answers = client.usage.clone().stream_usage(ReceiverStream::new(requests)).await;
    (sender, answers.expect("a stream").into_inner())
}

/// Sends all, ends the stream, and reads it to its end.
async fn answers(
    client: &Client,
    requests: Vec<pb::StreamUsageRequest>,
) -> (Vec<pb::StreamUsageResponse>, Result<(), Status>) {
    let requests = tokio_stream::iter(requests);
    let answers = client.usage.clone().stream_usage(requests).await.expect("a stream");
    let mut answers = answers.into_inner();
    let mut all = Vec::new();
    loop {
        match answers.message().await {
            Ok(Some(answer)) => all.push(answer),
            Ok(None) => return (all, Ok(())),
            Err(status) => return (all, Err(status)),
        }
    }
}

/// The results of a stream of one message.
async fn results(client: &Client, events: Vec<Record>) -> Vec<pb::UsageResult> {
    let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
    let (mut all, end) = answers(client, vec![message(events)]).await;
    end.expect("a clean end");
    assert_eq!(all.len(), 1);
    let results = all.remove(0).results;
    assert_eq!(results.iter().map(|r| r.event_id.clone()).collect::<Vec<_>>(), ids);
    results
}

fn recorded(result: &pb::UsageResult) -> &pb::UsageEvent {
    match &result.outcome {
        Some(Outcome::Event(event)) => event,
        other => panic!("{}: {other:?}", result.event_id),
    }
}

fn refused(result: &pb::UsageResult) -> Status {
    match &result.outcome {
        Some(Outcome::Error(error)) => say::status(error),
        other => panic!("{}: {other:?}", result.event_id),
    }
}

/// A bad event costs only itself, and is told what a call of its own would be told.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_has_its_result_in_its_place() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "2.5")).await;
        client.record(event("before")).await;
        let sent = vec![
            event("e1"),
            Record { metric: " ".into(), quantity: "x".into(), ..event("e2") },
            event("before"),
            Record { quantity: "2".into(), ..event("before") },
            reject("e3"),
            Record { timestamp: say::hour(1), ..event("e4") },
            Record { event_id: String::new(), ..event("") },
            Record { customer_id: "umbrella".into(), ..event("e5") },
            event("e6"),
        ];
        let results = results(&client, sent.clone()).await;
        assert_eq!(recorded(&results[0]).covered, "1");
        assert_eq!(say::bad_fields(&refused(&results[1])), ["metric", "quantity"]);
        assert_eq!((recorded(&results[2]).covered.as_str(), results[2].duplicate), ("1", true));
        assert_eq!(say::reason(&refused(&results[3])), "EVENT_ID_REUSED");
        let poor = refused(&results[4]);
        assert_eq!((poor.code(), say::reason(&poor).as_str()), {
            (Code::FailedPrecondition, "INSUFFICIENT_CREDITS")
        });
        assert_eq!(say::metadata(&poor)["requested"], "1");
        assert_eq!(say::metadata(&poor)["available"], "0.5");
        assert_eq!(say::reason(&refused(&results[5])), "TIMESTAMP_OUT_OF_WINDOW");
        assert_eq!(say::bad_fields(&refused(&results[6])), ["event_id"]);
        assert_eq!(recorded(&results[7]).uncovered, "1");
        let last = recorded(&results[8]);
        assert_eq!((last.covered.as_str(), last.uncovered.as_str()), ("0.5", "0.5"));
        assert_eq!(results.iter().filter(|result| result.duplicate).count(), 1);
        assert_eq!(client.event("acme", "e6").await, *last);

        // What is refused is refused alike by a call: code, text and details.
        for (index, event) in sent.into_iter().enumerate().filter(|(n, _)| [1, 3, 5, 6].contains(n))
        {
            let alone = client.try_record(event).await.expect_err("refused");
            let here = refused(&results[index]);
            assert_eq!((here.code(), here.message()), (alone.code(), alone.message()));
            assert_eq!(here.details(), alone.details());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_repeated_in_one_message_is_recorded_once() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let other = Record { quantity: "2".into(), ..event("e1") };
        let sent = vec![event("e1"), event("e1"), other, event("e2"), event("e1")];
        let results = results(&client, sent).await;
        let duplicates: Vec<_> = results.iter().map(|result| result.duplicate).collect();
        assert_eq!(duplicates, [false, true, false, false, true]);
        assert_eq!(recorded(&results[1]), recorded(&results[0]));
        assert_eq!(recorded(&results[4]), recorded(&results[0]));
        assert_eq!(say::reason(&refused(&results[2])), "EVENT_ID_REUSED");
        let lines = say::lines(&client.ledger("acme").await);
        assert_eq!(lines, ["1 GRANTED 10 -> 10", "2 CONSUMED -1 -> 9", "3 CONSUMED -1 -> 8"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_rejected_for_itself() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "3")).await;
        let large = Record { quantity: "2.5".into(), ..reject("e2") };
        let sent = vec![reject("e1"), large, reject("e3"), reject("e4"), reject("e5"), event("e6")];
        let results = results(&client, sent).await;
        for (index, available) in [(1, "2"), (4, "0")] {
            let status = refused(&results[index]);
            assert_eq!(say::metadata(&status)["available"], available);
        }
        for index in [0, 2, 3] {
            assert_eq!(recorded(&results[index]).covered, "1");
        }
        assert_eq!(recorded(&results[5]).uncovered, "1");
        let recorded: Vec<_> =
            client.events("acme").await.into_iter().map(|e| e.event_id).collect();
        assert_eq!(recorded, ["e1", "e3", "e4", "e6"]);
    })
    .await;
}

/// The answers to what came before are given; what comes behind is not looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_no_or_too_many_events_ends_the_stream() {
    World::run(async |world| {
        let client = world.client.clone();
        let many = |count: usize| message((0..count).map(|n| event(&format!("many {n}"))));
        for (round, bad) in [message([]), many(1_001)].into_iter().enumerate() {
            let good = |n: usize| message([event(&format!("{round} {n}"))]);
            let sent = vec![good(1), good(2), good(3), bad, good(4)];
            let (answers, end) = answers(&client, sent).await;
            let ids: Vec<_> =
                answers.iter().map(|a| recorded(&a.results[0]).event_id.clone()).collect();
            assert_eq!(ids, [1, 2, 3].map(|n| format!("{round} {n}")));
            assert_eq!(say::bad_fields(&end.expect_err("a bad message")), ["events"]);
        }
        assert_eq!(client.events("acme").await.len(), 6);
        let (answers, end) = answers(&client, vec![many(1_000)]).await;
        end.expect("a clean end");
        assert_eq!(answers[0].results.len(), 1_000);
    })
    .await;
}

/// Twenty messages before the first answer is read; the answers come while the stream is open.
#[tokio::test(flavor = "multi_thread")]
async fn messages_may_be_sent_ahead_of_their_answers() {
    World::run(async |world| {
        let client = world.client.clone();
        let (sender, mut answers) = open(&client).await;
        let id = |n: usize, m: usize| format!("{n:02} {m:02}");
        for n in 0..20 {
            let customer = |m: usize| format!("customer {}", m % 7);
            let events = (0..30).map(|m| say::usage(&customer(m), &id(n, m), "m", "1"));
            sender.send(message(events)).await.expect("sent");
        }
        for n in 0..20 {
            let answer = answers.message().await.expect("an answer").expect("an answer");
            let ids: Vec<_> = answer.results.iter().map(|result| result.event_id.clone()).collect();
            assert_eq!(ids, (0..30).map(|m| id(n, m)).collect::<Vec<_>>());
            for result in &answer.results {
                assert_eq!(recorded(result).event_id, result.event_id);
            }
        }
        // Still open: one more.
        sender.send(message([event("last")])).await.expect("sent");
        let answer = answers.message().await.expect("an answer").expect("an answer");
        assert_eq!(recorded(&answer.results[0]).event_id, "last");
        drop(sender);
        assert_eq!(answers.message().await.expect("a clean end"), None);
    })
    .await;
}

/// A caller that sends all and half-closes before it reads gets every answer, and a clean end.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_half_close_first() {
    World::run(async |world| {
        let client = world.client.clone();
        let (sender, mut stream) = open(&client).await;
        for n in 0..12 {
            sender.send(message([event(&n.to_string())])).await.expect("sent");
        }
        drop(sender);
        for n in 0..12 {
            let answer = stream.message().await.expect("an answer").expect("an answer");
            assert_eq!(recorded(&answer.results[0]).event_id, n.to_string());
        }
        assert_eq!(stream.message().await.expect("a clean end"), None);
        // One that sends nothing at all.
        let (none, end) = answers(&client, Vec::new()).await;
        end.expect("a clean end");
        assert_eq!(none, []);
    })
    .await;
}

/// Events of one customer are recorded as they were sent, message after message; of others, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_customers_events_keep_their_order() {
    World::run(async |world| {
        let client = world.client.clone();
        let customers = ["acme", "umbrella", "initech", "hooli"];
        for customer in customers {
            client.grant(say::units(customer, "1000")).await;
        }
        let id = |n: usize| format!("{}", (n * 7_919) % 400);
        let messages = (0..20).map(|message_no| {
            message((0..20).flat_map(move |n| {
                customers.map(|c| say::usage(c, &id(message_no * 20 + n), "m", "0.001"))
            }))
        });
        let (answers, end) = answers(&client, messages.collect()).await;
        end.expect("a clean end");
        assert!(answers.iter().flat_map(|a| &a.results).all(|r| recorded(r).covered == "0.001"));
        for customer in customers {
            let booked = client.ledger(customer).await.split_off(1);
            let booked: Vec<_> = booked.into_iter().map(|entry| entry.event_id).collect();
            assert_eq!(booked, (0..400).map(id).collect::<Vec<_>>(), "{customer}");
        }
    })
    .await;
}

/// Two streams that carry the same events, and the calls besides: each is recorded once.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_events_on_several_streams_are_recorded_once() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "1000")).await;
        let all = || (0..10).map(|n| message((0..20).map(|m| event(&format!("{n} {m}")))));
        let streams = join_all((0..4).map(|_| answers(&client, all().collect()))).await;
        let mut fresh = 0;
        for (answers, end) in streams {
            end.expect("a clean end");
            let results: Vec<_> = answers.into_iter().flat_map(|answer| answer.results).collect();
            assert_eq!(results.len(), 200);
            fresh += results.iter().filter(|result| !result.duplicate).count();
        }
        assert_eq!(fresh, 200);
        assert_eq!(client.balance("acme").await.totals[0].available, "800");
    })
    .await;
}

/// Callers that hang up at every stage: what they sent is recorded whole or not at all, and
/// sending it again makes it complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_leaves_nothing_half_done() {
    World::run(async |world| {
        world.client.grant(say::units("acme", "100000")).await;
        let all: Vec<_> =
            (0..20).map(|n| message((0..100).map(|m| event(&format!("{n} {m}"))))).collect();
        for read in [0, 1, 3] {
            // A connection of its own, cut with the stream.
            let client = world.server.client();
            let (sender, mut answers) = open(&client).await;
            for message in &all {
                sender.send(message.clone()).await.expect("sent");
            }
            for _ in 0..read {
                let answer = answers.message().await.expect("an answer").expect("an answer");
                assert_eq!(answer.results.len(), 100);
            }
            drop((answers, sender, client));
        }
        // What was answered is there.
        assert!(world.client.events("acme").await.len() >= 300);
        let (answers, end) = answers(&world.client, all).await;
        end.expect("a clean end");
        let results: Vec<_> = answers.into_iter().flat_map(|answer| answer.results).collect();
        assert_eq!(results.len(), 2_000);
        assert!(results.iter().all(|result| recorded(result).covered == "1"));
        assert!(results[..300].iter().all(|result| result.duplicate));
        assert_eq!(world.client.balance("acme").await.totals[0].available, "98000");
    })
    .await;
}

/// Time that passes between two messages passes for their events.
#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_decided_at_its_own_instant() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "10") };
        client.grant(asked).await;
        let (sender, mut answers) = open(&client).await;
        for (hour, covered) in [(0, "1"), (1, "0")] {
            world.only_clock_to(t0() + TimeDelta::hours(hour));
            sender.send(message([event(&format!("e{hour}"))])).await.expect("sent");
            let answer = answers.message().await.expect("an answer").expect("an answer");
            let event = recorded(&answer.results[0]);
            assert_eq!((event.covered.as_str(), event.recorded_at), (covered, say::hour(hour)));
        }
        drop(sender);
        assert_eq!(answers.message().await.expect("a clean end"), None);
    })
    .await;
}

/// A legal message of events whose metadata is large: an answer that repeated it all would be more
/// than callers take, and they would send it again for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stays_within_what_callers_take() {
    World::run(async |world| {
        let pairs = (0..50).map(|n| (format!("{n:040}"), "x".repeat(500)));
        let metadata: std::collections::BTreeMap<_, _> = pairs.collect();
        let event = |n| Record {
            metadata: metadata.clone(),
            ..say::usage("acme", &format!("e{n}"), "tokens", "1")
        };
        let shown = results(&world.client, (0..300).map(event).collect()).await;
        let short = shown.iter().position(|result| result.shortened).expect("a short one");
        assert!((70..200).contains(&short), "{short}");
        for (n, result) in shown.iter().enumerate() {
            let event = recorded(result);
            assert_eq!((event.uncovered.as_str(), result.duplicate), ("1", false));
            assert_eq!((event.metadata.is_empty(), result.shortened), (n >= short, n >= short));
        }
        let kept = world.client.event("acme", "e299").await;
        assert_eq!(kept.metadata, metadata);

        // And one of events that have as many faults as fit, at length.
        let key = |n: u32| format!("{n:02}{}", "\u{10fffe}".repeat(38));
        let large = metadata.clone();
        let metadata: std::collections::BTreeMap<_, _> =
            (0..20).map(|n| (key(n), "\0".to_owned())).collect();
        let bad = Record { metadata, ..event(0) };
        let told = results(&world.client, vec![bad; 1_000]).await;
        assert!(told.iter().map(refused).all(|status| say::reason(&status) == "INVALID_FIELD"));
        assert!(say::bad_fields(&refused(&told[0])).len() > 5);
        // Or whose ids and names are as long as may be, or longer.
        let (long, pairs) = ("x".repeat(255), say::pairs(&[("k", &"v".repeat(500))]));
        let event = |n: usize| Record {
            metadata: if n < 100 { large.clone() } else { pairs.clone() },
            ..say::usage(&long, &format!("{n:0255}"), &long, "999999999999999.000000000001")
        };
        assert!(results(&world.client, (0..1_000).map(event).collect()).await[999].shortened);
        let endless = Record { event_id: "é".repeat(5_000), ..Record::default() };
        let sent = vec![message(vec![endless; 1_000])];
        let (told, end) = answers(&world.client, sent).await;
        end.expect("a clean end");
        assert_eq!(told[0].results[0].event_id, "é".repeat(5_000));
        assert_eq!(told[0].results[999].event_id, "é".repeat(127));
    })
    .await;
}
