//! Queues, deadlines, hang-ups, the end, and commands at fault: each touches only its own caller.

use std::time::{Duration, Instant};

use creditd::domain::ids::Customer;
use creditd::engine::Sizes;
use creditd::{limits, pb};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::batches::usage;
use crate::harness::load::{Load, OnFailure};
use crate::harness::proxy::Proxy;
use crate::harness::wait::until;
use crate::harness::{Client, Options, Server, World, say};

/// One lane, with room for so many calls.
fn narrow(queue: u32) -> Options {
    let sizes = Sizes { lanes: 1, batch_commands: 2_000, queue };
    Options { sizes, ..Options::default() }
}

async fn record(client: &Client, customer: &str, event: &str) -> Result<pb::UsageEvent, Status> {
    let event = say::usage(customer, event, "tokens", "1");
    let answer = client.usage.clone().record_usage(event).await?;
    Ok(answer.into_inner().event.expect("an event"))
}

async fn is_recorded(client: &Client, customer: &str, event: &str) -> bool {
    let ask = pb::GetUsageEventRequest { customer_id: customer.into(), event_id: event.into() };
    match client.usage.clone().get_usage_event(ask).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(say::reason(&status), "EVENT_NOT_FOUND");
            false
        }
    }
}

/// A call of its own task.
fn spawn(
    client: &Client,
    customer: &str,
    event: &str,
) -> tokio::task::JoinHandle<Result<pb::UsageEvent, Status>> {
    let (client, customer, event) = (client.clone(), customer.to_owned(), event.to_owned());
    tokio::spawn(async move { record(&client, &customer, &event).await })
}

/// A lane whose batch waits for a customer's lock.
struct Stuck {
    lock: crate::harness::database::Locked,
    call: tokio::task::JoinHandle<Result<pb::UsageEvent, Status>>,
}

impl Stuck {
    async fn begin(world: &World) -> Self {
        Self::begin_on(&world.server, world).await
    }

    async fn begin_on(server: &Server, world: &World) -> Self {
        record(&world.client, "stuck", "first").await.expect("usage");
        let lock = world.database.lock("stuck").await;
        let call = spawn(&server.client(), "stuck", "second");
        world.database.until_waiting(1).await;
        Self { lock, call }
    }

    async fn end(self) {
        self.lock.release().await;
        self.call.await.expect("a call").expect("usage");
    }
}

