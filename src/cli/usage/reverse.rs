//! `creditd usage reverse`.

use super::super::output::{Output, fresh_key, note};
use super::super::{Endpoint, Error};
use super::facts;
use crate::cli::table::details;
use crate::pb::{ReverseUsageRequest, ReverseUsageResponse};

pub const EXAMPLES: &str = "\
Examples:
  creditd usage reverse acme call-1 --reason 'the call failed'
  creditd usage reverse acme call-1 --quantity 20.5 --reason 'counted twice' --request-id fix-1";

/// What of an event to give back, and why.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customer.
    customer: String,
    /// The event.
    event_id: String,
    /// How much [default: all that is left].
    // An empty one would mean all: a script's variable that is not set must not.
    #[arg(
        long,
        value_name = "DECIMAL",
        allow_negative_numbers = true,
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    quantity: Option<String>,
    /// Why, for the ledger: at most 1,000 characters.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Your key of this call, unique for the customer [default: a fresh one, which is printed].
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let mut client = args.endpoint.usage().await?;
    let request = ReverseUsageRequest {
        request_id: args.request_id.unwrap_or_else(|| fresh_key("request")),
        customer_id: args.customer,
        event_id: args.event_id,
        quantity: args.quantity.unwrap_or_default(),
        reason: args.reason,
    };
    let answer = client.reverse_usage(request).await?.into_inner();
    if answer.replayed {
        note("reversed before: this call gave nothing back");
    }
    args.output.answer(&answer, told)
}

fn told(answer: &ReverseUsageResponse) -> Result<String, Error> {
    let event = answer.event.as_ref().ok_or(Error::Unexpected("creditd answered no event"))?;
    let done = [
        ("restored", Some(answer.restored.clone())),
        ("forfeited", Some(answer.forfeited.clone())),
        ("uncovered", Some(answer.uncovered_reversed.clone())),
    ];
    Ok(format!("{}\nThe event now:\n{}", details(done), details(facts(event))))
}
