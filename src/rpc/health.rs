//! grpc.health.v1.Health, following the database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::Services;
use super::door::{self, Door};
use crate::limits;
use crate::metrics::Gauge;
use crate::pb::campaign_service_server::CampaignServiceServer;
use crate::pb::credit_service_server::CreditServiceServer;
use crate::pb::customer_service_server::CustomerServiceServer;
use crate::pb::notification_service_server::NotificationServiceServer;
use crate::pb::test_clock_service_server::TestClockServiceServer;
use crate::pb::usage_service_server::UsageServiceServer;
use crate::store::{Clock, Store};

/// The service's name under which it says whether creditd is alive.
const LIVENESS: &str = "liveness";

/// Tells probes whether creditd can serve: the whole ("") and each service.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
    /// 1 while the database answers.
    up: Gauge,
    /// Whether creditd goes down, which it does once: a look at the database that was under way then
    /// does not bring it back.
    left: Arc<Mutex<bool>>,
}

impl Health {
    /// Not serving, until [`Health::follow`] finds the database; but alive.
    pub async fn new(clock: &Clock, up: Gauge) -> Self {
        let mut names = vec![
            "",
            CreditServiceServer::<Services>::NAME,
            UsageServiceServer::<Services>::NAME,
            CustomerServiceServer::<Services>::NAME,
            CampaignServiceServer::<Services>::NAME,
            NotificationServiceServer::<Services>::NAME,
        ];
        if matches!(clock, Clock::Test(_)) {
            names.push(TestClockServiceServer::<super::test_clock::TestClock>::NAME);
        }
        let health = Self { reporter: HealthReporter::new(), names, up, left: Arc::default() };
        // tonic-health reports "" as serving from the start.
        health.report(ServingStatus::NotServing).await;
        // Whoever is alive enough to answer is alive: a database that is away is cured by no restart.
        health.reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
        health
    }

    /// Serves health, and nothing else, to who comes to this door, until `ended`. No connection
    /// outlives its age, whatever is open on it: somebody else may need its place.
    ///
    /// # Errors
    /// Where serving fails.
    pub async fn serve(
        self,
        door: Door,
        ended: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        door::server(&door.patience())
            .max_connection_age_grace(Duration::ZERO)
            .max_concurrent_streams(limits::HEALTH_STREAMS)
            .add_service(self.service())
            .serve_with_incoming_shutdown(door.connections(), ended.cancelled_owned())
            .await
    }

    /// The services it speaks of; "" is the whole.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The gRPC service.
    pub(super) fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
            .accept_compressed(Gzip)
            .send_compressed(Gzip)
            .max_decoding_message_size(limits::HEALTH_BYTES_MAX)
    }

    /// Asks the database once and reports.
    pub async fn look(&self, store: &Store) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(2), store.ping()).await;
        let serving = matches!(answer, Ok(Ok(())));
        self.up.set(i64::from(serving));
        let left = self.left.lock().await;
        let shown = serving && !*left;
        self.report(if shown { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        serving
    }

    /// Reports what the database is like until `closing`, and then that creditd does not serve.
    pub async fn follow(self, store: Store, closing: CancellationToken) {
        let mut every = tokio::time::interval(limits::HEALTH_EVERY);
        let mut was = None;
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                _ = every.tick() => {
                    let is = self.look(&store).await;
                    if was.replace(is).is_some_and(|was| was != is) {
                        tracing::warn!(serving = is, "health changed with the database");
                    }
                }
            }
        }
        self.leave().await;
    }

    /// Reports that creditd does not serve any more.
    pub async fn leave(&self) {
        let mut left = self.left.lock().await;
        *left = true;
        self.report(ServingStatus::NotServing).await;
    }

    async fn report(&self, status: ServingStatus) {
        for name in &self.names {
            self.reporter.set_service_status(*name, status).await;
        }
    }
}
