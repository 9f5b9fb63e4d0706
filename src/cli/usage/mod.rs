//! `creditd usage`.

mod preview;
mod reverse;
mod summary;

use chrono::{DateTime, Utc};

use super::output::{Listed, Output, Page, fresh_key, note};
use super::table::Column::{Left, Right};
use super::table::{Column, Table, details};
use super::words::{metadata, pair};
use super::{Endpoint, Error, time};
use crate::limits;
use crate::pb::{
    GetUsageEventRequest, InsufficientCredits, ListUsageEventsRequest, RecordUsageRequest,
    UsageEvent,
};

const RECORD_EXAMPLES: &str = "\
Examples:
  creditd usage record --customer acme --metric input_tokens --quantity 120.5 --event-id call-1
  creditd usage record --customer acme --metric calls --quantity 1 --reject --metadata region=eu";

const LIST_EXAMPLES: &str = "\
Examples:
  creditd usage list acme
  creditd usage list acme --metric input_tokens --timestamp-after 2026-01-01 --limit 0 --json";

const PAID_BY: &[Column] = &[Left("PAID BY GRANT"), Right("AMOUNT")];

/// What to do with usage.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Record a usage event and draw on the customer's grants for it.
    ///
    /// The same event again draws nothing: repeat the command with the same --event-id where its
    /// answer was lost.
    #[command(after_long_help = RECORD_EXAMPLES)]
    Record(Box<Record>),

    /// List a customer's usage events, oldest first.
    #[command(after_long_help = LIST_EXAMPLES)]
    List(Box<List>),

    /// Show one usage event, and what pays for it.
    Get(Get),

    /// Say what an event would draw, and what each of the customer's grants says to it.
    #[command(after_long_help = preview::EXAMPLES)]
    Preview(Box<preview::Args>),

    /// Give a usage event back, in whole or in part.
    ///
    /// What was uncovered is reduced first; then credits go back to the grants they came from, last
    /// taken first.
    #[command(after_long_help = reverse::EXAMPLES)]
    Reverse(Box<reverse::Args>),

    /// Add usage up by metric and window: covered, and overage.
    #[command(after_long_help = summary::EXAMPLES)]
    Summary(Box<summary::Args>),
}

