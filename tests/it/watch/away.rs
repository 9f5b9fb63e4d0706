//! The database away, or lost; the connection that listens, dead.

use std::time::Instant;

use creditd::limits;
use tonic::Code;

use super::{PATIENCE, Watch, available};
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::proxy::Proxy;
use crate::harness::wait::until;
use crate::harness::{Database, Options, Server, World, load, say};

/// Those who watch notice no more than a pause; who comes meanwhile hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_a_restart_of_postgres() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let servers = [
        Server::start(&database.url, &Options::real()).await,
        Server::start(&database.url, &Options::real()).await,
    ];
    let [client, other] = [servers[0].client(), servers[1].client()];
    client.grant(say::units("acme", "1000")).await;
    let mut watch = Watch::on(&client, &["acme"]).await;
    watch.next().await;
    for how in [Fall::Fast, Fall::Killed] {
        postgres.fall(how).await;
        if matches!(how, Fall::Fast) {
            let refused = tokio::time::timeout(PATIENCE, Watch::refused(&client, &["late"])).await;
            load::unavailable(&refused.expect("an answer"));
        }
        postgres.rise().await;
        // As soon as it is there, perhaps before anybody listens again.
        let event = say::usage("acme", &format!("{how:?}"), "tokens", "1");
        until("usage is recorded", async || other.try_record(event.clone()).await.is_ok()).await;
        watch.until_it_is_that_of(&client, "acme").await;
    }
    client.record(say::usage("acme", "last", "tokens", "1")).await;
    watch.until(|balance| available(balance) == "997").await;
    for server in servers {
        server.stop().await;
    }
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}

/// Changes go on while the connection that listens is cut again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_terminated_misses_nothing() {
    World::run_with(Options::real(), async |world| {
        let client = &world.client;
        client.grant(say::units("acme", "1000")).await;
        let mut watch = Watch::on(client, &["acme"]).await;
        let sql = world.database.connect().await;
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let mut terminated = 0;
        for number in 1..=30 {
            let row = sql.query_one(terminate, &[]).await.expect("an end");
            terminated += row.get::<_, i64>(0);
            client.record(say::usage("acme", &format!("e{number}"), "tokens", "1")).await;
            watch.until(|balance| available(balance) == (1_000 - number).to_string()).await;
        }
        assert!(terminated >= 20, "{terminated} backends");
        // What is read again and has not changed is not said again.
        sql.query_one(terminate, &[]).await.expect("an end");
        let listening = "SELECT count(*) FROM pg_stat_activity \
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        until("it listens again", async || {
            sql.query_one(listening, &[]).await.expect("a count").get::<_, i64>(0) > 0
        })
        .await;
        client.record(say::usage("acme", "last", "tokens", "1")).await;
        watch.until(|balance| available(balance) == "969").await;
        assert_eq!(watch.read, 32);
    })
    .await;
}

/// Connections that die without a word: nothing is ever heard over them again.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_falls_silent_is_noticed() {
    World::run(async |world| {
        let (url, proxy) = Proxy::of_database(&world.database, 0.0).await;
        let behind = Server::start(&url, &world.options).await;
        world.client.grant(say::units("acme", "10")).await;
        let mut watch = Watch::on(&behind.client(), &["acme"]).await;
        watch.next().await;
        // It listens.
        world.client.record(say::usage("acme", "e0", "tokens", "1")).await;
        assert_eq!(available(&watch.next().await), "9");
        proxy.forget();
        world.client.record(say::usage("acme", "e1", "tokens", "1")).await;
        assert_eq!(available(&watch.next().await), "8");
        behind.stop().await;
    })
    .await;
}

/// A standby that was promoted before it had all: what was shown is no more, and a stream cannot go
/// back.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_were_shown_what_is_lost_begin_anew() {
    World::run(async |world| {
        let client = &world.client;
        for name in ["acme", "other"] {
            client.grant(say::units(name, "10")).await;
        }
        client.record(say::usage("acme", "e1", "tokens", "1")).await;
        let mut lost = Watch::on(client, &["other", "acme"]).await;
        let mut kept = Watch::on(client, &["other"]).await;
        kept.next().await;
        for _ in 0..2 {
            lost.next().await;
        }
        let sql = world.database.connect().await;
        let set = async |by: i64| {
            let set = "UPDATE customers SET revision = revision + $1 WHERE external_id = 'acme'";
            sql.execute(set, &[&by]).await.expect("a revision");
        };
        set(-1).await;
        // Nobody hears of that, but of a new connection.
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        sql.query(terminate, &[]).await.expect("an end");
        let status = lost.end().await;
        assert_eq!((status.code(), &*say::reason(&status)), (Code::Unavailable, "UNAVAILABLE"));
        let mut again = Watch::on(client, &["acme"]).await;
        assert_eq!(again.next().await.revision, 1);
        set(1).await;
        client.record(say::usage("acme", "e2", "tokens", "1")).await;
        assert_eq!(available(&again.next().await), "8");
        client.record(say::usage("other", "e1", "tokens", "1")).await;
        assert_eq!((available(&kept.next().await), kept.read), ("9", 2));
    })
    .await;
}

/// A row that does not read costs only those who watch its customer their stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_read_ends_only_its_own_watchers() {
    World::run(async |world| {
        let client = &world.client;
        let grant = client.grant(say::units("broken", "10")).await;
        client.grant(say::units("acme", "10")).await;
        let mut sound = Watch::on(client, &["acme"]).await;
        sound.next().await;
        let sql = world.database.connect().await;
        let set = async |metadata: &str| {
            let set = format!("UPDATE grants SET metadata = {metadata} WHERE id::text = $1");
            sql.execute(&set, &[&grant.id]).await.expect("a row");
        };
        set("'7'").await;
        let status = Watch::refused(client, &["broken", "acme", "other"]).await;
        assert_eq!((status.code(), &*say::reason(&status)), (Code::Internal, "INTERNAL"));
        client.record(say::usage("acme", "e1", "tokens", "1")).await;
        assert_eq!(available(&sound.next().await), "9");
        set("NULL").await;
        let mut mended = Watch::on(client, &["broken"]).await;
        assert_eq!(available(&mended.next().await), "10");
    })
    .await;
}

/// A customer that somebody has locked is not told of until what is due is booked; others are.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_booked_holds_up_nobody_else() {
    World::run(async |world| {
        let client = world.client.clone();
        let end = creditd::pb::CreateGrantRequest {
            expires_at: say::hour(1),
            ..say::units("locked", "10")
        };
        client.grant(end).await;
        client.grant(say::units("acme", "10")).await;
        let mut locked = Watch::on(&client, &["locked"]).await;
        let mut free = Watch::on(&client, &["acme"]).await;
        locked.next().await;
        free.next().await;
        let other = world.another(&world.options).await;
        let begun = Instant::now();
        let lock = world.database.lock("locked").await;
        world.only_clock_to(crate::harness::t0() + chrono::TimeDelta::hours(1));
        world.database.until_waiting(1).await;
        other.client().record(say::usage("acme", "e1", "tokens", "1")).await;
        assert_eq!(available(&free.next().await), "9");
        // The lane has not given up: it still waits for the lock, or asks for it again.
        let patience = limits::LOCK_TIMEOUT * limits::CONFLICT_RETRIES_MAX;
        assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
        lock.release().await;
        assert_eq!(locked.next().await.revision, 2);
        other.stop().await;
    })
    .await;
}
