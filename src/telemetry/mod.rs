//! Logs, one line an event, to standard error, filtered by RUST_LOG; and traces, to a collector.
//!
//! Logs and traces are kept apart: events are for the logs alone, [`spans`] for the traces alone.
//! Where no traces are asked for, nobody listens to spans, and opening one costs next to nothing.

mod json;
mod traces;

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

pub use self::traces::{Error, Traces};

/// Its errors are its caller's to tell of, and ours are: what a webhook's receiver presents is no
/// fault of creditd's.
const QUIET: &str = "rustls_platform_verifier=off";
/// The driver, which tells at debug what statements are given: customers' metadata, secrets. Nobody
/// can ask for that.
const DRIVER: &str = "tokio_postgres";

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: a JSON object a line.
    Json,
}

type Listener = Box<dyn Layer<Registry> + Send + Sync>;

/// Logs and traces for as long as the process lives.
#[must_use = "what was traced last is sent by `end`"]
pub struct Telemetry {
    traces: Option<traces::Sending>,
}

/// Starts logging, and tracing where that is asked for.
///
/// # Errors
/// Where traces cannot be sent there.
pub fn start(format: LogFormat, traces: Option<&Traces>) -> Result<Telemetry, Error> {
    let traces = traces.map(Traces::begin).transpose()?;
    let mut listeners = vec![logs(format, filter(std::env::var(EnvFilter::DEFAULT_ENV).ok()))];
    listeners.extend(traces.as_ref().map(traces::Sending::listener));
    // A second start, in a test, keeps the first.
    drop(tracing_subscriber::registry().with(listeners).try_init());
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends what was traced last, but does not wait for long.
    pub async fn end(self) {
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

fn logs(format: LogFormat, filter: EnvFilter) -> Listener {
    let events = filter_fn(is_logged).and(filter);
    let lines = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).with_filter(events).boxed(),
        LogFormat::Json => lines.event_format(json::Lines).with_filter(events).boxed(),
    }
}

fn is_logged(metadata: &Metadata<'_>) -> bool {
    let tells_parameters = *metadata.level() > Level::INFO && metadata.target().starts_with(DRIVER);
    metadata.is_event() && !tells_parameters
}

/// What RUST_LOG asks for, or else what one wants to know.
fn filter(asked: Option<String>) -> EnvFilter {
    let asked = asked.filter(|asked| !asked.is_empty());
    let asked = asked.and_then(|asked| EnvFilter::try_new(format!("{QUIET},{asked}")).ok());
    asked.unwrap_or_else(|| EnvFilter::new(format!("{QUIET},info")))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::spans;

    #[test]
    fn what_is_written_to_the_database_is_not_logged_whatever_is_asked_for() {
        for asked in ["trace", "tokio_postgres=trace", "debug,tokio_postgres::query=debug", "="] {
            let filter = filter(Some(asked.to_owned()));
            let listeners =
                tracing_subscriber::registry().with(vec![logs(LogFormat::Text, filter)]);
            tracing::subscriber::with_default(listeners, || {
                let told =
                    tracing::event_enabled!(target: "tokio_postgres::query", tracing::Level::DEBUG);
                assert!(!told, "{asked}");
            });
        }
    }

    #[test]
    fn without_traces_there_are_no_spans() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let listeners = tracing_subscriber::registry().with(vec![logs(format, filter(None))]);
            tracing::subscriber::with_default(listeners, || {
                assert!(tracing::event_enabled!(tracing::Level::ERROR), "events are heard");
                assert!(spans::call("a/b", &HeaderMap::new()).is_disabled());
                assert!(spans::asking().is_disabled());
                assert!(spans::sweep().is_disabled());
            });
        }
    }
}
