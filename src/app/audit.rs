//! `creditd audit`.

use super::{Database, Error};
use crate::config;
use crate::store::audit;

/// Audits the books and prints what it finds.
pub(super) async fn run(config: &config::Database) -> Result<(), Error> {
    books(Database::join(config).await?).await
}

/// Audits these books and prints what it finds.
pub(super) async fn books(database: Database) -> Result<(), Error> {
    let found = audit::audit(&database.address).await;
    database.close().await;
    let report = found?;
    for difference in &report.differences {
        println!("{difference}");
    }
    let verdict = match report.differences.len() {
        0 => "the books agree".to_owned(),
        count => format!("{count} differences"),
    };
    println!(
        "{} customers, {} grants, {} ledger entries, {} usage events: {verdict}",
        report.customers, report.grants, report.entries, report.events,
    );
    match report.differences.len() {
        0 => Ok(()),
        count => Err(Error::Differences(count)),
    }
}
