//! Campaigns: what they are, and how far their runs have come. What they give customers is written
//! by the engine's batches, like any grant.

mod rows;
mod runs;

use diesel::IntoSql as _;
use diesel::sql_types::{
    Array, BigInt, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncConnectionCore as _, RunQueryDsl as _};
use uuid::Uuid;

use self::rows::{Row, RowSqlType, campaign, campaign_columns};
pub use self::runs::{Done, Stretch};
use super::Store;
use super::error::Result;
use super::rows::{category_name, metadata_json, scope_columns, scope_metrics};
use super::statement::Statement;
use crate::domain::campaign::{Audience, Campaign, NewCampaign};
use crate::domain::ids::{CampaignId, Customer};
use crate::domain::time::Timestamp;

struct GetCampaign;
struct ListCampaigns;
struct InsertCampaign;
struct BeginRun;
struct CountSegment;
struct CountNamed;

/// The last run, called `r`, of the campaign `c`.
macro_rules! last_run {
    () => {
        " CROSS JOIN LATERAL (SELECT * FROM campaign_runs \
         WHERE campaign_key = c.campaign_key ORDER BY run DESC LIMIT 1) r "
    };
}

/// The columns of a run that is new.
macro_rules! run_columns {
    () => {
        "campaign_key, run, started_at, cursor, members, processed, created, duplicates, \
         rejected, rejected_customers, rejections, leased_until"
    };
}
/// What the last of them hold, from `cursor` on, where one of segment and named customers is null.
macro_rules! fresh_run {
    ($segment:literal, $named:literal) => {
        concat!(
            "'', coalesce(cardinality(",
            $named,
            "), (SELECT count(*) FROM segment_members m WHERE m.segment = ",
            $segment,
            ")), 0, 0, 0, 0, '{}', '{}', clock_timestamp()"
        )
    };
}

/// What the customer `x.customer_id` has of the campaign `y.campaign_key`, if anything, called `g`.
macro_rules! campaign_grant {
    () => {
        " LEFT JOIN LATERAL (SELECT grant_id FROM campaign_grants \
         WHERE customer_id = x.customer_id AND campaign_key = y.campaign_key LIMIT 1) g ON true"
    };
}

/// What a run of a campaign would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// The customers that it is for.
    pub members: i64,
    /// How many of them have its grant.
    pub duplicates: i64,
}

impl Store {
    /// A campaign, with its last run.
    ///
    /// # Errors
    /// As the database says.
    pub async fn campaign(&self, id: &CampaignId) -> Result<Option<Campaign>> {
        let statement = Statement::<GetCampaign, RowSqlType, _>::new(
            concat!(
                "SELECT ",
                campaign_columns!(),
                " FROM campaigns c",
                last_run!(),
                "WHERE c.campaign_key = "
            ),
            id.key().into_sql::<SqlUuid>(),
            "",
        );
        let rows: Vec<Row> = statement.load(&mut self.readers.get().await?).await?;
        rows.into_iter().next().map(campaign).transpose()
    }

