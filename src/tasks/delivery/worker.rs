//! One endpoint's worker: takes what is due, so many at a time, and writes down what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::courier::{Courier, Outcome};
use super::patience::Patience;
use super::stats::Stats;
use super::verdict::verdict;
use crate::domain::ids::EndpointId;
use crate::domain::time::Timestamp;
use crate::limits;
use crate::spans;
use crate::store::{Attempted, Claim, Claimed, Next, Result, Store};

/// What all workers share.
pub(super) struct Office {
    pub store: Store,
    pub courier: Courier,
    pub timeout: Duration,
    pub stats: Arc<Stats>,
}

/// An attempt that has ended, and is not written down yet.
struct Ended {
    delivery: Claimed,
    until: Timestamp,
    /// Where it went.
    url: Arc<str>,
    outcome: Outcome,
}

/// Delivers to one endpoint.
pub(super) struct Worker {
    office: Arc<Office>,
    endpoint: EndpointId,
    attempts: JoinSet<Ended>,
    ended: Vec<Ended>,
    /// Whether something may be due that nobody has in hand.
    more: bool,
}

impl Worker {
    pub(super) fn new(office: Arc<Office>, endpoint: EndpointId) -> Self {
        Self { office, endpoint, attempts: JoinSet::new(), ended: Vec::new(), more: false }
    }

    /// Delivers whenever called, until `closing`.
    pub(super) async fn run(mut self, call: Arc<Notify>, closing: CancellationToken) {
        // Whatever ends it, a panic too: the next look sees that it is gone and begins another.
        let _gone = closing.clone().drop_guard();
        let mut patience = Patience::new("webhooks wait for the database");
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                Some(ended) = self.attempts.join_next() => self.keep(ended),
                () = call.notified() => self.more = true,
            }
            while let Err(error) = self.step().await {
                let waited = closing.run_until_cancelled(patience.wait(&error)).await;
                if waited.is_none() {
                    break;
                }
            }
            patience.restore();
        }
        self.farewell().await;
    }

    fn keep(&mut self, ended: std::result::Result<Ended, JoinError>) {
        match ended {
            Ok(ended) => self.ended.push(ended),
            // Its claim lapses, and it is made again.
            Err(error) => tracing::error!(%error, "an attempt at a webhook failed"),
        }
    }

    /// Writes down what has ended, and takes more where there is room.
    async fn step(&mut self) -> Result<()> {
        while let Some(ended) = self.attempts.try_join_next() {
            self.keep(ended);
        }
        let now = self.office.store.delivery_now().await?;
        self.finish(now).await?;
        let room = limits::DELIVERIES_IN_FLIGHT.saturating_sub(self.attempts.len());
        if !self.more || room == 0 {
            return Ok(());
        }
        let lease = self.office.timeout + limits::DELIVERY_CLAIM_MARGIN;
        let claimed = self.office.store.claim_deliveries(self.endpoint, now, room, lease).await?;
        let taken = claimed.as_ref().map_or(0, |claim| claim.deliveries.len());
        self.more = taken == room;
        if let Some(claim) = claimed {
            self.begin(claim);
        }
        Ok(())
    }

    /// Begins attempts.
    fn begin(&mut self, claim: Claim) {
        let (until, sent_at, url) = (claim.until, claim.sent_at, Arc::from(claim.url.as_str()));
        for delivery in &claim.deliveries {
            let request = self.office.courier.request(&claim, delivery);
            let delivery = delivery.clone();
            let (office, url) = (Arc::clone(&self.office), Arc::clone(&url));
            let span = spans::webhook(delivery.attempts.saturating_add(1));
            let attempt = async move {
                let outcome = match request {
                    Ok(request) => office.courier.attempt(request, sent_at).await,
                    Err(outcome) => outcome,
                };
                let status = outcome.status().map(|status| status.as_u16());
                spans::received(&tracing::Span::current(), status, outcome.error().as_deref());
                Ended { delivery, until, url, outcome }
            };
            self.attempts.spawn(attempt.instrument(span));
        }
    }

    /// Writes down what has ended. Where the database fails it is kept, and its place with it.
    async fn finish(&mut self, now: Timestamp) -> Result<()> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let attempted: Vec<Attempted> =
            self.ended.iter().map(|ended| ended.attempted(now)).collect();
        // First, because who comes after a crash does not see it any more.
        if let Some((url, reason)) = self.grave(now, &attempted).await? {
            self.disable(&url, reason).await?;
        }
        self.office.store.finish_deliveries(self.endpoint, now, &attempted).await?;
        for attempt in &attempted {
            self.office.stats.attempt(attempt.next);
        }
        self.ended.clear();
        Ok(())
    }

    /// Why nothing is to be sent to the endpoint at this URL any more, where that is so.
    async fn grave(
        &self,
        now: Timestamp,
        attempted: &[Attempted],
    ) -> Result<Option<(Arc<str>, &'static str)>> {
        if let Some(gone) = self.ended.iter().rfind(|ended| ended.outcome.is_gone()) {
            return Ok(Some((Arc::clone(&gone.url), "410 Gone")));
        }
        let any = |next| attempted.iter().any(|attempt| attempt.next == next);
        if any(Next::Delivered) || !any(Next::Parked) {
            return Ok(None);
        }
        let since = self.office.store.failing_since(self.endpoint).await?;
        let long = since.is_some_and(|since| now - since >= limits::ENDPOINT_FAILS_MAX);
        let last = self.ended.last().filter(|_| long);
        Ok(last.map(|last| (Arc::clone(&last.url), "every attempt failed for 3 days")))
    }

    async fn disable(&self, url: &str, reason: &'static str) -> Result<()> {
        if self.office.store.disable_endpoint(self.endpoint, url, reason).await? {
            tracing::warn!(endpoint = %self.endpoint.0, reason, "a webhook endpoint is disabled");
            self.office.stats.disabled();
        }
        Ok(())
    }

    /// Gives attempts a moment to end and writes down what came of them. What is cut off is made
    /// again by whoever comes first once its claim has ended.
    async fn farewell(mut self) {
        let ending = async {
            while let Some(ended) = self.attempts.join_next().await {
                self.keep(ended);
            }
        };
        drop(timeout(limits::FAREWELL, ending).await);
        let finish = async {
            let now = self.office.store.delivery_now().await?;
            self.finish(now).await
        };
        if let Ok(Err(error)) = timeout(limits::FAREWELL, finish).await {
            tracing::warn!(%error, "webhooks that were sent are sent again");
        }
    }
}

impl Ended {
    fn attempted(&self, now: Timestamp) -> Attempted {
        let status = self.outcome.status();
        Attempted {
            id: self.delivery.id,
            until: self.until,
            next: verdict(&self.delivery, &self.outcome, now),
            response_status: status.and_then(|status| i16::try_from(status.as_u16()).ok()),
            error: self.outcome.error(),
        }
    }
}
