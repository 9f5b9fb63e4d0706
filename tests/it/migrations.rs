//! Migrations go up, down, and up again, on a database with data.

use std::fs;

use creditd::pb;
use creditd::store::Address;
use tokio_postgres::error::SqlState;

use crate::harness::{Database, Options, Server, dump, say};

/// Every migration's version and what takes it back, in order.
fn migrations() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut folders: Vec<_> =
        fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("a folder")).collect();
    folders.sort_by_key(fs::DirEntry::file_name);
    let read = |folder: &fs::DirEntry| {
        let name = folder.file_name().into_string().expect("a name");
        let (version, _) = name.split_once('_').expect("a stamp");
        let down = fs::read_to_string(folder.path().join("down.sql")).expect("a way back");
        (version.to_owned(), down)
    };
    folders.iter().map(read).collect()
}

/// Takes all migrations back but so many.
async fn back_to(database: &Database, keep: usize) {
    let sql = database.connect().await;
    for (version, down) in migrations().iter().skip(keep).rev() {
        sql.batch_execute(down).await.unwrap_or_else(|error| panic!("{version}: {error:?}"));
        let forget = "DELETE FROM __diesel_schema_migrations WHERE version = $1";
        let forgotten = sql.execute(forget, &[version]).await.expect("a table");
        assert_eq!(forgotten, 1, "{version}");
    }
}

/// A customer of whom the first migration's tables hold everything, and whose usage is rolled up as
/// a migration does it: all but what was recorded last.
async fn live(server: &Server, database: &Database) {
    let client = server.client();
    let grant = client.grant(say::units("acme", "10")).await;
    client.grant(say::money("acme", "5", "USD")).await;
    client.record(say::usage("acme", "e1", "m", "4")).await;
    database.roll_up_next().await;
    let time = say::hour(1);
    client.clock.clone().advance_to(pb::AdvanceToRequest { time }).await.expect("the clock");
    client.record(say::usage("acme", "e2", "m", "1")).await;
    client.void(&grant.id, "r").await;
}

/// A customer with a hold, an application and reversals.
async fn promise(server: &Server) {
    let client = server.client();
    client.grant(say::units("umbrella", "10")).await;
    client.grant(say::money("umbrella", "5", "USD")).await;
    for id in ["open", "settled", "released"] {
        client.hold(say::hold("umbrella", id, "m", "2")).await;
    }
    client.settle(say::settle("umbrella", "settled", "1")).await;
    client.release("umbrella", "released").await;
    client.apply(say::apply("umbrella", "i1", "USD", "4")).await;
    client.reverse_application(say::reverse_application("umbrella", "i1", "1")).await;
    client.reverse_usage(say::reverse_usage("umbrella", "settled", "")).await;
}

/// Where a migration stands.
fn place(stamp: &str) -> usize {
    let place = migrations().iter().position(|(version, _)| version == stamp);
    place.unwrap_or_else(|| panic!("no {stamp}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn invoices_and_holds_outlive_later_migrations_and_hold_their_own() {
    let database = Database::create().await;
    let server = Server::start(&database.url, &Options::default()).await;
    live(&server, &database).await;
    promise(&server).await;
    server.stop().await;
    let before = dump::rows(&database).await;
    let promises = place("20261122150000");
    for keep in (promises + 1..=migrations().len()).rev() {
        back_to(&database, keep).await;
        Address::parse(&database.url).expect("a URL").migrate().await.expect("up again");
        dump::same("rows, there and back", &before, &dump::rows(&database).await);
    }
    // What the ledger says cannot be told in older words: the way back refuses, and changes nothing.
    back_to(&database, promises + 1).await;
    let sql = database.connect().await;
    let (_, down) = &migrations()[promises];
    let refused = sql.batch_execute(down).await.expect_err("entries of these types");
    let code = refused.code().map(SqlState::code).expect("a code");
    assert!(code.starts_with("23"), "a constraint: {refused:?}");
    Address::parse(&database.url).expect("a URL").migrate().await.expect("up again");
    dump::same("rows, after the refusal", &before, &dump::rows(&database).await);
    database.audit().await;
    let server = Server::start(&database.url, &Options::default()).await;
    assert_eq!(server.client().release("umbrella", "open").await.released, "2");
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_and_down_on_a_database_with_data() {
    let database = Database::create().await;
    let server = Server::start(&database.url, &Options::default()).await;
    live(&server, &database).await;
    server.stop().await;
    let before = dump::rows(&database).await;
    for keep in (1..migrations().len()).rev() {
        back_to(&database, keep).await;
        Address::parse(&database.url).expect("a URL").migrate().await.expect("up again");
        dump::same("rows, there and back", &before, &dump::rows(&database).await);
    }
    database.audit().await;

    // It serves: what was made before, and what only the last migration knows.
    let server = Server::start(&database.url, &Options::default()).await;
    let client = server.client();
    assert_eq!(client.balance("acme").await.totals[0].available, "5.00");
    assert_eq!(client.import("i1", vec![say::row("acme", "1")]).await.created, 1);
    server.stop().await;
    database.audit().await;

    // All the way down, and up again.
    back_to(&database, 0).await;
    let sql = database.connect().await;
    let left = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname = 'public' AND c.relname NOT LIKE '\\_\\_diesel%'";
    assert_eq!(sql.query_one(left, &[]).await.expect("a count").get::<_, i64>(0), 0);
    let server = Server::start(&database.url, &Options::default()).await;
    live(&server, &database).await;
    server.stop().await;
    database.audit().await;
    database.drop().await;
}
