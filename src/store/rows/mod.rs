//! Rows, and how they read as what the domain speaks of. Rows never leave the store.

use std::sync::Arc;

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::{Error, Result};
use super::schema::grants;
use crate::domain::amount::Amount;
use crate::domain::currency::Currency;
use crate::domain::figures::Figures;
use crate::domain::grant::{Category, Grant, Metadata, Notes, Priority, Scope, Voided};
use crate::domain::ids::{CampaignId, GrantId, ImportId, Metric};
use crate::domain::import::ImportRow;
use crate::domain::notification::{Warned, WarningPeriod};
use crate::domain::time::Timestamp;

mod application;
mod entry;
mod event;
mod hold;

pub(super) use self::application::ApplicationRow;
pub(super) use self::entry::*;
pub(super) use self::event::EventRow;
pub(super) use self::hold::*;

/// The columns of [`GrantRow`], in its order, of a table called `g`.
macro_rules! grant_columns {
    () => {
        "g.customer_id, g.id, g.sequence, g.type, g.currency, g.metrics, g.amount, g.priority, \
         g.category, g.effective_at, g.expires_at, g.description, g.metadata, g.remaining, g.held, \
         g.consumed, g.expired, g.voided, g.created_at, g.updated_at, g.created_by, g.voided_at, \
         g.void_reason, g.import_id, g.import_row, g.due_at, g.warned, g.campaign_id"
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
    pub due_at: Option<Timestamp>,
    pub warned: Option<Value>,
    pub campaign_id: Option<String>,
}

impl TryFrom<GrantRow> for Grant {
    type Error = Error;

    fn try_from(row: GrantRow) -> Result<Self> {
        let scope = scope(&row.kind, row.currency.as_deref(), row.metrics)?;
        let voided = match (row.voided_at, row.void_reason) {
            (Some(at), Some(reason)) => Some(Voided { at, reason: reason.into() }),
            _ => None,
        };
        Ok(Self {
            id: GrantId(row.id),
            sequence: row.sequence,
            scope,
            amount: Amount::from_decimal(row.amount)?,
            priority: priority(row.priority)?,
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
            campaign: row.campaign_id.map(CampaignId::stored),
            voided,
            warned: warned(row.warned)?,
        })
    }
}

/// Warnings as they are kept: null where there is none.
pub(super) fn warned_json(warned: &[Warned]) -> Option<Value> {
    let pair = |sent: &Warned| json!([sent.period.seconds(), sent.end.timestamp_micros()]);
    (!warned.is_empty()).then(|| warned.iter().map(pair).collect())
}

fn warned(stored: Option<Value>) -> Result<Vec<Warned>> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let read = |pair: &Value| {
        let period = pair[0].as_i64().and_then(WarningPeriod::from_seconds);
        let end = pair[1].as_i64().and_then(Timestamp::from_timestamp_micros);
        period.zip(end).map(|(period, end)| Warned { period, end })
    };
    let read = stored.as_array().and_then(|pairs| pairs.iter().map(read).collect());
    read.ok_or_else(|| Error::corrupt("warnings"))
}

/// What `type`, `currency` and `metrics` say.
pub(super) fn scope(kind: &str, currency: Option<&str>, metrics: Vec<String>) -> Result<Scope> {
    match (kind, currency) {
        ("units", None) => Ok(Scope::units(metrics.into_iter().map(Metric::stored).collect())),
        ("monetary", Some(code)) => Ok(Scope::Money(currency_of(code)?)),
        _ => Err(Error::corrupt("grant of unknown type")),
    }
}

pub(super) fn priority(number: i16) -> Result<Priority> {
    Priority::new(number.into()).ok_or_else(|| Error::corrupt("priority out of range"))
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

pub(super) fn category(name: &str) -> Result<Category> {
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
