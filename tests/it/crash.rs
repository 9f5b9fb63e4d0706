//! Crashes: of creditd, of PostgreSQL, of connections. Nothing acknowledged is lost, nothing is
//! done twice, and everything comes back by itself.

use std::time::{Duration, Instant};

use creditd::limits;
use creditd::pb;
use prost_types::FieldMask;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::child::Serving;
use crate::harness::load::{self, Known, Load, OnFailure};
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::proxy::Proxy;
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server, World, say};

#[tokio::test(flavor = "multi_thread")]
async fn creditd_is_killed_under_load_and_loses_nothing() {
    let database = Database::create().await;
    let mut known = Known::default();
    let mut serving = Serving::start(&database.url).await;
    load::grants(&serving.client()).await;
    for round in 0..3 {
        let clients = (0..6).map(|_| serving.client()).collect();
        let load = Load::start(&format!("round-{round}"), clients, OnFailure::Stop);
        let streamed = tokio::spawn(stream(serving.client(), round));
        load.more(120).await;
        serving.kill().await;
        known.add(load.end().await);
        let streamed = streamed.await.expect("a stream");
        serving = Serving::start(&database.url).await;
        let client = serving.client();
        load::settle(&client, &mut known).await;
        let listed = load::events(&client, &streaming(round)).await;
        let lost = streamed.iter().filter(|event| !listed.contains(event)).count();
        assert_eq!(lost, 0, "of {} acknowledged on the stream", streamed.len());
        for event in streamed.into_iter().rev().take(40) {
            let again = client.usage.clone().record_usage(again(&event)).await.expect("usage");
            let again = again.into_inner();
            assert_eq!((again.duplicate, again.event), (true, Some(event)));
        }
    }
    known.is_all(&serving.client()).await;
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}

fn streaming(round: usize) -> String {
    format!("streaming-{round}")
}

