//! Before the database is there, probes are answered, and everybody else is told to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::identity::least_role;
use super::status;

/// Closed until somebody opens it. Through a closed one comes what anybody may call, which is health;
/// what else is called ends with UNAVAILABLE, and nothing of it has begun.
#[derive(Clone, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Lets everybody through, from now on.
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn lets_through(&self, path: &str) -> bool {
        self.0.load(Ordering::Relaxed) || least_role(path).is_none()
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: self.clone() }
    }
}

/// A service behind a [`Gate`].
#[derive(Clone)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S, B> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.gate.lets_through(request.uri().path()) {
            return Either::Left(self.inner.call(request));
        }
        Either::Right(ready(Ok(status::starting().into_http())))
    }
}
