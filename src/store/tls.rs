//! TLS to PostgreSQL, in libpq's words: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`.
//!
//! Two things are rustls's own way: a host is looked for in the certificate's alternative names
//! alone, never in its common name; and a certificate may not be its own authority.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Error, Result};

/// What is told to a server that asks which protocol is spoken inside TLS.
const PROTOCOL: &[u8] = b"postgresql";

/// What a connection string says of TLS, as it says it.
#[derive(Default)]
pub(super) struct Given {
    mode: Option<String>,
    root: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

impl Given {
    /// Takes a parameter, if it is one of these; whether it was.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool> {
        let slot = match name {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.root,
            "sslcert" => &mut self.cert,
            "sslkey" => &mut self.key,
            "sslcrl"
            | "sslcrldir"
            | "sslpassword"
            | "ssl_min_protocol_version"
            | "ssl_max_protocol_version" => {
                return Err(Error::unusable(format!("the URL asks for {name}: not known")));
            }
            _ => return Ok(false),
        };
        *slot = Some(value.to_owned()).filter(|value| !value.is_empty());
        Ok(true)
    }
}

/// How much TLS is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err(wrong(
                    "sslmode is none of disable, allow, prefer, require, verify-ca, verify-full",
                ));
            }
        })
    }
}

/// Who vouches for a server.
enum Roots {
    /// The machine's own authorities.
    System,
    /// Those in this file.
    File(PathBuf),
}

/// How connections are secured.
pub(super) struct Tls {
    mode: Mode,
    roots: Option<Roots>,
    /// The certificate and the key that the server is shown.
    identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// # Errors
    /// [`Error::Unusable`] where it makes no sense, or a file does not read.
    pub(super) fn new(given: Given) -> Result<Self> {
        let roots = given.root.map(|root| match root.as_str() {
            "system" => Roots::System,
            _ => Roots::File(root.into()),
        });
        let mode = match (&given.mode, &roots) {
            (Some(mode), _) => mode.parse()?,
            (None, Some(Roots::System)) => Mode::VerifyFull,
            (None, _) => Mode::Prefer,
        };
        match &roots {
            // Anybody can have a certificate of a public authority: only the name tells.
            Some(Roots::System) if mode != Mode::VerifyFull => {
                return Err(wrong("sslrootcert=system goes with sslmode=verify-full alone"));
            }
            None if mode >= Mode::VerifyCa => {
                return Err(wrong("sslmode asks for a sslrootcert: a file, or system"));
            }
            _ => {}
        }
        let identity = match (given.cert, given.key) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (None, None) => None,
            _ => return Err(wrong("sslcert and sslkey go together")),
        };
        let tls = Self { mode, roots, identity };
        // So that a file that does not read is said at the start.
        tls.connector()?;
        Ok(tls)
    }

    /// The ways to try, one after another, until one is not [refused](is_refused).
    pub(super) fn ways(&self) -> &'static [SslMode] {
        match self.mode {
            Mode::Disable => &[SslMode::Disable],
            Mode::Allow => &[SslMode::Disable, SslMode::Require],
            Mode::Prefer => &[SslMode::Prefer, SslMode::Disable],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => &[SslMode::Require],
        }
    }

    /// Reads the files, which others renew: what is in them now counts for the next connection.
    ///
    /// # Errors
    /// [`Error::Unusable`] where one does not read.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::unusable(error.to_string()))?;
        let roots = self.roots.as_ref().map(Roots::read).transpose()?.map(Arc::new);
        let builder = match roots {
            Some(roots) if self.mode == Mode::VerifyFull => builder.with_root_certificates(roots),
            roots => {
                let verifier = Arc::new(AnyName { roots, provider });
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates("sslcert", cert)?;
                let secret = PrivateKeyDer::from_pem_file(key);
                let secret = secret.map_err(|error| file("sslkey", key, error))?;
                let identified = builder.with_client_auth_cert(chain, secret);
                identified.map_err(|error| file("sslcert", cert, error))?
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(MakeRustlsConnect::new(config))
    }
}

impl Roots {
    fn read(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match self {
            // Among a machine's many there may be odd ones.
            Self::System => {
                let found = rustls_native_certs::load_native_certs().certs;
                if roots.add_parsable_certificates(found).0 == 0 {
                    return Err(wrong("sslrootcert=system: this machine has no authorities"));
                }
            }
            Self::File(path) => {
                for root in certificates("sslrootcert", path)? {
                    roots.add(root).map_err(|error| file("sslrootcert", path, error))?;
                }
            }
        }
        Ok(roots)
    }
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| file(name, path, error))?;
    if found.is_empty() {
        return Err(file(name, path, "no certificate in it"));
    }
    Ok(found)
}

fn file(name: &str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::unusable(format!("{name} {}: {error}", path.display()))
}

fn wrong(what: &str) -> Error {
    Error::unusable(format!("the URL: {what}"))
}

/// Verifies who vouches for a server, where there are roots, and not what it is called: all modes but
/// verify-full.
#[derive(Debug)]
struct AnyName {
    roots: Option<Arc<RootCertStore>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let server = ParsedCertificate::try_from(server)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &server,
                roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether server and client cannot agree on this way to connect: no TLS there, no trust here, or a
/// rule of the server's about who may come how. Waiting does not mend it.
pub(super) fn is_refused(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    if error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) {
        return true;
    }
    let Some(cause) = std::error::Error::source(error) else { return false };
    // The driver does not say what kind of error it is, but in words.
    cause.to_string() == "server does not support TLS"
        || cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .is_some()
}
