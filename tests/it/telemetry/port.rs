//! The port on which Prometheus reads, and what Prometheus's own tool says of it.

use std::process::Stdio;

use creditd::limits;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::door::raw;
use crate::harness::child::Serving;
use crate::harness::{Database, say};

#[tokio::test(flavor = "multi_thread")]
async fn shows_metrics_and_nothing_else() {
    let database = Database::create().await;
    let serving = Serving::start_with(&database.url, &["--metrics-listen", "127.0.0.1:0"]).await;
    serving.client().grant(say::units("acme", "10")).await;
    let port = format!("http://{}", serving.address_of("metrics"));
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

/// Who asks half a question is not waited for, and others get their turn.
#[tokio::test(flavor = "multi_thread")]
async fn who_dribbles_is_cut_off() {
    let database = Database::create().await;
    let serving = Serving::start_with(&database.url, &["--metrics-listen", "127.0.0.1:0"]).await;
    let address = serving.address_of("metrics");
    let half = b"GET /metrics HTTP/1.1\r\nhost: ";
    let crowd = (0..limits::METRICS_CONNECTIONS).map(|_| raw::saying(address, half));
    let crowd = join_all(crowd).await;
    let whole = raw::saying(address, &[&half[..], b"a\r\n\r\n"].concat()).await;
    let said = String::from_utf8(raw::rest(whole).await).expect("text");
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.contains("\r\nconnection: close\r\n"), "{said}");
    for said in join_all(crowd.into_iter().map(raw::rest)).await {
        assert!(said.is_empty(), "{said:?}");
    }
    assert!(serving.stop().await.success());
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
