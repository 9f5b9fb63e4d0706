//! TLS: what the files say, and when they say something else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, crypto};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Where certificate and key are, in PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of clients' certificates; without it nobody is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// What is in the files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One is not there, or may not be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// One says something else than it should. What it says is not repeated: it may be a key.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Strangers {
        /// The key's file.
        key: PathBuf,
        /// The certificate's.
        certificate: PathBuf,
    },
    /// Whatever else TLS takes exception to.
    #[error("TLS cannot be set up with {}: {error}", certificate.display())]
    Tls {
        /// The certificate's file.
        certificate: PathBuf,
        /// What it says.
        error: rustls::Error,
    },
}

/// What new connections are met with.
#[derive(Clone)]
pub(super) struct Current(watch::Receiver<Arc<ServerConfig>>);

impl Current {
    pub(super) fn get(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow())
    }
}

/// Keeps it current.
pub(super) struct Reload {
    files: Files,
    /// What was there at the last look, or why not: said once, whether it is good or bad.
    seen: Result<Contents, String>,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// Reads the files.
pub(super) async fn load(files: Files) -> Result<(Current, Reload), Error> {
    let contents = files.read().await?;
    let config = files.config(&contents)?;
    let (sender, receiver) = watch::channel(Arc::new(config));
    Ok((Current(receiver), Reload { files, seen: Ok(contents), current: sender }))
}

impl Reload {
    /// Looks now and then whether the files say something else, until `closing`.
    pub(super) async fn run(mut self, every: Duration, closing: CancellationToken) {
        while closing.run_until_cancelled(sleep(every)).await.is_some() {
            self.look().await;
        }
    }

    /// Contents are compared, because what mounts secrets swaps links to folders.
    async fn look(&mut self) {
        let seen = self.files.read().await.map_err(|error| error.to_string());
        if seen == self.seen {
            return;
        }
        let config = match &seen {
            Ok(contents) => self.files.config(contents).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        match config {
            Ok(config) => {
                self.current.send_replace(Arc::new(config));
                tracing::info!("new TLS files: new connections are met with them");
            }
            Err(error) => tracing::warn!(error, "new TLS files cannot be used: the old ones stay"),
        }
        self.seen = seen;
    }
}

impl Files {
    async fn read(&self) -> Result<Contents, Error> {
        let client_ca = match &self.client_ca {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        let (certificate, key) = (read(&self.certificate).await?, read(&self.key).await?);
        Ok(Contents { certificate, key, client_ca })
    }

    fn config(&self, contents: &Contents) -> Result<ServerConfig, Error> {
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| Error::Content {
            path: self.key.clone(),
            what: "holds no private key in PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted)",
        })?;
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| self.refused(error))?;
        let builder = match (&self.client_ca, &contents.client_ca) {
            (Some(path), Some(pem)) => {
                builder.with_client_cert_verifier(verifier(path, pem, provider)?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config =
            builder.with_single_cert(chain, key).map_err(|error| self.refused(error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Who resumes a session shows no certificate again, though it may have expired meanwhile.
        // Connections last, so there is little to gain.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn refused(&self, error: rustls::Error) -> Error {
        let content = |path: &Path, what| Error::Content { path: path.to_owned(), what };
        match error {
            rustls::Error::InconsistentKeys(_) => {
                Error::Strangers { key: self.key.clone(), certificate: self.certificate.clone() }
            }
            rustls::Error::InvalidCertificate(_) => {
                content(&self.certificate, "its first certificate does not read")
            }
            // What becomes of keys that do not read.
            rustls::Error::General(_) => content(&self.key, "its key does not read"),
            error => Error::Tls { certificate: self.certificate.clone(), error },
        }
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let read = tokio::fs::read(path).await;
    read.map_err(|error| Error::Read { path: path.to_owned(), error })
}

/// All of a file; at least one.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |what| Error::Content { path: path.to_owned(), what };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|_| wrong("is not PEM"))?;
    if read.is_empty() {
        return Err(wrong("holds no certificate in PEM"));
    }
    Ok(read)
}

/// Lets in who shows no certificate, and nobody with one of another authority.
fn verifier(
    path: &Path,
    pem: &[u8],
    provider: Arc<crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let wrong = |what| Error::Content { path: path.to_owned(), what };
    let mut roots = RootCertStore::empty();
    for authority in certificates(path, pem)? {
        roots.add(authority).map_err(|_| wrong("one of its certificates does not read"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|_| wrong("cannot verify clients"))
}
