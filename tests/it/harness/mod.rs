//! A world for one test: a fresh database, a server on it, clients, a clock; and at the end an
//! audit of the books.
//!
//! ```text
//! #[tokio::test(flavor = "multi_thread")]
//! async fn spends() {
//!     World::run(async |world| { … }).await;
//! }
//! ```

pub mod ask;
pub mod campaign;
pub mod child;
pub mod database;
pub mod dump;
pub mod load;
pub mod notify;
pub mod postgres;
pub mod proxy;
pub mod receiver;
pub mod say;
pub mod wait;

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use creditd::app::{Service, Settings};
use creditd::domain::identity::CertificateRule;
use creditd::domain::time::Windows;
use creditd::domain::url_policy::UrlPolicy;
use creditd::engine::{Engine, Sizes, Snapshot};
use creditd::limits;
use creditd::pb::campaign_service_client::CampaignServiceClient;
use creditd::pb::credit_service_client::CreditServiceClient;
use creditd::pb::customer_service_client::CustomerServiceClient;
use creditd::pb::notification_service_client::NotificationServiceClient;
use creditd::pb::test_clock_service_client::TestClockServiceClient;
use creditd::pb::usage_service_client::UsageServiceClient;
use creditd::rpc::door::{self, Door};
use creditd::store::{Address, Clock, TestClock, audit};
use creditd::tasks::delivery;
use creditd::watch::{self, Counts};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

pub use self::database::Database;

/// Connections for reading.
pub const READERS: usize = 4;

/// Where the test clock stands at the beginning.
pub fn t0() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

/// How a server is to be.
#[derive(Clone)]
pub struct Options {
    pub clock: Clock,
    pub sweeper: bool,
    pub sizes: Sizes,
    pub watch: watch::Limits,
    pub windows: Windows,
    pub webhooks: delivery::Settings,
    pub delivers: bool,
    /// The roles of certificates; None lets everybody in.
    pub identity: Option<Vec<CertificateRule>>,
    pub reflection: bool,
    pub grace: Duration,
    pub door: door::Settings,
}

impl Default for Options {
    /// A test clock at [`t0`], no sweeper, sizes and windows as they are by default, webhooks to
    /// wherever a test listens.
    fn default() -> Self {
        Self {
            clock: Clock::Test(TestClock::new(t0())),
            sweeper: false,
            sizes: Sizes {
                lanes: limits::LANES_DEFAULT,
                batch_commands: limits::BATCH_COMMANDS_DEFAULT,
                queue: limits::LANE_QUEUE_DEFAULT,
            },
            watch: watch::Limits { watchers: 2_000, watched_customers: 10_000 },
            windows: Windows {
                max_event_age: TimeDelta::days(35),
                late_usage: TimeDelta::hours(72),
            },
            webhooks: delivery::Settings {
                policy: UrlPolicy { allow_http: true, allow_private: true },
                timeout: Duration::from_secs(30),
            },
            delivers: true,
            identity: None,
            reflection: true,
            grace: Duration::from_secs(15),
            door: door::Settings {
                connections: 1_000,
                connections_per_address: None,
                tls: None,
                patience: door::Patience::default(),
            },
        }
    }
}

impl Options {
    /// The database's own clock, and the sweeper.
    pub fn real() -> Self {
        Self { clock: Clock::Database, sweeper: true, ..Self::default() }
    }

    /// A test clock of its own, at this instant.
    pub fn at(at: DateTime<Utc>) -> Self {
        Self { clock: Clock::Test(TestClock::new(at)), ..Self::default() }
    }

    fn settings(&self) -> Settings {
        Settings {
            clock: self.clock.clone(),
            windows: self.windows,
            sweeper: self.sweeper,
            sizes: self.sizes,
            readers: READERS,
            watch: self.watch,
            webhooks: self.webhooks,
            delivers: self.delivers,
            identity: self.identity.clone(),
            reflection: self.reflection,
            migrate: true,
            grace: self.grace,
        }
    }
}

/// A server in this process, on a free port.
pub struct Server {
    pub address: SocketAddr,
    service: Service,
}

