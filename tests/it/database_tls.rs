//! TLS to PostgreSQL: each sslmode does what libpq's does.

use creditd::store::Address;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::harness::load::{self, Load, OnFailure};
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::{Database, Options, Server, database};

/// Who may come how: by TLS alone, without it alone, with a certificate alone.
const RULES: &str = "hostssl all only_tls all trust\n\
                     hostnossl all only_plain all trust\n\
                     hostssl all by_certificate all cert\n\
                     host all only_tls,only_plain,by_certificate all reject";

/// An authority of one's own.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("an authority");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().expect("a key") }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).expect("a certificate").pem()
    }

    /// A certificate for a host, or else for a role, and its key.
    fn vouch(&self, host: &[&str], role: &str) -> (String, String) {
        let hosts: Vec<_> = host.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("a certificate");
        params.distinguished_name.push(DnType::CommonName, role);
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        let made = params.signed_by(&key, &issuer).expect("a certificate");
        (made.pem(), key.serialize_pem())
    }
}

/// A server whose certificate is for localhost, by an authority that a folder of the client's
/// knows: `ca.pem`, and `other.pem`, which is another's; `role.pem` and `role.key` are the client's.
struct Secured {
    postgres: Postgres,
    folder: TempDir,
    sql: Client,
}

impl Secured {
    /// None where PostgreSQL was built without TLS, as the one that creditd fetches is.
    async fn start() -> Option<Self> {
        let mut postgres = Postgres::start().await;
        let sql = database::connect(&postgres.superuser()).await;
        let library = sql.query_one("SHOW ssl_library", &[]).await.expect("a setting");
        if library.get::<_, String>(0).is_empty() {
            eprintln!("skipped: this PostgreSQL was built without TLS");
            return None;
        }
        postgres.fall(Fall::Fast).await;
        let authority = Authority::new("ours");
        let (cert, key) = authority.vouch(&["localhost"], "server");
        let files = [("cert", cert), ("key", key), ("ca", authority.pem())];
        for (name, content) in files {
            let path = postgres.file(&format!("server.{name}"), &content);
            postgres.settings.push((format!("ssl_{name}_file"), path.display().to_string()));
        }
        postgres.settings.push(("ssl".into(), "on".into()));
        postgres.admit(RULES);
        postgres.rise().await;
        let sql = database::connect(&postgres.superuser()).await;
        let roles = "CREATE ROLE only_tls LOGIN; CREATE ROLE only_plain LOGIN; \
                     CREATE ROLE by_certificate LOGIN";
        sql.batch_execute(roles).await.expect("roles");
        let folder = tempfile::tempdir().expect("a folder");
        let (cert, key) = authority.vouch(&[], "by_certificate");
        let (ca, other) = (authority.pem(), Authority::new("another").pem());
        let files = [("ca.pem", ca), ("other.pem", other), ("role.pem", cert), ("role.key", key)];
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("a file");
        }
        Some(Self { postgres, folder, sql })
    }

    /// The server's URL under this name, with these parameters; DIR is the client's folder.
    fn url(&self, host: &str, parameters: &str) -> String {
        let url = self.postgres.url().replace("127.0.0.1", host);
        let folder = self.folder.path().to_str().expect("a path").replace('/', "%2F");
        format!("{url}?{}", parameters.replace("DIR", &folder))
    }

    /// The same for a role without a password.
    fn url_of(&self, role: &str, parameters: &str) -> String {
        let url = self.url("localhost", parameters);
        let (_, server) = url.rsplit_once('@').expect("a host");
        format!("postgres://{role}@{server}")
    }

    /// What comes of connecting: "TLS", "plain", or why not.
    async fn outcome(&self, url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => outcome(&self.sql, &address).await,
            Err(refused) => refused.to_string(),
        }
    }

    async fn is(&self, url: &str, wanted: &str) {
        let outcome = self.outcome(url).await;
        let (_, asked) = url.split_once('?').expect("parameters");
        assert!(outcome.contains(wanted), "{asked}: {outcome}, not {wanted}");
    }
}

