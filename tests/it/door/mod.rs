//! The door: who comes in, over TLS and without, and that nobody there holds up the others.

mod abuse;
pub mod authority;
mod clients;
mod crowd;
mod expiry;
mod probes;
pub mod raw;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use creditd::pb;
use creditd::rpc::door::{Patience, Settings};
use tonic::Status;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use self::authority::{Authority, Paper};
use crate::harness::{Client, Options, World, say};

/// A world whose door is as `change` makes it.
fn with(change: impl FnOnce(&mut Settings)) -> Options {
    let mut options = Options::default();
    change(&mut options.door);
    options
}

/// A door that waits for little, but longer than a client that is well ever takes.
fn hurried() -> Options {
    with(|door| {
        let (short, long) = (Duration::from_millis(300), Duration::from_secs(2));
        door.patience =
            Patience { begin: long, ping_every: short, pong: long, call: long, ..door.patience };
    })
}

/// A client over TLS, connected.
pub async fn secure(
    address: SocketAddr,
    authority: &Authority,
    paper: Option<&Paper>,
) -> Result<Client, tonic::transport::Error> {
    let ca = Certificate::from_pem(&authority.pem);
    let tls = ClientTlsConfig::new().domain_name("localhost").ca_certificate(ca);
    let tls = match paper {
        Some(paper) => tls.identity(paper.identity()),
        None => tls,
    };
    let endpoint = Endpoint::from_shared(format!("https://{address}")).expect("an endpoint");
    let channel = endpoint.tls_config(tls)?.connect().await?;
    Ok(Client::over(channel))
}

/// Whether a call over this client is answered.
async fn ask(client: &Client) -> Result<(), Status> {
    let request = pb::GetBalanceRequest { customer_id: "acme".to_owned(), ..Default::default() };
    client.credits.clone().get_balance(request).await.map(drop)
}

/// Others are served: over a connection that was there before, and over a new one.
async fn serves(world: &World) {
    world.client.grant(say::units("acme", "1")).await;
    world.server.client().grant(say::units("acme", "1")).await;
}
