//! Reading grants: one by id, or lists by keyset.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::Store;
use super::error::Result;
use super::rows::{GrantRow, due_release};
use super::schema::{customers, grants};
use crate::domain::currency::Currency;
use crate::domain::grant::{Grant, Status};
use crate::domain::ids::{CampaignId, Customer, GrantId, ImportId, Metric};
use crate::domain::time::Timestamp;

/// A grant, whose it is, and the instant at which it looks like this.
#[derive(Debug, Clone)]
pub struct OwnedGrant {
    /// Whose.
    pub customer: Customer,
    /// With its expiry booked.
    pub grant: Grant,
    /// The instant.
    pub now: Timestamp,
}

/// Which grants to list; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Of this customer.
    pub customer: Option<Customer>,
    /// Monetary (true) or unit grants.
    pub monetary: Option<bool>,
    /// In one of these.
    pub statuses: Vec<Status>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// Naming this metric.
    pub metric: Option<Metric>,
    /// Made by this import.
    pub import_id: Option<ImportId>,
    /// Made by this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Expiring before, exclusive.
    pub expires_before: Option<Timestamp>,
    /// Created from, inclusive.
    pub created_after: Option<Timestamp>,
    /// Created before, exclusive.
    pub created_before: Option<Timestamp>,
}

type Owned = (GrantRow, String, Timestamp, Option<Decimal>, Option<Timestamp>);

/// What holds whose deadlines have come give back to a grant: how much, and by when. For a grant of
/// which nothing is held, no hold is looked for.
macro_rules! due_release {
    ($type:ty, $figure:literal, $clock:expr) => {
        sql::<Nullable<$type>>(concat!(
            "CASE WHEN grants.held > 0 THEN (SELECT ",
            $figure,
            " FROM holds h CROSS JOIN LATERAL unnest(h.grant_ids, h.amounts) \
             AS s(grant_id, amount) WHERE h.customer_id = grants.customer_id \
             AND h.status = 'open' AND s.grant_id = grants.id \
             AND h.expires_at <= greatest(customers.recorded_at, "
        ))
        .bind::<Timestamptz, _>($clock)
        .sql(")) END")
    };
}
/// The columns of [`Owned`].
macro_rules! owned_columns {
    ($clock:expr) => {
        (
            GrantRow::as_select(),
            customers::external_id,
            customers::recorded_at,
            due_release!(Numeric, "sum(s.amount)", $clock),
            due_release!(Timestamptz, "max(h.expires_at)", $clock),
        )
    };
}

impl Store {
    /// A grant by its id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn grant(&self, id: GrantId) -> Result<Option<OwnedGrant>> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let row: Option<Owned> = grants::table
            .inner_join(customers::table.on(customers::id.eq(grants::customer_id)))
            .filter(grants::id.eq(id.0))
            .select(owned_columns!(now))
            .first(&mut conn)
            .await
            .optional()?;
        row.map(|row| owned(row, now)).transpose()
    }

    /// Whose grant it is.
    ///
    /// # Errors
    /// As the database says.
    pub async fn grant_owner(&self, id: GrantId) -> Result<Option<Customer>> {
        let mut conn = self.readers.get().await?;
        let owner: Option<String> = grants::table
            .inner_join(customers::table.on(customers::id.eq(grants::customer_id)))
            .filter(grants::id.eq(id.0))
            .select(customers::external_id)
            .first(&mut conn)
            .await
            .optional()?;
        Ok(owner.as_deref().map(Customer::stored))
    }

    /// Grants by `created_at` and id, from behind `after` on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_grants(
        &self,
        filter: &GrantFilter,
        after: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<OwnedGrant>> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let mut query = grants::table
            .inner_join(customers::table.on(customers::id.eq(grants::customer_id)))
            .select(owned_columns!(now))
            .order((grants::created_at, grants::id))
            .limit(limit)
            .into_boxed();
        if let Some(customer) = &filter.customer {
            query = query.filter(grants::customer_id.eq(customer.key));
        }
        if let Some(monetary) = filter.monetary {
            query = query.filter(grants::kind.eq(if monetary { "monetary" } else { "units" }));
        }
        if let Some(currency) = filter.currency {
            query = query.filter(grants::currency.eq(currency.code()));
        }
        if let Some(metric) = &filter.metric {
            let named = sql::<Bool>("").bind::<Text, _>(metric.as_str().to_owned());
            query = query.filter(named.sql(" = ANY(grants.metrics)"));
        }
        if let Some(import_id) = &filter.import_id {
            query = query.filter(grants::import_id.eq(import_id.as_str().to_owned()));
        }
        if let Some(campaign_id) = &filter.campaign_id {
            query = query.filter(grants::campaign_id.eq(campaign_id.as_str().to_owned()));
        }
        if let Some(before) = filter.expires_before {
            query = query.filter(grants::expires_at.lt(before));
        }
        if let Some(from) = filter.created_after {
            query = query.filter(grants::created_at.ge(from));
        }
        if let Some(before) = filter.created_before {
            query = query.filter(grants::created_at.lt(before));
        }
        if !filter.statuses.is_empty() {
            let status = sql::<Bool>(STATUS_HEAD).bind::<Timestamptz, _>(now);
            let status = status.sql(STATUS_MIDDLE).bind::<Timestamptz, _>(now).sql(STATUS_TAIL);
            let names: Vec<&str> = filter.statuses.iter().map(|s| status_name(*s)).collect();
            let wanted = status.bind::<diesel::sql_types::Array<Text>, _>(names);
            query = query.filter(wanted.sql(")"));
        }
        if let Some((at, id)) = after {
            let behind = sql::<Bool>("(grants.created_at, grants.id) > (");
            let behind = behind.bind::<Timestamptz, _>(at).sql(", ").bind::<SqlUuid, _>(id);
            query = query.filter(behind.sql(")"));
        }
        let rows: Vec<Owned> = query.load(&mut conn).await?;
        rows.into_iter().map(|row| owned(row, now)).collect()
    }
}

/// [`Grant::status`] of a grant with its expiry booked, in SQL: the same ladder. Whether the expiry is
/// booked makes no difference to it.
const STATUS_HEAD: &str = "(CASE WHEN grants.voided_at IS NOT NULL THEN 'voided' \
     WHEN grants.remaining = 0 AND grants.expired = 0 THEN 'exhausted' \
     WHEN grants.expires_at <= greatest(customers.recorded_at, ";
const STATUS_MIDDLE: &str =
    ") THEN 'expired' WHEN grants.effective_at > greatest(customers.recorded_at, ";
const STATUS_TAIL: &str = ") THEN 'pending' ELSE 'active' END) = ANY(";

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Active => "active",
        Status::Exhausted => "exhausted",
        Status::Expired => "expired",
        Status::Voided => "voided",
    }
}

fn owned(
    (row, external_id, recorded_at, amount, last): Owned,
    clock: Timestamp,
) -> Result<OwnedGrant> {
    let now = clock.max(recorded_at);
    let grant = Grant::try_from(row)?.at(now, due_release(amount, last)?)?;
    Ok(OwnedGrant { customer: Customer::stored(&external_id), grant, now })
}
