//! WatchBalance: what many watchers weigh, and how soon the last of them hears of a change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use creditd::pb::credit_service_client::CreditServiceClient;
use creditd::pb::{WatchBalanceRequest, WatchBalanceResponse};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tonic::Streaming;
use tonic::transport::Channel;

use crate::balance::quantile;
use crate::call::Callers;
use crate::cpu::Watched;
use crate::events::{Events, Ids, Workload, customer};
use crate::memory;
use crate::meter::{Measured, float};
use crate::report::{Aim, Group, Row, latency_json};
use crate::server::{Creditd, Postgres};
use crate::unary::{Latency, latency, micros};
use crate::{Result, SHAPES, stream};

/// Streams whose memory is measured, each of a customer of its own.
const WATCHERS: u32 = 10_000;
/// Streams of the one customer whose changes are timed.
const AUDIENCE: usize = 1_000;
/// Streams on one connection: as many as HTTP/2 servers let one have, unless told otherwise.
const PER_CONNECTION: usize = 200;
/// How long the first states may take, and the last change.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the watched customer's balance changes, and how often at least.
const CHANGE_EVERY: Duration = Duration::from_millis(100);
const CHANGES_MIN: usize = 100;

/// What watching costs.
#[derive(Debug)]
pub struct Watch {
    pub watchers: f64,
    /// The server's resident memory in megabytes, before the watchers came and with all of them.
    pub alone: f64,
    pub watched: f64,
    /// StreamUsage as fast as it goes, and at half of that while changes are timed.
    full: Measured,
    half: Measured,
    /// From the answer to a change until the last of the audience has seen it.
    pub lag: Latency,
}

impl Watch {
    pub fn kilobytes_each(&self) -> f64 {
        (self.watched - self.alone) * 1_024.0 / self.watchers
    }

    pub fn group(&self) -> Group {
        Group {
            name: "other customers' usage, beside 1,000 watchers".to_owned(),
            rows: vec![
                Row::new("StreamUsage, as fast as it goes".to_owned(), &self.full),
                Row::new("StreamUsage, at half of that".to_owned(), &self.half),
            ],
        }
    }

    pub fn aims(&self) -> [Aim; 2] {
        let memory = format!("KB of memory for each of {} watchers", self.watchers);
        let lag = format!("ms until the last of {AUDIENCE} watchers has a change, p99");
        [
            Aim::at_most(memory, 20.0, self.kilobytes_each()),
            Aim::at_most(lag, 50.0, quantile(&self.lag, 0.99)),
        ]
    }

    pub fn json(&self) -> Value {
        json!({
            "watchers": self.watchers,
            "memory_alone_mb": self.alone,
            "memory_watched_mb": self.watched,
            "kb_per_watcher": self.kilobytes_each(),
            "last_of_1000_ms": latency_json(&self.lag),
        })
    }
}

/// Measures a server that has just started. Customers 0 to the last have grants.
pub async fn load(
    creditd: &Creditd,
    postgres: &Postgres,
    seconds: f64,
    last: u32,
    ids: Ids,
) -> Result<Watch> {
    let numbers: Vec<u32> = (1..=WATCHERS.min(last)).collect();
    let alone = memory::resident(creditd.pid())?;
    let crowd = open(creditd, &numbers).await?;
    let watched = memory::resident(creditd.pid())?;
    drop(crowd);

    let audience = open(creditd, &[0; AUDIENCE]).await?;
    let processes = Watched { server: Some(creditd.pid()), postgres: postgres.pid()? };
    let events = || Events::new(Workload::Spread(last), ids);
    let stream = |seconds, pace| stream::load(creditd, processes, seconds, SHAPES[0], pace, events);
    let full = stream(seconds, None).await?;
    let count = CHANGES_MIN.max(usize::try_from(
        Duration::from_secs_f64(seconds).as_millis() / CHANGE_EVERY.as_millis(),
    )?);
    let while_changing = CHANGE_EVERY.as_secs_f64() * float(count);
    let (half, lag) = tokio::try_join!(
        stream(while_changing, Some(full.rate() / 2.0)),
        lag(creditd, audience, count, ids)
    )?;
    Ok(Watch { watchers: float(numbers.len()), alone, watched, full, half, lag })
}

