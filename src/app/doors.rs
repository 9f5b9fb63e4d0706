//! Where `creditd serve` is reached.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Error;
use crate::config;
use crate::rpc::door::{self, Door};

/// Where callers come in.
pub struct Doors {
    /// To everything.
    pub grpc: Door,
    /// To health alone, for probes.
    pub health: Option<Door>,
    /// To metrics, for Prometheus.
    pub metrics: Option<TcpListener>,
}

impl From<Door> for Doors {
    fn from(grpc: Door) -> Self {
        Self { grpc, health: None, metrics: None }
    }
}

impl Doors {
    /// Those that are configured, and the address of the first.
    pub(super) async fn open(config: &config::Serve) -> Result<(Self, SocketAddr), Error> {
        let (listener, bound) = listen(config.listen).await?;
        let grpc = Door::open(listener, config.into()).await?;
        let health = match listen_if_asked(config.life.health_listen, "health").await? {
            Some(listener) => Some(Door::open(listener, door::Settings::for_probes()).await?),
            None => None,
        };
        let metrics = listen_if_asked(config.telemetry.metrics_listen, "metrics").await?;
        Ok((Self { grpc, health, metrics }, bound))
    }
}

async fn listen_if_asked(
    address: Option<SocketAddr>,
    what: &str,
) -> Result<Option<TcpListener>, Error> {
    let Some(address) = address else { return Ok(None) };
    let (listener, bound) = listen(address).await?;
    tracing::info!("{what} on {bound}");
    Ok(Some(listener))
}

/// Listens at an address, and says at which in the end.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |error| Error::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
