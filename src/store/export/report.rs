//! Reading all grants as they were at one instant.

use std::collections::HashSet;

use chrono::TimeDelta;
use diesel::IntoSql as _;
use diesel::sql_types::Uuid as SqlUuid;
use diesel::sql_types::{Array, BigInt, Nullable, Numeric, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::Store;
use super::super::error::Result;
use super::super::grants::OwnedGrant;
use super::super::rows::{GrantRow, GrantSqlType, due_release, grant_columns};
use super::super::statement::Statement;
use super::since::since;
use super::walk::Walk;
use super::{Pages, patience, turn};
use crate::domain::as_of::Since;
use crate::domain::grant::{Grant, Status};
use crate::domain::ids::{CampaignId, Customer, ImportId};
use crate::domain::time::Timestamp;
use crate::limits;

struct ReportGrants;

/// Which grants to report; what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct ReportFilter {
    /// Of this customer.
    pub customer: Option<Customer>,
    /// Monetary (true) or unit grants.
    pub monetary: Option<bool>,
    /// In one of these at the report's instant.
    pub statuses: Vec<Status>,
    /// Made by this import.
    pub import_id: Option<ImportId>,
    /// Made by this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Created from, inclusive.
    pub created_after: Option<Timestamp>,
    /// Created before, exclusive.
    pub created_before: Option<Timestamp>,
}

/// All grants as they were at one instant: by customer, `created_at` and id.
pub struct Report {
    store: Store,
    filter: ReportFilter,
    as_of: Timestamp,
    now: Timestamp,
    walk: Walk<(Timestamp, Uuid)>,
}

/// What holds give back that have fallen due: how much, and the latest of their deadlines.
type DueRow = (Option<Decimal>, Option<Timestamp>);
type DueColumns = (Nullable<Numeric>, Nullable<Timestamptz>);
/// Whose, what falls due by then and by now, and the grant.
type Row = (i64, DueRow, DueRow, GrantRow);
type Columns = (BigInt, DueColumns, DueColumns, GrantSqlType);

impl Store {
    /// A report as of an instant, at or before `now`, by which everything is
    /// [settled](Store::settle).
    #[must_use]
    pub fn report(&self, mut filter: ReportFilter, as_of: Timestamp, now: Timestamp) -> Report {
        // No grant's id is nil.
        let start = filter.created_after.map(|from| (from, Uuid::nil()));
        let walk = Walk::new(filter.customer.take(), None, start);
        Report { store: self.clone(), filter, as_of, now, walk }
    }
}

impl Pages for Report {
    type Row = OwnedGrant;

    async fn page(&mut self) -> Result<Option<Vec<OwnedGrant>>> {
        let _turn = turn(&self.store).await?;
        let mut conn = self.store.readers.get().await?;
        if !self.walk.fill(&mut conn).await? {
            return Ok(None);
        }
        let this = &*self;
        // One snapshot: what is taken back from the grants is what was added to them.
        let mut snapshot = conn.build_transaction().repeatable_read().read_only();
        let (rows, mut later) = snapshot
            .run(async |conn| {
                let conn = &*conn;
                let (patience, rows) = tokio::join!(biased; patience(conn), this.rows(conn));
                patience?;
                let rows = rows?;
                // Whatever is booked on a grant sets its updated_at.
                let changed = rows.iter().filter(|(.., row)| row.updated_at > this.as_of);
                let customers: HashSet<Uuid> = changed.map(|(.., row)| row.customer_id).collect();
                let later = since(conn, customers, this.as_of).await?;
                Ok::<_, super::super::Error>((rows, later))
            })
            .await?;
        let (count, last) = (rows.len(), rows.last());
        let last = last.map(|(ordinal, .., row)| (*ordinal, (row.created_at, row.id)));
        let mut page = Vec::with_capacity(count);
        for row in rows {
            let since = later.remove(&row.3.id).unwrap_or_default();
            page.extend(self.shown(row, &since)?);
        }
        self.walk.pass(count, last);
        Ok(Some(page))
    }
}

