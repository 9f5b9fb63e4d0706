//! What `creditd serve` counts, and the port on which Prometheus reads it.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::sync::Arc;

use futures_util::StreamExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;

use crate::engine::{self, Engine, Queued};
use crate::limits;
use crate::metrics::{CONTENT_TYPE as TEXT, Gauge, Registry, Result, Timing, number};
use crate::rpc::{Calls, door};
use crate::store::Store;
use crate::tasks::{campaigns, delivery};
use crate::watch::Hub;

/// Who counts what. All of it is there from the beginning, so that a graph begins at zero.
pub(super) struct Metrics {
    pub registry: Registry,
    pub calls: Calls,
    pub engine: Arc<engine::Stats>,
    pub watch_lag: Timing,
    pub campaigns: Arc<campaigns::Stats>,
    pub delivered: Arc<delivery::Stats>,
    pub pending: Gauge,
    pub database_up: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Result<Self> {
        let registry = Registry::new()?;
        Ok(Self {
            calls: Calls::new(&registry)?,
            engine: Arc::new(engine::Stats::new(&registry)?),
            watch_lag: registry.timing(
                "creditd_watch_lag_seconds",
                "From word of a change to watchers being shown it, the longest of each reading.",
            )?,
            campaigns: Arc::new(campaigns::Stats::new(&registry)?),
            delivered: Arc::new(delivery::Stats::new(&registry)?),
            pending: registry.gauge(
                "creditd_outbox_pending_deliveries",
                "Deliveries that are pending, in hand or not, counted up to 10,000.",
            )?,
            database_up: registry
                .gauge("creditd_database_up", "1 while the database answers, else 0.")?,
            registry,
        })
    }
}

/// What is looked at when somebody reads it; none of it asks the database.
pub(super) fn look_at(
    registry: &Registry,
    store: &Store,
    engine: &Arc<Engine>,
    hub: &Arc<Hub>,
    door: Arc<door::Counts>,
) -> Result<()> {
    let (queues, watched, pools) = (Arc::clone(engine), Arc::clone(hub), store.clone());
    registry.looked_at(
        "creditd_queued_commands",
        "Commands that wait for a batch.",
        &["from"],
        move |gauges| {
            let Queued { calls, streams, sweeps } = queues.queued();
            for (from, many) in [("calls", calls), ("streams", streams), ("sweeper", sweeps)] {
                gauges.with_label_values(&[from]).set(number(many));
            }
        },
    )?;
    let waiting = pools.clone();
    registry.looked_at(
        "creditd_pool_connections",
        "Connections of a pool that are open.",
        &["pool", "state"],
        move |gauges| {
            for (pool, load) in pools.pools() {
                gauges.with_label_values(&[pool, "used"]).set(number(load.used));
                gauges.with_label_values(&[pool, "idle"]).set(number(load.idle));
            }
        },
    )?;
    registry.looked_at(
        "creditd_pool_waiting",
        "Those who wait for a connection of a pool.",
        &["pool"],
        move |gauges| {
            for (pool, load) in waiting.pools() {
                gauges.with_label_values(&[pool]).set(number(load.waiting));
            }
        },
    )?;
    let open = Arc::clone(&door);
    registry.looked_at(
        "creditd_connections",
        "Callers' connections that are open, or about to be.",
        &[],
        move |gauges| gauges.with_label_values(NO_LABELS).set(number(open.snapshot().open)),
    )?;
    registry.counted_elsewhere(
        "creditd_connections_refused_total",
        "Callers' connections that were not let in.",
        &["reason"],
        move || {
            let door::Snapshot { full, of_one_address, failed, .. } = door.snapshot();
            [(["full"], full), (["address"], of_one_address), (["handshake"], failed)]
        },
    )?;
    let watchers = Arc::clone(&watched);
    registry.looked_at("creditd_watchers", "WatchBalance streams.", &[], move |gauges| {
        gauges.with_label_values(NO_LABELS).set(number(watchers.counts().watchers));
    })?;
    registry.looked_at(
        "creditd_watched_customers",
        "Customers that are watched, each counted once for every stream.",
        &[],
        move |gauges| {
            gauges.with_label_values(NO_LABELS).set(number(watched.counts().watched_customers));
        },
    )
}

const NO_LABELS: &[&str] = &[];

/// Shows the metrics at /metrics, and nothing else, until `ended`. Those for whom there is no room are
/// not accepted until there is.
pub(super) async fn serve(listener: TcpListener, registry: Registry, ended: CancellationToken) {
    let showing = TcpListenerStream::new(listener)
        .for_each_concurrent(limits::METRICS_CONNECTIONS, move |came| show(came, registry.clone()));
    // It goes on after whatever a connection does.
    ended.run_until_cancelled(showing).await;
}

/// Answers one request, if it comes and its answer is taken in time.
async fn show(came: io::Result<TcpStream>, registry: Registry) {
    let Ok(socket) = came else { return sleep(limits::ACCEPT_PAUSE).await };
    let answer = service_fn(|request| ready(Ok::<_, Infallible>(answer(&request, &registry))));
    let connection =
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(socket), answer);
    drop(timeout(limits::METRICS_TIME, connection).await);
}

fn answer<B>(request: &Request<B>, registry: &Registry) -> Response<String> {
    let mut answer = Response::default();
    if (request.method(), request.uri().path()) != (&Method::GET, "/metrics") {
        *answer.status_mut() = StatusCode::NOT_FOUND;
        return answer;
    }
    match registry.text() {
        Ok(text) => {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
            *answer.body_mut() = text;
        }
        Err(error) => {
            tracing::error!(%error, "the metrics do not read");
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
    }
    answer
}
