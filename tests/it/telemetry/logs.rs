//! Logs as JSON, of a creditd of its own.

use std::collections::BTreeSet;
use std::process::Stdio;

use creditd::pb;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tonic::Request;

use super::collector::Collector;
use crate::harness::child::Serving;
use crate::harness::{Database, say};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_objects_and_tell_of_the_trace() {
    let (database, collector) = (Database::create().await, Collector::start().await);
    let flags = ["--log-format", "json", "--otlp-endpoint", &collector.url()];
    let serving = Serving::start_with(&database.url, &flags).await;
    let (client, log) = (serving.client(), serving.log());
    let grant = pb::CreateGrantRequest {
        metadata: [("private".to_owned(), "private words".to_owned())].into(),
        ..say::units("acme", "10")
    };
    let grant = client.grant(grant).await;
    let sql = database.connect().await;
    sql.batch_execute("ALTER TABLE grants RENAME TO elsewhere").await.expect("a fault");
    let mut ask = Request::new(pb::GetGrantRequest { grant_id: grant.id });
    let context = format!("00-{TRACE}-00f067aa0ba902b7-01");
    ask.metadata_mut().insert("traceparent", context.parse().expect("a header"));
    client.credits.clone().get_grant(ask).await.expect_err("a failure");
    serving.stop().await;

    let lines: Vec<Value> = log
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    let keys = |line: &Value| -> BTreeSet<String> {
        line.as_object().expect("an object").keys().cloned().collect()
    };
    let always = ["timestamp", "level", "target", "message", "fields"].map(str::to_owned);
    assert!(lines.iter().all(|line| keys(line).is_superset(&always.clone().into())));
    assert!(lines.iter().any(|line| line["message"] == "going down"));
    let traced: Vec<&Value> = lines.iter().filter(|line| line["trace_id"] == TRACE).collect();
    let [failure] = traced[..] else { panic!("one line for one failure: {traced:?}") };
    assert_eq!(
        (&failure["level"], &failure["target"]),
        (&"WARN".into(), &"creditd::rpc::status".into())
    );
    assert_eq!(failure["message"], "a read failed");
    assert!(failure["fields"]["error"].as_str().is_some_and(|error| error.contains("grants")));
    assert_eq!(failure["span_id"].as_str().map(str::len), Some(16));
    assert!(!format!("{lines:?}").contains("private"));
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_can_log_so() {
    let mut command = crate::harness::child::creditd();
    command.args(["--log-format", "yaml", "audit"]);
    let refused = command.output().await.expect("an answer");
    assert!(!refused.status.success());
    let mut command = crate::harness::child::creditd();
    // It waits for who is not there, and says so.
    let nobody = "postgres://creditd@127.0.0.1:1/creditd";
    command.args(["migrate", "--log-format", "json", "--database-url", nobody]);
    let mut waiting = command.stderr(Stdio::piped()).spawn().expect("a child");
    let mut log = BufReader::new(waiting.stderr.take().expect("its log")).lines();
    let line = log.next_line().await.expect("text").expect("a line");
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["level"], "WARN", "{line}");
    waiting.kill().await.expect("an end");
}
