//! One attempt: the request, signed as Standard Webhooks are, and what came of it.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, Response};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

use super::verdict::retry_after;
use crate::domain::time::Timestamp;
use crate::domain::url_policy::{UrlError, UrlPolicy};
use crate::limits;
use crate::store::{Claim, Claimed};

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver answered.
    Answered {
        /// So.
        status: StatusCode,
        /// And asked to be left alone for so long.
        retry_after: Option<TimeDelta>,
    },
    /// It did not, or was not asked. In words of ours: what receivers say is not repeated.
    Failed(Cow<'static, str>),
}

impl Outcome {
    /// Whether it is delivered.
    pub(super) fn succeeded(&self) -> bool {
        self.status().is_some_and(|status| status.is_success())
    }

    /// Whether nothing is ever to be sent there again.
    pub(super) fn is_gone(&self) -> bool {
        self.status() == Some(StatusCode::GONE)
    }

    /// The status of the response, where there was one.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Failed(_) => None,
        }
    }

    /// How long the receiver asks to be left alone.
    pub(super) fn asked_pause(&self) -> Option<TimeDelta> {
        match self {
            Self::Answered { retry_after, .. } => *retry_after,
            Self::Failed(_) => None,
        }
    }

    /// Why it failed, in short; None where it did not.
    pub(super) fn error(&self) -> Option<String> {
        match self {
            Self::Answered { status, .. } if status.is_success() => None,
            Self::Answered { status, .. } if status.is_redirection() => {
                Some(format!("redirect not followed ({})", status.as_u16()))
            }
            Self::Answered { status, .. } => Some(match status.canonical_reason() {
                Some(reason) => format!("{} {reason}", status.as_u16()),
                None => status.as_u16().to_string(),
            }),
            Self::Failed(why) => Some(why.clone().into_owned()),
        }
    }
}

impl From<&'static str> for Outcome {
    fn from(why: &'static str) -> Self {
        Self::Failed(why.into())
    }
}

/// Makes attempts. Its connections are shared by all endpoints.
#[derive(Clone)]
pub(super) struct Courier {
    client: Client,
    policy: UrlPolicy,
}

impl Courier {
    /// One that goes only where `policy` allows, and comes back within `timeout`.
    ///
    /// # Errors
    /// Where no client can be made.
    pub(super) fn new(policy: UrlPolicy, timeout: Duration) -> reqwest::Result<Self> {
        // Fails where there is a provider already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = builder(policy, timeout).build().or_else(|error| {
            // A container may have no certificates, and no endpoints that need them.
            tracing::warn!(%error, "no certificate authorities: webhooks reach no https endpoint");
            builder(policy, timeout).tls_certs_only([]).build()
        })?;
        Ok(Self { client, policy })
    }

    /// The request that an attempt sends.
    ///
    /// # Errors
    /// Why there will be no attempt.
    pub(super) fn request(&self, claim: &Claim, delivery: &Claimed) -> Result<Request, Outcome> {
        let url = self.policy.read(&claim.url).map_err(|error| match error {
            UrlError::Address => NOT_ALLOWED,
            _ => "URL not allowed",
        })?;
        let headers = headers(claim, delivery).ok_or("cannot be signed")?;
        let request = self.client.post(url).headers(headers).body(delivery.payload.clone());
        request.build().map_err(|_| "cannot be sent".into())
    }

    /// Makes an attempt. `real_now` is the time that receivers know.
    pub(super) async fn attempt(&self, request: Request, real_now: Timestamp) -> Outcome {
        let response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) => return reason(&error).into(),
        };
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(|text| retry_after(status, text, real_now));
        discard(response).await;
        Outcome::Answered { status, retry_after }
    }
}

fn builder(policy: UrlPolicy, timeout: Duration) -> ClientBuilder {
    Client::builder()
        // Where a redirect leads nobody has checked.
        .redirect(Policy::none())
        // A proxy would connect for us, to wherever it likes.
        .no_proxy()
        .dns_resolver(Arc::new(Resolver(policy)))
        // Half of it for the way there: a name may have a second address.
        .connect_timeout(timeout / 2)
        .timeout(timeout)
        .pool_max_idle_per_host(limits::DELIVERIES_IN_FLIGHT)
        .user_agent(concat!("creditd/", env!("CARGO_PKG_VERSION")))
}

