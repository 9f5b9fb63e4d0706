//! Who calls: a key in the `authorization` header, or the connection's certificate. Who does not
//! prove who they are, or may not do what they ask for, comes no further than this.

mod access;
mod keys;
mod revocable;

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use self::access::least_role;
pub use self::keys::KeyRing;
use self::revocable::Revocable;
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

/// Who was let in, and until when.
struct Admitted {
    caller: Caller,
    revoked: Option<CancellationToken>,
}

impl Identity {
    /// Who calls, and whether they may; None where it does not matter.
    async fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        from: &Extensions,
    ) -> Result<Option<Admitted>, Status> {
        let Some(least) = least_role(path) else { return Ok(None) };
        let admitted = self.identify(headers, from).await?;
        if admitted.caller.role < least {
            return Err(status::permission_denied(admitted.caller.role, least));
        }
        Ok(Some(admitted))
    }

    /// A key says more than a certificate: whoever sends one means to be known by it.
    async fn identify(&self, headers: &HeaderMap, from: &Extensions) -> Result<Admitted, Status> {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        if let Some(first) = sent.next() {
            // Of several nobody knows which one others on the way have looked at.
            let alone = Some(first).filter(|_| sent.next().is_none());
            let key = alone.ok_or_else(status::unauthenticated)?;
            let key = key.to_str().ok().and_then(bearer).and_then(KeyText::parse);
            let key = key.ok_or_else(status::unauthenticated)?;
            let taken = self.keys.find(&key).await.map_err(status::of_store)?;
            let taken = taken.ok_or_else(status::unauthenticated)?;
            let revoked = Some(taken.revoked.clone());
            return Ok(Admitted { caller: taken.caller.clone(), revoked });
        }
        let names = from.get::<Peer>().and_then(|peer| peer.names.as_ref());
        let caller = names.and_then(|names| of_certificate(&self.rules, &names.as_rules_spell()));
        let caller = caller.ok_or_else(status::unauthenticated)?;
        Ok(Admitted { caller, revoked: None })
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

/// Lets in who may come in; everybody, where there is no identity.
#[derive(Clone)]
pub struct IdentityLayer(pub Option<Arc<Identity>>);

impl<S> Layer<S> for IdentityLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, identity: self.0.clone() }
    }
}

/// A service behind the [`IdentityLayer`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    identity: Option<Arc<Identity>>,
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
        let Some(identity) = self.identity.clone() else {
            return Box::pin(self.inner.call(request));
        };
        // The one that is ready is taken, and a fresh one left in its place.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            let (path, headers) = (request.uri().path(), request.headers());
            let admitted = match identity.admit(path, headers, request.extensions()).await {
                Ok(Some(admitted)) => admitted,
                Ok(None) => return inner.call(request).await,
                Err(status) => return Ok(status.into_http()),
            };
            request.extensions_mut().insert(admitted.caller);
            let answer = inner.call(request).await?;
            Ok(match admitted.revoked {
                Some(revoked) => answer.map(|body| Body::new(Revocable::new(body, revoked))),
                None => answer,
            })
        })
    }
}
