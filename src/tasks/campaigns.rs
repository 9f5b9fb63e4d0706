//! Carries out campaigns: takes the next customers of a run, gives each its grant through the
//! engine, and notes what became of them.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::campaign::Rejection;
use crate::engine::{Engine, Failure, Reply};
use crate::limits;
use crate::metrics::{self, Counter, Registry, count};
use crate::store::{Done, Result, Store, Stretch};

/// What runs have done, counted.
#[derive(Debug)]
pub struct Stats {
    granted: Counter,
    rejected: Counter,
}

impl Stats {
    /// Counts in this registry.
    ///
    /// # Errors
    /// Where somebody else does already.
    pub fn new(registry: &Registry) -> metrics::Result<Self> {
        let customers = registry.counters(
            "creditd_campaign_customers_total",
            "Customers to whom a campaign's run has come.",
            &["outcome"],
        )?;
        let of = |outcome| customers.with_label_values(&[outcome]);
        Ok(Self { granted: of("granted"), rejected: of("rejected") })
    }
}

/// Carries out the runs that are under way, until `closing`; `begun` tells of a new one.
///
/// Safe in several replicas at once: a lease decides who has which customers, and should two have
/// the same, the grants' keys decide.
pub async fn run(
    store: Store,
    engine: Arc<Engine>,
    stats: Arc<Stats>,
    begun: Arc<Notify>,
    closing: CancellationToken,
) {
    while !closing.is_cancelled() {
        let pause = match step(&store, &engine, &stats).await {
            Ok(true) => continue,
            Ok(false) => limits::CAMPAIGN_LOOK_EVERY,
            Err(error) => {
                tracing::warn!(%error, "a campaign pauses");
                limits::RECONNECT_PAUSE_MAX
            }
        };
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = begun.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// Comes to the next customers of a run; false where there is nothing to do.
async fn step(store: &Store, engine: &Engine, stats: &Stats) -> Result<bool> {
    let Some(stretch) = store.next_stretch().await? else { return Ok(false) };
    let campaign = &stretch.campaign;
    let commands = stretch.customers.iter().cloned().map(|customer| campaign.command(customer));
    let replies = engine.enqueue(commands.collect(), None).await.replies().await;
    let Some(done) = sorted(&stretch, replies) else {
        // The lease runs out, and somebody does them again.
        tracing::warn!(campaign_id = %campaign.campaign_id, "a campaign's grants have to wait");
        return Ok(false);
    };
    if !store.settle_stretch(&stretch, &done).await? {
        return Ok(true);
    }
    stats.granted.inc_by(count(done.granted.len()));
    stats.rejected.inc_by(count(done.rejected.len()));
    if stretch.last {
        tracing::info!(campaign_id = %campaign.campaign_id, run = campaign.run.number, "a campaign's run has finished");
    }
    Ok(true)
}

/// Who got the grant and who did not; None where one of them could not be asked now.
fn sorted(stretch: &Stretch, replies: Vec<Reply>) -> Option<Done> {
    let mut done = Done::default();
    for (customer, reply) in stretch.customers.iter().zip(replies) {
        match reply {
            Ok(_) => done.granted.push(customer.clone()),
            Err(failure) => done.rejected.push((customer.clone(), rejection(&failure)?)),
        }
    }
    Some(done)
}

/// Why a customer is refused for good; None where another time may be better.
fn rejection(failure: &Failure) -> Option<Rejection> {
    match failure {
        Failure::Refused(refusal) => Some(Rejection::of(refusal).unwrap_or_else(|| {
            let id = Uuid::now_v7();
            tracing::error!(%id, %refusal, "a campaign's grant was refused");
            Rejection::Internal(id)
        })),
        Failure::Internal(id) => Some(Rejection::Internal(*id)),
        Failure::Overloaded
        | Failure::Unavailable
        | Failure::ConcurrentUpdate
        | Failure::DeadlineExceeded => None,
    }
}