impl Server {
    pub async fn start(url: &str, options: &Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let door = Door::open(listener, options.door.clone()).await.expect("a door");
        let database = Address::parse(url).expect("a URL");
        // Boxed: it is much, and part of every test.
        let service = Box::pin(Service::start(database, door, options.settings()));
        let service = service.await.expect("a service");
        Self { address, service }
    }

    pub fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// What it counts, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        self.service.metrics.text().expect("metrics")
    }

    pub fn stats(&self) -> Snapshot {
        self.service.engine.stats()
    }

    /// How many watch on it.
    pub fn watching(&self) -> Counts {
        self.service.hub.counts()
    }

    /// What it has delivered.
    pub fn delivered(&self) -> delivery::Snapshot {
        self.service.delivered.snapshot()
    }

    /// Who came to its door.
    pub fn door(&self) -> door::Snapshot {
        self.service.door.snapshot()
    }

    /// The way into its lanes, past the wire.
    pub fn engine(&self) -> &Engine {
        &self.service.engine
    }

    pub async fn stop(self) {
        self.service.stop().await;
    }
}

/// The generated clients, on one connection (made when first used).
#[derive(Clone)]
pub struct Client {
    pub credits: CreditServiceClient<Channel>,
    pub usage: UsageServiceClient<Channel>,
    pub notifications: NotificationServiceClient<Channel>,
    pub clock: TestClockServiceClient<Channel>,
    pub customers: CustomerServiceClient<Channel>,
    pub campaigns: CampaignServiceClient<Channel>,
    pub channel: Channel,
}

impl Client {
    pub fn to(address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an endpoint");
        Self::over(endpoint.connect_lazy())
    }

    /// Over this connection.
    pub fn over(channel: Channel) -> Self {
        Self {
            credits: CreditServiceClient::new(channel.clone()),
            usage: UsageServiceClient::new(channel.clone()),
            notifications: NotificationServiceClient::new(channel.clone()),
            clock: TestClockServiceClient::new(channel.clone()),
            customers: CustomerServiceClient::new(channel.clone()),
            campaigns: CampaignServiceClient::new(channel.clone()),
            channel,
        }
    }
}

/// One test's world.
pub struct World {
    pub database: Database,
    pub options: Options,
    pub server: Server,
    pub client: Client,
}

impl World {
    /// Runs a test on a server as it is by default.
    pub async fn run(test: impl AsyncFnOnce(&mut World)) {
        Self::run_with(Options::default(), test).await;
    }

    /// Runs a test on a server that delivers no webhooks: what waits can be looked at.
    pub async fn run_silent(test: impl AsyncFnOnce(&mut World)) {
        Self::run_with(Options { delivers: false, ..Options::default() }, test).await;
    }

    /// Runs a test on a server of this kind; then stops it, audits the books, drops the database.
    pub async fn run_with(options: Options, test: impl AsyncFnOnce(&mut World)) {
        let database = Database::create().await;
        let server = Server::start(&database.url, &options).await;
        let client = server.client();
        let mut world = Self { database, options, server, client };
        test(&mut world).await;
        let World { database, server, .. } = world;
        server.stop().await;
        database.audit().await;
        database.drop().await;
    }

    /// Another server on the same database.
    pub async fn another(&self, options: &Options) -> Server {
        Server::start(&self.database.url, options).await
    }

    /// The instant that the test clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.options.clock {
            Clock::Test(clock) => clock.now(),
            Clock::Database => panic!("this world has no test clock"),
        }
    }

    /// Moves the test clock, through the wire.
    pub async fn advance_to(&mut self, at: DateTime<Utc>) {
        let time = Some(say::time(at));
        let request = creditd::pb::AdvanceToRequest { time };
        self.client.clock.advance_to(request).await.expect("the clock moves");
    }

    /// Moves the test clock by so much.
    pub async fn advance(&mut self, by: TimeDelta) {
        self.advance_to(self.now() + by).await;
    }
}

impl Database {
    /// Audits the books; a difference fails the test.
    pub async fn audit(&self) {
        let report = audit::audit(&Address::parse(&self.url).expect("a URL")).await;
        let found = report.expect("an audit").differences;
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "the books do not agree:\n{}", lines.join("\n"));
    }
}
