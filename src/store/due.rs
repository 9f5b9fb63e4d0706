//! What time is about to bring.

use std::time::Duration;

use diesel::dsl::min;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Store;
use super::error::Result;
use super::schema::{customers, grants, holds};
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;

/// What is due, and what will be next.
#[derive(Debug)]
pub struct Due {
    /// Customers with something due: of grants, and of holds, at most as many as were asked for.
    pub customers: Vec<Customer>,
    /// Whether there may be more.
    pub full: bool,
    /// Since when the oldest of it has been due; None where nothing is.
    pub oldest: Option<Timestamp>,
    /// The instant at which the next thing falls due; None where nothing ever does.
    pub next: Option<Timestamp>,
    /// The instant of the look.
    pub now: Timestamp,
}

impl Due {
    /// For how long the oldest of it has been due.
    #[must_use]
    pub fn lag(&self) -> Duration {
        let oldest = self.oldest.unwrap_or(self.now);
        (self.now - oldest).to_std().unwrap_or_default()
    }
}

impl Store {
    /// Looks for what has fallen due: the longest overdue first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn due(&self, limit: i64) -> Result<Due> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let mut found: Vec<(String, Option<Timestamp>)> = grants::table
            .inner_join(customers::table.on(customers::id.eq(grants::customer_id)))
            .filter(grants::due_at.le(now))
            .order(grants::due_at)
            .limit(limit)
            .select((customers::external_id, grants::due_at))
            .load(&mut conn)
            .await?;
        let of_holds: Vec<(String, Option<Timestamp>)> = holds::table
            .inner_join(customers::table.on(customers::id.eq(holds::customer_id)))
            .filter(holds::ended_at.is_null())
            .filter(holds::expires_at.le(now))
            .order(holds::expires_at)
            .limit(limit)
            .select((customers::external_id, holds::expires_at.nullable()))
            .load(&mut conn)
            .await?;
        let is_full = |found: usize| i64::try_from(found).is_ok_and(|found| found >= limit);
        let full = is_full(found.len()) || is_full(of_holds.len());
        found.extend(of_holds);
        let oldest = found.iter().filter_map(|(_, due)| *due).min();
        let mut found: Vec<String> = found.into_iter().map(|(customer, _)| customer).collect();
        found.sort_unstable();
        found.dedup();
        let next_grant: Option<Timestamp> = grants::table
            .filter(grants::due_at.gt(now))
            .select(min(grants::due_at))
            .first(&mut conn)
            .await?;
        let next_hold: Option<Timestamp> = holds::table
            .filter(holds::ended_at.is_null())
            .filter(holds::expires_at.gt(now))
            .select(min(holds::expires_at))
            .first(&mut conn)
            .await?;
        let customers = found.iter().map(|id| Customer::stored(id)).collect();
        let next = next_grant.into_iter().chain(next_hold).min();
        Ok(Due { customers, full, oldest, next, now })
    }
}