/// Which event to show.
#[derive(clap::Args, Clone, Debug)]
pub struct Get {
    /// The customer.
    customer: String,
    /// The event.
    event_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What was used.
#[derive(clap::Args, Clone, Debug)]
pub struct Record {
    /// The customer who made the usage.
    #[arg(long, value_name = "ID")]
    customer: String,
    /// What was used.
    #[arg(long, value_name = "METRIC")]
    metric: String,
    /// How much was used, with at most 12 decimals.
    #[arg(long, value_name = "DECIMAL", allow_negative_numbers = true)]
    quantity: String,
    /// Your key of the event, unique for the customer [default: a fresh one, which is printed].
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// When it was used: a time or date [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    timestamp: Option<DateTime<Utc>>,
    /// Refuse the event if the grants do not cover all of it, instead of reporting the overage.
    #[arg(long)]
    reject: bool,
    /// A pair of your own to keep with the event; repeat it for more than one.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// Which events to list.
#[derive(clap::Args, Clone, Debug)]
pub struct List {
    /// The customer.
    customer: String,
    /// Only events of this metric.
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// Only events that drew on this grant.
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// Only events whose timestamp is at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    timestamp_after: Option<DateTime<Utc>>,
    /// Only events whose timestamp is before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    timestamp_before: Option<DateTime<Utc>>,
    /// Only events recorded at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    recorded_after: Option<DateTime<Utc>>,
    /// How many to list; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = limits::PAGE_SIZE_DEFAULT)]
    limit: u32,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Record(args) => record(*args).await,
        Command::List(args) => list(*args).await,
        Command::Get(args) => get(args).await,
        Command::Preview(args) => preview::run(*args).await,
        Command::Reverse(args) => reverse::run(*args).await,
        Command::Summary(args) => summary::run(*args).await,
    }
}

async fn get(args: Get) -> Result<(), Error> {
    let request = GetUsageEventRequest { customer_id: args.customer, event_id: args.event_id };
    let answer = args.endpoint.usage().await?.get_usage_event(request).await?.into_inner();
    args.output.answer(&answer, |answer| one(answer.event.as_ref()))
}

async fn record(args: Record) -> Result<(), Error> {
    let metadata = metadata(args.metadata)?;
    let mut client = args.endpoint.usage().await?;
    let policy = args.reject.then_some(InsufficientCredits::Reject);
    let request = RecordUsageRequest {
        customer_id: args.customer,
        event_id: args.event_id.unwrap_or_else(|| fresh_key("event")),
        metric: args.metric,
        quantity: args.quantity,
        timestamp: args.timestamp.map(time::to_wire),
        insufficient_credits: policy.map_or(0, Into::into),
        metadata,
    };
    let answer = client.record_usage(request).await?.into_inner();
    if answer.duplicate {
        note("recorded before: this call drew nothing");
    }
    args.output.answer(&answer, |answer| one(answer.event.as_ref()))
}

async fn list(args: List) -> Result<(), Error> {
    let filter = ListUsageEventsRequest {
        customer_id: args.customer,
        metric: args.metric.unwrap_or_default(),
        grant_id: args.grant.unwrap_or_default(),
        timestamp_after: args.timestamp_after.map(time::to_wire),
        timestamp_before: args.timestamp_before.map(time::to_wire),
        recorded_after: args.recorded_after.map(time::to_wire),
        ..Default::default()
    };
    let mut client = args.endpoint.usage().await?;
    let ask = async |page_size, page_token| {
        let request = ListUsageEventsRequest { page_size, page_token, ..filter.clone() };
        let page = client.list_usage_events(request).await?.into_inner();
        Ok(Page { items: page.events, next: page.next_page_token })
    };
    args.output.list(args.limit, ask).await
}

fn one(event: Option<&UsageEvent>) -> Result<String, Error> {
    event.map(told).ok_or(Error::Unexpected("creditd answered no event"))
}

/// An event's figures, and when it was.
fn facts(event: &UsageEvent) -> [(&'static str, Option<String>); 10] {
    [
        ("event", Some(event.event_id.clone())),
        ("customer", Some(event.customer_id.clone())),
        ("metric", Some(event.metric.clone())),
        ("quantity", Some(event.quantity.clone())),
        ("covered", Some(event.covered.clone())),
        ("uncovered", Some(event.uncovered.clone())),
        ("reversed", Some(event.reversed.clone())),
        ("timestamp", time::shown(event.timestamp.as_ref())),
        ("recorded", time::shown(event.recorded_at.as_ref())),
        ("hold", Some(event.hold_id.clone()).filter(|id| !id.is_empty())),
    ]
}

/// An event, with what pays for it.
pub(super) fn told(event: &UsageEvent) -> String {
    let metadata = event.metadata.iter().map(|(key, value)| format!("{key}={value}"));
    let metadata = metadata.map(|pair| ("metadata", Some(pair)));
    let mut told = details(facts(event).into_iter().chain(metadata));
    if !event.allocations.is_empty() {
        let paid = event.allocations.iter();
        let rows: Vec<_> = paid.map(|one| vec![one.grant_id.clone(), one.amount.clone()]).collect();
        told += &format!("\n{}", Table::new(PAID_BY).lines(&rows));
    }
    told
}

impl Listed for UsageEvent {
    const WHAT: &str = "usage events";
    const COLUMNS: &[Column] = &[
        Left("TIMESTAMP"),
        Left("EVENT"),
        Left("METRIC"),
        Right("QUANTITY"),
        Right("COVERED"),
        Right("UNCOVERED"),
        Right("REVERSED"),
    ];

    fn row(&self) -> Vec<String> {
        vec![
            time::shown(self.timestamp.as_ref()).unwrap_or_default(),
            self.event_id.clone(),
            self.metric.clone(),
            self.quantity.clone(),
            self.covered.clone(),
            self.uncovered.clone(),
            self.reversed.clone(),
        ]
    }
}
