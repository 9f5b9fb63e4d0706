//! Looking at all grants anew because warnings have changed: step by step, so that it can be taken up
//! by whoever comes next, and never holds up anybody.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::super::Store;
use super::super::error::Result;
use super::super::schema::{customers, grants, notification_settings as settings};
use crate::domain::ids::Customer;

/// The next step of a renewal.
#[derive(Debug)]
pub struct Renewal {
    /// Customers with grants that may have to be warned of.
    pub customers: Vec<Customer>,
    /// What is to be noted once they have been looked at.
    pub step: Step,
}

/// From where to where a renewal has come.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    version: i64,
    from: Uuid,
    /// The last of the customers; None where there are no more.
    pub to: Option<Uuid>,
}

impl Store {
    /// The next customers to look at, at most so many; None where no renewal is under way.
    ///
    /// # Errors
    /// As the database says.
    pub async fn renewal(&self, limit: i64) -> Result<Option<Renewal>> {
        let mut conn = self.readers.get().await?;
        let stands = settings::table.select((settings::version, settings::renewed_up_to));
        let (version, from): (i64, Option<Uuid>) = stands.first(&mut conn).await?;
        let Some(from) = from else { return Ok(None) };
        let now = self.clock.read(&conn).await?;
        let found: Vec<(Uuid, String)> = grants::table
            .inner_join(customers::table.on(customers::id.eq(grants::customer_id)))
            .filter(grants::open)
            .filter(grants::customer_id.gt(from))
            .filter(grants::expires_at.gt(now))
            .select((grants::customer_id, customers::external_id))
            .distinct()
            .order(grants::customer_id)
            .limit(limit)
            .load(&mut conn)
            .await?;
        let full = i64::try_from(found.len()).is_ok_and(|found| found >= limit);
        let to = found.last().map(|(key, _)| *key).filter(|_| full);
        let customers = found.iter().map(|(_, id)| Customer::stored(id)).collect();
        Ok(Some(Renewal { customers, step: Step { version, from, to } }))
    }

    /// Notes how far a renewal has come; nothing where another has gone on from there, or warnings have
    /// changed again.
    ///
    /// # Errors
    /// As the database says.
    pub async fn renewed(&self, step: Step) -> Result<()> {
        let mut conn = self.readers.get().await?;
        let standing = settings::table
            .filter(settings::version.eq(step.version))
            .filter(settings::renewed_up_to.eq(step.from));
        let note = diesel::update(standing).set(settings::renewed_up_to.eq(step.to));
        note.execute(&mut conn).await?;
        Ok(())
    }
}
