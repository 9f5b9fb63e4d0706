//! Those who mean harm: each is cut off, or refused, and while they go on others are served.

use std::io::ErrorKind;
use std::time::Duration;

use creditd::limits;
use creditd::pb;
use creditd::rpc::door::{Door, Patience, Settings};
use futures_util::StreamExt as _;
use futures_util::stream::pending;
use http::uri::PathAndQuery;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tonic::client::Grpc;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use super::raw::{self, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, frame};
use super::{ask, hurried, serves};
use crate::harness::{World, say};

/// A frame that comes byte by byte, and pings that are not answered.
#[tokio::test(flavor = "multi_thread")]
async fn who_dribbles_is_cut_off() {
    World::run_with(hurried(), async |world| {
        let mut dribble = raw::http2(world.server.address).await;
        dribble.write_all(&frame(HEADERS, END_HEADERS, 1, &raw::call())[..12]).await.expect("sent");
        serves(world).await;
        raw::rest(dribble).await;
        // Who answers them was not.
        ask(&world.client).await.expect("an answer");
        assert_eq!(world.server.door().open, 1);
    })
    .await;
}

/// A request whose message never comes, though its client is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_come_is_not_waited_for() {
    World::run_with(hurried(), async |world| {
        let mut client = Grpc::new(world.client.channel.clone());
        client.ready().await.expect("ready");
        let never = Request::new(pending::<pb::GetBalanceRequest>());
        let path = PathAndQuery::from_static("/credits.v1.CreditService/GetBalance");
        let codec = ProstCodec::<_, pb::GetBalanceResponse>::default();
        let waiting =
            tokio::spawn(async move { client.client_streaming(never, path, codec).await });
        serves(world).await;
        let status = waiting.await.expect("a call").expect_err("no answer");
        assert_eq!(status.code(), Code::Cancelled, "{status:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_refused() {
    World::run(async |world| {
        let mut request = Request::new(say::usage("acme", "e", "m", "1"));
        let long = "x".repeat(usize::try_from(limits::HEADER_BYTES_MAX).expect("a size"));
        request.metadata_mut().insert("x-long", long.parse().expect("a value"));
        world.client.usage.clone().record_usage(request).await.expect_err("too long");
        serves(world).await;
        // Without an end.
        let mut endless = raw::http2(world.server.address).await;
        endless.write_all(&frame(HEADERS, END_STREAM, 1, &raw::call())).await.expect("sent");
        let more: Vec<u8> = [&[0x00, 5][..], b"x-abc", &[100], &[b'x'; 100]].concat();
        let more = frame(CONTINUATION, 0, 1, &more);
        while endless.write_all(&more).await.is_ok() {}
        serves(world).await;
    })
    .await;
}

/// Calls that are taken back as fast as they are made.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_is_cut_off() {
    World::run(async |world| {
        let mut flood = raw::http2(world.server.address).await;
        let mut stream = 1;
        loop {
            let mut burst = Vec::new();
            for _ in 0..200 {
                burst.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &raw::call()));
                burst.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                stream += 2;
            }
            if flood.write_all(&burst).await.is_err() {
                break;
            }
            assert!(stream < 1_000_000, "it goes on for ever");
        }
        serves(world).await;
    })
    .await;
}

/// Who takes nothing any more is not written to for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let patience = Patience { pong: Duration::from_millis(100), ..Patience::default() };
    let settings = Settings { connections: 1, connections_per_address: None, tls: None, patience };
    let door = Door::open(listener, settings).await.expect("a door");
    let mut connections = Box::pin(door.connections());
    let (deaf, connection) = tokio::join!(raw::http2(address), connections.next());
    let Some(Ok(mut connection)) = connection else { panic!("one that came in") };
    let words = vec![0; 64 * 1024];
    let error = loop {
        if let Err(error) = connection.write_all(&words).await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(deaf);
}