    /// Campaigns with their last runs, newest first, from before `before` on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_campaigns(
        &self,
        before: Option<(Timestamp, String)>,
        limit: i64,
    ) -> Result<Vec<Campaign>> {
        let (at, id) = before.unzip();
        let statement = Statement::<ListCampaigns, RowSqlType, _>::new(
            concat!("SELECT ", campaign_columns!(), " FROM (SELECT "),
            (
                at.into_sql::<Nullable<Timestamptz>>(),
                id.into_sql::<Nullable<Text>>(),
                limit.into_sql::<BigInt>(),
            ),
            concat!(
                ") AS y(at, id, items) CROSS JOIN LATERAL (SELECT * FROM campaigns \
                 WHERE (created_at, campaign_id) < (coalesce(y.at, 'infinity'), coalesce(y.id, '')) \
                 ORDER BY created_at DESC, campaign_id DESC LIMIT y.items) c",
                last_run!(),
                "ORDER BY c.created_at DESC, c.campaign_id DESC"
            ),
        );
        let rows: Vec<Row> = statement.load(&mut self.readers.get().await?).await?;
        rows.into_iter().map(campaign).collect()
    }

    /// Makes a campaign and begins its first run; false where there is one of this id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn create_campaign(&self, new: &NewCampaign) -> Result<bool> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let template = &new.template;
        let (segment, named) = match &new.audience {
            Audience::Segment(segment) => (Some(segment.as_str()), None),
            Audience::Named(customers) => (None, Some(names(customers))),
        };
        let (kind, currency) = scope_columns(&template.scope);
        let statement = Statement::<InsertCampaign, (), _>::new(
            "WITH made AS (INSERT INTO campaigns (campaign_key, campaign_id, payload, segment, \
             named_customers, type, currency, metrics, amount, priority, category, effective_at, \
             expires_at, description, metadata, created_at, created_by) VALUES (",
            (
                new.campaign_id.key().into_sql::<SqlUuid>(),
                new.campaign_id.as_str().into_sql::<Text>(),
                new.payload().into_sql::<SqlUuid>(),
                segment.into_sql::<Nullable<Text>>(),
                named.into_sql::<Nullable<Array<Text>>>(),
                kind.into_sql::<Text>(),
                currency.into_sql::<Nullable<Text>>(),
                scope_metrics(&template.scope).into_sql::<Array<Text>>(),
                template.amount.to_decimal()?.into_sql::<Numeric>(),
                i16::from(template.priority.get()).into_sql::<SmallInt>(),
                template.category.map(category_name).into_sql::<Nullable<Text>>(),
                template.effective_at.into_sql::<Nullable<Timestamptz>>(),
                template.expires_at.into_sql::<Nullable<Timestamptz>>(),
                template.notes.description.as_str().into_sql::<Text>(),
                metadata_json(&template.notes.metadata).into_sql::<Nullable<Jsonb>>(),
                now.into_sql::<Timestamptz>(),
                (&*new.actor).into_sql::<Text>(),
            ),
            concat!(
                ") ON CONFLICT DO NOTHING RETURNING *) INSERT INTO campaign_runs (",
                run_columns!(),
                ") SELECT made.campaign_key, 1, made.created_at, ",
                fresh_run!("made.segment", "made.named_customers"),
                " FROM made"
            ),
        );
        Ok(conn.execute_returning_count(statement).await? > 0)
    }

    /// Begins another run of a campaign, unless one is under way.
    ///
    /// # Errors
    /// As the database says.
    pub async fn begin_run(&self, id: &CampaignId) -> Result<()> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let statement = Statement::<BeginRun, (), _>::new(
            concat!(
                "INSERT INTO campaign_runs (",
                run_columns!(),
                ") SELECT c.campaign_key, r.run + 1, y.now, ",
                fresh_run!("c.segment", "c.named_customers"),
                " FROM (SELECT "
            ),
            (id.key().into_sql::<SqlUuid>(), now.into_sql::<Timestamptz>()),
            concat!(
                ") AS y(key, now) JOIN campaigns c ON c.campaign_key = y.key",
                last_run!(),
                "WHERE r.finished_at IS NOT NULL ON CONFLICT DO NOTHING"
            ),
        );
        conn.execute_returning_count(statement).await?;
        Ok(())
    }

    /// What a run of this campaign would come to now.
    ///
    /// # Errors
    /// As the database says.
    pub async fn forecast(&self, id: &CampaignId, audience: &Audience) -> Result<Forecast> {
        let mut conn = self.readers.get().await?;
        let key = id.key().into_sql::<SqlUuid>();
        let counts: Vec<(i64, i64)> = match audience {
            Audience::Segment(segment) => {
                let statement = Statement::<CountSegment, (BigInt, BigInt), _>::new(
                    "SELECT count(*), count(g.grant_id) FROM (SELECT ",
                    (key, segment.as_str().into_sql::<Text>()),
                    concat!(
                        ") AS y(campaign_key, segment) JOIN segment_members x ON x.segment = y.segment",
                        campaign_grant!()
                    ),
                );
                statement.load(&mut conn).await?
            }
            Audience::Named(customers) => {
                let keys: Vec<Uuid> = customers.iter().map(|customer| customer.key).collect();
                let statement = Statement::<CountNamed, (BigInt, BigInt), _>::new(
                    "SELECT count(*), count(g.grant_id) FROM (SELECT ",
                    (key, keys.into_sql::<Array<SqlUuid>>()),
                    concat!(
                        ") AS y(campaign_key, customers) CROSS JOIN LATERAL unnest(y.customers) \
                         AS x(customer_id)",
                        campaign_grant!()
                    ),
                );
                statement.load(&mut conn).await?
            }
        };
        let (members, duplicates) = counts.into_iter().next().unwrap_or_default();
        Ok(Forecast { members, duplicates })
    }
}

fn names(customers: &[Customer]) -> Vec<&str> {
    customers.iter().map(|customer| &*customer.external_id).collect()
}
