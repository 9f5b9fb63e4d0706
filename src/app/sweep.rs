//! `creditd sweep`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Database, Error};
use crate::config;
use crate::domain::account::Brought;
use crate::engine::{self, Engine, Pass, Sizes};
use crate::limits;
use crate::metrics::Registry;
use crate::store::{Clock, Store};
use crate::tasks::sweeper;

/// `creditd sweep`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Args {
    /// End when nothing is left to do, and print what was done.
    #[arg(long)]
    pub once: bool,

    /// Where the database is.
    #[command(flatten)]
    pub database: config::Database,

    /// The rules' windows: the same as the server's.
    #[command(flatten)]
    pub rules: config::Rules,
}

/// Sweeps, once or until `shutdown` resolves.
pub(super) async fn run(args: Args, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let database = Database::join(&args.database).await?;
    let readers = usize::from(limits::READ_POOL_DEFAULT);
    let windows = args.rules.windows();
    let store = Store::new(database.address.clone(), readers, Clock::Database, windows)?;
    let sizes = Sizes {
        lanes: limits::LANES_DEFAULT,
        batch_commands: limits::BATCH_COMMANDS_DEFAULT,
        queue: limits::LANE_QUEUE_DEFAULT,
    };
    let stats = Arc::new(engine::Stats::new(&Registry::new()?)?);
    let (engine, lanes) = Engine::start(&store, sizes, stats);
    let engine = Arc::new(engine);
    let swept = if args.once {
        once(&engine, &store).await
    } else {
        let closing = CancellationToken::new();
        let sweeping = sweeper::run(store, Arc::clone(&engine), closing.clone());
        tokio::join!(sweeping, async {
            shutdown.await;
            closing.cancel();
        });
        Ok(())
    };
    lanes.drain().await;
    database.close().await;
    swept
}

async fn once(engine: &Engine, store: &Store) -> Result<(), Error> {
    let Pass { customers, brought, renewed, removed, failures, .. } =
        engine.sweep_all(store).await?;
    let Brought { holds_expired, grants_ended, grants_started, warnings } = brought;
    println!(
        "{customers} customers: {holds_expired} holds expired, {grants_ended} grants ended, \
         {grants_started} started, {warnings} warnings; {renewed} customers looked at anew, \
         {removed} old deliveries removed"
    );
    if failures.is_empty() { Ok(()) } else { Err(Error::NotBooked(failures)) }
}
