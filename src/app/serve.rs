//! `creditd serve`: what is wired to what, the order of starting and of stopping.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::MapFutureLayer;

use super::background::Background;
use super::metrics::{self, Metrics};
use super::{Database, Doors, Error, Settings, files};
use crate::config;
use crate::engine::{Engine, Lanes};
use crate::limits;
use crate::metrics::Registry;
use crate::rpc::door::{self, Door};
use crate::rpc::{Answer, Calls, Gate, Health, Identity, IdentityLayer, Routes, Services};
use crate::store::private::PrivateServer;
use crate::store::{self, Address, Schema};
use crate::tasks::delivery;
use crate::watch::Hub;

/// A service that is up. Dropping it leaves it running; [`Service::stop`] ends it in order.
pub struct Service {
    /// What it counts.
    pub metrics: Registry,
    /// The way into the lanes, for tests that look at their counters.
    pub engine: Arc<Engine>,
    /// Who watches whom, for tests that count them.
    pub hub: Arc<Hub>,
    /// What was delivered, for tests that look at it.
    pub delivered: Arc<delivery::Stats>,
    /// Who came to the door, for tests that count them.
    pub door: Arc<door::Counts>,
    lanes: Lanes,
    closing: CancellationToken,
    /// Calls that have not been answered yet; streams have, once they have begun.
    calls: TaskTracker,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
    background: Vec<JoinHandle<()>>,
    health: Health,
    /// Cancelled when nobody needs to ask for health any more.
    ended: CancellationToken,
    grace: Duration,
}

impl Service {
    /// Wires everything up, waits until the database is there and its schema is the one, and serves
    /// those who come to the door; until then they are told to come back.
    ///
    /// # Errors
    /// Where the database will not have us, or does not migrate.
    pub async fn start(
        address: Address,
        doors: impl Into<Doors>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let Doors { grpc: mut door, health: probes, metrics: scrapes } = doors.into();
        let metrics = Metrics::new()?;
        let health = Health::new(&settings.clock, metrics.database_up.clone()).await;
        let ended = CancellationToken::new();
        scrapes.map(|at| tokio::spawn(metrics::serve(at, metrics.registry.clone(), ended.clone())));
        probes.map(|at| tokio::spawn(health.clone().serve(at, ended.clone())));
        let store = settings.store(address.clone())?;
        let (engine, lanes) = Engine::start(&store, settings.sizes, Arc::clone(&metrics.engine));
        let engine = Arc::new(engine);
        let closing = CancellationToken::new();
        let hub = Arc::new(Hub::new(settings.watch, metrics.watch_lag.clone()));
        metrics::look_at(&metrics.registry, &store, &engine, &hub, door.counts())?;
        let campaigns = Arc::new(Notify::new());
        let services = Services::new(
            store.clone(),
            Arc::clone(&engine),
            Arc::clone(&hub),
            Arc::clone(&campaigns),
            closing.clone(),
            settings.webhooks.policy,
        );
        let identity = settings.identity(&store);
        let routes = services.routes(&health, settings.reflection).map_err(Error::serve)?;
        let (calls, came, gate) = (TaskTracker::new(), door.counts(), Gate::default());
        let layers = Layers {
            counted: metrics.calls.clone(),
            calls: calls.clone(),
            gate: gate.clone(),
            identity: identity.clone(),
        };
        let following = tokio::spawn(door.follow(closing.clone()));
        let serving = tokio::spawn(layers.serve(routes, door, closing.clone()));
        await_database(&address, settings.migrate, identity.as_deref()).await?;
        // Before health says that creditd serves.
        gate.open();
        health.look(&store).await;
        let background = Background {
            store: store.clone(),
            engine: Arc::clone(&engine),
            hub: Arc::clone(&hub),
            health: health.clone(),
            identity,
            closing: closing.clone(),
        };
        let mut background =
            background.begin(&settings, campaigns, &metrics).map_err(Error::serve)?;
        background.push(following);
        Ok(Self {
            metrics: metrics.registry,
            engine,
            hub,
            delivered: metrics.delivered,
            door: came,
            lanes,
            closing,
            calls,
            serving,
            background,
            health,
            ended,
            grace: settings.grace,
        })
    }

    /// Tells probes, takes nothing new, answers what is under way, tells the streams, empties the
    /// lanes, and ends; what is still open after [`limits::FAREWELL`], or after the grace in all, ends
    /// with the process.
    pub async fn stop(mut self) {
        let until = Instant::now() + self.grace;
        self.health.leave().await;
        self.closing.cancel();
        let farewell = async {
            self.calls.close();
            self.calls.wait().await;
            self.engine.answered().await;
            sleep(limits::FAREWELL).await;
        };
        let serving = async {
            // One that has ended by itself has been heard of.
            if !self.serving.is_finished() {
                drop((&mut self.serving).await);
            }
        };
        let ended = tokio::select! {
            () = serving => true,
            () = farewell => false,
            () = sleep_until(until - self.grace / limits::GRACE_KEPT) => false,
        };
        if !ended {
            tracing::warn!("some connections did not end in time");
            self.serving.abort();
        }
        if timeout_at(until, join_all(self.background)).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        if timeout_at(until, self.lanes.drain()).await.is_err() {
            tracing::warn!("some commands did not end in time");
        }
        let totals = self.engine.stats();
        tracing::info!(
            batches = totals.batches,
            commands = totals.commands,
            statements = totals.statements,
            retries = totals.retries,
            "engine totals"
        );
        let totals = self.delivered.snapshot();
        tracing::info!(
            attempts = totals.attempts,
            delivered = totals.delivered,
            failed = totals.failed,
            parked = totals.parked,
            disabled = totals.disabled,
            "webhook totals"
        );
        self.ended.cancel();
    }

