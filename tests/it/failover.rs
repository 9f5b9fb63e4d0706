//! The primary dies under load, its standby is promoted: creditd goes on by itself, and with
//! synchronous replication nothing acknowledged is lost and nothing is done twice.

use std::collections::BTreeMap;

use creditd::pb;
use creditd::store::{Address, audit};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use crate::harness::load::{self, Load, OnFailure};
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::proxy::Proxy;
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server, World, database, say};
use crate::watch::Watch;

const STREAMING: &str = "streaming";

/// A primary that acknowledges what its standby has, and that standby.
async fn pair() -> (Postgres, Postgres) {
    let mut primary = Postgres::start().await;
    primary.fall(Fall::Fast).await;
    let mut standby = primary.standby();
    primary.settings = vec![("synchronous_standby_names".into(), "*".into())];
    primary.rise().await;
    standby.rise().await;
    let sql = database::connect(&primary.superuser()).await;
    let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("the standby has all that the primary has", async || {
        sql.query_one(synchronous, &[]).await.expect("a count").get::<_, i64>(0) == 1
    })
    .await;
    (primary, standby)
}

/// The database's URL with both servers in it, the standby first.
fn of_both(url: &str, standby: &Postgres) -> String {
    let (head, primary) = url.rsplit_once('@').expect("a host");
    let (_, standby) = standby.url().rsplit_once('@').expect("a host");
    let (standby, _) = standby.split_once('/').expect("a database");
    format!("{head}@{standby},{primary}?target_session_attrs=read-write")
}

/// A stream of usage that goes on until it is told to end.
struct Stream {
    more: mpsc::Sender<pb::StreamUsageRequest>,
    results: JoinHandle<Vec<pb::UsageResult>>,
}

fn message(number: u64) -> pb::StreamUsageRequest {
    let event = |part| say::usage(STREAMING, &format!("s{number}-{part}"), "tokens", "1");
    pb::StreamUsageRequest { events: (0..20).map(event).collect() }
}

impl Stream {
    async fn start(client: &Client) -> Self {
        let (more, messages) = mpsc::channel(4);
        let answers = client.usage.clone().stream_usage(ReceiverStream::new(messages)).await;
        let mut answers = answers.expect("a stream").into_inner();
        let results = tokio::spawn(async move {
            let mut results = Vec::new();
            while let Some(answer) = answers.message().await.expect("an answer") {
                results.extend(answer.results);
            }
            results
        });
        Self { more, results }
    }

    async fn send(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.more.send(message(number)).await.expect("a stream that takes it");
        }
    }

    /// What was acknowledged. What was not, because the database was away for so long, is sent
    /// again, with its key.
    async fn end(self, client: &Client) -> BTreeMap<String, pb::UsageEvent> {
        drop(self.more);
        let mut acknowledged = BTreeMap::new();
        for result in self.results.await.expect("a stream") {
            let event = match result.outcome {
                Some(pb::usage_result::Outcome::Event(event)) => event,
                _ => client.record(say::usage(STREAMING, &result.event_id, "tokens", "1")).await,
            };
            acknowledged.insert(result.event_id, event);
        }
        acknowledged
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_under_load_and_nothing_is_lost() {
    let (mut primary, mut standby) = pair().await;
    let mut database = Database::create_on(primary.url()).await;
    database.url = of_both(&database.url, &standby);
    let server = Server::start(&database.url, &Options::real()).await;
    let client = server.client();
    load::grants(&client).await;
    client.grant(say::units(STREAMING, "1000000")).await;
    let mut watch = Watch::on(&client, &["customer-1"]).await;
    let stream = Stream::start(&client).await;
    let clients = (0..6).map(|_| server.client()).collect();
    let load = Load::start("load", clients, OnFailure::AskAgain);
    load.more(60).await;
    stream.send(0..20).await;

    // The standby's books agree, too, at whatever point it is.
    let (standby_alone, _) = database.url.split_once(',').expect("two servers");
    let (_, name) = database.url.rsplit_once('/').expect("a database");
    let (name, _) = name.split_once('?').expect("parameters");
    let standby_alone = Address::parse(&format!("{standby_alone}/{name}")).expect("a URL");
    let report = audit::audit(&standby_alone).await.expect("an audit");
    assert!(report.events > 0 && report.differences.is_empty(), "{report:?}");

    primary.fall(Fall::Killed).await;
    let promote = database::connect(&standby.superuser()).await;
    promote.query_one("SELECT pg_promote()", &[]).await.expect("a promotion");
    stream.send(20..40).await;
    load.more(60).await;

    let known = load.stop().await;
    known.is_all(&client).await;
    let streamed = stream.end(&client).await;
    let listed = load::events(&client, STREAMING).await;
    assert_eq!(listed.len(), 800);
    let listed = listed.into_iter().map(|event| (event.event_id.clone(), event)).collect();
    assert_eq!(streamed, listed);
    for (key, event) in known.acknowledged.into_iter().take(40) {
        let again = say::usage(&key.0, &key.1, "tokens", "1.5");
        let again = client.try_record(again).await.expect("usage");
        assert_eq!((again.duplicate, again.event), (true, Some(event)));
    }
    watch.until_it_is_that_of(&client, "customer-1").await;
    client.record(say::usage("customer-1", "last", "tokens", "1")).await;
    watch.until_it_is_that_of(&client, "customer-1").await;
    assert!(server.stats().retries > 0, "nobody noticed");
    server.stop().await;
    database.audit().await;
    standby.fall(Fall::Fast).await;
}

/// A server that takes connections and says nothing does not hide the one behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_passed_over() {
    World::run(async |world| {
        let (url, silent) = Proxy::of_database(&world.database, 0.0).await;
        silent.fall_silent();
        let (_, server) = world.database.url.rsplit_once('@').expect("a host");
        let url = url.replace(&silent.address.to_string(), &format!("{},{server}", silent.address));
        let (url, _) = url.rsplit_once('/').expect("a database");
        let behind = Server::start(&format!("{url}?connect_timeout=1"), &world.options).await;
        let client = behind.client();
        client.grant(say::units("acme", "10")).await;
        assert_eq!(client.balance("acme").await.revision, 1);
        behind.stop().await;
    })
    .await;
}
