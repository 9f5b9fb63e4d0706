//! A receiver of webhooks: a real HTTP server that does with each request what a test says.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::wait::until;

/// What was received.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).expect("a header").to_str().expect("text")
    }

    /// The notification's id.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }
}

/// What a receiver does.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It answers with this status.
    Status(u16),
    /// The same with a header.
    With(u16, &'static str, String),
    /// It takes the request, and never answers.
    Hang,
    /// It takes the request, and answers 200 once this is cancelled.
    Wait(CancellationToken),
    /// It takes the request, and closes the connection.
    Close,
    /// It answers 200, with a body that never ends.
    Endless,
    /// It answers 200, begins a body, and says nothing more.
    Stuck,
}

type Script = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;
type Seen = Arc<Mutex<Vec<Received>>>;
type Body = BoxBody<Bytes, io::Error>;

/// A receiver on a free port. Dropped, it closes its connections.
pub struct Receiver {
    pub address: SocketAddr,
    seen: Seen,
    script: Arc<Mutex<Script>>,
    accepting: JoinHandle<()>,
}

impl Receiver {
    /// One that says 200 to everything.
    pub async fn start() -> Self {
        Self::answering(Answer::Status(200)).await
    }

    /// One that does always the same.
    pub async fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen::default();
        let always: Script = Arc::new(move |_| answer.clone());
        let script = Arc::new(Mutex::new(always));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&seen), Arc::clone(&script)));
        Self { address, seen, script, accepting }
    }

    /// From now on it does this.
    pub fn now(&self, answer: Answer) {
        self.script(move |_| answer.clone());
    }

    /// From now on it does what this says.
    pub fn script(&self, script: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.script.lock().expect("a lock") = Arc::new(script);
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What was received so far, in its order.
    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().expect("a lock").clone()
    }

    /// Waits until so many requests were received.
    pub async fn until_seen(&self, count: usize) {
        until("webhooks are received", async || self.seen.lock().expect("a lock").len() >= count)
            .await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, seen: Seen, script: Arc<Mutex<Script>>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("an option");
        let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
        connections.spawn(async move {
            let serve =
                service_fn(move |request| answer(request, Arc::clone(&seen), Arc::clone(&script)));
            // A connection that is cut, by either side, is what some tests ask for.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Seen,
    script: Arc<Mutex<Script>>,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    let received = Received { path: head.uri.to_string(), headers: head.headers, body };
    let script = Arc::clone(&script.lock().expect("a lock"));
    let answer = script(&received);
    seen.lock().expect("a lock").push(received);
    let (status, header, body) = match answer {
        Answer::Status(status) => (status, None, empty()),
        Answer::With(status, name, value) => (status, Some((name, value)), empty()),
        Answer::Hang => std::future::pending().await,
        Answer::Wait(end) => {
            end.cancelled().await;
            (200, None, empty())
        }
        Answer::Close => return Err(io::Error::other("closed")),
        Answer::Endless => (200, None, endless()),
        Answer::Stuck => (200, None, stuck()),
    };
    let mut response = Response::builder().status(status);
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    Ok(response.body(body).expect("a response"))
}

fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed()
}

fn endless() -> Body {
    let frame = || Ok(Frame::data(Bytes::from(vec![b'x'; 64 * 1024])));
    BodyExt::boxed(StreamBody::new(stream::repeat_with(frame)))
}

fn stuck() -> Body {
    let begin = stream::once(async { Ok(Frame::data(Bytes::from_static(b"ok"))) });
    BodyExt::boxed(StreamBody::new(begin.chain(stream::pending())))
}
