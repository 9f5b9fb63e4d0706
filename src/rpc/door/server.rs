//! tonic's server, with the limits that hold once a connection is in.

use std::time::Duration;

use tonic::transport::Server;

use super::Patience;
use crate::limits;

/// A server that takes only so much of each connection.
#[must_use]
pub fn server(patience: &Patience) -> Server {
    // Replicas that began together do not send all their clients away together.
    let age = patience.age + rand::random_range(Duration::ZERO..=patience.age / 10);
    Server::builder()
        .http2_keepalive_interval(Some(patience.ping_every))
        .http2_keepalive_timeout(Some(patience.pong))
        .timeout(patience.call)
        .max_connection_age(age)
        .max_concurrent_streams(limits::CONNECTION_STREAMS_MAX)
        .http2_max_header_list_size(limits::HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(limits::PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(limits::ERROR_RESETS_MAX))
}
