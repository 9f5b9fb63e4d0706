//! Rows of campaigns and their runs.

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::rows::{category, metadata, priority, scope};
use super::super::schema::{campaign_runs, campaigns};
use crate::domain::amount::Amount;
use crate::domain::campaign::{Campaign, Rejection, Run};
use crate::domain::command::{CreateGrant, Key};
use crate::domain::grant::Notes;
use crate::domain::ids::{CampaignId, GrantId, Segment};
use crate::domain::time::Timestamp;

/// The columns of a [`Row`], of a campaign called `c` and a run called `r`.
macro_rules! campaign_columns {
    () => {
        "c.campaign_id, c.payload, c.segment, c.type, c.currency, c.metrics, c.amount, \
         c.priority, c.category, c.effective_at, c.expires_at, c.description, c.metadata, \
         c.created_at, c.created_by, r.run, r.started_at, r.finished_at, r.members, r.processed, \
         r.created, r.duplicates, r.rejected, r.rejected_customers, r.rejections"
    };
}
pub(super) use campaign_columns;

/// A campaign and one of its runs.
pub(super) type Row = (CampaignRow, RunRow);
/// The SQL type of a [`Row`].
pub(super) type RowSqlType = (
    SqlTypeOf<<CampaignRow as Selectable<Pg>>::SelectExpression>,
    SqlTypeOf<<RunRow as Selectable<Pg>>::SelectExpression>,
);

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = campaigns, check_for_backend(Pg))]
pub(super) struct CampaignRow {
    campaign_id: String,
    payload: Uuid,
    segment: Option<String>,
    kind: String,
    currency: Option<String>,
    metrics: Vec<String>,
    amount: Decimal,
    priority: i16,
    category: Option<String>,
    effective_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    description: String,
    metadata: Option<Value>,
    created_at: Timestamp,
    created_by: String,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = campaign_runs, check_for_backend(Pg))]
pub(super) struct RunRow {
    run: i32,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    members: i64,
    processed: i64,
    created: i64,
    duplicates: i64,
    rejected: i64,
    rejected_customers: Vec<String>,
    rejections: Vec<String>,
}

pub(super) fn campaign((row, run): Row) -> Result<Campaign> {
    let campaign_id = CampaignId::stored(row.campaign_id);
    let template = CreateGrant {
        key: Key::Campaign(campaign_id.clone()),
        // Each grant has one of its own.
        grant_id: GrantId(Uuid::nil()),
        scope: scope(&row.kind, row.currency.as_deref(), row.metrics)?,
        amount: Amount::from_decimal(row.amount)?,
        priority: priority(row.priority)?,
        category: row.category.as_deref().map(category).transpose()?,
        effective_at: row.effective_at,
        expires_at: row.expires_at,
        notes: Notes { description: row.description, metadata: metadata(row.metadata)? },
    };
    Ok(Campaign {
        campaign_id,
        payload: row.payload,
        segment: row.segment.map(Segment::stored),
        template,
        created_at: row.created_at,
        created_by: row.created_by.into(),
        run: run.try_into()?,
    })
}

impl TryFrom<RunRow> for Run {
    type Error = Error;

    fn try_from(row: RunRow) -> Result<Self> {
        let rejections = row.rejections.iter().map(|name| rejection(name));
        let rejections = rejections.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            number: row.run,
            started_at: row.started_at,
            finished_at: row.finished_at,
            members: row.members,
            processed: row.processed,
            created: row.created,
            duplicates: row.duplicates,
            rejected: row.rejected,
            rejections: row.rejected_customers.into_iter().zip(rejections).collect(),
        })
    }
}

/// A rejection as it is kept.
pub(super) fn rejection_name(rejection: Rejection) -> String {
    match rejection {
        Rejection::ExpiryPassed => "expiry_passed".to_owned(),
        Rejection::TooManyOpenGrants => "too_many_open_grants".to_owned(),
        Rejection::Internal(id) => id.to_string(),
    }
}

fn rejection(name: &str) -> Result<Rejection> {
    match name {
        "expiry_passed" => Ok(Rejection::ExpiryPassed),
        "too_many_open_grants" => Ok(Rejection::TooManyOpenGrants),
        id => {
            let id = Uuid::try_parse(id).map_err(|_| Error::corrupt("unknown rejection"))?;
            Ok(Rejection::Internal(id))
        }
    }
}
