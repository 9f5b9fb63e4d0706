//! Waiting for what must come: asked again until it has, and not for ever.

use std::time::{Duration, Instant};

/// Long enough for a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks again until the answer is yes.
pub async fn until(what: &str, mut yes: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !yes().await {
        assert!(begun.elapsed() < LIMIT, "never: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
