//! `creditd campaign create`.

use std::path::PathBuf;

use super::super::aside::aside;
use super::super::customers::Sheet;
use super::super::grants::Terms;
use super::super::output::note;
use super::{Endpoint, Error, Output, follow, told};
use crate::pb::CreateCampaignRequest;

pub const EXAMPLES: &str = "\
Examples:
  creditd campaign create spring --segment gold --amount 5 --currency USD --expires-at 2026-12-31
  creditd campaign create outage-7 --customers hit.csv --amount 1000 --metric tokens --category service
  creditd campaign create starter --customer acme --customer globex --amount 100 --detach
  creditd campaign create spring --segment gold --amount 5 --currency USD --validate-only

A date as --expires-at is the last day: the grants expire when that day ends in UTC.";

/// The campaign to create.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Your key of the campaign: the same again is the same campaign, run again.
    campaign_id: String,
    #[command(flatten)]
    audience: Audience,
    #[command(flatten)]
    terms: Terms,
    /// Say how many customers would get the grant, and write nothing.
    #[arg(long)]
    validate_only: bool,
    /// Begin the run, and do not wait for its end.
    #[arg(long, conflicts_with = "validate_only")]
    detach: bool,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// For whom it is.
#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Audience {
    /// For every customer of this segment.
    #[arg(long, value_name = "SEGMENT")]
    segment: Option<String>,
    /// For this customer; repeat it for more than one.
    #[arg(long = "customer", value_name = "ID")]
    customer_ids: Vec<String>,
    /// For the customers of a CSV with a column customer_id, up to 10,000; - is standard input.
    #[arg(long, value_name = "FILE.csv")]
    customers: Option<PathBuf>,
}

pub(in crate::cli) async fn run(args: Args) -> Result<(), Error> {
    let Audience { segment, mut customer_ids, customers } = args.audience;
    if let Some(file) = customers {
        customer_ids = aside(move || read(&file)).await??;
    }
    let request = CreateCampaignRequest {
        campaign_id: args.campaign_id.clone(),
        segment: segment.unwrap_or_default(),
        customer_ids,
        template: Some(args.terms.request()?),
        validate_only: args.validate_only,
    };
    let mut client = args.endpoint.campaigns().await?;
    let answer = client.create_campaign(request).await?.into_inner();
    if args.validate_only {
        note("valid: nothing was written; as it would be at the end of the run");
    } else if answer.replayed {
        note("created before: it is run again, for those who have no grant of it yet");
    }
    if args.detach || args.validate_only {
        return args.output.answer(&answer, |answer| told(answer.campaign.as_ref()));
    }
    follow::to_the_end(&mut client, args.campaign_id, args.output).await
}

fn read(file: &std::path::Path) -> Result<Vec<String>, Error> {
    let mut sheet = Sheet::of_customers(file)?;
    let mut ids = Vec::new();
    while let Some((_, customer)) = sheet.next()? {
        ids.push(customer.customer_id);
    }
    Ok(ids)
}
