//! `creditd demo`: the replay, and then the audit of the books it made.

use super::{Database, Error, audit};
use crate::cli::demo;
use crate::config;

/// `creditd demo`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What to replay, and where to.
    #[command(flatten)]
    pub demo: demo::Args,

    /// The server's database, to audit at the end.
    #[command(flatten)]
    pub database: config::Database,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let replayed = demo::run(args.demo).await;
    let summary = replayed.map_err(|error| Error::Client(error.to_string()))?;
    println!("{summary}");
    println!();
    match Database::running(&args.database).await? {
        Some(database) => audit::books(database).await,
        None => {
            println!("Not audited: run `creditd audit` where the server's database is.");
            Ok(())
        }
    }
}
