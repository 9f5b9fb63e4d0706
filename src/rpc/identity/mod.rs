//! Who calls: a key in the `authorization` header, or the connection's certificate. Who does not
//! prove who they are, or may not do what they ask for, comes no further than this.

mod access;
mod keys;
mod revocable;
mod strangers;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, poll_immediate};
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

pub(super) use self::access::least_role;
pub use self::keys::KeyRing;
use self::keys::Taken;
use self::revocable::Revocable;
use self::strangers::{Place, Strangers};
use super::door::Peer;
use super::status;
use crate::domain::entry::ACTOR_ANONYMOUS;
use crate::domain::identity::{Caller, CertificateRule, KeyText, of_certificate};

/// How callers prove who they are.
pub struct Identity {
    /// The keys.
    pub keys: Arc<KeyRing>,
    /// What the names of certificates say.
    pub rules: Vec<CertificateRule>,
}

/// Who was let in.
enum Admitted {
    /// Nobody in particular, to what anybody may call.
    Stranger(Place),
    /// Somebody, until the key is revoked.
    Caller(Caller, Option<CancellationToken>),
}

/// What stands before the services.
struct Guard {
    /// None where nobody is asked.
    identity: Option<Arc<Identity>>,
    strangers: Strangers,
}

impl Guard {
    /// Whether nobody is asked anything.
    fn is_off(&self, path: &str) -> bool {
        self.identity.is_none() && least_role(path).is_some()
    }

    /// Who calls, and whether they may.
    async fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        from: &Extensions,
    ) -> Result<Admitted, Status> {
        let (Some(identity), Some(least)) = (&self.identity, least_role(path)) else {
            return self.strangers.place().map(Admitted::Stranger);
        };
        let (caller, revoked) = identity.identify(headers, from, &self.strangers).await?;
        if caller.role < least {
            return Err(status::permission_denied(caller.role, least));
        }
        Ok(Admitted::Caller(caller, revoked))
    }
}

impl Identity {
    /// A key says more than a certificate: whoever sends one means to be known by it.
    async fn identify(
        &self,
        headers: &HeaderMap,
        from: &Extensions,
        strangers: &Strangers,
    ) -> Result<(Caller, Option<CancellationToken>), Status> {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        if let Some(first) = sent.next() {
            // Of several nobody knows which one others on the way have looked at.
            let alone = Some(first).filter(|_| sent.next().is_none());
            let key = alone.ok_or_else(status::unauthenticated)?;
            let key = key.to_str().ok().and_then(bearer).and_then(KeyText::parse);
            let key = key.ok_or_else(status::unauthenticated)?;
            let taken = self.find(&key, strangers).await?;
            let taken = taken.ok_or_else(status::unauthenticated)?;
            return Ok((taken.caller.clone(), Some(taken.revoked.clone())));
        }
        let names = from.get::<Peer>().and_then(|peer| peer.names.as_ref());
        let caller = names.and_then(|names| of_certificate(&self.rules, &names.as_rules_spell()));
        Ok((caller.ok_or_else(status::unauthenticated)?, None))
    }

    /// Who has sent a key that is known does not wait; who waits is a stranger until then.
    async fn find(
        &self,
        key: &KeyText,
        strangers: &Strangers,
    ) -> Result<Option<Arc<Taken>>, Status> {
        let mut finding = pin!(self.keys.find(key));
        let found = match poll_immediate(finding.as_mut()).await {
            Some(found) => found,
            None => {
                let _place = strangers.place()?;
                finding.await
            }
        };
        found.map_err(status::of_store)
    }
}

/// What follows the scheme, which is spelt in any case (RFC 6750, RFC 9110).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Who called; "anonymous" where nobody is asked.
pub(super) fn actor<T>(request: &tonic::Request<T>) -> Arc<str> {
    let caller = request.extensions().get::<Caller>();
    caller.map_or_else(|| ACTOR_ANONYMOUS.into(), |caller| Arc::clone(&caller.actor))
}

/// Lets in who may come in; everybody, where there is no identity. So many strangers at once.
#[derive(Clone)]
pub struct IdentityLayer(pub Option<Arc<Identity>>);

impl<S> Layer<S> for IdentityLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let guard = Guard { identity: self.0.clone(), strangers: Strangers::new() };
        Guarded { inner, guard: Arc::new(guard) }
    }
}

/// A service behind the [`IdentityLayer`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.guard.is_off(request.uri().path()) {
            return Box::pin(self.inner.call(request));
        }
        let guard = Arc::clone(&self.guard);
        // The one that is ready is taken, and a fresh one left in its place.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            let (path, headers) = (request.uri().path(), request.headers());
            let (caller, revoked) = match guard.admit(path, headers, request.extensions()).await {
                Ok(Admitted::Caller(caller, revoked)) => (caller, revoked),
                Ok(Admitted::Stranger(place)) => {
                    let answer = inner.call(request).await?;
                    return Ok(answer.map(|body| place.until_end_of(body)));
                }
                Err(status) => return Ok(status.into_http()),
            };
            request.extensions_mut().insert(caller);
            let answer = inner.call(request).await?;
            Ok(match revoked {
                Some(revoked) => answer.map(|body| Body::new(Revocable::new(body, revoked))),
                None => answer,
            })
        })
    }
}
