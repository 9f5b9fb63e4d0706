//! How creditd comes up, says how it is, and goes down.

mod end;
mod start;

use std::net::{SocketAddr, TcpListener};

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::Client;
use crate::harness::wait::until;

/// An address that nobody listens at.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// What health says of a service at this address; None where nobody answers.
async fn health(at: SocketAddr, service: &str) -> Option<ServingStatus> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(Client::to(at).channel).check(request).await;
    answer.ok().map(|answer| answer.into_inner().status())
}

/// Waits until it is ready, or not, and alive.
async fn until_ready(at: SocketAddr, ready: bool) {
    let wanted = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    until("health says so", async || health(at, "").await == Some(wanted)).await;
    assert_eq!(health(at, "liveness").await, Some(ServingStatus::Serving));
}
