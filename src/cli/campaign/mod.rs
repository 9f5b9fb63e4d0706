//! `creditd campaign`.

mod create;
mod follow;

use super::error::why;
use super::output::{Listed, Output, Page};
use super::table::Column::{self, Left, Right};
use super::table::details;
use super::words::{kind, word};
use super::{Endpoint, Error, time};
use crate::limits;
use crate::pb::{Campaign, GetCampaignRequest, ListCampaignsRequest};

const GET_EXAMPLES: &str = "\
Examples:
  creditd campaign get spring
  creditd campaign get spring --json | jq .campaign.rejections";

const LIST_EXAMPLES: &str = "\
Examples:
  creditd campaign list
  creditd campaign list --limit 0 --json | jq -r .campaignId";

const WATCH_EXAMPLES: &str = "\
Example:
  creditd campaign watch spring";

/// What to do with campaigns.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Create a campaign, or run it again, and watch it to the end; exit code 1 if any customer was
    /// rejected.
    ///
    /// Every customer gets the grant once, however often the campaign is run: run again, it comes to
    /// who has joined the segment since, and to who was rejected. It runs on the server; Ctrl-C
    /// leaves it running.
    #[command(after_long_help = create::EXAMPLES)]
    Create(Box<create::Args>),

    /// Show a campaign, and how far its last run has come.
    #[command(after_long_help = GET_EXAMPLES)]
    Get(One),

    /// List campaigns, newest first.
    #[command(after_long_help = LIST_EXAMPLES)]
    List(List),

    /// Watch a campaign's run to its end; Ctrl-C leaves it running.
    #[command(after_long_help = WATCH_EXAMPLES)]
    Watch(One),
}

/// Which campaign.
#[derive(clap::Args, Clone, Debug)]
pub struct One {
    /// The campaign's id.
    campaign_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// How many campaigns to list.
#[derive(clap::Args, Clone, Debug)]
pub struct List {
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
        Command::Create(args) => create::run(*args).await,
        Command::Get(args) => get(args).await,
        Command::List(args) => list(args).await,
        Command::Watch(args) => {
            let mut client = args.endpoint.campaigns().await?;
            follow::to_the_end(&mut client, args.campaign_id, args.output).await
        }
    }
}

async fn get(args: One) -> Result<(), Error> {
    let request = GetCampaignRequest { campaign_id: args.campaign_id };
    let answer = args.endpoint.campaigns().await?.get_campaign(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.campaign.as_ref()))
}

async fn list(args: List) -> Result<(), Error> {
    let mut client = args.endpoint.campaigns().await?;
    let ask = async |page_size, page_token| {
        let request = ListCampaignsRequest { page_size, page_token };
        let page = client.list_campaigns(request).await?.into_inner();
        Ok(Page { items: page.campaigns, next: page.next_page_token })
    };
    args.output.list(args.limit, ask).await
}

impl Listed for Campaign {
    const WHAT: &str = "campaigns";
    const COLUMNS: &[Column] = &[
        Left("CAMPAIGN"),
        Left("FOR"),
        Left("STATE"),
        Right("RUN"),
        Right("MEMBERS"),
        Right("CREATED"),
        Right("DUPLICATES"),
        Right("REJECTED"),
        Left("STARTED"),
    ];

    fn row(&self) -> Vec<String> {
        vec![
            self.campaign_id.clone(),
            audience(self),
            word(self.state()),
            self.run.to_string(),
            self.members.to_string(),
            self.created.to_string(),
            self.duplicates.to_string(),
            self.rejected.to_string(),
            time::shown(self.started_at.as_ref()).unwrap_or_default(),
        ]
    }
}

fn audience(campaign: &Campaign) -> String {
    if campaign.segment.is_empty() {
        format!("{} customers by name", campaign.named_customers)
    } else {
        format!("segment {}", campaign.segment)
    }
}

/// A campaign in full.
fn told(campaign: Option<&Campaign>) -> Result<String, Error> {
    let none = || Error::Unexpected("creditd answered no campaign");
    let campaign = campaign.ok_or_else(none)?;
    let template = campaign.template.as_ref().ok_or_else(none)?;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let facts = [
        ("campaign", given(&campaign.campaign_id)),
        ("for", Some(audience(campaign))),
        (
            "each gets",
            Some(format!("{} {}", template.amount, kind(&template.currency, &template.metrics))),
        ),
        ("expires", time::shown(template.expires_at.as_ref())),
        ("description", given(&template.description)),
        ("state", Some(word(campaign.state()))),
        ("run", Some(campaign.run.to_string())),
        ("members", Some(campaign.members.to_string())),
        ("processed", Some(campaign.processed.to_string())),
        ("created", Some(campaign.created.to_string())),
        ("duplicates", Some(campaign.duplicates.to_string())),
        ("rejected", Some(campaign.rejected.to_string())),
        ("made", time::shown(campaign.created_at.as_ref())),
        ("made by", given(&campaign.created_by)),
        ("started", time::shown(campaign.started_at.as_ref())),
        ("finished", time::shown(campaign.finished_at.as_ref())),
    ];
    let rejections = campaign.rejections.iter().map(|rejection| {
        let why = rejection.error.as_ref().map(why).unwrap_or_default();
        ("rejection", Some(format!("{}: {why}", rejection.customer_id)))
    });
    Ok(details(facts.into_iter().chain(rejections)))
}
