//! The way to creditd: where it answers, how one knows it, and as whom one asks.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::builder::{StringValueParser, TypedValueParser as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{self, Certificate, Channel, ClientTlsConfig, Identity, Uri};
use tonic::{Request, Status};

use super::Error;
use crate::limits;
use crate::pb::campaign_service_client::CampaignServiceClient;
use crate::pb::credit_service_client::CreditServiceClient;
use crate::pb::customer_service_client::CustomerServiceClient;
use crate::pb::notification_service_client::NotificationServiceClient;
use crate::pb::usage_service_client::UsageServiceClient;

/// Where creditd answers, and as whom it is asked.
#[derive(clap::Args, Clone, Debug)]
pub struct Endpoint {
    /// Where creditd answers: a URL, or host:port for one without TLS.
    #[arg(
        id = "endpoint",
        long = "endpoint",
        env = "CREDITD_ENDPOINT",
        default_value = "http://127.0.0.1:50051",
        value_parser = StringValueParser::new().map(with_scheme),
        value_name = "URL"
    )]
    url: String,

    /// Key to ask with, better given by the variable: other users see what is on a command line.
    #[arg(long, env = "CREDITD_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<ApiKey>,

    /// Authorities to know an https:// creditd by, in PEM; otherwise those that the system trusts.
    #[arg(long, env = "CREDITD_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,

    /// Certificate to show an https:// creditd, in PEM.
    #[arg(long, env = "CREDITD_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,

    /// Its key.
    #[arg(long, env = "CREDITD_CLIENT_KEY", value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// What clap makes of an endpoint: host and port alone are meant without TLS.
fn with_scheme(text: String) -> String {
    if text.contains("://") { text } else { format!("http://{text}") }
}

/// A key, which is never printed.
#[derive(Clone)]
struct ApiKey(String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("creditd_…")
    }
}

// Takes whatever it is given: clap would print what it does not take.
impl std::str::FromStr for ApiKey {
    type Err = std::convert::Infallible;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        Ok(Self(key.trim().to_owned()))
    }
}

/// Why a client command has no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is not a URL.
    #[error(
        "--endpoint {0:?} is not a URL such as http://127.0.0.1:50051 or https://creditd.example"
    )]
    NotAUrl(String),
    /// Everyone on the way could read the key.
    #[error(
        "the API key is not sent to {0}, where anyone on the way could read it: use an https:// URL"
    )]
    Open(String),
    /// What was given as a key is none.
    #[error("the API key holds characters that no key has")]
    NotAKey,
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The file of authorities holds none.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// The two did not come to trust each other.
    #[error("no TLS with {url}: {why}")]
    Tls {
        /// The endpoint.
        url: String,
        /// Why not.
        why: String,
    },
    /// Nothing listens there.
    #[error("nothing answers at {0}: is creditd running there?")]
    Silent(String, #[source] transport::Error),
}

/// A connection that says with each call who asks.
pub type Connection = InterceptedService<Channel, Caller>;

/// Who asks.
#[derive(Clone)]
pub struct Caller {
    authorization: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        Ok(request)
    }
}

impl Endpoint {
    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects, or says in one line why that is not possible.
    ///
    /// # Errors
    /// [`ConnectError`] if what was given cannot be used, or nothing that one trusts listens there.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        let not_a_url = || ConnectError::NotAUrl(self.url.clone());
        let uri: Uri = self.url.parse().map_err(|_| not_a_url())?;
        let endpoint = transport::Endpoint::from(uri.clone())
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .http2_keep_alive_interval(limits::CLIENT_PING_EVERY)
            .keep_alive_timeout(limits::CLIENT_PING_TIMEOUT);
        let endpoint = match uri.scheme_str() {
            Some("https") => {
                let tls = self.tls().await?;
                endpoint.tls_config(tls).map_err(|error| self.failed(error))?
            }
            Some("http") if self.api_key.is_some() && !is_loopback(&uri) => {
                return Err(ConnectError::Open(self.url.clone()));
            }
            Some("http") => endpoint,
            _ => return Err(not_a_url()),
        };
        let caller = self.caller()?;
        let channel = endpoint.connect().await.map_err(|error| self.failed(error))?;
        Ok(InterceptedService::new(channel, caller))
    }

    fn caller(&self) -> Result<Caller, ConnectError> {
        let Some(ApiKey(key)) = &self.api_key else { return Ok(Caller { authorization: None }) };
        let mut authorization: MetadataValue<Ascii> =
            format!("Bearer {key}").parse().map_err(|_| ConnectError::NotAKey)?;
        // So that it is in nobody's header table, and not in what is printed of requests.
        authorization.set_sensitive(true);
        Ok(Caller { authorization: Some(authorization) })
    }

    async fn tls(&self) -> Result<ClientTlsConfig, ConnectError> {
        let mut tls = ClientTlsConfig::new().timeout(limits::CONNECT_TIMEOUT);
        tls = match &self.tls_ca {
            Some(path) => {
                let pem = read(path).await?;
                // One that holds none would only be told of later, as a server that is not trusted.
                CertificateDer::from_pem_slice(&pem)
                    .map_err(|_| ConnectError::NoCertificate(path.clone()))?;
                tls.ca_certificate(Certificate::from_pem(pem))
            }
            None => tls.with_native_roots(),
        };
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            tls = tls.identity(Identity::from_pem(read(certificate).await?, read(key).await?));
        }
        Ok(tls)
    }

    fn failed(&self, error: transport::Error) -> ConnectError {
        match tls_fault(&error) {
            Some(why) => ConnectError::Tls { url: self.url.clone(), why },
            None => ConnectError::Silent(self.url.clone(), error),
        }
    }

    /// Grants, balances and the ledger.
    pub(super) async fn credits(&self) -> Result<CreditServiceClient<Connection>, Error> {
        let client = CreditServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Webhooks.
    pub(super) async fn notifications(
        &self,
    ) -> Result<NotificationServiceClient<Connection>, Error> {
        let client = NotificationServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Usage events.
    pub(super) async fn usage(&self) -> Result<UsageServiceClient<Connection>, Error> {
        let client = UsageServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Profiles of customers.
    pub(super) async fn customers(&self) -> Result<CustomerServiceClient<Connection>, Error> {
        let client = CustomerServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Campaigns.
    pub(super) async fn campaigns(&self) -> Result<CampaignServiceClient<Connection>, Error> {
        let client = CampaignServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }
}

/// Whether what is sent there stays on this machine.
fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    let read = tokio::fs::read(path).await;
    read.map_err(|error| ConnectError::File { path: path.to_owned(), error })
}

/// What rustls says, where it was TLS that failed.
fn tls_fault(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An io::Error is not the source's parent: it stands in its place.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inside = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(fault) = inside.or_else(|| error.downcast_ref::<rustls::Error>()) {
            return Some(fault.to_string());
        }
        cause = error.source();
    }
    None
}
