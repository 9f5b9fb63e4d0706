//! Runs that are under way: whoever has the time takes a lease on the next customers of one, and
//! gives it back with what became of them.

use std::time::Duration;

use diesel::IntoSql as _;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncConnectionCore as _, RunQueryDsl as _};
use uuid::Uuid;

use super::super::Store;
use super::super::error::Result;
use super::super::statement::Statement;
use super::names;
use super::rows::{Row, RowSqlType, campaign, campaign_columns, rejection_name};
use crate::domain::campaign::{Campaign, Rejection};
use crate::domain::ids::Customer;
use crate::limits;

struct Lease;
struct Members;
struct Settle;

/// The next customers of a run that is under way.
#[derive(Debug)]
pub struct Stretch {
    /// Of which campaign.
    pub campaign: Campaign,
    /// The customers, by their ids.
    pub customers: Vec<Customer>,
    /// Whether they are the last.
    pub last: bool,
    /// Proves the lease.
    worker: Uuid,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Done {
    /// Who has the grant now.
    pub granted: Vec<Customer>,
    /// Who was refused it, by their ids.
    pub rejected: Vec<(Customer, Rejection)>,
}

impl Store {
    /// Takes a lease on the next customers of the run that has waited longest. None where no run is
    /// under way, or others are at work on all of them.
    ///
    /// # Errors
    /// As the database says.
    pub async fn next_stretch(&self) -> Result<Option<Stretch>> {
        let mut conn = self.readers.get().await?;
        let worker = Uuid::now_v7();
        let statement = Statement::<Lease, (RowSqlType, Text), _>::new(
            // Found once: looked for again within one statement, another row would be the first.
            "WITH n AS MATERIALIZED (SELECT campaign_key, run FROM campaign_runs \
             WHERE finished_at IS NULL AND leased_until <= clock_timestamp() \
             ORDER BY leased_until LIMIT 1 FOR UPDATE SKIP LOCKED) \
             UPDATE campaign_runs r SET worker = y.worker, \
             leased_until = clock_timestamp() + y.millis * interval '1 millisecond' FROM (SELECT ",
            (worker.into_sql::<SqlUuid>(), millis(limits::CAMPAIGN_LEASE).into_sql::<BigInt>()),
            concat!(
                ") AS y(worker, millis) CROSS JOIN n \
                 JOIN campaigns c ON c.campaign_key = n.campaign_key \
                 WHERE r.campaign_key = n.campaign_key AND r.run = n.run RETURNING ",
                campaign_columns!(),
                ", r.cursor"
            ),
        );
        let leased: Vec<(Row, String)> = statement.load(&mut conn).await?;
        let Some((row, cursor)) = leased.into_iter().next() else { return Ok(None) };
        let campaign = campaign(row)?;
        let segment = campaign.segment.as_ref().map(|segment| segment.as_str().to_owned());
        let members = Statement::<Members, (Text,), _>::new(
            "SELECT m.external_id FROM (SELECT ",
            (
                campaign.campaign_id.key().into_sql::<SqlUuid>(),
                segment.into_sql::<Nullable<Text>>(),
                cursor.into_sql::<Text>(),
                limits::CAMPAIGN_STRETCH.into_sql::<BigInt>(),
            ),
            // One of the two is empty. Named customers are kept in the order of their ids.
            ") AS y(key, segment, cursor, items) CROSS JOIN LATERAL (\
             (SELECT external_id FROM segment_members WHERE segment = y.segment \
              AND external_id > y.cursor ORDER BY segment, external_id LIMIT y.items) \
             UNION ALL (SELECT n.external_id FROM campaigns c \
              CROSS JOIN LATERAL unnest(c.named_customers) WITH ORDINALITY AS n(external_id, place) \
              WHERE c.campaign_key = y.key AND n.external_id > y.cursor \
              ORDER BY n.place LIMIT y.items)) m",
        );
        let mut found: Vec<(String,)> = members.load(&mut conn).await?;
        found.sort_unstable();
        let last = i64::try_from(found.len()).is_ok_and(|found| found < limits::CAMPAIGN_STRETCH);
        let customers = found.iter().map(|(id,)| Customer::stored(id)).collect();
        Ok(Some(Stretch { campaign, customers, last, worker }))
    }

    /// Notes what became of these customers and gives the lease back; false where somebody else has
    /// taken it meanwhile, and does them again.
    ///
    /// Who got the grant from this run is read from what is kept: a stretch that is done again,
    /// because whoever did it before died, comes to the same.
    ///
    /// # Errors
    /// As the database says.
    pub async fn settle_stretch(&self, stretch: &Stretch, done: &Done) -> Result<bool> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let granted: Vec<Uuid> = done.granted.iter().map(|customer| customer.key).collect();
        let (rejected, why): (Vec<&Customer>, Vec<String>) =
            done.rejected.iter().map(|(who, why)| (who, rejection_name(*why))).unzip();
        let rejected: Vec<&str> = rejected.into_iter().map(|who| &*who.external_id).collect();
        let customers = names(&stretch.customers);
        let statement = Statement::<Settle, (), _>::new(
            "UPDATE campaign_runs r SET cursor = coalesce(y.cursor, r.cursor), \
             processed = r.processed + s.made + s.had + s.refused, created = r.created + s.made, \
             duplicates = r.duplicates + s.had, rejected = r.rejected + s.refused, \
             rejected_customers = (r.rejected_customers || y.rejected)[1:y.shown], \
             rejections = (r.rejections || y.why)[1:y.shown], \
             finished_at = CASE WHEN y.last THEN y.now END, \
             members = CASE WHEN y.last THEN r.processed + s.made + s.had + s.refused \
               ELSE r.members END, worker = NULL, leased_until = clock_timestamp() FROM (SELECT ",
            (
                stretch.campaign.campaign_id.key().into_sql::<SqlUuid>(),
                stretch.campaign.run.number.into_sql::<Integer>(),
                stretch.worker.into_sql::<SqlUuid>(),
                customers.last().copied().into_sql::<Nullable<Text>>(),
                granted.into_sql::<Array<SqlUuid>>(),
                rejected.into_sql::<Array<Text>>(),
                why.into_sql::<Array<Text>>(),
                limits::CAMPAIGN_REJECTIONS_SHOWN.into_sql::<Integer>(),
                stretch.last.into_sql::<Bool>(),
                now.into_sql::<Timestamptz>(),
            ),
            ") AS y(key, run, worker, cursor, granted, rejected, why, shown, last, now) \
             CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE g.run = y.run) AS made, \
                count(*) FILTER (WHERE g.run <> y.run) AS had, cardinality(y.rejected) AS refused \
               FROM unnest(y.granted) AS x(customer_id) CROSS JOIN LATERAL \
                (SELECT run FROM campaign_grants WHERE customer_id = x.customer_id \
                 AND campaign_key = y.key LIMIT 1) g) s \
             WHERE r.campaign_key = y.key AND r.run = y.run AND r.worker = y.worker",
        );
        Ok(conn.execute_returning_count(statement).await? > 0)
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