    /// Resolves when serving ends by itself, which it should not.
    pub async fn failed(&mut self) -> Error {
        let ended = match (&mut self.serving).await {
            Ok(Ok(())) => "the server ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Error::Serve(ended)
    }
}

/// What a call goes through before it is served, from the outside in.
struct Layers {
    counted: Calls,
    calls: TaskTracker,
    gate: Gate,
    identity: Option<Arc<Identity>>,
}

impl Layers {
    async fn serve(
        self,
        routes: Routes,
        door: Door,
        closing: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let calls = self.calls;
        door::server(&door.patience())
            .layer(self.counted)
            .layer(MapFutureLayer::new(move |call| calls.track_future(call)))
            .layer(Answer::layer())
            .layer(self.gate)
            .layer(IdentityLayer(self.identity))
            .add_routes(routes)
            .serve_with_incoming_shutdown(door.connections(), closing.cancelled_owned())
            .await
    }
}

/// Says so, where everybody must say who they are and nobody can.
fn warn_of_nobody(identity: &Identity) {
    if identity.keys.is_empty() && identity.rules.is_empty() {
        tracing::warn!(
            "callers must say who they are, and nobody can yet: \
             creditd keys create --role admin --name NAME"
        );
    }
}

/// Waits until the database is there, its schema is the one, and the keys have been read, however long
/// that takes: probes and callers are told that creditd is not ready, and the log why.
async fn await_database(
    address: &Address,
    migrate: bool,
    identity: Option<&Identity>,
) -> Result<(), Error> {
    let mut said = String::new();
    loop {
        let why = match look(address, migrate, identity).await {
            Ok(Schema::Current) => return Ok(()),
            Ok(Schema::Older) => "the schema is an older one: run `creditd migrate`".to_owned(),
            Ok(Schema::Newer(version)) => {
                format!(
                    "the schema has migration {version}: a newer creditd is to take this one's place"
                )
            }
            Err(error @ store::Error::Away(_)) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        if why != said {
            tracing::warn!(why, "waiting for the database");
            said = why;
        }
        sleep(limits::STARTUP_LOOK_EVERY).await;
    }
}

async fn look(
    address: &Address,
    migrate: bool,
    identity: Option<&Identity>,
) -> store::Result<Schema> {
    let found = if migrate {
        address.migrate().await.map(|_| Schema::Current)?
    } else {
        address.schema().await?
    };
    if let (Schema::Current, Some(identity)) = (&found, identity) {
        identity.keys.read().await?;
        warn_of_nobody(identity);
    }
    Ok(found)
}

/// `creditd serve`: runs until `shutdown` resolves.
///
/// # Errors
/// Where it cannot start, or something it lives on ends.
pub async fn serve(
    config: &config::Serve,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    // First, so that a taken address is said at once and nothing is started in vain.
    files::allow(config.sizing.connections);
    let (doors, bound) = Doors::open(config).await?;
    let mut settings = Settings::from(config);
    tokio::pin!(shutdown);
    let database = Database::open(&config.database).await?;
    settings.migrate |= database.private.is_some();
    let identity = settings.identity.is_some();
    let starting = Service::start(database.address.clone(), doors, settings);
    let mut service = tokio::select! {
        service = starting => service?,
        () = &mut shutdown => {
            database.close().await;
            return Ok(());
        }
    };
    if !identity && !bound.ip().is_loopback() {
        tracing::warn!("identity is off: whoever reaches {bound} may do everything");
    }
    if identity && config.tls.tls_cert.is_none() && !bound.ip().is_loopback() {
        tracing::warn!("keys come to {bound} in plain text: whoever is on the way can use them");
    }
    tracing::info!("ready on {bound}");
    if database.private.is_some() && !identity && config.tls.tls_cert.is_none() {
        welcome(bound);
    }
    let ended = tokio::select! {
        () = &mut shutdown => Ok(()),
        error = service.failed() => Err(error),
        error = database_ended(database.private.as_ref()) => Err(error),
    };
    match &ended {
        Ok(()) => tracing::info!("going down"),
        Err(error) => tracing::error!(%error, "going down"),
    }
    service.stop().await;
    database.close().await;
    ended
}

async fn database_ended(private: Option<&PrivateServer>) -> Error {
    match private {
        Some(server) => {
            server.exited().await;
            Error::DatabaseEnded(server.log().display().to_string())
        }
        None => std::future::pending().await,
    }
}

/// What to try next, for who has just started creditd by hand.
fn welcome(address: std::net::SocketAddr) {
    println!(
        "\ncreditd is ready on {address}, on a PostgreSQL of its own. Try, in another terminal:\n\n  \
         grpcurl -plaintext {address} list\n  \
         grpcurl -plaintext -d '{{\"request_id\":\"r1\",\"customer_id\":\"acme\",\"type\":\"GRANT_TYPE_UNITS\",\"amount\":\"100\"}}' \
         {address} credits.v1.CreditService/CreateGrant\n  \
         grpcurl -plaintext -d '{{\"customer_id\":\"acme\"}}' {address} credits.v1.CreditService/GetBalance\n  \
         creditd demo     replay a real trace\n  \
         creditd audit    re-derive every figure from the ledger\n\n\
         The README has a tour. Ctrl-C stops it; the data stays.\n"
    );
}
