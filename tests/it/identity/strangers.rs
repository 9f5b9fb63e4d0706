//! Those who have not said who they are: they hold so much, and nobody else waits for it.

use creditd::cli::error::reason;
use creditd::domain::identity::{KeyText, Role};
use creditd::limits;
use futures_util::future::join_all;
use futures_util::stream::pending;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;

use super::{asks, guarded, key};
use crate::harness::wait::until;
use crate::harness::{Options, World, say};

async fn watch(channel: &Channel) -> Result<Streaming<HealthCheckResponse>, Status> {
    let request = HealthCheckRequest { service: String::new() };
    let stream = HealthClient::new(channel.clone()).watch(request).await?;
    Ok(stream.into_inner())
}

async fn check(channel: &Channel, service: &str) -> Result<(), Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).check(request).await.map(drop)
}

/// Every place there is, taken by who watches.
async fn crowd(channel: &Channel) -> Vec<Streaming<HealthCheckResponse>> {
    let watches = join_all((0..limits::STRANGERS_MAX).map(|_| watch(channel))).await;
    let watches: Result<Vec<_>, _> = watches.into_iter().collect();
    watches.expect("streams")
}

fn is_crowded(status: &Status) {
    let said = (status.code(), reason(status));
    assert_eq!(said, (Code::ResourceExhausted, Some("OVERLOADED".to_owned())), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_hold_so_much_and_callers_are_served() {
    World::run_with(guarded(), async |world| {
        let known = key(&world.database, "reports", Role::Reader).await;
        until("it opens", async || asks(&world.client, &known).await == Code::Ok).await;
        let (one, other) = (world.server.client().channel, world.server.client().channel);
        let watches = crowd(&one).await;
        is_crowded(&watch(&one).await.expect_err("no room"));
        is_crowded(&check(&other, "").await.expect_err("no room"));
        let made_up = KeyText::fresh().expect("randomness");
        assert_eq!(asks(&world.client, &made_up).await, Code::ResourceExhausted);
        assert_eq!(asks(&world.client, &known).await, Code::Ok);
        drop(watches);
        until("there is room", async || check(&other, "").await.is_ok()).await;
        assert_eq!(asks(&world.client, &made_up).await, Code::Unauthenticated);
    })
    .await;
}

/// Questions after health that never come to their end.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_question_takes_a_place_where_nobody_is_asked() {
    World::run(async |world| {
        let channel = world.server.client().channel;
        let asked = async || {
            let mut client = Grpc::new(channel.clone());
            client.ready().await.expect("ready");
            let never = Request::new(pending::<HealthCheckRequest>());
            let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
            let codec = ProstCodec::<_, HealthCheckResponse>::default();
            client.client_streaming(never, path, codec).await
        };
        let waiting = join_all((0..limits::STRANGERS_MAX).map(|_| asked()));
        tokio::select! {
            _ = waiting => panic!("none is answered"),
            () = until("it is full", async || check(&channel, "").await.is_err()) => {}
        }
        until("there is room", async || check(&channel, "").await.is_ok()).await;
        world.client.grant(say::units("acme", "1")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_after_health_is_short() {
    World::run_with(Options::default(), async |world| {
        let long = "x".repeat(limits::HEALTH_BYTES_MAX);
        let refused = check(&world.client.channel, &long).await.expect_err("too long");
        assert_eq!(refused.code(), Code::OutOfRange);
        let refused = check(&world.client.channel, "x").await.expect_err("no such service");
        assert_eq!(refused.code(), Code::NotFound);
    })
    .await;
}
