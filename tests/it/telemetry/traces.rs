//! What a collector gets: from a creditd of its own, because a process has one place for its traces.

use creditd::pb;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::net::TcpListener;
use tonic::{Code, Request};

use super::collector::{Collector, attributes, hex};
use crate::harness::child::Serving;
use crate::harness::receiver::{Answer, Receiver};
use crate::harness::wait::until;
use crate::harness::{Client, Database, notify, say};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A request of a caller whose trace this is.
fn traced<T>(message: T, trace: &str, sampled: bool) -> Request<T> {
    let flags = if sampled { "01" } else { "00" };
    let context = format!("00-{trace}-{PARENT}-{flags}");
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", context.parse().expect("a header"));
    request
}

/// A grant that says more than a trace may tell.
fn telling(customer: &str) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest {
        description: "private words".into(),
        metadata: [("private".to_owned(), "private words".to_owned())].into(),
        ..say::units(customer, "10")
    }
}

async fn grant(client: &Client, request: Request<pb::CreateGrantRequest>) {
    client.credits.clone().create_grant(request).await.expect("a grant");
}

/// Two calls wait behind a third whose customer is locked, and so come to be in one batch.
async fn two_in_one_batch(database: &Database, client: &Client, other: &str) {
    grant(client, Request::new(telling("private-first"))).await;
    let locked = database.lock("private-first").await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { grant(&client, traced(telling("private-first"), TRACE, false)).await }
    });
    database.until_waiting(1).await;
    let second = traced(telling("private-second"), TRACE, true);
    let third = traced(telling("private-third"), other, true);
    let (second, third) = (grant(client, second), grant(client, third));
    let release = async {
        // Both are queued once their requests are answered only after the lock is gone.
        client
            .try_balance(pb::GetBalanceRequest {
                customer_id: "nobody".into(),
                ..Default::default()
            })
            .await
            .expect("a balance");
        locked.release().await;
    };
    tokio::join!(second, third, release);
    first.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_the_batch_that_carries_them_out() {
    let other = "0af7651916cd43dd8448eb211c80319c";
    let (database, collector) = (Database::create().await, Collector::start().await);
    let flags = ["--otlp-endpoint", &collector.url(), "--lanes", "1"];
    let serving = Serving::start_with(&database.url, &flags).await;
    let client = serving.client();
    two_in_one_batch(&database, &client, other).await;
    let missing = pb::GetGrantRequest { grant_id: "0197a2c0-0000-7000-8000-000000000000".into() };
    let missing = client.credits.clone().get_grant(missing).await.expect_err("no grant");
    assert_eq!(missing.code(), Code::NotFound);
    serving.stop().await;

    let calls = collector.spans("credits.v1.CreditService/CreateGrant");
    let of = |trace: &str| {
        let mut calls = calls.iter().filter(|call| hex(&call.trace_id) == trace);
        calls.next().expect("a call of this trace").clone()
    };
    assert_eq!(calls.len(), 3, "the one whose caller records nothing is not recorded");
    let (second, third) = (of(TRACE), of(other));
    assert_eq!(hex(&second.parent_span_id), PARENT);
    assert_eq!(
        attributes(&second),
        [
            "rpc.grpc.status_code=0",
            r#"rpc.method="CreateGrant""#,
            r#"rpc.service="credits.v1.CreditService""#,
            r#"rpc.system="grpc""#
        ]
    );
    let batches = collector.spans("batch");
    let batch = batches.iter().find(|batch| batch.links.len() == 2).expect("a batch of both");
    assert_eq!(attributes(batch), ["commands=2"]);
    let mut linked: Vec<_> = batch.links.iter().map(|link| link.span_id.clone()).collect();
    let mut both = vec![second.span_id.clone(), third.span_id.clone()];
    linked.sort();
    both.sort();
    assert_eq!(linked, both);
    assert!(both.contains(&batch.parent_span_id), "it is in the trace of one of them");
    let missing = &collector.spans("credits.v1.CreditService/GetGrant")[0];
    assert!(attributes(missing).contains(&"rpc.grpc.status_code=5".to_owned()));
    assert!(missing.status.as_ref().is_none_or(|status| status.code() != StatusCode::Error));
    let everything = collector.everything();
    assert!(everything.contains("creditd"), "the service's name");
    assert!(!everything.contains("private"), "nothing that callers have sent");
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_and_attempts() {
    let (database, collector) = (Database::create().await, Collector::start().await);
    let receiver = Receiver::answering(Answer::Status(503)).await;
    let flags =
        ["--otlp-endpoint", &collector.url(), "--webhook-allow-http", "--webhook-allow-private"];
    let serving = Serving::start_with(&database.url, &flags).await;
    let client = serving.client();
    let endpoint = notify::endpoint(&receiver.url());
    client.try_create_endpoint(endpoint).await.expect("an endpoint");
    client.grant(say::units("acme", "10")).await;
    receiver.until_seen(1).await;
    serving.stop().await;
    let sweep = &collector.spans("sweep")[0];
    assert_eq!(attributes(sweep), ["customers=0", "removed=0", "renewed=0"]);
    let attempt = &collector.spans("webhook")[0];
    let error = r#"error.type="503 Service Unavailable""#.to_owned();
    let expected = ["attempt=1".to_owned(), error, "http.response.status_code=503".to_owned()];
    assert_eq!(attributes(attempt), expected);
    assert_eq!(attempt.status.as_ref().expect("a status").code(), StatusCode::Error);
    let sent = &receiver.seen()[0];
    assert!(!sent.headers.contains_key("traceparent"), "receivers are not told");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_decide_and_else_the_ratio() {
    let (database, collector) = (Database::create().await, Collector::start().await);
    let flags = ["--otlp-endpoint", &collector.url(), "--trace-ratio", "0"];
    let serving = Serving::start_with(&database.url, &flags).await;
    let client = serving.client();
    grant(&client, Request::new(say::units("acme", "10"))).await;
    grant(&client, traced(say::units("acme", "10"), TRACE, true)).await;
    serving.stop().await;
    let calls = collector.spans("credits.v1.CreditService/CreateGrant");
    let traces: Vec<String> = calls.iter().map(|call| hex(&call.trace_id)).collect();
    assert_eq!(traces, [TRACE]);
    assert_eq!(collector.spans("batch").len(), 1, "of a call that is recorded");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_told_of_once() {
    let database = Database::create().await;
    // Nobody listens there any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let away = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let flags = ["--otlp-endpoint", &away];
    let often = [("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let serving = Serving::start_in(&database.url, &flags, &often).await;
    let client = serving.client();
    let log = serving.log();
    let said = || log.lines().iter().filter(|line| line.contains("traces")).count();
    client.grant(say::units("acme", "10")).await;
    until("it is told", async || said() == 1).await;
    client.grant(say::units("acme", "10")).await;
    assert!(serving.stop().await.success(), "it ends in order");
    assert_eq!(said(), 1, "{:?}", log.lines());
    database.drop().await;
}
