//! Connections that break, servers that are killed: every row once, every count right.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{Folder, counts, grants_of, told};
use crate::cli::{Said, command};
use crate::harness::child::Serving;
use crate::harness::proxy::Proxy;
use crate::harness::wait::until;
use crate::harness::{Client, Database, World};

const ROWS: usize = 20_000;

/// A file of many rows, of which every 1,000th is bad.
fn file(folder: &Folder) -> String {
    let mut text = "customer_id,type,amount\n".to_owned();
    for row in 1..=ROWS {
        let amount = if row % 1_000 == 0 { "none" } else { "1" };
        writeln!(text, "c{},units,{amount}", row % 500).unwrap();
    }
    folder.write("a.csv", text)
}

/// Checks the end of an import that was disturbed.
async fn is_all_there(said: Said, client: &Client, folder: &Folder) {
    let told = told(&said);
    let (created, duplicates, rejected) = counts(&told);
    assert_eq!(told["complete"], true, "{}", said.err);
    assert!(said.err.contains("creditd is away"), "{}", said.err);
    assert_eq!(rejected, 20);
    assert_eq!(created + duplicates, 19_980);
    assert_eq!(told["duplicates_sent_twice"], duplicates, "nothing was there before this run");
    let grants = grants_of(client, "i").await;
    assert_eq!(grants.len(), 19_980);
    assert!(grants.is_sorted_by(|a, b| a.import_row < b.import_row));
    assert_eq!(super::records(&folder.read("a.csv.rejected.csv")).len(), 21);
}

async fn import(address: SocketAddr, file: &str) -> Said {
    let line = format!("import {file} --import-id i --json");
    command(address, &line).output().await.expect("a command").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_outlives_its_connections() {
    World::run(async |world| {
        let folder = Folder::new();
        let file = file(&folder);
        let proxy = Proxy::losing_messages(world.server.address, 0.3, 7).await;
        let said = import(proxy.address, &file).await;
        assert!(proxy.cuts() > 1, "{}", said.err);
        is_all_there(said, &world.client, &folder).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_outlives_the_server() {
    let database = Database::create().await;
    let folder = Folder::new();
    let file = file(&folder);
    let serving = Serving::start(&database.url).await;
    let address = serving.address;
    let importing = tokio::spawn(async move { import(address, &file).await });
    // Asked without a look at the grants, which could take as long as the import.
    let sql = database.connect().await;
    let some = "SELECT EXISTS (SELECT FROM import_rows)";
    until("some rows are there", async || {
        sql.query_one(some, &[]).await.expect("an answer").get(0)
    })
    .await;
    serving.kill().await;
    let serving = Serving::start_at(&address.to_string(), &database.url).await;
    let said = importing.await.expect("an import");
    is_all_there(said, &serving.client(), &folder).await;
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}
