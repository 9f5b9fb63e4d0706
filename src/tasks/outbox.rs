//! Counts what waits to be delivered, for who reads the metrics.

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::metrics::Gauge;
use crate::store::Store;

/// Keeps `pending` near what there is, until `closing`. A scrape never asks the database.
pub async fn run(store: Store, pending: Gauge, closing: CancellationToken) {
    let counting = async {
        let mut every = interval(limits::OUTBOX_COUNT_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            // A database that is away is told of by health; the gauge stands still meanwhile.
            if let Ok(count) = store.pending_deliveries(limits::OUTBOX_COUNTED_MAX).await {
                pending.set(count);
            }
        }
    };
    closing.run_until_cancelled(counting).await;
}
