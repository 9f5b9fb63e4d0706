//! Coming up: the schema is brought up to date by a command of its own, and a server waits for it.

use std::process::{Output, Stdio};

use creditd::pb;
use tokio::process::Child;
use tonic::Code;

use super::{free_address, health, until_ready};
use crate::harness::child::creditd;
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server, load, say};

async fn migrate(database: &Database) -> Output {
    let mut command = creditd();
    command.args(["migrate", "--database-url", &database.url]);
    command.output().await.expect("a command")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// A server at these addresses, which may not be ready.
fn serve(url: &str, listen: &str, probes: &str) -> Child {
    let mut command = creditd();
    command.args(["serve", "--listen", listen, "--health-listen", probes, "--database-url", url]);
    command.stderr(Stdio::null()).spawn().expect("a child")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_schema() {
    let database = Database::empty().await;
    let (listen, probes) = (free_address(), free_address());
    let mut serving = serve(&database.url, &listen.to_string(), &probes.to_string());
    until("it lives", async || health(probes, "liveness").await.is_some()).await;
    until_ready(probes, false).await;
    // Callers are not kept waiting.
    let client = Client::to(listen);
    let ask = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
    let refused = client.credits.clone().get_balance(ask.clone()).await.expect_err("no answer");
    load::unavailable(&refused);
    until_ready(listen, false).await;
    let run = said(&migrate(&database).await);
    assert!(run.contains("migrations were run"), "{run}");
    until_ready(probes, true).await;
    client.grant(say::units("acme", "1")).await;
    // The port for probes serves nothing else.
    let refused = Client::to(probes).credits.get_balance(ask).await.expect_err("no service");
    assert_eq!(refused.code(), Code::Unimplemented);
    serving.kill().await.expect("an end");
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_once_whoever_runs_them() {
    let database = Database::empty().await;
    let outputs = tokio::join!(migrate(&database), migrate(&database), migrate(&database));
    let mut said = [said(&outputs.0), said(&outputs.1), said(&outputs.2)];
    said.sort();
    assert!(said[0].contains("migrations were run"), "{said:?}");
    assert_eq!(said[1..], ["the schema is up to date\n", "the schema is up to date\n"]);
    // Beside a server that works, too.
    let server = Server::start(&database.url, &Options::default()).await;
    let again = self::said(&migrate(&database).await);
    assert_eq!(again, "the schema is up to date\n");
    server.client().grant(say::units("acme", "1")).await;
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_left_alone() {
    let database = Database::create().await;
    let sql = database.connect().await;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000000')";
    sql.batch_execute(newer).await.expect("a newer migration");
    let (listen, probes) = (free_address(), free_address());
    // A server waits for the one that takes its place: an end would have it started again and again.
    let mut waiting = serve(&database.url, &listen.to_string(), &probes.to_string());
    until("it lives", async || health(probes, "liveness").await.is_some()).await;
    until_ready(probes, false).await;
    let ask = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
    let refused = Client::to(listen).credits.get_balance(ask).await.expect_err("no answer");
    load::unavailable(&refused);
    waiting.kill().await.expect("an end");
    let migrated = migrate(&database).await;
    let why = String::from_utf8(migrated.stderr).expect("text");
    assert!(why.contains("20991231000000, which a newer creditd made"), "{why}");
    database.drop().await;
}
