//! A ledger entry as a row.

use super::super::time;
use super::super::words::word;
use super::sink::Exported;
use crate::pb::{LedgerEntry, RuleChange};

pub const EXAMPLES: &str = "
Examples:
  creditd export ledger -o ledger.csv
  creditd export ledger --recorded-after 2026-01-01 --recorded-before 2026-02-01 -o january.csv
  creditd export ledger --type expired --type voided -o breakage.csv";

impl Exported for LedgerEntry {
    const WHAT: &str = "entries";

    fn columns() -> Vec<&'static str> {
        vec![
            "customer_id",
            "sequence",
            "grant_id",
            "type",
            "currency",
            "amount",
            "balance_after",
            "held_amount",
            "held_after",
            "event_id",
            "invoice_id",
            "hold_id",
            "reason",
            "actor",
            "occurred_at",
            "recorded_at",
            "import_id",
            "import_row",
            "campaign_id",
            "old_priority",
            "new_priority",
            "expires_at_changed",
            "old_expires_at",
            "new_expires_at",
        ]
    }

    fn cells(&self) -> Vec<String> {
        let cells = [
            self.customer_id.clone(),
            self.sequence.to_string(),
            self.grant_id.clone(),
            word(self.r#type()),
            self.currency.clone(),
            self.amount.clone(),
            self.balance_after.clone(),
            self.held_amount.clone(),
            self.held_after.clone(),
            self.event_id.clone(),
            self.invoice_id.clone(),
            self.hold_id.clone(),
            self.reason.clone(),
            self.actor.clone(),
            time::shown(self.occurred_at.as_ref()).unwrap_or_default(),
            time::shown(self.recorded_at.as_ref()).unwrap_or_default(),
            self.import_id.clone(),
            if self.import_row == 0 { String::new() } else { self.import_row.to_string() },
            self.campaign_id.clone(),
        ];
        cells.into_iter().chain(change(self.change.as_ref())).collect()
    }

    fn customer_id(&self) -> &str {
        &self.customer_id
    }
}

/// What an entry changed of its grant's rules; nothing where it changed none.
fn change(change: Option<&RuleChange>) -> [String; 5] {
    let Some(change) = change else { return Default::default() };
    let number = |priority: Option<i32>| priority.map(|number| number.to_string());
    [
        number(change.old_priority).unwrap_or_default(),
        number(change.new_priority).unwrap_or_default(),
        change.expires_at_changed.to_string(),
        time::shown(change.old_expires_at.as_ref()).unwrap_or_default(),
        time::shown(change.new_expires_at.as_ref()).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_cell_for_every_column() {
        assert_eq!(LedgerEntry::default().cells().len(), LedgerEntry::columns().len());
    }
}
