//! `creditd migrate`.

use tokio::time::{Instant, sleep};

use super::{Database, Error};
use crate::{config, limits, store};

/// Brings the schema up to date, waiting for a database that is still starting.
pub(super) async fn run(config: &config::Database) -> Result<(), Error> {
    let database = Database::at_hand(config).await?;
    let run = migrate(&database).await;
    database.close().await;
    match run? {
        0 => println!("the schema is up to date"),
        1 => println!("1 migration was run; the schema is up to date"),
        run => println!("{run} migrations were run; the schema is up to date"),
    }
    Ok(())
}

async fn migrate(database: &Database) -> Result<usize, store::Error> {
    let until = Instant::now() + limits::MIGRATE_WAIT;
    loop {
        match database.address.migrate().await {
            Err(error @ store::Error::Away(_)) if Instant::now() < until => {
                tracing::warn!(%error, "waiting for the database");
                sleep(limits::STARTUP_LOOK_EVERY).await;
            }
            done => return done,
        }
    }
}
