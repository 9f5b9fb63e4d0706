//! Rows, and how they read as what the domain speaks of. Rows never leave the store.

use std::sync::Arc;

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::{Error, Result};
use super::schema::{grants, ledger_entries};
use crate::domain::amount::Amount;
use crate::domain::currency::Currency;
use crate::domain::entry::{Entry, EntryType, RuleChange};
use crate::domain::grant::{Category, Figures, Grant, Metadata, Notes, Priority, Scope, Voided};
use crate::domain::ids::{EventId, GrantId, ImportId, Metric};
use crate::domain::import::ImportRow;
use crate::domain::time::Timestamp;
use crate::domain::usage::{Allocation, Uncovered, UsageEvent};

/// The columns of [`GrantRow`], in its order, of a table called `g`.
macro_rules! grant_columns {
    () => {
        "g.customer_id, g.id, g.sequence, g.type, g.currency, g.metrics, g.amount, g.priority, \
         g.category, g.effective_at, g.expires_at, g.description, g.metadata, g.remaining, g.held, \
         g.consumed, g.expired, g.voided, g.created_at, g.updated_at, g.created_by, g.voided_at, \
         g.void_reason, g.import_id, g.import_row"
    };
}
pub(super) use grant_columns;

/// The SQL type of a [`GrantRow`].
pub(super) type GrantSqlType = SqlTypeOf<<GrantRow as Selectable<Pg>>::SelectExpression>;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = grants, check_for_backend(Pg))]
pub(super) struct GrantRow {
    pub customer_id: Uuid,
    pub id: Uuid,
    pub sequence: i64,
    pub kind: String,
    pub currency: Option<String>,
    pub metrics: Vec<String>,
    pub amount: Decimal,
    pub priority: i16,
    pub category: Option<String>,
    pub effective_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub description: String,
    pub metadata: Option<Value>,
    pub remaining: Decimal,
    pub held: Decimal,
    pub consumed: Decimal,
    pub expired: Decimal,
    pub voided: Decimal,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub created_by: String,
    pub voided_at: Option<Timestamp>,
    pub void_reason: Option<String>,
    pub import_id: Option<String>,
    pub import_row: Option<i64>,
}

impl TryFrom<GrantRow> for Grant {
    type Error = Error;

    fn try_from(row: GrantRow) -> Result<Self> {
        let scope = match (row.kind.as_str(), row.currency.as_deref()) {
            ("units", None) => Scope::units(row.metrics.into_iter().map(Metric::stored).collect()),
            ("monetary", Some(code)) => Scope::Money(currency_of(code)?),
            _ => return Err(Error::corrupt("grant of unknown type")),
        };
        let voided = match (row.voided_at, row.void_reason) {
            (Some(at), Some(reason)) => Some(Voided { at, reason: reason.into() }),
            _ => None,
        };
        Ok(Self {
            id: GrantId(row.id),
            sequence: row.sequence,
            scope,
            amount: Amount::from_decimal(row.amount)?,
            priority: Priority::new(row.priority.into())
                .ok_or_else(|| Error::corrupt("priority out of range"))?,
            category: row.category.as_deref().map(category).transpose()?,
            effective_at: row.effective_at,
            expires_at: row.expires_at,
            notes: Arc::new(Notes {
                description: row.description,
                metadata: metadata(row.metadata)?,
            }),
            figures: Figures {
                remaining: Amount::from_decimal(row.remaining)?,
                held: Amount::from_decimal(row.held)?,
                consumed: Amount::from_decimal(row.consumed)?,
                expired: Amount::from_decimal(row.expired)?,
                voided: Amount::from_decimal(row.voided)?,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            created_by: row.created_by.into(),
            import: import(row.import_id, row.import_row),
            voided,
        })
    }
}

/// The row of an import, where there is one.
pub(super) fn import(import_id: Option<String>, row: Option<i64>) -> Option<ImportRow> {
    Some(ImportRow { import_id: ImportId::stored(import_id?), row: row? })
}

/// A currency's stored code.
pub(super) fn currency_of(code: &str) -> Result<Currency> {
    Currency::from_code(code).ok_or_else(|| Error::corrupt("unknown currency"))
}

/// `type` and `currency` of a scope.
pub(super) fn scope_columns(scope: &Scope) -> (&'static str, Option<&'static str>) {
    match scope {
        Scope::Units(_) => ("units", None),
        Scope::Money(currency) => ("monetary", Some(currency.code())),
    }
}

/// The metrics of a scope.
pub(super) fn scope_metrics(scope: &Scope) -> Vec<&str> {
    match scope {
        Scope::Units(metrics) => metrics.iter().map(Metric::as_str).collect(),
        Scope::Money(_) => Vec::new(),
    }
}

pub(super) fn category_name(category: Category) -> &'static str {
    match category {
        Category::Promotional => "promotional",
        Category::Purchased => "purchased",
        Category::Loyalty => "loyalty",
        Category::Service => "service",
    }
}