/// A stream, and the revision of its first state.
struct Watcher {
    states: Streaming<WatchBalanceResponse>,
    revision: i64,
}

/// Watches each of the customers by a stream of its own; returns when all have their first state.
async fn open(creditd: &Creditd, numbers: &[u32]) -> Result<Vec<Watcher>> {
    let parts = numbers.chunks(PER_CONNECTION);
    let channels = creditd.channels(parts.len()).await?;
    let opening = channels.into_iter().zip(parts).map(|(channel, part)| watch(channel, part));
    let opened = timeout(PATIENCE, try_join_all(opening)).await;
    Ok(opened.map_err(|_| "watchers wait for their first states")??.into_iter().flatten().collect())
}

async fn watch(channel: Channel, numbers: &[u32]) -> Result<Vec<Watcher>> {
    let mut client = CreditServiceClient::new(channel);
    let mut watchers = Vec::with_capacity(numbers.len());
    for number in numbers {
        let request = WatchBalanceRequest { customer_ids: vec![customer(*number)] };
        let mut states = client.watch_balance(request).await?.into_inner();
        let revision = next(&mut states).await?;
        watchers.push(Watcher { states, revision });
    }
    Ok(watchers)
}

/// The next balance's revision.
async fn next(states: &mut Streaming<WatchBalanceResponse>) -> Result<i64> {
    let state = states.message().await?.ok_or("a watcher's stream ended")?;
    Ok(state.balance.ok_or("no balance")?.revision)
}

/// A change of the watched customer's balance, on its way to the audience.
struct Change {
    missing: AtomicUsize,
    /// When the last watcher had it.
    arrived: OnceLock<Instant>,
}

impl Change {
    fn new(audience: usize) -> Self {
        Self { missing: AtomicUsize::new(audience), arrived: OnceLock::new() }
    }

    /// One more watcher has it, or something later.
    fn seen(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.arrived.get_or_init(Instant::now);
        }
    }
}

/// Changes the watched balance at a steady pace, whether or not the changes before have arrived,
/// and times each until the last watcher has it.
async fn lag(creditd: &Creditd, audience: Vec<Watcher>, count: usize, ids: Ids) -> Result<Latency> {
    let size = audience.len();
    let changes: Arc<[Change]> = (0..count).map(|_| Change::new(size)).collect();
    let mut followers = JoinSet::new();
    for watcher in audience {
        followers.spawn(follow(watcher, Arc::clone(&changes)));
    }
    let channel = creditd.channels(1).await?.remove(0);
    let answered = change(channel, count, ids).await?;
    let arrival = async {
        while let Some(done) = followers.join_next().await {
            done??;
        }
        Result::<()>::Ok(())
    };
    timeout(PATIENCE, arrival).await.map_err(|_| "a watcher waits for a change")??;
    let mut lag = latency()?;
    for (answered, change) in answered.into_iter().zip(changes.iter()) {
        let arrived = change.arrived.get().ok_or("a change that did not arrive")?;
        lag.record(micros(arrived.saturating_duration_since(answered)))?;
    }
    Ok(lag)
}

/// Reads until it has all changes. Each is one entry in the ledger, and so one revision; a balance
/// may bring several at once.
async fn follow(mut watcher: Watcher, changes: Arc<[Change]>) -> Result<()> {
    let first = watcher.revision;
    let mut seen = 0;
    while seen < changes.len() {
        let upto = usize::try_from(next(&mut watcher.states).await? - first)?.min(changes.len());
        for change in &changes[seen..upto] {
            change.seen();
        }
        seen = upto;
    }
    Ok(())
}

/// Uses something every now and then; returns when each answer came.
async fn change(channel: Channel, count: usize, ids: Ids) -> Result<Vec<Instant>> {
    let mut callers = Callers::new(channel);
    let mut events = Events::new(Workload::One, ids);
    let mut ticks = interval(CHANGE_EVERY);
    let mut answered = Vec::with_capacity(count);
    for _ in 0..count {
        ticks.tick().await;
        callers.record(&mut events).await?;
        answered.push(Instant::now());
    }
    Ok(answered)
}
