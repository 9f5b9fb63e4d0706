//! A receiver of webhooks that answers at once, and counts.

use std::io;
use std::net::SocketAddr;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::Result;

/// A receiver on a free port. Dropped, it closes its connections.
pub struct Receiver {
    address: SocketAddr,
    received: watch::Sender<u32>,
    accepting: JoinHandle<io::Result<()>>,
}

impl Receiver {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let received = watch::Sender::new(0);
        let accepting = tokio::spawn(accept(listener, received.clone()));
        Ok(Self { address, received, accepting })
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// How many requests have come so far.
    pub fn count(&self) -> u32 {
        *self.received.borrow()
    }

    /// Waits until so many have come.
    pub async fn reaches(&self, count: u32) -> Result<()> {
        self.received.subscribe().wait_for(|received| *received >= count).await?;
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, received: watch::Sender<u32>) -> io::Result<()> {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let received = received.clone();
        connections.spawn(async move {
            let serve = service_fn(move |request| answer(request, received.clone()));
            // What it does not answer, the sender sends again.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    received: watch::Sender<u32>,
) -> hyper::Result<Response<Empty<Bytes>>> {
    request.into_body().collect().await?;
    received.send_modify(|count| *count += 1);
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
