//! The port for probes: so many at once, none for long, and so the next one gets its turn.

use std::time::Duration;

use creditd::limits;
use creditd::metrics::Registry;
use creditd::rpc::Health;
use creditd::rpc::door::{Door, Patience, Settings};
use creditd::store::Clock;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::raw;
use crate::harness::Database;
use crate::harness::child::Serving;
use crate::harness::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_keeps_probes_from_their_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let patience = Patience { age: Duration::from_millis(500), ..Patience::default() };
    let settings = Settings { connections: 3, patience, ..Settings::for_probes() };
    let door = Door::open(listener, settings).await.expect("a door");
    let counts = door.counts();
    let up = Registry::new().expect("a registry").gauge("up", "up").expect("a gauge");
    let health = Health::new(&Clock::Database, up).await;
    let ended = CancellationToken::new();
    let serving = tokio::spawn(health.serve(door, ended.clone()));
    let ask = HealthCheckRequest { service: "liveness".to_owned() };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an endpoint");
    let client = || async { endpoint.connect().await.map(HealthClient::new) };
    // One watches, two say nothing.
    let mut watcher = client().await.expect("a connection");
    let mut watched = watcher.watch(ask.clone()).await.expect("a stream").into_inner();
    watched.message().await.expect("a state").expect("a state");
    let silent = join_all((0..2).map(|_| raw::http2(address))).await;
    until("it is full", async || counts.snapshot().came_in == 3).await;
    assert!(raw::rest(raw::connect(address).await).await.is_empty());
    until("there is room", async || match client().await {
        Ok(mut client) => client.check(ask.clone()).await.is_ok(),
        Err(_) => false,
    })
    .await;
    watched.message().await.expect_err("it has ended");
    join_all(silent.into_iter().map(raw::rest)).await;
    ended.cancel();
    serving.await.expect("a task").expect("an end");
}

/// However many connections somebody keeps, a kubelet elsewhere gets its answer.
#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_its_share() {
    let database = Database::create().await;
    let serving = Serving::start_with(&database.url, &["--health-listen", "127.0.0.1:0"]).await;
    let address = serving.address_of("health");
    let many = 2 * limits::HEALTH_CONNECTIONS_PER_ADDRESS;
    let crowd = join_all((0..many).map(|_| raw::http2(address))).await;
    assert!(raw::rest(raw::connect(address).await).await.is_empty());
    let elsewhere = Endpoint::from_shared(format!("http://{address}")).expect("an endpoint");
    let elsewhere = elsewhere.local_address(Some([127, 0, 0, 2].into()));
    let mut client = HealthClient::new(elsewhere.connect().await.expect("a connection"));
    let ask = HealthCheckRequest { service: "liveness".to_owned() };
    client.check(ask).await.expect("an answer");
    drop(crowd);
    assert!(serving.stop().await.success());
    database.drop().await;
}
