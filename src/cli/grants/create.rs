//! `creditd grants create`.

use chrono::{DateTime, Utc};

use super::{Endpoint, Error, Output, told};
use crate::cli::output::{fresh_key, note};
use crate::cli::time;
use crate::cli::words::{metadata, pair};
use crate::pb::{CreateGrantRequest, GrantCategory, GrantType};

pub const EXAMPLES: &str = "\
Examples:
  creditd grants create --customer acme --amount 1000
  creditd grants create --customer acme --amount 100 --metric input_tokens \\
    --category promotional --expires-at 2026-12-31 --request-id welcome-1
  creditd grants create --customer acme --amount 49.90 --currency EUR --description 'order 7'

A date as --expires-at is the last day: the grant expires when that day ends in UTC.";

/// The grant to create.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customer who gets the credits; created on first mention.
    #[arg(long, value_name = "ID")]
    customer: String,
    #[command(flatten)]
    terms: Terms,
    /// Your key of this request, unique for the customer [default: a fresh one, which is printed].
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Answer as the real call would, and write nothing.
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What the grant is to be.
#[derive(clap::Args, Clone, Debug)]
pub(in crate::cli) struct Terms {
    /// What the grant counts [default: monetary with --currency, else units].
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<GrantType>,
    /// How much to grant: units with at most 12 decimals, money with at most its currency's.
    #[arg(long, value_name = "DECIMAL", allow_negative_numbers = true)]
    amount: String,
    /// The money's ISO 4217 code.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// A metric that the units pay for; repeat it for more than one [default: any metric].
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<String>,
    /// 0 to 100, lower is consumed first [default: the category's, or 50].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Why the customer gets the grant.
    #[arg(long, value_name = "CATEGORY")]
    category: Option<GrantCategory>,
    /// When it can first be consumed: a time or date [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    effective_at: Option<DateTime<Utc>>,
    /// When it expires: a time, or the last day it can be consumed [default: never].
    #[arg(long, value_name = "TIME", value_parser = time::end_of)]
    expires_at: Option<DateTime<Utc>>,
    /// Text for people.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A pair of your own to keep with the grant; repeat it for more than one.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

impl Terms {
    /// A grant on these terms, for nobody yet.
    pub(in crate::cli) fn request(self) -> Result<CreateGrantRequest, Error> {
        let kind = match (self.kind, &self.currency) {
            (Some(kind), _) => kind,
            (None, Some(_)) => GrantType::Monetary,
            (None, None) => GrantType::Units,
        };
        Ok(CreateGrantRequest {
            r#type: kind.into(),
            amount: self.amount,
            currency: self.currency.unwrap_or_default(),
            metrics: self.metrics,
            priority: self.priority,
            category: self.category.map_or(0, Into::into),
            effective_at: self.effective_at.map(time::to_wire),
            expires_at: self.expires_at.map(time::to_wire),
            description: self.description.unwrap_or_default(),
            metadata: metadata(self.metadata)?,
            ..CreateGrantRequest::default()
        })
    }
}

pub(in crate::cli) async fn run(args: Args) -> Result<(), Error> {
    let terms = args.terms.request()?;
    let mut client = args.endpoint.credits().await?;
    let request = CreateGrantRequest {
        request_id: args.request_id.unwrap_or_else(|| fresh_key("request")),
        customer_id: args.customer,
        validate_only: args.validate_only,
        ..terms
    };
    let answer = client.create_grant(request).await?.into_inner();
    if answer.replayed {
        note("created before: this call created nothing");
    } else if args.validate_only {
        note("valid: nothing was written");
    }
    args.output.answer(&answer, |answer| told(answer.grant.as_ref()))
}
