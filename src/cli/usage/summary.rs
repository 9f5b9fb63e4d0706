//! `creditd usage summary`.

use chrono::{DateTime, Utc};

use super::super::output::{Output, note};
use super::super::table::Column::{Left, Right};
use super::super::table::{Column, Table};
use super::super::{Endpoint, Error, time};
use crate::pb::{SummarizeUsageRequest, SummarizeUsageResponse, UsageSummary, UsageWindow};

pub const EXAMPLES: &str = "\
Examples:
  creditd usage summary acme --from 2026-01-01 --until 2026-02-01
  creditd usage summary acme --from 2026-01-01 --until 2026-02-01 --window day --metric tokens";

const COLUMNS: &[Column] = &[
    Left("METRIC"),
    Left("FROM"),
    Right("EVENTS"),
    Right("QUANTITY"),
    Right("COVERED"),
    Right("UNCOVERED"),
    Right("REVERSED"),
];

/// Which usage to add up.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customer.
    customer: String,
    /// Only events whose timestamp is at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    from: DateTime<Utc>,
    /// Only events whose timestamp is before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    until: DateTime<Utc>,
    /// What to add up by.
    #[arg(long, value_name = "WINDOW", default_value = "all")]
    window: UsageWindow,
    /// Only usage of this metric.
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let request = SummarizeUsageRequest {
        customer_id: args.customer,
        metric: args.metric.unwrap_or_default(),
        timestamp_after: Some(time::to_wire(args.from)),
        timestamp_before: Some(time::to_wire(args.until)),
        window: args.window.into(),
    };
    let answer = args.endpoint.usage().await?.summarize_usage(request).await?.into_inner();
    if answer.rows.is_empty() {
        note("no usage");
    }
    args.output.answer(&answer, |answer| Ok(told(answer)))
}

fn told(answer: &SummarizeUsageResponse) -> String {
    let rows: Vec<Vec<String>> = answer.rows.iter().map(row).collect();
    if rows.is_empty() { String::new() } else { Table::new(COLUMNS).lines(&rows) }
}

fn row(row: &UsageSummary) -> Vec<String> {
    vec![
        row.metric.clone(),
        time::shown(row.window_start.as_ref()).unwrap_or_default(),
        row.events.to_string(),
        row.quantity.clone(),
        row.covered.clone(),
        row.uncovered.clone(),
        row.reversed.clone(),
    ]
}
