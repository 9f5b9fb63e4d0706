//! Removing what was delivered long ago, and what was for endpoints that are gone.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl as _;

use super::super::Store;
use super::super::error::Result;
use super::super::statement::Statement;
use crate::domain::time::Timestamp;
use crate::limits;

struct Remove;

impl Store {
    /// Removes deliveries that are old enough at `now`, at most
    /// [`limits::DELIVERIES_REMOVED_AT_ONCE`]; how many. Those that another replica is about to remove,
    /// or that are being sent again, are left to it. What is still to be tried is never too old, unless
    /// its endpoint has been disabled for as long.
    ///
    /// # Errors
    /// As the database says.
    pub async fn remove_old_deliveries(&self, now: Timestamp) -> Result<usize> {
        let before = |kept| now.checked_sub_signed(kept).unwrap_or(Timestamp::MIN_UTC);
        let most = i64::try_from(limits::DELIVERIES_REMOVED_AT_ONCE).unwrap_or(i64::MAX);
        let statement = Statement::<Remove, (), _>::new(
            "WITH k AS (SELECT * FROM (SELECT ",
            (
                before(limits::DELIVERED_KEPT).into_sql::<Timestamptz>(),
                before(limits::UNDELIVERED_KEPT).into_sql::<Timestamptz>(),
                most.into_sql::<BigInt>(),
            ),
            ") AS k(delivered, other, most)) \
             DELETE FROM deliveries WHERE id IN (SELECT d.id FROM k CROSS JOIN webhook_endpoints e \
               CROSS JOIN LATERAL ( \
                 SELECT id FROM (SELECT id FROM deliveries WHERE endpoint_id = e.id \
                   AND status = 'delivered' AND created_at < k.delivered \
                   ORDER BY created_at LIMIT k.most FOR UPDATE SKIP LOCKED) delivered \
                 UNION ALL \
                 SELECT id FROM (SELECT id FROM deliveries WHERE endpoint_id = e.id \
                   AND created_at < CASE WHEN e.deleted_at IS NULL THEN k.other \
                     ELSE 'infinity' END \
                   AND (status <> 'pending' OR e.deleted_at IS NOT NULL \
                        OR e.disabled_at < k.other) \
                   ORDER BY created_at LIMIT k.most FOR UPDATE SKIP LOCKED) other) d \
               LIMIT (SELECT most FROM k))",
        );
        let mut conn = self.readers.get().await?;
        Ok(statement.execute(&mut conn).await?)
    }
}
