//! `creditd demo`: an hour of real requests to language models, replayed as the usage of some
//! hundred customers who hold grants.

mod calls;
mod plan;
mod replay;
mod scenario;
mod summary;
mod trace;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono::TimeDelta;
use uuid::Uuid;

pub use self::calls::{Created, Standing};
use self::plan::Times;
use self::scenario::Scenario;
pub use self::summary::{Summary, Sums, Tally};
use super::error::reason;
use super::{ConnectError, Endpoint};
use crate::limits;

/// Replays an hour of real requests to language models against a running creditd.
///
/// Every request of the traces becomes two usage events, `input_tokens` and `output_tokens`, of a
/// customer drawn by Zipf's law: customer k makes a share of the requests in proportion to 1/k.
/// Customers get grants of several priorities, categories and metrics, for 40 to 200 percent of
/// what they will use. All of it follows from the traces, --customers and --seed.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    endpoint: Endpoint,

    /// A CSV of TIMESTAMP,ContextTokens,GeneratedTokens; repeatable [default: the two Azure LLM
    /// inference traces of 2023, which are built in].
    #[arg(long, value_name = "FILE")]
    trace: Vec<PathBuf>,

    /// How many customers make the requests.
    #[arg(long, value_name = "N", default_value = "200",
        value_parser = up_to(limits::DEMO_CUSTOMERS_MAX))]
    customers: NonZeroUsize,

    /// Draws customers and grants; the same seed always draws the same.
    #[arg(long, value_name = "N", default_value_t = 2023)]
    seed: u64,

    /// Names the replay: all ids derive from it, so the same run again is all duplicates
    /// [default: a new name].
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    run: Option<String>,

    /// How many StreamUsage streams share the events.
    #[arg(long, value_name = "N", default_value = "4",
        value_parser = up_to(limits::DEMO_STREAMS_MAX))]
    streams: NonZeroUsize,

    /// Events in one message of a stream.
    #[arg(long, value_name = "N", default_value = "500",
        value_parser = up_to(limits::STREAM_EVENTS_MAX))]
    batch: NonZeroUsize,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A trace cannot be replayed.
    #[error(transparent)]
    Trace(#[from] trace::Error),
    /// There is no creditd.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The name was used with other traces, customers or another seed.
    #[error("the run was made with other options: repeat those, or name another --run")]
    RunReused,
    /// creditd refused, or stayed away.
    #[error("creditd answered {}: {}", .0.code(), .0.message())]
    Call(#[source] Box<tonic::Status>),
    /// What cannot be, was.
    #[error("{0}")]
    Unexpected(&'static str),
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        match reason(&status).as_deref() {
            Some("REQUEST_ID_REUSED") => Self::RunReused,
            _ => Self::Call(Box::new(status)),
        }
    }
}

/// Makes the grants, replays the usage and adds it up. Prints progress on standard error; the
/// summary is the caller's to print.
///
/// # Errors
/// [`Error`] where a trace is malformed, creditd is away for longer than a restart takes, or it
/// refuses a grant. A refused usage event is no error: the summary counts it.
pub async fn run(args: Args) -> Result<Summary, Error> {
    let requests = trace::load(&args.trace)?;
    let run = args.run.unwrap_or_else(new_name);
    let mut scenario = Scenario::new(&run, requests, args.customers.get(), args.seed);
    let channel = args.endpoint.connect().await?;

    let began = Instant::now();
    let (now, one) = calls::first_grant(&channel, &scenario).await?;
    scenario.shift(now - TimeDelta::minutes(1));
    let first = scenario.requests.first().map_or(now, |request| request.at);
    let last = scenario.requests.last().map_or(now, |request| request.at);
    let others = calls::other_grants(&channel, &scenario, Times { now, first }).await?;
    let created =
        Created { grants: one.grants + others.grants, replayed: one.replayed + others.replayed };
    let grants_took = began.elapsed();

    let began = Instant::now();
    let scenario = Arc::new(scenario);
    let tally = replay::replay(&channel, &scenario, args.streams.get(), args.batch).await?;
    let usage_took = began.elapsed();
    let standing = calls::standing(&channel, &scenario).await?;

    Ok(Summary {
        endpoint: args.endpoint.url().to_owned(),
        run,
        requests: scenario.requests.len(),
        customers: scenario.customers.iter().map(|customer| customer.id.clone()).collect(),
        span: last - first,
        created,
        grants_took,
        tally,
        usage_took,
        standing,
    })
}

/// The milliseconds of a UUIDv7: short, new, and sorted by time.
fn new_name() -> String {
    let id = Uuid::now_v7().simple().to_string();
    id.get(2..12).unwrap_or(&id).to_owned()
}

fn run_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > limits::DEMO_RUN_BYTES_MAX || !text.chars().all(plain) {
        let max = limits::DEMO_RUN_BYTES_MAX;
        return Err(format!("expected 1 to {max} letters, digits, dashes, dots or underscores"));
    }
    Ok(text.to_owned())
}

fn up_to(max: usize) -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone {
    move |text| match text.parse::<NonZeroUsize>() {
        Ok(number) if number.get() <= max => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn parse(line: &[&str]) -> Result<Args, clap::Error> {
        let command = Args::augment_args(clap::Command::new("demo").no_binary_name(true));
        Args::from_arg_matches(&command.try_get_matches_from(line)?)
    }

    #[test]
    fn options_have_defaults_and_bounds() {
        let args = parse(&[]).unwrap();
        assert_eq!((args.customers.get(), args.streams.get(), args.batch.get()), (200, 4, 500));
        for bad in [
            ["--customers", "0"],
            ["--batch", "1001"],
            ["--streams", "65"],
            ["--run", "a b"],
            ["--run", ""],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_short_and_valid() {
        let name = new_name();
        assert_eq!(name.len(), 10);
        assert_eq!(run_name(&name), Ok(name));
    }
}
