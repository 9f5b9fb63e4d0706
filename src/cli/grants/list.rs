//! `creditd grants list`.

use chrono::{DateTime, Utc};

use super::{Endpoint, Error, Output, expiry};
use crate::cli::output::{Listed, Page};
use crate::cli::table::Column;
use crate::cli::table::Column::{Left, Right};
use crate::cli::time;
use crate::cli::words::{kind, numbers, word};
use crate::limits;
use crate::pb::{Grant, GrantStatus, GrantType, ListGrantsRequest};

pub const EXAMPLES: &str = "\
Examples:
  creditd grants list acme
  creditd grants list acme --status active --status pending
  creditd grants list --type units --expires-before 2026-12-31 --limit 0
  creditd grants list --import-id march-bonus --json | jq .remaining";

/// Which grants to list.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Only grants of this customer.
    customer: Option<String>,
    /// Only grants of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<GrantType>,
    /// Only grants with this status; repeat it for more than one.
    #[arg(long = "status", value_name = "STATUS")]
    statuses: Vec<GrantStatus>,
    /// Only monetary grants in this currency.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Only unit grants that name this metric.
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// Only grants that this import created.
    #[arg(long, value_name = "ID")]
    import_id: Option<String>,
    /// Only grants that this campaign created.
    #[arg(long, alias = "campaign-id", value_name = "ID")]
    campaign: Option<String>,
    /// Only grants that expire before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    expires_before: Option<DateTime<Utc>>,
    /// Only grants created at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    created_after: Option<DateTime<Utc>>,
    /// Only grants created before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    created_before: Option<DateTime<Utc>>,
    /// How many to list; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = limits::PAGE_SIZE_DEFAULT)]
    limit: u32,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(in crate::cli) async fn run(args: Args) -> Result<(), Error> {
    let filter = ListGrantsRequest {
        customer_id: args.customer.unwrap_or_default(),
        r#type: args.kind.map_or(0, Into::into),
        statuses: numbers(&args.statuses),
        currency: args.currency.unwrap_or_default(),
        metric: args.metric.unwrap_or_default(),
        import_id: args.import_id.unwrap_or_default(),
        campaign_id: args.campaign.unwrap_or_default(),
        expires_before: args.expires_before.map(time::to_wire),
        created_after: args.created_after.map(time::to_wire),
        created_before: args.created_before.map(time::to_wire),
        ..Default::default()
    };
    let mut client = args.endpoint.credits().await?;
    let ask = async |page_size, page_token| {
        let request = ListGrantsRequest { page_size, page_token, ..filter.clone() };
        let page = client.list_grants(request).await?.into_inner();
        Ok(Page { items: page.grants, next: page.next_page_token })
    };
    args.output.list(args.limit, ask).await
}

impl Listed for Grant {
    const WHAT: &str = "grants";
    const COLUMNS: &[Column] = &[
        Left("GRANT"),
        Left("CUSTOMER"),
        Left("STATUS"),
        Right("AMOUNT"),
        Right("REMAINING"),
        Left("CREDITS"),
        Right("PRIORITY"),
        Left("EXPIRES"),
    ];

    fn row(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.customer_id.clone(),
            word(self.status()),
            self.amount.clone(),
            self.remaining.clone(),
            kind(&self.currency, &self.metrics),
            self.priority.to_string(),
            expiry(self),
        ]
    }
}
