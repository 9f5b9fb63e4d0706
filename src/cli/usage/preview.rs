//! `creditd usage preview`.

use chrono::{DateTime, Utc};

use super::super::output::Output;
use super::super::table::Column::{Left, Right};
use super::super::table::{Column, Table, details};
use super::super::words::word;
use super::super::{Endpoint, Error, time};
use crate::pb::{Allocation, Candidate, PreviewUsageRequest, PreviewUsageResponse};

pub const EXAMPLES: &str = "\
Examples:
  creditd usage preview acme --metric tokens --quantity 500
  creditd usage preview acme --metric tokens --quantity 500 --timestamp 2026-01-01T12:00:00Z";

const CANDIDATES: &[Column] =
    &[Right("PLACE"), Left("GRANT"), Left("VERDICT"), Right("AVAILABLE"), Right("WOULD PAY")];

/// What would be used.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customer.
    customer: String,
    /// What would be used.
    #[arg(long, value_name = "METRIC")]
    metric: String,
    /// How much would be used, with at most 12 decimals.
    #[arg(long, value_name = "DECIMAL", allow_negative_numbers = true)]
    quantity: String,
    /// When it was or would be used: a time or date, however long ago [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    timestamp: Option<DateTime<Utc>>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let request = PreviewUsageRequest {
        customer_id: args.customer,
        metric: args.metric,
        quantity: args.quantity,
        timestamp: args.timestamp.map(time::to_wire),
    };
    let answer = args.endpoint.usage().await?.preview_usage(request).await?.into_inner();
    args.output.answer(&answer, |answer| Ok(told(answer)))
}

fn told(answer: &PreviewUsageResponse) -> String {
    let mut told = details([
        ("covered", Some(answer.covered.clone())),
        ("uncovered", Some(answer.uncovered.clone())),
    ]);
    if !answer.candidates.is_empty() {
        let rows: Vec<Vec<String>> =
            answer.candidates.iter().map(|of| candidate(of, &answer.allocations)).collect();
        told += &format!("\n{}", Table::new(CANDIDATES).lines(&rows));
    }
    if answer.candidates_omitted > 0 {
        told += &format!("and {} more\n", answer.candidates_omitted);
    }
    told
}

fn candidate(candidate: &Candidate, allocations: &[Allocation]) -> Vec<String> {
    let pays = allocations.iter().find(|paid| paid.grant_id == candidate.grant_id);
    vec![
        candidate.position.to_string(),
        candidate.grant_id.clone(),
        word(candidate.verdict()),
        candidate.available.clone(),
        pays.map(|paid| paid.amount.clone()).unwrap_or_default(),
    ]
}