async fn outcome(sql: &Client, address: &Address) -> String {
    let _connection = match address.connect_plain().await {
        Ok(connection) => connection,
        Err(error) => return error.to_string(),
    };
    let query = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'creditd' ORDER BY backend_start DESC LIMIT 1";
    let row = sql.query_one(query, &[]).await.expect("a connection");
    if row.get(0) { "TLS" } else { "plain" }.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_trusts_whom_it_should() {
    let Some(server) = Secured::start().await else { return };
    let issuer = "UnknownIssuer";
    for (host, parameters, wanted) in [
        ("127.0.0.1", "", "TLS"),
        ("127.0.0.1", "sslmode=disable", "plain"),
        ("127.0.0.1", "sslmode=allow", "plain"),
        ("127.0.0.1", "sslmode=prefer", "TLS"),
        ("127.0.0.1", "sslmode=prefer&sslrootcert=DIR/other.pem", "plain"),
        ("127.0.0.1", "sslmode=require", "TLS"),
        ("127.0.0.1", "sslmode=require&sslrootcert=DIR/ca.pem", "TLS"),
        ("127.0.0.1", "sslmode=require&sslrootcert=DIR/other.pem", issuer),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=DIR/ca.pem", "TLS"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=DIR/other.pem", issuer),
        ("localhost", "sslmode=verify-full&sslrootcert=DIR/ca.pem", "TLS"),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=DIR/ca.pem", "not valid for name"),
        ("localhost", "sslmode=verify-full&sslrootcert=DIR/other.pem", issuer),
        ("localhost", "sslrootcert=system", issuer),
        ("localhost", "sslmode=verify-ca", "asks for a sslrootcert"),
        ("localhost", "sslmode=require&sslrootcert=system", "verify-full alone"),
        ("localhost", "sslmode=sometimes", "sslmode is none of"),
        ("localhost", "sslrootcert=DIR/none.pem", "none.pem"),
        ("localhost", "sslrootcert=DIR/role.key", "no certificate in it"),
        ("localhost", "sslcert=DIR/role.pem", "go together"),
        ("localhost", "sslcert=DIR/role.pem&sslkey=DIR/none.key", "none.key"),
    ] {
        server.is(&server.url(host, parameters), wanted).await;
    }
}

/// As libpq does, prefer and allow try the other way where a rule of the server's refuses the first.
#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_server_decide_who_may_come_how() {
    let Some(server) = Secured::start().await else { return };
    let identity = "sslcert=DIR/role.pem&sslkey=DIR/role.key";
    for (role, parameters, wanted) in [
        ("only_tls", "sslmode=disable", "no encryption"),
        ("only_tls", "sslmode=allow", "TLS"),
        ("only_tls", "sslmode=prefer", "TLS"),
        ("only_plain", "sslmode=prefer", "plain"),
        ("only_plain", "sslmode=allow", "plain"),
        ("only_plain", "sslmode=require", "pg_hba.conf rejects"),
        ("by_certificate", "sslmode=require", "requires a valid client certificate"),
        ("by_certificate", &format!("sslmode=require&{identity}"), "TLS"),
    ] {
        server.is(&server.url_of(role, parameters), wanted).await;
    }
    let (folder, port) = (server.folder.path().display(), server.postgres.url());
    let port = port.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("a port").0;
    let pairs = format!(
        "host=localhost port={port} user=by_certificate dbname=creditd sslmode='verify-full' \
         sslrootcert = {folder}/ca.pem sslcert='{folder}/role.pem' sslkey={folder}/role.key"
    );
    assert_eq!(server.outcome(&pairs).await, "TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_only_where_tls_is_asked_for() {
    let postgres = Postgres::start().await;
    let sql = database::connect(&postgres.superuser()).await;
    for (mode, wanted) in [
        ("disable", "plain"),
        ("allow", "plain"),
        ("prefer", "plain"),
        ("require", "server does not support TLS"),
    ] {
        let url = format!("{}?sslmode={mode}", postgres.url());
        let outcome = outcome(&sql, &Address::parse(&url).expect("a URL")).await;
        assert!(outcome.contains(wanted), "{mode}: {outcome}");
    }
}

/// Lanes, readers, the one who listens, webhooks: nobody comes without.
#[tokio::test(flavor = "multi_thread")]
async fn every_connection_of_a_service_is_secured() {
    let Some(mut secured) = Secured::start().await else { return };
    let database = Database::create_on(secured.postgres.url()).await;
    let (_, name) = database.url.rsplit_once('/').expect("a name");
    let whole = secured.url("localhost", "sslmode=verify-full&sslrootcert=DIR/ca.pem");
    let url = whole.replace("/creditd?", &format!("/{name}?"));
    let server = Server::start(&url, &Options::real()).await;
    let client = server.client();
    load::grants(&client).await;
    let load = Load::start("load", vec![server.client(), server.client()], OnFailure::Panic);
    load.more(40).await;
    let query = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl \
                 JOIN pg_stat_activity USING (pid) WHERE application_name = 'creditd'";
    let row = secured.sql.query_one(query, &[]).await.expect("connections");
    let (all, encrypted): (i64, i64) = (row.get(0), row.get(1));
    assert!(all >= 4 && all == encrypted, "{encrypted} of {all}");
    load.stop().await.is_all(&client).await;
    server.stop().await;
    database.audit().await;
    secured.postgres.fall(Fall::Fast).await;
}
