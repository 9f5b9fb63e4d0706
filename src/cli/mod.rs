//! FLOOR 4: client commands, over the generated client. One file a command; `output.rs` says how
//! all of them answer.

mod aside;
mod balance;
mod campaign;
mod connection;
mod csv;
mod customers;
mod deliveries;
pub mod demo;
pub mod error;
mod export;
mod figures;
mod grants;
mod holds;
mod import;
mod invoices;
mod json;
mod ledger;
mod notifications;
mod output;
mod patience;
mod progress;
pub(crate) mod table;
pub mod time;
mod usage;
mod void;
mod watch;
mod webhooks;
mod words;

pub use self::connection::{ConnectError, Connection, Endpoint};
pub use self::error::Error;

/// The everyday commands: each asks a creditd that is running.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Create, look up, change and void grants.
    #[command(subcommand)]
    Grants(grants::Command),

    /// Keep names of customers, and the segments that campaigns are made for.
    #[command(subcommand)]
    Customers(customers::Command),

    /// Give many customers the same grant, once each, however often it is run.
    #[command(subcommand, alias = "campaigns")]
    Campaign(campaign::Command),

    /// Show what a customer can spend now.
    ///
    /// Totals by currency and by set of metrics; the grants in the order in which they are consumed;
    /// and what will expire if it is not consumed before.
    #[command(after_long_help = balance::EXAMPLES)]
    Balance(balance::Args),

    /// Record usage, give it back, add it up, and say what would pay for it.
    #[command(subcommand)]
    Usage(usage::Command),

    /// Set credits aside before the work is done; settle or release them.
    #[command(subcommand)]
    Holds(holds::Command),

    /// Apply credits to invoices, and give them back.
    #[command(subcommand)]
    Invoices(invoices::Command),

    /// List what moved a customer's credits, entry by entry, oldest first.
    #[command(after_long_help = ledger::EXAMPLES)]
    Ledger(ledger::Args),

    /// Watch balances change, until Ctrl-C.
    ///
    /// Shows every customer's balance at once, and anew whenever it changes: in place in a
    /// terminal, a line for each change elsewhere. When creditd goes away it waits for it to be
    /// back.
    #[command(after_long_help = watch::EXAMPLES)]
    Watch(watch::Args),

    /// Make, change and delete webhook endpoints, which are told of what happens.
    #[command(subcommand)]
    Webhooks(webhooks::Command),

    /// Look at what was sent to webhook endpoints, or waits for it; send it again.
    #[command(subcommand)]
    Deliveries(deliveries::Command),

    /// Show and set what notifications warn of, for all webhook endpoints.
    #[command(subcommand)]
    Notifications(notifications::Command),

    /// Void what remains of all grants of one import or campaign.
    ///
    /// What was consumed stays as it is. Grants that are voided, exhausted or expired already are
    /// skipped, so that a command that was cut short can be repeated.
    #[command(after_long_help = void::EXAMPLES)]
    Void(void::Args),

    /// Create grants from a CSV file; exit code 1 if any of its rows was rejected.
    ///
    /// The file may be run again, whole or after it was mended: rows that are there already are
    /// told as duplicates, and nothing is created twice. A bad row costs no good one; it goes to a
    /// CSV of rejected rows, which can be mended and imported as it is.
    #[command(after_long_help = import::COLUMNS)]
    Import(import::Args),

    /// Write all grants with their figures, or all ledger entries, as CSV.
    #[command(subcommand)]
    Export(export::Command),
}

/// Runs one of the everyday commands.
///
/// # Errors
/// [`Error`] where creditd cannot be asked, refuses, or its answer cannot be printed.
pub async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Grants(command) => grants::run(command).await,
        Command::Customers(command) => customers::run(command).await,
        Command::Campaign(command) => campaign::run(command).await,
        Command::Balance(args) => balance::run(args).await,
        Command::Usage(command) => usage::run(command).await,
        Command::Holds(command) => holds::run(command).await,
        Command::Invoices(command) => invoices::run(command).await,
        Command::Ledger(args) => ledger::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Webhooks(command) => webhooks::run(command).await,
        Command::Deliveries(command) => deliveries::run(command).await,
        Command::Notifications(command) => notifications::run(command).await,
        Command::Void(args) => void::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Export(command) => export::run(command).await,
    }
}
