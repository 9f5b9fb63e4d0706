//! The delivery of webhooks: a worker for every enabled endpoint, and who wakes them.
//!
//! What is to be delivered lies in the database, written with the change that causes it. Every
//! replica delivers: workers claim what is due, and nobody waits for anybody. Each endpoint has its
//! own worker with attempts in flight of its own, so that one that hangs holds up no other.

mod courier;
mod patience;
mod stats;
mod verdict;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::courier::Courier;
use self::patience::Patience;
pub use self::stats::{Snapshot, Stats};
use self::worker::{Office, Worker};
use crate::domain::ids::EndpointId;
use crate::domain::time::Timestamp;
use crate::domain::url_policy::UrlPolicy;
use crate::limits;
use crate::store::{Clock, Result, Store};

/// How webhooks are delivered.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Where they may go.
    pub policy: UrlPolicy,
    /// How long an attempt may take.
    pub timeout: Duration,
}

/// Keeps a worker for every enabled endpoint.
pub struct Delivery {
    office: Arc<Office>,
    workers: HashMap<EndpointId, Calling>,
    running: TaskTracker,
    closing: CancellationToken,
}

/// The way to a worker.
struct Calling {
    call: Arc<Notify>,
    closing: CancellationToken,
}

impl Delivery {
    /// Delivers what is in the store, until `closing`, once it [runs](Self::run).
    ///
    /// # Errors
    /// Where no HTTP client can be made.
    pub fn new(
        store: Store,
        settings: Settings,
        stats: Arc<Stats>,
        closing: CancellationToken,
    ) -> reqwest::Result<Self> {
        let Settings { policy, timeout } = settings;
        let courier = Courier::new(policy, timeout)?;
        let office = Arc::new(Office { store, courier, timeout, stats });
        Ok(Self { office, workers: HashMap::new(), running: TaskTracker::new(), closing })
    }

    /// Calls workers whenever something is due. `written` is notified when something was written
    /// that may be.
    pub async fn run(mut self, written: Arc<Notify>) {
        let mut patience = Patience::new("webhooks cannot be looked for");
        let closing = self.closing.clone();
        let looking = async {
            loop {
                match self.look().await {
                    Ok(next) => {
                        patience.restore();
                        self.rest(next, &written).await;
                    }
                    Err(error) => patience.wait(&error).await,
                }
            }
        };
        closing.run_until_cancelled(looking).await;
        self.running.close();
        self.running.wait().await;
    }

    /// Looks at every endpoint; when the next delivery falls due, as far as is known.
    async fn look(&mut self) -> Result<Option<Until>> {
        let now = self.office.store.delivery_now().await?;
        let waiting = self.office.store.endpoints_waiting().await?;
        let gone = |id: &EndpointId| !waiting.iter().any(|each| each.endpoint == *id);
        self.workers.retain(|id, worker| {
            if gone(id) {
                worker.closing.cancel();
            }
            !worker.closing.is_cancelled()
        });
        for each in &waiting {
            let worker = self.worker(each.endpoint);
            if each.due.is_some_and(|due| due <= now) {
                worker.call.notify_one();
            }
        }
        let lag = |due: Timestamp| (now - due).to_std().ok();
        let lag = waiting.iter().filter_map(|each| each.due).filter_map(lag).max();
        self.office.stats.lags(lag.unwrap_or_default());
        let next = waiting.iter().filter_map(|each| each.due).filter(|due| *due > now).min();
        Ok(next.map(|at| Until { at, now }))
    }

    fn worker(&mut self, endpoint: EndpointId) -> &Calling {
        self.workers.entry(endpoint).or_insert_with(|| {
            let calling = Calling { call: Arc::default(), closing: self.closing.child_token() };
            let worker = Worker::new(Arc::clone(&self.office), endpoint);
            self.running.spawn(worker.run(Arc::clone(&calling.call), calling.closing.clone()));
            calling
        })
    }

    /// Waits until another look is worth it.
    async fn rest(&self, next: Option<Until>, written: &Notify) {
        let again = Instant::now() + limits::DELIVERY_LOOK_EVERY;
        sleep(limits::DELIVERY_LOOK_PAUSE).await;
        tokio::select! {
            () = written.notified() => {}
            () = self.falls_due(next) => {}
            () = sleep_until(again) => {}
        }
    }

    async fn falls_due(&self, next: Option<Until>) {
        let Some(Until { at, now }) = next else { return std::future::pending().await };
        match self.office.store.clock() {
            Clock::Test(clock) => clock.reaches(at).await,
            Clock::Database => sleep((at - now).to_std().unwrap_or_default()).await,
        }
    }
}

/// An instant to come, seen from another.
#[derive(Clone, Copy)]
struct Until {
    at: Timestamp,
    now: Timestamp,
}
