//! `creditd void`.

use indicatif::{ProgressBar, ProgressStyle};
use tonic::Status;

use super::output::{Output, note};
use super::{Endpoint, Error};
use crate::limits;
use crate::pb::{GrantType, VoidGrantsRequest, VoidGrantsResponse, VoidedAmount};

pub const EXAMPLES: &str = "\
Examples:
  creditd void --import-id march-bonus --reason 'sent to the wrong segment'
  creditd grants list --import-id march-bonus    shows them before, and after
  creditd void --campaign spring --reason 'the wrong amount'";

/// Which grants to void, and why.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    made_by: MadeBy,
    /// Why, for the ledger: at most 1,000 characters.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What made the grants.
#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct MadeBy {
    /// The import whose grants to void.
    #[arg(long, value_name = "ID")]
    import_id: Option<String>,
    /// The campaign whose grants to void.
    #[arg(long, alias = "campaign-id", value_name = "ID")]
    campaign: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let MadeBy { import_id, campaign } = args.made_by;
    let made_by = match (&import_id, &campaign) {
        (Some(id), _) => format!("import {id}"),
        (None, id) => format!("campaign {}", id.as_deref().unwrap_or_default()),
    };
    let request = VoidGrantsRequest {
        import_id: import_id.unwrap_or_default(),
        campaign_id: campaign.unwrap_or_default(),
        reason: args.reason,
    };
    let mut client = args.endpoint.credits().await?;
    let mut totals = VoidGrantsResponse::default();
    let mut progress = client.void_grants(request).await?.into_inner();
    let bar = spinner();
    let ended: Result<(), Status> = loop {
        match progress.message().await {
            Ok(Some(latest)) => {
                bar.set_message(counts(&latest));
                totals = latest;
            }
            Ok(None) => break Ok(()),
            Err(status) => break Err(status),
        }
    };
    bar.finish_and_clear();
    if ended.is_err() && touched(&totals) {
        note(&format!("{}, then it was cut short: repeat the command", counts(&totals)));
    }
    ended?;
    args.output.answer(&totals, |totals| Ok(told(&made_by, totals)))
}

/// Turns on standard error, if that is a terminal.
fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(limits::SPINNER_EVERY);
    bar
}

fn touched(totals: &VoidGrantsResponse) -> bool {
    totals.voided > 0 || totals.skipped > 0
}

fn told(made_by: &str, totals: &VoidGrantsResponse) -> String {
    if !touched(totals) {
        return format!("{made_by} has no grants: nothing was voided\n");
    }
    let mut told = format!("{}\n", counts(totals));
    for amount in &totals.amounts {
        told += &format!("  {} {}\n", amount.amount, unit(amount));
    }
    told
}

fn counts(totals: &VoidGrantsResponse) -> String {
    format!("{} grants voided, {} skipped", totals.voided, totals.skipped)
}

fn unit(amount: &VoidedAmount) -> &str {
    match amount.r#type() {
        GrantType::Units => "units",
        _ => &amount.currency,
    }
}
