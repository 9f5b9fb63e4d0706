//! Rows of usage events.

use diesel::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::metadata;
use crate::domain::amount::Amount;
use crate::domain::ids::{EventId, GrantId, HoldId, Metric};
use crate::domain::time::Timestamp;
use crate::domain::usage::{Allocation, Uncovered, UsageEvent};
use crate::store::error::{Error, Result};

/// A usage event with what it drew, one array item per grant.
#[derive(Debug, Queryable)]
pub(in crate::store) struct EventRow {
    pub customer_id: Uuid,
    pub event_id: String,
    pub metric: String,
    pub quantity: Decimal,
    pub uncovered: Decimal,
    pub reversed: Decimal,
    pub timestamp: Timestamp,
    pub recorded_at: Timestamp,
    pub first_sequence: Option<i64>,
    pub last_sequence: Option<i64>,
    pub timestamp_given: bool,
    pub reject: bool,
    pub metadata: Option<Value>,
    pub hold_id: Option<String>,
    pub grant_ids: Option<Vec<Uuid>>,
    pub amounts: Option<Vec<Decimal>>,
}

impl TryFrom<EventRow> for UsageEvent {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self> {
        let taken = taken(row.grant_ids, row.amounts)?;
        let event = Self {
            event_id: EventId::stored(row.event_id),
            metric: Metric::stored(row.metric),
            quantity: Amount::from_decimal(row.quantity)?,
            timestamp: row.timestamp,
            timestamp_given: row.timestamp_given,
            policy: if row.reject { Uncovered::Reject } else { Uncovered::AllowOverage },
            metadata: metadata(row.metadata)?,
            uncovered: Amount::from_decimal(row.uncovered)?,
            reversed: Amount::from_decimal(row.reversed)?,
            taken,
            hold_id: row.hold_id.map(HoldId::stored),
            entries: row.first_sequence.zip(row.last_sequence),
            recorded_at: row.recorded_at,
        };
        // An event whose entries do not add up is told as such and not shown as something else.
        let drawn = Amount::sum(event.taken.iter().map(|allocation| allocation.amount))?;
        if event.quantity.less(event.uncovered)? != drawn {
            return Err(Error::corrupt("a usage event's entries do not add up"));
        }
        Ok(event)
    }
}

/// What entries of a range took of which grant; signs turned, because what an entry takes is less
/// than nothing.
pub(super) fn taken(
    grant_ids: Option<Vec<Uuid>>,
    amounts: Option<Vec<Decimal>>,
) -> Result<Vec<Allocation>> {
    let drawn = grant_ids.unwrap_or_default().into_iter().zip(amounts.unwrap_or_default());
    let slice = |(grant_id, amount): (Uuid, Decimal)| {
        let amount = -Amount::from_decimal(amount)?;
        Ok(Allocation { grant_id: GrantId(grant_id), amount })
    };
    drawn.map(slice).collect()
}