#[track_caller]
fn overloaded(status: &Status) {
    assert_eq!((status.code(), &*say::reason(status)), (Code::ResourceExhausted, "OVERLOADED"));
    let details = status.get_error_details();
    let retry = details.retry_info().and_then(|info| info.retry_delay);
    assert!(retry.is_some_and(|delay| delay > Duration::ZERO), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_so_at_once_and_finishes_what_it_took() {
    World::run_with(narrow(3), async |world| {
        let stuck = Stuck::begin(world).await;
        let mut calls: FuturesUnordered<_> =
            (0..8).map(|number| spawn(&world.client, "acme", &format!("e{number}"))).collect();
        for _ in 0..5 {
            let refused = calls.next().await.expect("a call").expect("a task");
            overloaded(&refused.expect_err("no room"));
        }
        // Reads and the calls of others' lanes have nothing to do with it.
        assert!(!is_recorded(&world.client, "stuck", "second").await);
        stuck.end().await;
        let mut done = 0;
        while let Some(call) = calls.next().await {
            call.expect("a task").expect("usage");
            done += 1;
        }
        assert_eq!(done, 3);
        record(&world.client, "acme", "after").await.expect("room again");
    })
    .await;
}

/// Fills a stuck lane's room for two with calls whose callers hang up; what they asked for.
async fn left_in_the_queue(server: &Server, stays: &Client) -> Vec<&'static str> {
    // All on a connection of their own; of three calls two find room.
    let proxy = Proxy::start(server.address, 0.0, 0).await;
    let leaving = proxy.client();
    let calls = ["e0", "e1", "e2"].map(|id| {
        let leaving = leaving.clone();
        async move { (id, record(&leaving, "acme", id).await) }
    });
    let mut calls: FuturesUnordered<_> = calls.into_iter().collect();
    let (told, refused) = calls.next().await.expect("a call");
    overloaded(&refused.expect_err("no room"));
    drop((calls, leaving, proxy));
    // They leave before their batch forms: nothing of it is done yet.
    for id in ["e0", "e1", "e2"] {
        assert!(!is_recorded(stays, "acme", id).await);
    }
    ["e0", "e1", "e2"].into_iter().filter(|id| *id != told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_is_done_though_its_caller_hangs_up() {
    World::run_with(narrow(2), async |world| {
        let client = &world.client;
        let stuck = Stuck::begin(world).await;
        let left = left_in_the_queue(&world.server, client).await;
        stuck.end().await;
        for id in left {
            until("it is done", async || is_recorded(client, "acme", id).await).await;
        }
        assert_eq!(world.server.stats().commands, 4, "what found no room was not done");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_does_what_is_queued_though_its_caller_has_hung_up() {
    World::run_with(narrow(2), async |world| {
        let other = world.another(&narrow(2)).await;
        record(&world.client, "acme", "known").await.expect("usage");
        let stuck = Stuck::begin_on(&other, world).await;
        let left = left_in_the_queue(&other, &world.client).await;
        // Nobody waits for an answer any more when the batch of those who left gets stuck, too.
        let lock = world.database.lock("acme").await;
        stuck.end().await;
        world.database.until_waiting(1).await;
        let address = other.address;
        let stopping = tokio::spawn(other.stop());
        until("it takes nothing new", async || TcpStream::connect(address).await.is_err()).await;
        lock.release().await;
        stopping.await.expect("a stop");
        for id in left {
            assert!(is_recorded(&world.client, "acme", id).await, "{id}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_has_passed_is_not_executed() {
    World::run_with(narrow(100), async |world| {
        let stuck = Stuck::begin(world).await;
        let mut late = Request::new(say::usage("acme", "late", "tokens", "1"));
        late.set_timeout(Duration::from_millis(50));
        let in_time = {
            let mut request = Request::new(say::usage("acme", "in time", "tokens", "1"));
            request.set_timeout(Duration::from_secs(60));
            let mut usage = world.client.usage.clone();
            tokio::spawn(async move { usage.record_usage(request).await })
        };
        let begun = Instant::now();
        let gone = world.client.usage.clone().record_usage(late).await.expect_err("too late");
        assert!(
            matches!(gone.code(), Code::Cancelled | Code::DeadlineExceeded),
            "the transport's own: {gone:?}"
        );
        // The server's clock of it started a little later.
        let client = &world.client;
        until("the deadline is long past", async || {
            !is_recorded(client, "acme", "late").await
                && begun.elapsed() > Duration::from_millis(500)
        })
        .await;
        stuck.end().await;
        in_time.await.expect("a task").expect("usage");
        record(client, "acme", "after").await.expect("usage");
        assert!(!is_recorded(client, "acme", "late").await, "it was not executed");
        record(client, "acme", "late").await.expect("its key is not burnt");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_waits_for_a_stuck_lane_and_calls_still_find_room() {
    const MESSAGES: usize = 12;
    const EVENTS: usize = 600;
    World::run_with(narrow(1), async |world| {
        let stuck = Stuck::begin(world).await;
        let messages = (0..MESSAGES).map(|message| {
            let event = |number| say::usage("acme", &format!("s{message}-{number}"), "tokens", "1");
            pb::StreamUsageRequest { events: (0..EVENTS).map(event).collect() }
        });
        let (sent, seen) = tokio::sync::watch::channel(0);
        let requests = tokio_stream::iter(messages).inspect(move |_| sent.send_modify(|n| *n += 1));
        let answers = world.client.usage.clone().stream_usage(requests).await;
        let mut answers = answers.expect("a stream").into_inner();
        let mut first = Box::pin(answers.message());
        // More than the lane's room for streams, and still there is room for a call: it waits too.
        let call = spawn(&world.client, "acme", "call");
        until("the stream has taken what it may", async || {
            assert!(futures_util::poll!(&mut first).is_pending(), "nothing can be answered yet");
            *seen.borrow() > 5
        })
        .await;
        assert!(!call.is_finished(), "{call:?}");
        stuck.end().await;
        let mut answered = Vec::from_iter(first.await.expect("an answer"));
        while let Some(answer) = answers.message().await.expect("an answer") {
            answered.push(answer);
        }
        call.await.expect("a task").expect("usage");
        assert_eq!(answered.len(), MESSAGES);
        for (message, answer) in answered.iter().enumerate() {
            assert_eq!(answer.results.len(), EVENTS);
            for (number, result) in answer.results.iter().enumerate() {
                assert_eq!(result.event_id, format!("s{message}-{number}"));
                assert!(matches!(result.outcome, Some(pb::usage_result::Outcome::Event(_))));
            }
        }
    })
    .await;
}

/// Streams have room of their own; a command that finds none waits, and is done in its turn.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_wait_waits_for_room() {
    World::run_with(narrow(1), async |world| {
        let stuck = Stuck::begin(world).await;
        let acme = Customer::parse("acme").expect("an id");
        let most = limits::LANE_STREAM_QUEUE;
        let all = (0..most).map(|number| usage(&acme, &format!("e{number}"))).collect();
        let engine = world.server.engine();
        let all = engine.enqueue(all, None).await;
        let mut one_more = Box::pin(engine.enqueue(vec![usage(&acme, "one more")], None));
        assert!(futures_util::poll!(&mut one_more).is_pending(), "there is no room left");
        stuck.end().await;
        let one_more = one_more.await.replies().await;
        assert!(matches!(one_more[..], [Ok(_)]), "{one_more:?}");
        assert!(all.replies().await.iter().all(Result::is_ok));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_answers_what_was_accepted() {
    World::run(async |world| {
        let other = world.another(&Options::default()).await;
        crate::harness::load::grants(&world.client).await;
        let clients = (0..8).map(|_| other.client()).collect();
        let load = Load::start("load", clients, OnFailure::Stop);
        load.more(100).await;
        other.stop().await;
        // Whoever was not answered was not accepted: exactly the acknowledged events are there.
        let mut known = load.end().await;
        known.unanswered.clear();
        known.is_all(&world.client).await;
    })
    .await;
}

/// INTERNAL with an id, and not a word from the database.
#[track_caller]
fn internal(code: i32, message: &str, status: &Status) {
    assert_eq!(code, i32::from(Code::Internal), "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!(info.reason, "INTERNAL");
    let id = info.metadata.get("error_id").expect("an id");
    assert_eq!(message, format!("internal error {id}"));
    assert_eq!(info.metadata.len(), 1);
}

/// Streams one message, which one batch takes whole; for each event whether it was recorded.
async fn one_batch(world: &World, events: &[(&str, &str)]) -> Vec<bool> {
    let events = events.iter().map(|(customer, id)| say::usage(customer, id, "tokens", "1"));
    let message = pb::StreamUsageRequest { events: events.collect() };
    let mut usage = world.client.usage.clone();
    let answers = usage.stream_usage(tokio_stream::iter([message])).await.expect("a stream");
    let answer = answers.into_inner().message().await.expect("an answer").expect("an answer");
    let recorded = |result: pb::UsageResult| match result.outcome.expect("an outcome") {
        pb::usage_result::Outcome::Event(_) => true,
        pb::usage_result::Outcome::Error(error) => {
            let details = prost::Message::encode_to_vec(&error).into();
            let status = Status::with_details(Code::Internal, error.message.clone(), details);
            internal(error.code, &error.message, &status);
            false
        }
    };
    answer.results.into_iter().map(recorded).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_fails_only_its_own_command() {
    World::run_with(narrow(100), async |world| {
        let sql = world.database.connect().await;
        record(&world.client, "acme", "e0").await.expect("usage");
        // A key that only the insert finds fault with.
        let poison = "ALTER TABLE requests ADD CONSTRAINT requests_not_poisoned \
                      CHECK (request_id <> 'poisoned')";
        sql.batch_execute(poison).await.expect("poison");
        let create = |request_id: &str| {
            let grant = say::units("acme", "10");
            let grant = pb::CreateGrantRequest { request_id: request_id.into(), ..grant };
            let mut credits = world.client.credits.clone();
            async move { credits.create_grant(grant).await }
        };
        let stuck = Stuck::begin(world).await;
        let calls = [tokio::spawn(create("r1")), tokio::spawn(create("poisoned"))];
        let others = [spawn(&world.client, "acme", "e1"), spawn(&world.client, "other", "e2")];
        stuck.end().await;
        let [good, poisoned] = calls;
        good.await.expect("a task").expect("a grant");
        let status = poisoned.await.expect("a task").expect_err("poisoned");
        internal(status.code().into(), status.message(), &status);
        for other in others {
            other.await.expect("a task").expect("usage");
        }
        let cure = "ALTER TABLE requests DROP CONSTRAINT requests_not_poisoned";
        sql.batch_execute(cure).await.expect("a cure");
        create("poisoned").await.expect("a grant");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_read_fails_only_who_needs_it() {
    World::run_with(narrow(100), async |world| {
        let sql = world.database.connect().await;
        for customer in ["good", "bad"] {
            let grant = say::money(customer, "10", "USD");
            world.client.credits.clone().create_grant(grant).await.expect("a grant");
            let grant = say::units(customer, "100");
            world.client.credits.clone().create_grant(grant).await.expect("a grant");
        }
        let all = [("good", "e1"), ("bad", "e1"), ("new", "e1"), ("bad", "e2"), ("good", "e2")];
        // A currency that nobody knows, in a row that no cache holds any more.
        let poison = "UPDATE grants SET currency = 'ZZZ' WHERE currency IS NOT NULL \
                      AND customer_id = (SELECT id FROM customers WHERE external_id = 'bad'); \
                      UPDATE customers SET version = version + 1 WHERE external_id = 'bad'";
        sql.batch_execute(poison).await.expect("poison");
        assert_eq!(one_batch(world, &all).await, [true, false, true, false, true]);
        let ask = pb::GetBalanceRequest { customer_id: "bad".into(), ..Default::default() };
        let balance = world.client.credits.clone().get_balance(ask).await;
        let status = balance.expect_err("it does not read");
        internal(status.code().into(), status.message(), &status);
        let cure = "UPDATE grants SET currency = 'USD' WHERE currency = 'ZZZ'";
        sql.batch_execute(cure).await.expect("a cure");
        assert_eq!(one_batch(world, &all).await, [true; 5]);

        // An event that does not read: the customer's others do.
        let poison = "UPDATE usage_events SET metadata = '[1]' WHERE event_id = 'e1'";
        sql.batch_execute(poison).await.expect("poison");
        let all = [("bad", "e1"), ("bad", "e3"), ("bad", "e2"), ("other", "e1")];
        assert_eq!(one_batch(world, &all).await, [false, true, true, true]);
        let cure = "UPDATE usage_events SET metadata = NULL";
        sql.batch_execute(cure).await.expect("a cure");
        assert_eq!(one_batch(world, &all).await, [true; 4]);
    })
    .await;
}