impl Report {
    async fn rows(&self, mut conn: &AsyncPgConnection) -> Result<Vec<Row>> {
        let (customers, after) = self.walk.waiting();
        let (after_at, after_id): (Vec<_>, Vec<_>) = after.into_iter().map(Option::unzip).unzip();
        // Its end, inclusive: instants are whole microseconds.
        let before = self.filter.created_before.map(|end| end - TimeDelta::microseconds(1));
        let until = before.map_or(self.as_of, |end| end.min(self.as_of));
        let kind = self.filter.monetary.map(|is| if is { "monetary" } else { "units" });
        let import_id = self.filter.import_id.as_ref().map(ImportId::as_str);
        let campaign_id = self.filter.campaign_id.as_ref().map(CampaignId::as_str);
        let statement = Statement::<ReportGrants, Columns, _>::new(
            concat!(
                "SELECT x.n, d.amount, d.last, d.amount_now, d.last_now, ",
                grant_columns!(),
                " FROM (SELECT "
            ),
            (
                customers.into_sql::<Array<SqlUuid>>(),
                after_at.into_sql::<Array<Nullable<Timestamptz>>>(),
                after_id.into_sql::<Array<Nullable<SqlUuid>>>(),
                until.into_sql::<Timestamptz>(),
                kind.into_sql::<Nullable<Text>>(),
                import_id.into_sql::<Nullable<Text>>(),
                campaign_id.into_sql::<Nullable<Text>>(),
                limits::EXPORT_PAGE.into_sql::<BigInt>(),
                self.as_of.into_sql::<Timestamptz>(),
                self.now.into_sql::<Timestamptz>(),
            ),
            // LIMIT takes no column of its own statement, so that its bind is named once more.
            ") AS y(customers, after_at, after_id, until, type, import_id, campaign_id, items, as_of, now) \
             CROSS JOIN LATERAL unnest(y.customers, y.after_at, y.after_id) \
               WITH ORDINALITY AS x(customer_id, after_at, after_id, n) \
             CROSS JOIN LATERAL (SELECT * FROM grants r WHERE r.customer_id = x.customer_id \
               AND (r.created_at, r.id) > (coalesce(x.after_at, '-infinity'), \
                 coalesce(x.after_id, '00000000-0000-0000-0000-000000000000')) \
               AND r.created_at <= y.until AND (y.type IS NULL OR r.type = y.type) \
               AND (y.import_id IS NULL OR r.import_id = y.import_id) \
               AND (y.campaign_id IS NULL OR r.campaign_id = y.campaign_id) \
               ORDER BY r.created_at, r.id LIMIT y.items) g \
             LEFT JOIN LATERAL (SELECT \
                 sum(s.amount) FILTER (WHERE h.expires_at <= y.as_of) AS amount, \
                 max(h.expires_at) FILTER (WHERE h.expires_at <= y.as_of) AS last, \
                 sum(s.amount) AS amount_now, max(h.expires_at) AS last_now \
               FROM holds h CROSS JOIN LATERAL unnest(h.grant_ids, h.amounts) \
                 AS s(grant_id, amount) \
               WHERE g.held > 0 AND h.customer_id = x.customer_id AND h.status = 'open' \
               AND s.grant_id = g.id AND h.expires_at <= y.now) d ON true \
             ORDER BY x.n, g.created_at, g.id LIMIT $8",
        );
        Ok(statement.load(&mut conn).await?)
    }

    /// The grant as it was, where the filter wants it.
    fn shown(&self, row: Row, since: &Since) -> Result<Option<OwnedGrant>> {
        let (ordinal, (amount, last), (amount_by_now, last_by_now), row) = row;
        let at = self.as_of;
        let due = [due_release(amount, last)?, due_release(amount_by_now, last_by_now)?];
        let grant = Grant::try_from(row)?.as_of(at, self.now, since, due)?;
        let statuses = &self.filter.statuses;
        if !statuses.is_empty() && !statuses.contains(&grant.status(at)) {
            return Ok(None);
        }
        let customer = self.walk.customer(ordinal)?.clone();
        Ok(Some(OwnedGrant { customer, grant, now: at }))
    }
}