/// The headers of Standard Webhooks, with a signature for every secret; None where one does not
/// sign.
fn headers(claim: &Claim, delivery: &Claimed) -> Option<HeaderMap> {
    let id = format!("msg_{}", delivery.notification_id);
    let timestamp = claim.sent_at.timestamp();
    let signatures = claim.secrets.iter().map(|secret| {
        let webhook = Webhook::new(secret.reveal()).ok()?;
        webhook.sign(&id, timestamp, delivery.payload.as_bytes()).ok()
    });
    let signatures = signatures.collect::<Option<Vec<String>>>()?.join(" ");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HEADER_WEBHOOK_ID, HeaderValue::try_from(id).ok()?);
    headers.insert(HEADER_WEBHOOK_TIMESTAMP, timestamp.into());
    headers.insert(HEADER_WEBHOOK_SIGNATURE, HeaderValue::try_from(signatures).ok()?);
    Some(headers)
}

/// Reads what else the receiver says, and forgets it: its connection can be used again then. What
/// it says at length, or never ends, changes nothing of its answer.
async fn discard(mut response: Response) {
    let mut left = limits::DELIVERY_RESPONSE_BYTES;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

const NOT_ALLOWED: &str = "address not allowed";

/// Why there is no answer, in words of ours.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        return "timeout";
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(NameError(why)) = error.downcast_ref() {
            return why;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return reason_of_io(error);
        }
        cause = error.source();
    }
    "connection closed"
}

fn reason_of_io(error: &io::Error) -> &'static str {
    use rustls::{CertificateError as Certificate, Error as Tls};
    let inner = error.get_ref();
    if let Some(inner) = inner.and_then(|inner| inner.downcast_ref::<io::Error>()) {
        return reason_of_io(inner);
    }
    let tls = inner.and_then(|inner| inner.downcast_ref::<Tls>());
    match (tls, error.kind()) {
        (Some(Tls::InvalidCertificate(why)), _) => match why {
            Certificate::Expired | Certificate::ExpiredContext { .. } => "TLS: certificate expired",
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "TLS: certificate of another name"
            }
            Certificate::UnknownIssuer => "TLS: certificate of an unknown issuer",
            _ => "TLS: certificate not valid",
        },
        (Some(_), _) => "TLS: no handshake",
        (None, io::ErrorKind::ConnectionRefused) => "connection refused",
        (None, io::ErrorKind::TimedOut) => "timeout",
        (None, io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "unreachable",
        (None, _) => "connection closed",
    }
}

/// Resolves as the machine does, and keeps the addresses that are allowed: what a name points to may
/// change with every look.
struct Resolver(UrlPolicy);

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NameError(&'static str);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> =
                found.map_err(|_| NameError("name not resolved"))?.collect();
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|found| policy.allows(found.ip())).collect();
            if allowed.is_empty() {
                return Err(NameError(NOT_ALLOWED).into());
            }
            Ok::<Addrs, _>(Box::new(allowed.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(allow_private: bool) -> Result<usize, String> {
        let resolver = Resolver(UrlPolicy { allow_http: false, allow_private });
        let found = resolver.resolve("localhost".parse().expect("a name")).await;
        found.map(Iterator::count).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn names_of_addresses_that_are_not_allowed_lead_nowhere() {
        assert_eq!(resolve(false).await, Err(NOT_ALLOWED.to_owned()));
        assert!(resolve(true).await.is_ok_and(|addresses| addresses > 0));
    }

    #[test]
    fn what_goes_wrong_with_tls_is_said_in_words_of_ours() {
        use rustls::{CertificateError as Certificate, Error as Tls};
        for (error, said) in [
            (Tls::InvalidCertificate(Certificate::Expired), "TLS: certificate expired"),
            (
                Tls::InvalidCertificate(Certificate::NotValidForName),
                "TLS: certificate of another name",
            ),
            (
                Tls::InvalidCertificate(Certificate::UnknownIssuer),
                "TLS: certificate of an unknown issuer",
            ),
            (Tls::InvalidCertificate(Certificate::Revoked), "TLS: certificate not valid"),
            (Tls::HandshakeNotComplete, "TLS: no handshake"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(reason_of_io(&error), said);
        }
    }
}
