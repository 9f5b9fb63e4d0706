//! The listener: tells the hub which customers changed, on whichever replica.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::store::{Result, Store};
use crate::watch::Hub;

/// Listens until `closing`, over a connection of its own, made anew whenever it breaks.
pub async fn run(store: Store, hub: Arc<Hub>, closing: CancellationToken) {
    let listening = async {
        let mut pause = limits::RECONNECT_PAUSE_MIN;
        loop {
            let ended = listen(&store, &hub, &mut pause).await;
            if let Err(error) = ended
                && pause == limits::RECONNECT_PAUSE_MIN
            {
                tracing::warn!(%error, "changes are not heard; connecting again");
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::RECONNECT_PAUSE_MAX);
        }
    };
    closing.run_until_cancelled(listening).await;
}

/// Listens for as long as the connection lives.
async fn listen(store: &Store, hub: &Hub, pause: &mut Duration) -> Result<()> {
    let mut listener = store.listen().await?;
    *pause = limits::RECONNECT_PAUSE_MIN;
    // Whatever was committed before this has been missed.
    hub.anything_changed();
    loop {
        hub.changed(&listener.changed().await?);
    }
}
