//! How much is on its way.

use diesel::IntoSql as _;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::super::Store;
use super::super::error::{Error, Result};
use super::super::statement::Statement;

struct CountPending;

impl Store {
    /// How many deliveries are pending, counted up to `most`: as cheap when there are a million. The
    /// order is that of the index of those that are pending, so that no other is walked.
    ///
    /// # Errors
    /// As the database says.
    pub async fn pending_deliveries(&self, most: i64) -> Result<i64> {
        let statement = Statement::<CountPending, (BigInt,), _>::new(
            "SELECT count(*) FROM (SELECT FROM deliveries WHERE status = 'pending' \
             ORDER BY endpoint_id, next_attempt_at LIMIT ",
            (most.into_sql::<BigInt>(),),
            ") AS pending",
        );
        let mut conn = self.deliverers.get().await?;
        let rows: Vec<(i64,)> = statement.load(&mut conn).await?;
        rows.into_iter().next().map(|row| row.0).ok_or_else(|| Error::corrupt("no count"))
    }
}
