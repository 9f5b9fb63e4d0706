//! `creditd ledger`.

use chrono::{DateTime, Utc};

use super::output::{Listed, Output, Page};
use super::table::Column;
use super::table::Column::{Left, Right};
use super::words::{numbers, word};
use super::{Endpoint, Error, time};
use crate::limits;
use crate::pb::{LedgerEntry, LedgerEntryType, ListLedgerEntriesRequest, RuleChange};

pub const EXAMPLES: &str = "\
Examples:
  creditd ledger acme
  creditd ledger acme --event call-1
  creditd ledger acme --invoice INV-1
  creditd ledger acme --type expired --recorded-after 2026-01-01 --limit 0
  creditd ledger acme --after-sequence 2000 --json";

/// Which entries to list.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customer.
    customer: String,
    /// Only entries of this grant.
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// Only entries that this usage event caused, by being recorded or reversed.
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Only entries that this invoice caused.
    #[arg(long, value_name = "ID")]
    invoice: Option<String>,
    /// Only entries that this hold caused.
    #[arg(long, value_name = "ID")]
    hold: Option<String>,
    /// Only entries of this type; repeat it for more than one.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<LedgerEntryType>,
    /// Only entries with a greater sequence.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    after_sequence: i64,
    /// Only entries recorded at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    recorded_after: Option<DateTime<Utc>>,
    /// Only entries recorded before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    recorded_before: Option<DateTime<Utc>>,
    /// How many to list; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = limits::PAGE_SIZE_DEFAULT)]
    limit: u32,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let filter = ListLedgerEntriesRequest {
        customer_id: args.customer,
        grant_id: args.grant.unwrap_or_default(),
        event_id: args.event.unwrap_or_default(),
        invoice_id: args.invoice.unwrap_or_default(),
        hold_id: args.hold.unwrap_or_default(),
        types: numbers(&args.types),
        after_sequence: args.after_sequence,
        recorded_after: args.recorded_after.map(time::to_wire),
        recorded_before: args.recorded_before.map(time::to_wire),
        ..Default::default()
    };
    let mut client = args.endpoint.credits().await?;
    let ask = async |page_size, page_token| {
        let request = ListLedgerEntriesRequest { page_size, page_token, ..filter.clone() };
        let page = client.list_ledger_entries(request).await?.into_inner();
        Ok(Page { items: page.entries, next: page.next_page_token })
    };
    args.output.list(args.limit, ask).await
}

impl Listed for LedgerEntry {
    const WHAT: &str = "ledger entries";
    const COLUMNS: &[Column] = &[
        Right("SEQUENCE"),
        Left("RECORDED"),
        Left("TYPE"),
        Right("AMOUNT"),
        Right("BALANCE"),
        Right("HELD"),
        Left("GRANT"),
        Left("CAUSE"),
    ];

    fn row(&self) -> Vec<String> {
        vec![
            self.sequence.to_string(),
            time::shown(self.recorded_at.as_ref()).unwrap_or_default(),
            word(self.r#type()),
            self.amount.clone(),
            self.balance_after.clone(),
            self.held_after.clone(),
            self.grant_id.clone(),
            cause(self),
        ]
    }
}

/// What brought the entry about, as far as it is known.
fn cause(entry: &LedgerEntry) -> String {
    let mut causes = Vec::new();
    if !entry.event_id.is_empty() {
        causes.push(format!("event {}", entry.event_id));
    }
    if !entry.invoice_id.is_empty() {
        causes.push(format!("invoice {}", entry.invoice_id));
    }
    if !entry.hold_id.is_empty() {
        causes.push(format!("hold {}", entry.hold_id));
    }
    if !entry.campaign_id.is_empty() {
        causes.push(format!("campaign {}", entry.campaign_id));
    }
    if !entry.import_id.is_empty() {
        causes.push(format!("import {}", entry.import_id));
    }
    causes.extend(entry.change.as_ref().map(change));
    if !entry.reason.is_empty() {
        causes.push(entry.reason.clone());
    }
    causes.join(", ")
}

fn change(change: &RuleChange) -> String {
    let mut changes = Vec::new();
    if let (Some(old), Some(new)) = (change.old_priority, change.new_priority) {
        changes.push(format!("priority {old} -> {new}"));
    }
    if change.expires_at_changed {
        let [old, new] = [&change.old_expires_at, &change.new_expires_at]
            .map(|at| time::shown(at.as_ref()).unwrap_or_else(|| "never".to_owned()));
        changes.push(format!("expires {old} -> {new}"));
    }
    changes.join(", ")
}
