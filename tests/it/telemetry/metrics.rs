//! Each count after what it counts.

use chrono::TimeDelta;
use creditd::pb;
use tonic::client::Grpc;
use tonic::{Code, Streaming};
use tonic_prost::ProstCodec;

use super::{figure, names};
use crate::harness::receiver::{Answer, Receiver};
use crate::harness::wait::until;
use crate::harness::{Options, World, notify, say, t0};

fn assert_figures(text: &str, expected: &[(&str, u64)]) {
    let found: Vec<(&str, u64)> =
        expected.iter().map(|(series, _)| (*series, figure(text, series))).collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_by_method_and_code() {
    World::run(async |world| {
        let client = &world.client;
        client.grant(say::units("acme", "10")).await;
        client.grant(say::units("acme", "10")).await;
        let mut bad = say::units("acme", "10");
        bad.amount = "ten".into();
        client.try_grant(bad).await.expect_err("a refusal");
        client.try_fetch("0197a2c0-0000-7000-8000-000000000000").await.expect_err("a refusal");
        let mut raw = Grpc::new(client.channel.clone());
        raw.ready().await.expect("a channel");
        let path = "/credits.v1.CreditService/Unheard".parse().expect("a path");
        let codec = ProstCodec::<pb::GetGrantRequest, pb::GetGrantResponse>::default();
        let request = tonic::Request::new(pb::GetGrantRequest::default());
        let status = raw.unary(request, path, codec).await.expect_err("no such method");
        assert_eq!(status.code(), Code::Unimplemented);
        let of = |method: &str, code: &str| {
            let series = format!(
                r#"creditd_call_duration_seconds_count{{code="{code}",method="{method}"}}"#
            );
            figure(&world.server.metrics(), &series)
        };
        let create = "credits.v1.CreditService/CreateGrant";
        // The last word of a call is counted once it is sent.
        until("all are counted", async || of("unknown", "UNIMPLEMENTED") == 1).await;
        assert_eq!((of(create, "OK"), of(create, "INVALID_ARGUMENT")), (2, 1));
        assert_eq!(of("credits.v1.CreditService/GetGrant", "NOT_FOUND"), 1);
        assert!(!world.server.metrics().contains("Unheard"), "only methods that there are");
    })
    .await;
}

/// Somebody who watches two customers, and was shown one.
async fn watch(world: &World) -> Streaming<pb::WatchBalanceResponse> {
    let ask = pb::WatchBalanceRequest { customer_ids: say::names(&["a", "b"]) };
    let watch = world.client.credits.clone().watch_balance(ask).await.expect("a stream");
    let mut watch = watch.into_inner();
    watch.message().await.expect("a balance");
    watch
}

/// Watches, so that there is a stream that has ended.
pub(super) async fn watch_and_leave(world: &World) {
    drop(watch(world).await);
    let counted = "creditd_streams_total";
    until("it has ended", async || names(&world.server.metrics()).contains(counted)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_watchers() {
    World::run(async |world| {
        let watch = watch(world).await;
        let open = r#"creditd_calls_in_flight{method="credits.v1.CreditService/WatchBalance"}"#;
        let ended = r#"creditd_streams_total{code="CANCELLED",method="credits.v1.CreditService/WatchBalance"}"#;
        let text = world.server.metrics();
        let none = (ended, 0);
        assert_figures(&text, &[("creditd_watchers", 1), ("creditd_watched_customers", 2)]);
        assert_figures(&text, &[(open, 1), none]);
        assert!(figure(&text, "creditd_watch_lag_seconds_count") >= 1, "they were shown");
        drop(watch);
        until("it has ended", async || figure(&world.server.metrics(), ended) == 1).await;
        until("nobody watches", async || figure(&world.server.metrics(), "creditd_watchers") == 0)
            .await;
        assert_figures(&world.server.metrics(), &[(open, 0)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_queues_and_pools() {
    World::run(async |world| {
        for number in 0..3 {
            world.client.grant(say::units(&format!("c{number}"), "10")).await;
        }
        let rows = (0..40).map(|number| say::row(&format!("c{number}"), "1")).collect();
        world.client.import("an-import", rows).await;
        let (text, stats) = (world.server.metrics(), world.server.stats());
        assert_eq!(stats.commands, 43);
        let batches = stats.batches;
        let statements = stats.statements;
        assert_figures(
            &text,
            &[
                ("creditd_batch_commands_sum", 43),
                ("creditd_batch_commands_count", batches),
                ("creditd_batch_duration_seconds_count", batches),
                ("creditd_statements_total", statements),
                (r#"creditd_batch_commands_bucket{le="1"}"#, 3),
                (r#"creditd_queued_commands{from="calls"}"#, 0),
                (r#"creditd_queued_commands{from="streams"}"#, 0),
                ("creditd_batch_retries_total", 0),
                ("creditd_database_up", 1),
            ],
        );
        // Three calls, and the rows' part in each lane.
        let arrived = figure(&text, "creditd_queue_wait_seconds_count");
        assert_eq!(arrived, figure(&text, "creditd_ledger_lag_seconds_count"));
        assert!((4..=5).contains(&arrived), "{arrived}");
        assert!(figure(&text, r#"creditd_pool_connections{pool="readers",state="idle"}"#) >= 1);
    })
    .await;
}

/// tonic ends it, not whoever serves it; nobody has hung up.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_time_is_over_is_counted_as_such() {
    World::run(async |world| {
        world.client.grant(say::units("acme", "10")).await;
        let locked = world.database.lock("acme").await;
        let mut late = tonic::Request::new(say::usage("acme", "e1", "m", "1"));
        late.set_timeout(std::time::Duration::from_secs(1));
        world.client.usage.record_usage(late).await.expect_err("no answer in time");
        let named = |code: &str| {
            format!(
                "creditd_call_duration_seconds_count{{code=\"{code}\",\
                 method=\"credits.v1.UsageService/RecordUsage\"}}"
            )
        };
        let (over, hung_up) = (named("DEADLINE_EXCEEDED"), named("CANCELLED"));
        until("it is over", async || figure(&world.server.metrics(), &over) == 1).await;
        assert_eq!(figure(&world.server.metrics(), &hung_up), 0);
        locked.release().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sweeper_brought() {
    World::run(async |world| {
        let ends = Some(say::time(t0() + TimeDelta::days(1)));
        for customer in ["a", "b"] {
            let grant = pb::CreateGrantRequest { expires_at: ends, ..say::units(customer, "10") };
            world.client.grant(grant).await;
        }
        world.advance(TimeDelta::days(2)).await;
        assert_figures(
            &world.server.metrics(),
            &[
                (r#"creditd_sweeper_passes_total{outcome="done"}"#, 1),
                (r#"creditd_sweeper_brought_total{what="grants_ended"}"#, 2),
                (r#"creditd_sweeper_brought_total{what="holds_expired"}"#, 0),
                ("creditd_sweeper_due_customers", 2),
                ("creditd_sweeper_lag_seconds", 86_400),
            ],
        );
        world.advance(TimeDelta::days(1)).await;
        let text = world.server.metrics();
        assert_figures(&text, &[("creditd_sweeper_lag_seconds", 0)]);
    })
    .await;
}

/// One endpoint has sixteen in flight and hangs: the seventeenth waits.
#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_and_what_became_of_it() {
    World::run_silent(async |world| {
        let receiver = Receiver::answering(Answer::Hang).await;
        let endpoint = notify::endpoint(&receiver.url());
        world.client.try_create_endpoint(endpoint).await.expect("an endpoint");
        for _ in 0..17 {
            world.client.grant(say::units("acme", "10")).await;
        }
        let delivering = world.another(&Options::at(t0() + TimeDelta::hours(1))).await;
        let lag = async || figure(&delivering.metrics(), "creditd_outbox_lag_seconds");
        receiver.until_seen(16).await;
        until("one waits", async || lag().await == 3_600).await;
        let pending = "creditd_outbox_pending_deliveries";
        until("they are counted", async || figure(&delivering.metrics(), pending) == 17).await;
        let delivered = r#"creditd_webhook_attempts_total{outcome="delivered"}"#;
        assert_figures(&delivering.metrics(), &[(delivered, 0)]);
        delivering.stop().await;
    })
    .await;
    World::run(async |world| {
        let receiver = Receiver::answering(Answer::Status(410)).await;
        let endpoint = notify::endpoint(&receiver.url());
        world.client.try_create_endpoint(endpoint).await.expect("an endpoint");
        world.client.grant(say::units("acme", "10")).await;
        let disabled = "creditd_webhook_endpoints_disabled_total";
        until("it is told off", async || figure(&world.server.metrics(), disabled) == 1).await;
    })
    .await;
}
