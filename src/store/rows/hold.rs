//! Rows of holds.

use chrono::TimeDelta;
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::domain::amount::Amount;
use crate::domain::hold::{DueRelease, Ending, Hold};
use crate::domain::ids::{EventId, GrantId, HoldId, Metric};
use crate::domain::time::Timestamp;
use crate::domain::usage::Allocation;
use crate::store::error::{Error, Result};
use crate::store::schema::holds;

/// The columns of [`HoldRow`], in its order, of a table called `h`.
macro_rules! hold_columns {
    () => {
        "h.customer_id, h.hold_id, h.metric, h.quantity, h.ttl_micros, h.allow_partial, \
         h.created_at, h.expires_at, h.grant_ids, h.amounts, h.status, h.settled, h.event_id, \
         h.ended_at"
    };
}
pub(in crate::store) use hold_columns;

/// The SQL type of a [`HoldRow`].
pub(in crate::store) type HoldSqlType = SqlTypeOf<<HoldRow as Selectable<Pg>>::SelectExpression>;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = holds, check_for_backend(Pg))]
pub(in crate::store) struct HoldRow {
    pub customer_id: Uuid,
    pub hold_id: String,
    pub metric: String,
    pub quantity: Decimal,
    pub ttl_micros: i64,
    pub allow_partial: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub grant_ids: Vec<Uuid>,
    pub amounts: Vec<Decimal>,
    pub status: String,
    pub settled: Decimal,
    pub event_id: Option<String>,
    pub ended_at: Option<Timestamp>,
}

impl TryFrom<HoldRow> for Hold {
    type Error = Error;

    fn try_from(row: HoldRow) -> Result<Self> {
        let end = match (row.status.as_str(), row.ended_at, row.event_id) {
            ("open", None, None) => None,
            ("settled", Some(at), Some(event_id)) => {
                let settled = Amount::from_decimal(row.settled)?;
                Some((at, Ending::Settled { event_id: EventId::stored(event_id), settled }))
            }
            ("released", Some(at), None) => Some((at, Ending::Released)),
            ("expired", Some(at), None) => Some((at, Ending::Expired)),
            _ => return Err(Error::corrupt("a hold's end")),
        };
        let slices = row.grant_ids.into_iter().zip(row.amounts).map(|(grant_id, amount)| {
            let amount = Amount::from_decimal(amount)?;
            Ok(Allocation { grant_id: GrantId(grant_id), amount })
        });
        Ok(Self {
            hold_id: HoldId::stored(row.hold_id),
            metric: Metric::stored(row.metric),
            quantity: Amount::from_decimal(row.quantity)?,
            ttl: TimeDelta::microseconds(row.ttl_micros),
            allow_partial: row.allow_partial,
            created_at: row.created_at,
            expires_at: row.expires_at,
            slices: slices.collect::<Result<Vec<_>>>()?,
            end,
        })
    }
}

/// What holds whose deadlines have come give back to one grant, where there are any.
pub(in crate::store) fn due_release(
    amount: Option<Decimal>,
    last: Option<Timestamp>,
) -> Result<Option<DueRelease>> {
    let Some((amount, last)) = amount.zip(last) else { return Ok(None) };
    Ok(Some(DueRelease { amount: Amount::from_decimal(amount)?, last }))
}

/// A hold's status, as it is kept.
pub(in crate::store) fn hold_status(hold: &Hold) -> &'static str {
    match &hold.end {
        None => "open",
        Some((_, Ending::Settled { .. })) => "settled",
        Some((_, Ending::Released)) => "released",
        Some((_, Ending::Expired)) => "expired",
    }
}
