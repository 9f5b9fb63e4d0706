//! The port on which Prometheus reads, and what Prometheus's own tool says of it.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::harness::child::Serving;
use crate::harness::{Database, say};

#[tokio::test(flavor = "multi_thread")]
async fn shows_metrics_and_nothing_else() {
    let database = Database::create().await;
    let serving = Serving::start_with(&database.url, &["--metrics-listen", "127.0.0.1:0"]).await;
    serving.client().grant(say::units("acme", "10")).await;
    let log = serving.log();
    let said = log
        .lines()
        .iter()
        .find_map(|line| Some(line.split_once("metrics on ")?.1.trim().to_owned()));
    let port = format!("http://{}", said.expect("where metrics are"));
    // Of no use here, but no client is made without one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = http.get(format!("{port}/metrics")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
    let text = answer.text().await.expect("text");
    assert!(text.contains("creditd_build_info{version="), "{text}");
    assert!(text.contains("process_start_time_seconds"), "{text}");
    let elsewhere = http.get(format!("{port}/")).send().await.expect("an answer");
    let otherwise = http.post(format!("{port}/metrics")).send().await.expect("an answer");
    assert_eq!(
        (elsewhere.status(), otherwise.status()),
        (404.try_into().unwrap(), 404.try_into().unwrap())
    );
    assert!(serving.stop().await.success());
    http.get(format!("{port}/metrics")).send().await.expect_err("it ends with the process");
    promtool(&text).await;
    database.audit().await;
    database.drop().await;
}

/// What `promtool check metrics` says, where there is one; CI has one.
async fn promtool(text: &str) {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut tool) = tool.spawn() else {
        assert!(std::env::var_os("CI").is_none(), "CI has promtool (apt-get install prometheus)");
        eprintln!("skipped: there is no promtool");
        return;
    };
    let mut input = tool.stdin.take().expect("its input");
    input.write_all(text.as_bytes()).await.expect("a reader");
    drop(input);
    let checked = tool.wait_with_output().await.expect("an answer");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}
