//! The top: the only place that knows everyone. What the command line can do, and what each
//! command is wired to.

mod audit;
mod background;
mod database;
mod demo;
mod doors;
mod files;
mod keys;
mod metrics;
mod migrate;
mod serve;
mod settings;
mod sweep;
mod with_postgres;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::database::Database;
pub use self::doors::Doors;
pub use self::serve::{Service, serve};
pub use self::settings::Settings;
use crate::domain::identity::KeyId;
use crate::engine::Failure;
use crate::rpc::door;
use crate::store::{self, private};
use crate::{cli, config, limits, telemetry};

/// Credit grants over gRPC on PostgreSQL: exact, fast, explainable.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What is logged.
    #[command(flatten)]
    pub logs: config::Logs,
}

/// What creditd can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve gRPC, until SIGTERM or Ctrl-C.
    ///
    /// With nothing configured it runs a private PostgreSQL server of its own, which it finds (or
    /// fetches), starts, migrates and stops by itself, and listens on 127.0.0.1:50051. Every flag
    /// has an environment variable. Logs go to standard error; RUST_LOG filters them. On SIGTERM
    /// health turns NOT_SERVING, streams end, what is under way is answered.
    Serve(config::Serve),

    /// Bring the database's schema up to date.
    ///
    /// Run it before a new version serves: `creditd serve` waits for it, unless told --migrate. Safe
    /// to run twice, from several places at once, and beside creditds that serve. Without
    /// --database-url it works on the private server, running or not.
    Migrate(config::Database),

    /// Make, list and revoke the keys by which callers prove who they are.
    ///
    /// Without --database-url it works on the private server, running or not.
    #[command(subcommand)]
    Keys(keys::Command),

    /// The everyday commands.
    #[command(flatten)]
    Client(cli::Command),

    /// Re-derive every figure from the ledger and print each difference; exit code 1 if any.
    ///
    /// Reads one snapshot and locks nothing: it may run beside a serving creditd. Without
    /// --database-url it looks at the private server, running or not.
    Audit(config::Database),

    /// Do what time asks for: expiries, starts, deadlines, warnings, removal of old deliveries.
    ///
    /// What `creditd serve` does by itself, unless told --no-sweeper. With --once it ends when nothing
    /// is left to do and prints what it did; without, it goes on until SIGTERM. Safe beside any number
    /// of others. Without --database-url it works on the private server, running or not.
    Sweep(sweep::Args),

    /// Replay an hour of real requests, and audit the books at the end.
    ///
    /// Plays two published traces of language model requests as the usage of some hundred
    /// customers, on a server that is running already, through StreamUsage, with a progress bar;
    /// then sums up. The audit needs the server's database: the private server of `creditd serve`
    /// on this machine, or --database-url.
    Demo(demo::Args),

    /// Run a command on a temporary PostgreSQL server, with DATABASE_URL set.
    ///
    /// The server is private, empty, not durable, and gone when the command ends. `make test` runs
    /// the tests like this; CREDITD_TEST_DATABASE_URL is set, too.
    WithPostgres(with_postgres::Args),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The private server did not start.
    #[error(transparent)]
    Private(#[from] private::Error),
    /// The database did not answer in time, or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] door::Error),
    /// Serving failed.
    #[error("serving failed: {0}")]
    Serve(String),
    /// The private server ended by itself.
    #[error("the private PostgreSQL server ended by itself; its log is {0}")]
    DatabaseEnded(String),
    /// Nothing to look at.
    #[error("there is no creditd database in {}: give --data-dir or --database-url", .0.display())]
    NothingThere(std::path::PathBuf),
    /// The audit found differences.
    #[error("the books do not agree: {0} differences")]
    Differences(usize),
    /// The operating system has no random bytes.
    #[error("the operating system has no random bytes")]
    NoRandomness,
    /// There are as many keys as may be taken at once.
    #[error("there are {} keys already: revoke some first", limits::API_KEYS_MAX)]
    TooManyKeys,
    /// There is no key with this id.
    #[error("there is no key {0}: `creditd keys list` shows those there are")]
    NoSuchKey(KeyId),
    /// Something that was due could not be booked.
    #[error("{} customers could not be booked: {}", .0.len(), .0[0])]
    NotBooked(Vec<Failure>),
    /// Something cannot be counted.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] crate::metrics::Error),
    /// A command could not be run.
    #[error("{command}: {error}")]
    Run {
        /// What was to be run.
        command: String,
        /// Why it was not.
        error: std::io::Error,
    },
    /// A client command failed.
    #[error("{0}")]
    Client(String),
}

impl Error {
    fn serve(why: impl std::fmt::Display) -> Self {
        Self::Serve(why.to_string())
    }
}

/// Runs one command; what went wrong is said on standard error.
pub async fn run(cli: Cli) -> ExitCode {
    let traces = match &cli.command {
        Command::Serve(config) => config.telemetry.traces(),
        _ => None,
    };
    let telemetry = match telemetry::start(cli.logs.log_format, traces.as_ref()) {
        Ok(telemetry) => telemetry,
        Err(error) => return failure(&error),
    };
    let done = match cli.command {
        Command::Serve(config) => serve(&config, stop_signal()).await.map(|()| ExitCode::SUCCESS),
        Command::Migrate(config) => migrate::run(&config).await.map(|()| ExitCode::SUCCESS),
        Command::Keys(command) => keys::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::Client(command) => client(cli::run(command)).await,
        Command::Audit(config) => audit::run(&config).await.map(|()| ExitCode::SUCCESS),
        Command::Sweep(args) => sweep::run(args, stop_signal()).await.map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::WithPostgres(args) => with_postgres::run(args).await,
    };
    telemetry.end().await;
    done.unwrap_or_else(|error| failure(&error))
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("creditd: {error}");
    ExitCode::FAILURE
}

/// A client command. Whoever closed the pipe has read enough: that is no failure.
async fn client(done: impl Future<Output = Result<(), cli::Error>>) -> Result<ExitCode, Error> {
    match done.await {
        Err(cli::Error::Output { error, .. }) if error.kind() == ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(Error::Client(error.to_string())),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// SIGTERM, or Ctrl-C.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be heard; Ctrl-C can");
            drop(tokio::signal::ctrl_c().await);
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
