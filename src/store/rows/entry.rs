//! Rows of ledger entries.

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::amount::Amount;
use crate::domain::entry::{Entry, EntryType, RuleChange};
use crate::domain::grant::Priority;
use crate::domain::ids::{EventId, GrantId, HoldId, InvoiceId};
use crate::domain::time::Timestamp;
use crate::store::error::{Error, Result};
use crate::store::schema::ledger_entries;

/// The columns of [`EntryRow`], in its order, of a table called `e`.
macro_rules! entry_columns {
    () => {
        "e.sequence, e.grant_id, e.type, e.amount, e.balance_after, e.held_amount, e.held_after, \
         e.event_id, e.reason, e.change, e.actor, e.occurred_at, e.recorded_at, \
         e.invoice_id, e.hold_id"
    };
}
pub(in crate::store) use entry_columns;

/// The SQL type of an [`EntryRow`].
pub(in crate::store) type EntrySqlType = SqlTypeOf<<EntryRow as Selectable<Pg>>::SelectExpression>;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = ledger_entries, check_for_backend(Pg))]
pub(in crate::store) struct EntryRow {
    pub sequence: i64,
    pub grant_id: Uuid,
    pub kind: String,
    pub amount: Decimal,
    pub balance_after: Decimal,
    pub held_amount: Decimal,
    pub held_after: Decimal,
    pub event_id: Option<String>,
    pub reason: Option<String>,
    pub change: Option<Value>,
    pub actor: String,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub invoice_id: Option<String>,
    pub hold_id: Option<String>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self> {
        Ok(Self {
            sequence: row.sequence,
            grant_id: GrantId(row.grant_id),
            kind: entry_type(&row.kind)?,
            amount: Amount::from_decimal(row.amount)?,
            balance_after: Amount::from_decimal(row.balance_after)?,
            held_amount: Amount::from_decimal(row.held_amount)?,
            held_after: Amount::from_decimal(row.held_after)?,
            event_id: row.event_id.map(EventId::stored),
            invoice_id: row.invoice_id.map(InvoiceId::stored),
            hold_id: row.hold_id.map(HoldId::stored),
            reason: row.reason.map(Into::into),
            change: row.change.as_ref().map(change).transpose()?,
            actor: row.actor.into(),
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
        })
    }
}

pub(in crate::store) fn entry_type_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Granted => "granted",
        EntryType::Updated => "updated",
        EntryType::Consumed => "consumed",
        EntryType::Applied => "applied",
        EntryType::Held => "held",
        EntryType::HoldReleased => "hold_released",
        EntryType::Expired => "expired",
        EntryType::Voided => "voided",
        EntryType::UsageReversed => "usage_reversed",
        EntryType::ApplicationReversed => "application_reversed",
        EntryType::ExpirationReclaimed => "expiration_reclaimed",
    }
}

pub(in crate::store) fn entry_type(name: &str) -> Result<EntryType> {
    EntryType::ALL
        .into_iter()
        .find(|kind| entry_type_name(*kind) == name)
        .ok_or_else(|| Error::corrupt("unknown entry type"))
}

/// Old and new as they are kept: instants in microseconds since 1970.
pub(in crate::store) fn change_json(change: &RuleChange) -> Value {
    let mut kept = serde_json::Map::new();
    if let Some((old, new)) = change.priority {
        kept.insert("priority".into(), json!([old.get(), new.get()]));
    }
    if let Some((old, new)) = change.expires_at {
        let micros = |at: Option<Timestamp>| at.map(|at| at.timestamp_micros());
        kept.insert("expires_at".into(), json!([micros(old), micros(new)]));
    }
    Value::Object(kept)
}

pub(in crate::store) fn change(kept: &Value) -> Result<RuleChange> {
    let bad = || Error::corrupt("change");
    let priority = |value: &Value| {
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        number.and_then(Priority::new).ok_or_else(bad)
    };
    let instant = |value: &Value| match value {
        Value::Null => Ok(None),
        value => {
            let micros = value.as_i64().ok_or_else(bad)?;
            Timestamp::from_timestamp_micros(micros).map(Some).ok_or_else(bad)
        }
    };
    Ok(RuleChange {
        priority: match kept.get("priority") {
            Some(pair) => Some((priority(&pair[0])?, priority(&pair[1])?)),
            None => None,
        },
        expires_at: match kept.get("expires_at") {
            Some(pair) => Some((instant(&pair[0])?, instant(&pair[1])?)),
            None => None,
        },
    })
}
