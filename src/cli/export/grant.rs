//! A grant as a row: first the columns of an import, then what creditd adds to them.

use super::super::csv::columns::{FIELDS, FIGURES, Field};
use super::super::csv::list;
use super::super::time;
use super::super::words::word;
use super::sink::Exported;
use crate::pb::{Grant, GrantCategory};

pub const EXAMPLES: &str = "
Examples:
  creditd export grants -o grants.csv
  creditd export grants --status active --status pending --type monetary
  creditd export grants --as-of 2026-01-01 -o year-end.csv
  creditd export grants --import-id january --json | jq -r .id";

impl Exported for Grant {
    const WHAT: &str = "grants";

    fn columns() -> Vec<&'static str> {
        FIELDS.iter().map(|(name, _)| *name).chain(FIGURES).collect()
    }

    fn cells(&self) -> Vec<String> {
        let figures = [
            self.id.clone(),
            word(self.status()),
            self.remaining.clone(),
            self.held.clone(),
            self.consumed.clone(),
            self.expired.clone(),
            self.voided.clone(),
            time::shown(self.created_at.as_ref()).unwrap_or_default(),
            time::shown(self.updated_at.as_ref()).unwrap_or_default(),
            time::shown(self.voided_at.as_ref()).unwrap_or_default(),
            self.void_reason.clone(),
            self.created_by.clone(),
            self.import_id.clone(),
            if self.import_row == 0 { String::new() } else { self.import_row.to_string() },
            self.campaign_id.clone(),
        ];
        FIELDS.iter().map(|(_, field)| cell(self, *field)).chain(figures).collect()
    }

    fn customer_id(&self) -> &str {
        &self.customer_id
    }
}

fn cell(grant: &Grant, field: Field) -> String {
    match field {
        Field::CustomerId => grant.customer_id.clone(),
        Field::Type => word(grant.r#type()),
        Field::Amount => grant.amount.clone(),
        Field::Currency => grant.currency.clone(),
        Field::Metrics => list::put(&grant.metrics),
        Field::Priority => grant.priority.to_string(),
        Field::Category => match grant.category() {
            GrantCategory::Unspecified => String::new(),
            category => word(category),
        },
        Field::EffectiveAt => time::shown(grant.effective_at.as_ref()).unwrap_or_default(),
        Field::ExpiresAt => time::shown(grant.expires_at.as_ref()).unwrap_or_default(),
        Field::Description => grant.description.clone(),
        Field::Metadata if grant.metadata.is_empty() => String::new(),
        Field::Metadata => serde_json::json!(grant.metadata).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_cell_for_every_column() {
        assert_eq!(Grant::default().cells().len(), Grant::columns().len());
    }
}
