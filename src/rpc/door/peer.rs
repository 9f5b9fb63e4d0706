//! Who is at the other end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Who is at the other end of a connection. Every request that comes over it has this among its
/// extensions: `request.extensions().get::<Peer>()`, for layers and for handlers.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// What its certificate calls it; None where it has shown none, or there is no TLS. It was
    /// verified when the connection began, which ends when the certificate does.
    pub names: Option<Arc<PeerNames>>,
}

/// What a certificate calls its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerNames {
    /// URIs among the alternative names, such as `spiffe://prod/billing`.
    pub uris: Vec<String>,
    /// DNS names among the alternative names.
    pub dns: Vec<String>,
    /// The subject's common name; None where it has several, of which none speaks for it.
    pub common_name: Option<String>,
}

/// A client's certificate.
pub(super) struct Paper {
    pub(super) names: PeerNames,
    /// How much longer it is good; by this machine's clock, as when it was verified.
    pub(super) left: Duration,
}

impl Paper {
    /// Reads a certificate that was verified.
    ///
    /// # Errors
    /// Where it is no certificate, or names itself in a way that does not read.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Self, X509Error> {
        let (_, certificate) = X509Certificate::from_der(certificate)?;
        let left = certificate.validity().time_to_expiration();
        let left = left.and_then(|left| left.try_into().ok());
        Ok(Self { names: PeerNames::of(&certificate)?, left: left.unwrap_or_default() })
    }
}

impl PeerNames {
    fn of(certificate: &X509Certificate<'_>) -> Result<Self, X509Error> {
        let mut names = Self { common_name: common_name(certificate), ..Self::default() };
        let alternatives = certificate.subject_alternative_name()?;
        for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                GeneralName::DNSName(dns) => names.dns.push((*dns).to_owned()),
                _ => {}
            }
        }
        Ok(names)
    }

    /// All of them, as rules spell them: "URI:…", "DNS:…", "CN:…".
    pub(in crate::rpc) fn as_rules_spell(&self) -> Vec<String> {
        let uris = self.uris.iter().map(|uri| format!("URI:{uri}"));
        let dns = self.dns.iter().map(|name| format!("DNS:{name}"));
        let common = self.common_name.iter().map(|name| format!("CN:{name}"));
        uris.chain(dns).chain(common).collect()
    }
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(str::to_owned),
        _ => None,
    }
}
