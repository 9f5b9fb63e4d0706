//! The sweeper: does in the background, through the engine, what time asks for. No answer depends on
//! its luck; it keeps rows near what reads already say, lists short, and warnings punctual.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::domain::account::Brought;
use crate::engine::{Engine, Pass};
use crate::limits;
use crate::store::{Clock, Result, Store};

/// Does what falls due, until `closing`.
///
/// Safe in several replicas at once: each booking is a command, and the customer's row decides.
pub async fn run(store: Store, engine: Arc<Engine>, closing: CancellationToken) {
    if matches!(store.clock(), Clock::Test(_)) {
        // A clock that stands still brings nothing; moving it sweeps.
        return;
    }
    loop {
        let pause = match pass(&store, &engine).await {
            Ok(done) => pause_after(&done),
            Err(error) => {
                tracing::warn!(%error, "a sweep failed; it is tried again");
                limits::RECONNECT_PAUSE_MAX
            }
        };
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = engine.due_hint().earlier() => {}
            () = sleep(pause) => {}
        }
    }
}

async fn pass(store: &Store, engine: &Engine) -> Result<Pass> {
    let done = engine.sweep(store).await?;
    if done.customers > 0 || done.renewed > 0 || done.removed > 0 {
        let Brought { holds_expired, grants_ended, grants_started, warnings } = done.brought;
        tracing::debug!(
            customers = done.customers,
            holds_expired,
            grants_ended,
            grants_started,
            warnings,
            renewed = done.renewed,
            removed = done.removed,
            failed = done.failures.len(),
            "did what was due"
        );
    }
    Ok(done)
}

/// Until the next thing falls due, but not for ever: another replica may make a grant that is due
/// sooner.
fn pause_after(done: &Pass) -> Duration {
    if !done.failures.is_empty() {
        return limits::RECONNECT_PAUSE_MAX;
    }
    if done.full {
        return limits::SWEEP_SLEEP_MIN;
    }
    let until = done.next.and_then(|next| (next - done.now).to_std().ok());
    until.map_or(limits::SWEEP_SLEEP_MAX, |until| {
        until.clamp(limits::SWEEP_SLEEP_MIN, limits::SWEEP_SLEEP_MAX)
    })
}
