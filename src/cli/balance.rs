//! `creditd balance`.

use chrono::{DateTime, Utc};

use super::output::Output;
use super::table::Column::{Left, Right};
use super::table::{Column, Table, printable};
use super::words::{kind, word};
use super::{Endpoint, Error, time};
use crate::pb::{
    Balance, BalanceTotal, GetBalanceRequest, GetBalanceResponse, GrantBalance, UpcomingExpiration,
};

pub const EXAMPLES: &str = "\
Examples:
  creditd balance acme
  creditd balance acme --metric input_tokens
  creditd balance acme --currency USD --json
  creditd balance acme --as-of 2026-12-31T12:00:00Z";

const TOTALS: &[Column] = &[Left("CREDITS"), Right("AVAILABLE"), Right("HELD"), Right("REMAINING")];
const GRANTS: &[Column] = &[
    Left("GRANT"),
    Left("STATUS"),
    Right("PRIORITY"),
    Left("EXPIRES"),
    Right("AVAILABLE"),
    Right("HELD"),
    Right("REMAINING"),
];
const EXPIRATIONS: &[Column] = &[Left("EXPIRES"), Right("AMOUNT"), Left("CREDITS"), Left("GRANT")];

/// What to show.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customer.
    customer: String,
    /// Count only what could pay for usage of this metric.
    #[arg(long, value_name = "METRIC", conflicts_with = "currency")]
    metric: Option<String>,
    /// Count only what could pay an invoice in this currency.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// As it was at this past time or date [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    as_of: Option<DateTime<Utc>>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let request = GetBalanceRequest {
        customer_id: args.customer,
        metric: args.metric.unwrap_or_default(),
        currency: args.currency.unwrap_or_default(),
        as_of: args.as_of.map(time::to_wire),
    };
    let answer = args.endpoint.credits().await?.get_balance(request).await?.into_inner();
    args.output.answer(&answer, told)
}

fn told(answer: &GetBalanceResponse) -> Result<String, Error> {
    let missing = Error::Unexpected("creditd answered no balance");
    let balance = answer.balance.as_ref().ok_or(missing)?;
    let mut told = headline(balance);
    if balance.totals.is_empty() && balance.grants.is_empty() {
        told += "\nnothing to spend\n";
        return Ok(told);
    }
    told += &section("", TOTALS, balance.totals.iter().map(total));
    told += &section("In the order of consumption:\n", GRANTS, balance.grants.iter().map(grant));
    let expirations = balance.upcoming_expirations.iter().map(expiration);
    told += &section("Will expire:\n", EXPIRATIONS, expirations);
    Ok(told)
}

fn headline(balance: &Balance) -> String {
    let as_of = time::shown(balance.as_of.as_ref()).unwrap_or_default();
    format!("{} at {as_of}, revision {}\n", printable(&balance.customer_id), balance.revision)
}

/// A table after an empty line, if it has any rows.
fn section(
    heading: &str,
    columns: &'static [Column],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{heading}{}", Table::new(columns).lines(&rows))
}

fn total(total: &BalanceTotal) -> Vec<String> {
    vec![
        kind(&total.currency, &total.metrics),
        total.available.clone(),
        total.held.clone(),
        total.remaining.clone(),
    ]
}

fn grant(grant: &GrantBalance) -> Vec<String> {
    vec![
        grant.grant_id.clone(),
        word(grant.status()),
        grant.priority.to_string(),
        time::shown(grant.expires_at.as_ref()).unwrap_or_else(|| "never".to_owned()),
        grant.available.clone(),
        grant.held.clone(),
        grant.remaining.clone(),
    ]
}

fn expiration(expiration: &UpcomingExpiration) -> Vec<String> {
    vec![
        time::shown(expiration.expires_at.as_ref()).unwrap_or_default(),
        expiration.amount.clone(),
        kind(&expiration.currency, &expiration.metrics),
        expiration.grant_id.clone(),
    ]
}