fn category(name: &str) -> Result<Category> {
    [Category::Promotional, Category::Purchased, Category::Loyalty, Category::Service]
        .into_iter()
        .find(|category| category_name(*category) == name)
        .ok_or_else(|| Error::corrupt("unknown category"))
}

/// Metadata as it is kept: null where there is none.
pub(super) fn metadata_json(metadata: &Metadata) -> Option<Value> {
    (!metadata.is_empty()).then(|| {
        Value::Object(metadata.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect())
    })
}

pub(super) fn metadata(stored: Option<Value>) -> Result<Metadata> {
    let Some(stored) = stored else { return Ok(Metadata::new()) };
    let Value::Object(pairs) = stored else { return Err(Error::corrupt("metadata")) };
    pairs
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(value) => Ok((key, value)),
            _ => Err(Error::corrupt("metadata")),
        })
        .collect()
}

/// A usage event with what it drew, one array item per grant.
#[derive(Debug, Queryable)]
pub(super) struct EventRow {
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
    pub grant_ids: Option<Vec<Uuid>>,
    pub amounts: Option<Vec<Decimal>>,
}

impl TryFrom<EventRow> for UsageEvent {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self> {
        let drawn = match (row.grant_ids, row.amounts) {
            (Some(grant_ids), Some(amounts)) => grant_ids.into_iter().zip(amounts).collect(),
            _ => Vec::new(),
        };
        let allocations = drawn.into_iter().map(|(grant_id, amount): (Uuid, Decimal)| {
            let amount = -Amount::from_decimal(amount)?;
            Ok(Allocation { grant_id: GrantId(grant_id), amount })
        });
        let allocations = allocations.collect::<Result<Vec<_>>>()?;
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
            allocations,
            entries: row.first_sequence.zip(row.last_sequence),
            recorded_at: row.recorded_at,
        };
        // An event whose entries do not add up is told as such and not shown as something else.
        let drawn = Amount::sum(event.allocations.iter().map(|allocation| allocation.amount))?;
        if event.quantity.less(event.uncovered)? != drawn {
            return Err(Error::corrupt("a usage event's entries do not add up"));
        }
        Ok(event)
    }
}

/// The columns of [`EntryRow`], in its order, of a table called `e`.
macro_rules! entry_columns {
    () => {
        "e.sequence, e.grant_id, e.type, e.amount, e.balance_after, e.held_amount, e.held_after, \
         e.event_id, e.reason, e.change, e.actor, e.occurred_at, e.recorded_at"
    };
}
pub(super) use entry_columns;

/// The SQL type of an [`EntryRow`].
pub(super) type EntrySqlType = SqlTypeOf<<EntryRow as Selectable<Pg>>::SelectExpression>;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = ledger_entries, check_for_backend(Pg))]
pub(super) struct EntryRow {
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
            reason: row.reason.map(Into::into),
            change: row.change.as_ref().map(change).transpose()?,
            actor: row.actor.into(),
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
        })
    }
}

pub(super) fn entry_type_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Granted => "granted",
        EntryType::Updated => "updated",
        EntryType::Consumed => "consumed",
        EntryType::Expired => "expired",
        EntryType::Voided => "voided",
        EntryType::ExpirationReclaimed => "expiration_reclaimed",
    }
}

pub(super) fn entry_type(name: &str) -> Result<EntryType> {
    EntryType::ALL
        .into_iter()
        .find(|kind| entry_type_name(*kind) == name)
        .ok_or_else(|| Error::corrupt("unknown entry type"))
}

/// Old and new as they are kept: instants in microseconds since 1970.
pub(super) fn change_json(change: &RuleChange) -> Value {
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

pub(super) fn change(kept: &Value) -> Result<RuleChange> {
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