/// Streams usage of a customer of its own until the connection breaks; what was acknowledged.
async fn stream(client: Client, round: usize) -> Vec<pb::UsageEvent> {
    let customer = streaming(round);
    let messages = (0..).map(move |message| {
        let event = |number| say::usage(&customer, &format!("s{message}-{number}"), "tokens", "1");
        pb::StreamUsageRequest { events: (0..20).map(event).collect() }
    });
    let answers = client.usage.clone().stream_usage(tokio_stream::iter(messages)).await;
    let mut answers = answers.expect("a stream").into_inner();
    let mut acknowledged = Vec::new();
    while let Ok(Some(answer)) = answers.message().await {
        for result in answer.results {
            match result.outcome {
                Some(pb::usage_result::Outcome::Event(event)) => acknowledged.push(event),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(!acknowledged.is_empty());
    acknowledged
}

/// The request that made an event.
fn again(event: &pb::UsageEvent) -> pb::RecordUsageRequest {
    say::usage(&event.customer_id, &event.event_id, &event.metric, &event.quantity)
}

async fn health(client: &Client) -> ServingStatus {
    let mut health = HealthClient::new(client.channel.clone());
    let check = HealthCheckRequest { service: String::new() };
    health.check(check).await.expect("health").into_inner().status()
}

async fn until_health(client: &Client, wanted: ServingStatus) {
    until("health follows the database", async || health(client).await == wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_falls_under_load_and_rises() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let server = Server::start(&database.url, &Options::real()).await;
    let client = server.client();
    load::grants(&client).await;
    let clients = (0..6).map(|_| server.client()).collect();
    let load = Load::start("load", clients, OnFailure::AskAgain);
    for how in [Fall::Fast, Fall::Killed] {
        load.more(60).await;
        postgres.fall(how).await;
        until_health(&client, ServingStatus::NotServing).await;
        postgres.rise().await;
        load.more(60).await;
        until_health(&client, ServingStatus::Serving).await;
    }
    let known = load.stop().await;
    known.is_all(&client).await;
    assert!(server.stats().retries > 0);
    server.stop().await;
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}

/// The database is away for longer than callers wait.
#[tokio::test(flavor = "multi_thread")]
async fn callers_hear_of_a_database_that_stays_away() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let server = Server::start(&database.url, &Options::real()).await;
    let client = server.client();
    load::grants(&client).await;
    postgres.fall(Fall::Fast).await;

    let begun = Instant::now();
    let ask = || async {
        let event = say::usage("customer-1", "e1", "tokens", "7");
        client.usage.clone().record_usage(event).await
    };
    let (first, second) = tokio::join!(ask(), ask());
    load::unavailable(&first.expect_err("no database"));
    load::unavailable(&second.expect_err("no database"));
    let waited = begun.elapsed();
    assert!(waited >= limits::BATCH_RETRY_FOR, "told after {waited:?}");
    assert!(waited < limits::BATCH_RETRY_FOR * 2, "told after {waited:?}");
    // Who comes later does not wait all over again.
    let begun = Instant::now();
    load::unavailable(&ask().await.expect_err("no database"));
    assert!(begun.elapsed() < Duration::from_secs(5), "told after {:?}", begun.elapsed());
    let balance = pb::GetBalanceRequest { customer_id: "customer-1".into(), ..Default::default() };
    let balance = client.credits.clone().get_balance(balance).await;
    load::unavailable(&balance.expect_err("no database"));
    assert_eq!(health(&client).await, ServingStatus::NotServing);

    postgres.rise().await;
    let recorded = ask().await.expect("usage").into_inner();
    assert!(!recorded.duplicate, "what was told UNAVAILABLE had not been done");
    assert!(ask().await.expect("usage").into_inner().duplicate);
    until_health(&client, ServingStatus::Serving).await;
    server.stop().await;
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}

/// Callers do not even notice that connections die.
#[tokio::test(flavor = "multi_thread")]
async fn backends_are_terminated_under_load() {
    World::run(async |world| {
        load::grants(&world.client).await;
        let clients = (0..6).map(|_| world.server.client()).collect();
        let load = Load::start("load", clients, OnFailure::Panic);
        let sql = world.database.connect().await;
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE datname = current_database() AND application_name = 'creditd'";
        let mut terminated = 0;
        for _ in 0..8 {
            load.more(40).await;
            let row = sql.query_one(terminate, &[]).await.expect("an end");
            terminated += row.get::<_, i64>(0);
        }
        load.more(40).await;
        let known = load.stop().await;
        known.is_all(&world.client).await;
        assert!(terminated >= 8, "{terminated} backends");
        assert!(world.server.stats().retries >= 8, "{:?}", world.server.stats());
    })
    .await;
}

/// The database's URL through a proxy that loses this part of the words that something is committed.
pub async fn behind_a_proxy(database: &Database, lost: f64) -> (String, Proxy) {
    let (head, rest) = database.url.rsplit_once('@').expect("a host");
    let (host, name) = rest.split_once('/').expect("a database");
    let proxy = Proxy::losing_commits(host.parse().expect("an address"), lost, 1).await;
    (format!("{head}@{}/{name}", proxy.address), proxy)
}

/// A database that takes connections and then says nothing is as good as away.
#[tokio::test(flavor = "multi_thread")]
async fn callers_hear_of_a_database_that_says_nothing() {
    let database = Database::create().await;
    let (url, proxy) = Proxy::of_database(&database, 0.0).await;
    let server = Server::start(&url, &Options::default()).await;
    let client = server.client();
    load::grants(&client).await;
    proxy.fall_silent();
    let event = say::usage("customer-1", "e1", "tokens", "7");
    let mut usage = client.usage.clone();
    let answer = usage.record_usage(event);
    let patience = limits::BATCH_RETRY_FOR + limits::CONNECT_TIMEOUT * 2;
    let answer = tokio::time::timeout(patience, answer).await.expect("an answer in time");
    load::unavailable(&answer.expect_err("no database"));
    assert_eq!(health(&client).await, ServingStatus::NotServing);
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

/// The commit is done, but its connection dies before the lane hears of it: the keys tell.
#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_answer_is_lost_are_done_once() {
    let database = Database::create().await;
    let (url, proxy) = Proxy::of_database(&database, 0.4).await;
    let server = Server::start(&url, &Options::default()).await;
    let client = server.client();
    load::grants(&client).await;
    let clients = (0..4).map(|_| server.client()).collect();
    let load = Load::start("load", clients, OnFailure::Panic);
    let mut credits = client.credits.clone();
    for number in 0..12 {
        let made = credits.create_grant(say::units("acme", "3")).await.expect("a grant");
        let grant_id = made.into_inner().grant.expect("a grant").id;
        let update = pb::UpdateGrantRequest {
            grant_id: grant_id.clone(),
            update_mask: Some(FieldMask { paths: vec!["priority".into()] }),
            priority: Some(number),
            ..Default::default()
        };
        credits.update_grant(update).await.expect("an update");
        let void = pb::VoidGrantRequest { grant_id, reason: "lost".into() };
        credits.void_grant(void).await.expect("a void");
    }
    load.more(100).await;
    load.stop().await.is_all(&client).await;
    let ask = pb::ListLedgerEntriesRequest { customer_id: "acme".into(), ..Default::default() };
    let entries = credits.list_ledger_entries(ask).await.expect("a ledger").into_inner().entries;
    let kinds: Vec<_> = entries.iter().map(pb::LedgerEntry::r#type).collect();
    let each =
        [pb::LedgerEntryType::Granted, pb::LedgerEntryType::Updated, pb::LedgerEntryType::Voided];
    assert_eq!(kinds, each.repeat(12));
    assert!(proxy.cuts() > 30, "only {} commits were lost", proxy.cuts());
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

/// Updates have no key: what tells that their commit came through is the customer's row. Two that
/// share a batch, done again behind one another, would be four.
#[tokio::test(flavor = "multi_thread")]
async fn updates_whose_commit_is_lost_are_booked_once() {
    let database = Database::create().await;
    let (url, proxy) = Proxy::of_database(&database, 0.4).await;
    let server = Server::start(&url, &Options::real()).await;
    let mut credits = server.client().credits;
    let made = credits.create_grant(say::units("acme", "3")).await.expect("a grant");
    let grant_id = made.into_inner().grant.expect("a grant").id;
    for round in 0..12 {
        let update = |priority| {
            let mut credits = credits.clone();
            let request = pb::UpdateGrantRequest {
                grant_id: grant_id.clone(),
                update_mask: Some(FieldMask { paths: vec!["priority".into()] }),
                priority: Some(priority),
                ..Default::default()
            };
            async move { credits.update_grant(request).await }
        };
        // Locked, so that both wait and go out together.
        let locked = database.lock("acme").await;
        let note = tokio::spawn(update(50));
        database.until_waiting(1).await;
        let both =
            tokio::spawn(futures_util::future::join(update(2 * round), update(2 * round + 1)));
        locked.release().await;
        note.await.expect("a task").expect("an update");
        let (one, other) = both.await.expect("a task");
        one.expect("an update");
        other.expect("an update");
    }
    let ask = pb::ListLedgerEntriesRequest {
        customer_id: "acme".into(),
        types: vec![pb::LedgerEntryType::Updated.into()],
        ..Default::default()
    };
    let entries = credits.list_ledger_entries(ask).await.expect("a ledger").into_inner().entries;
    // The first round's 50 changes nothing: it is what no category stands for.
    assert_eq!(entries.len(), 12 * 3 - 1);
    assert!(proxy.cuts() > 5, "only {} commits were lost", proxy.cuts());
    server.stop().await;
    database.audit().await;
    database.drop().await;
}
