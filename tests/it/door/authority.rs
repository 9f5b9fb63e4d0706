//! A certificate authority, and papers of its making.

use std::path::{Path, PathBuf};
use std::time::Duration;

use creditd::rpc::door::Files;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::pki_types::UnixTime;
use tonic::transport::Identity;

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key.
pub struct Paper {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // Unlike that of the papers, which else look as if they had signed themselves.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let pem = issuer.pem();
        Self { issuer, pem }
    }

    fn sign(&self, params: CertificateParams) -> Paper {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Paper { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// For a server on this machine.
    pub fn server(&self) -> Paper {
        self.sign(CertificateParams::new(["localhost".to_owned()]).expect("names"))
    }

    /// For a client of these names.
    pub fn client(&self) -> Paper {
        self.sign(of_a_client())
    }

    /// For a client whose time will soon be over.
    pub fn client_for(&self, time: Duration) -> Paper {
        let mut params = of_a_client();
        let end = UnixTime::now().as_secs() + time.as_secs();
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(end);
        self.sign(params)
    }

    /// For a client whose time is over.
    pub fn expired_client(&self) -> Paper {
        let mut params = of_a_client();
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(params)
    }
}

fn of_a_client() -> CertificateParams {
    let mut params = CertificateParams::new(["billing.example".to_owned()]).expect("names");
    let uri = "spiffe://prod/billing".try_into().expect("a URI");
    params.subject_alt_names.push(SanType::URI(uri));
    params.distinguished_name.push(DnType::CommonName, "billing");
    params
}

impl Paper {
    pub fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }
}

/// A folder with a server's files, gone when it is dropped.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// With this server's papers.
    pub fn of(server: &Paper) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.put(server);
        folder
    }

    /// Other papers in the same place.
    pub fn put(&self, server: &Paper) {
        self.write("cert.pem", &server.certificate);
        self.write("key.pem", &server.key);
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        let folder: &Path = self.0.path();
        folder.join(name)
    }

    /// What a server is told of them.
    pub fn files(&self) -> Files {
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        Files { certificate, key, client_ca: None }
    }

    /// The same, where clients are known by this authority.
    pub fn files_with(&self, clients: &Authority) -> Files {
        Files { client_ca: Some(self.write("clients.pem", &clients.pem)), ..self.files() }
    }
}
