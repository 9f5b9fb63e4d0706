//! Logs: one line an event, to standard error, filtered by RUST_LOG.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging for the rest of the process.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start, in a test, keeps the first.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .try_init(),
    );
}
