//! FLOOR 4: client commands, over the generated client. One file a command; `output.rs` says how
//! all of them answer.

use clap::builder::{StringValueParser, TypedValueParser as _};
use tonic::transport::{self, Channel};

use crate::limits;
use crate::pb::campaign_service_client::CampaignServiceClient;
use crate::pb::credit_service_client::CreditServiceClient;
use crate::pb::customer_service_client::CustomerServiceClient;
use crate::pb::notification_service_client::NotificationServiceClient;
use crate::pb::usage_service_client::UsageServiceClient;

mod aside;
mod balance;
mod campaign;
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

/// Where creditd answers.
#[derive(clap::Args, Clone, Debug)]
pub struct Endpoint {
    /// Where creditd answers: a URL, or host:port.
    #[arg(
        long,
        env = "CREDITD_ENDPOINT",
        default_value = "http://127.0.0.1:50051",
        value_parser = StringValueParser::new().map(url),
        value_name = "URL"
    )]
    endpoint: String,
}

/// What clap makes of an endpoint: host and port alone are meant without TLS.
fn url(text: String) -> String {
    if text.contains("://") { text } else { format!("http://{text}") }
}

/// Why a client command has no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is not a URL.
    #[error("--endpoint {0:?} is not a URL such as http://127.0.0.1:50051")]
    NotAUrl(String),
    /// Nothing listens there.
    #[error("nothing answers at {0}: start creditd with `make run`")]
    Silent(String, #[source] transport::Error),
}

impl Endpoint {
    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.endpoint
    }

    /// Connects, or says in one line why that is not possible.
    ///
    /// # Errors
    /// [`ConnectError`] if the URL is malformed or nothing listens there.
    pub async fn connect(&self) -> Result<Channel, ConnectError> {
        transport::Endpoint::from_shared(self.endpoint.clone())
            .ok()
            .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
            .ok_or_else(|| ConnectError::NotAUrl(self.endpoint.clone()))?
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .http2_keep_alive_interval(limits::CLIENT_PING_EVERY)
            .keep_alive_timeout(limits::CLIENT_PING_TIMEOUT)
            .connect()
            .await
            .map_err(|error| ConnectError::Silent(self.endpoint.clone(), error))
    }

    /// Grants, balances and the ledger.
    async fn credits(&self) -> Result<CreditServiceClient<Channel>, Error> {
        let client = CreditServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Webhooks.
    async fn notifications(&self) -> Result<NotificationServiceClient<Channel>, Error> {
        let client = NotificationServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Usage events.
    async fn usage(&self) -> Result<UsageServiceClient<Channel>, Error> {
        let client = UsageServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Profiles of customers.
    async fn customers(&self) -> Result<CustomerServiceClient<Channel>, Error> {
        let client = CustomerServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }

    /// Campaigns.
    async fn campaigns(&self) -> Result<CampaignServiceClient<Channel>, Error> {
        let client = CampaignServiceClient::new(self.connect().await?);
        Ok(client.max_decoding_message_size(limits::ANSWER_BYTES_MAX))
    }
}
