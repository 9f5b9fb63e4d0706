//! What goes on beside the calls.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::metrics::Metrics;
use crate::engine::Engine;
use crate::rpc::{Health, Identity};
use crate::store::Store;
use crate::tasks::delivery::Delivery;
use crate::tasks::{campaigns, listener, outbox, sweeper};
use crate::watch::{self, Hub};

/// What tasks work with; each works until `closing`.
pub(super) struct Background {
    pub store: Store,
    pub engine: Arc<Engine>,
    pub hub: Arc<Hub>,
    pub health: Health,
    pub identity: Option<Arc<Identity>>,
    pub closing: CancellationToken,
}

impl Background {
    /// Begins what the settings ask for. `begun` tells of campaigns' runs.
    ///
    /// # Errors
    /// Where no HTTP client can be made for webhooks.
    pub(super) fn begin(
        self,
        settings: &Settings,
        begun: Arc<Notify>,
        metrics: &Metrics,
    ) -> reqwest::Result<Vec<JoinHandle<()>>> {
        let Self { store, engine, hub, health, identity, closing } = self;
        let refresh = watch::refresh::run(
            Arc::clone(&hub),
            store.clone(),
            Arc::clone(&engine),
            closing.clone(),
        );
        let listen = listener::run(store.clone(), hub, closing.clone());
        let stats = Arc::clone(&metrics.campaigns);
        let run = campaigns::run(store.clone(), Arc::clone(&engine), stats, begun, closing.clone());
        let mut tasks = vec![tokio::spawn(refresh), tokio::spawn(listen), tokio::spawn(run)];
        tasks.push(tokio::spawn(health.follow(store.clone(), closing.clone())));
        let keys = identity.map(|identity| Arc::clone(&identity.keys));
        tasks.extend(keys.map(|keys| tokio::spawn(keys.follow(closing.clone()))));
        if settings.delivers {
            let (store, counted) = (store.clone(), Arc::clone(&metrics.delivered));
            let delivery =
                Delivery::new(store.clone(), settings.webhooks, counted, closing.clone())?;
            tasks.push(tokio::spawn(delivery.run(Arc::clone(engine.outbox()))));
            let count = outbox::run(store, metrics.pending.clone(), closing.clone());
            tasks.push(tokio::spawn(count));
        }
        if settings.sweeper {
            tasks.push(tokio::spawn(sweeper::run(store, engine, closing)));
        }
        Ok(tasks)
    }
}
