//! Rows of credit applications.

use diesel::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::currency_of;
use super::event::taken;
use crate::domain::amount::Amount;
use crate::domain::application::CreditApplication;
use crate::domain::ids::InvoiceId;
use crate::domain::time::Timestamp;
use crate::store::error::{Error, Result};

/// An application with what it took, one array item per grant.
#[derive(Debug, Queryable)]
pub(in crate::store) struct ApplicationRow {
    pub customer_id: Uuid,
    pub invoice_id: String,
    pub currency: String,
    pub amount_due: Decimal,
    pub applied: Decimal,
    pub reversed: Decimal,
    pub applied_at: Timestamp,
    pub applied_at_given: bool,
    pub recorded_at: Timestamp,
    pub first_sequence: Option<i64>,
    pub last_sequence: Option<i64>,
    pub grant_ids: Option<Vec<Uuid>>,
    pub amounts: Option<Vec<Decimal>>,
    pub descriptions: Option<Vec<String>>,
}

impl TryFrom<ApplicationRow> for CreditApplication {
    type Error = Error;

    fn try_from(row: ApplicationRow) -> Result<Self> {
        let taken = taken(row.grant_ids, row.amounts)?;
        // An application whose entries do not add up is told as such and not shown as something else.
        let applied = Amount::sum(taken.iter().map(|slice| slice.amount))?;
        if applied != Amount::from_decimal(row.applied)? {
            return Err(Error::corrupt("a credit application's entries do not add up"));
        }
        Ok(Self {
            invoice_id: InvoiceId::stored(row.invoice_id),
            currency: currency_of(&row.currency)?,
            amount_due: Amount::from_decimal(row.amount_due)?,
            applied_at: row.applied_at,
            applied_at_given: row.applied_at_given,
            recorded_at: row.recorded_at,
            reversed: Amount::from_decimal(row.reversed)?,
            taken: taken.into_iter().zip(row.descriptions.unwrap_or_default()).collect(),
            entries: row.first_sequence.zip(row.last_sequence),
        })
    }
}
