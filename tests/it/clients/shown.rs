use std::time::Duration;

use creditd::pb; // your own stubs
use pb::usage_service_client::UsageServiceClient;
use tokio::time::Instant;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// `ca` is the authority's certificate. Keepalive finds a peer that is gone.
pub async fn connect(url: String, ca: &str) -> Result<Channel, tonic::transport::Error> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    Endpoint::from_shared(url)?
        .tls_config(tls)?
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .connect()
        .await
}

/// What a call is sent as: with the API's key, and a deadline.
pub fn with_key<T>(key: &str, message: T) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {key}").parse();
    let bearer = bearer.map_err(|_| Status::unauthenticated("no key"))?;
    request.metadata_mut().insert("authorization", bearer);
    request.set_timeout(Duration::from_secs(15));
    Ok(request)
}

/// How long to wait before another try with the same key; None where that helps nothing.
pub fn pause(error: &Status) -> Option<Duration> {
    let again = match error.get_details_error_info() {
        Some(info) => {
            ["UNAVAILABLE", "OVERLOADED", "CONCURRENT_UPDATE"].contains(&info.reason.as_str())
        }
        // The transport's own word: the connection broke.
        None => [Code::Unavailable, Code::Unknown].contains(&error.code()),
    };
    let told = error.get_details_retry_info().and_then(|retry| retry.retry_delay);
    again.then(|| told.unwrap_or(Duration::from_millis(100)))
}

/// Records usage, in up to five tries.
pub async fn record(
    channel: Channel,
    key: &str,
    usage: pb::RecordUsageRequest,
) -> Result<pb::RecordUsageResponse, Status> {
    let mut client = UsageServiceClient::new(channel);
    let mut tries = 1;
    loop {
        match client.record_usage(with_key(key, usage.clone())?).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(error) => match pause(&error).filter(|_| tries < 5) {
                Some(pause) => tokio::time::sleep_until(Instant::now() + pause).await,
                None => return Err(error),
            },
        }
        tries += 1;
    }
}
