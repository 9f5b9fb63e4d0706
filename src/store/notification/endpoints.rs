//! Webhook endpoints.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::super::Store;
use super::super::error::Result;
use super::super::schema::{deliveries, webhook_endpoints as endpoints};
use super::change::{Change, NotChanged, Wanted};
use super::rows::EndpointRow;
use crate::domain::ids::EndpointId;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{CreateEndpoint, Created, Endpoint, Secret, UpdateEndpoint};
use crate::limits;

impl Store {
    /// Makes an endpoint, or finds the one that the same call made before.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn create_endpoint(&self, create: CreateEndpoint) -> Change<Created> {
        let wanted = Wanted { request_id: create.request_id.clone(), ..Wanted::default() };
        self.change(wanted, |webhooks, now| webhooks.create(create, now)).await
    }

    /// All endpoints, oldest first, and the instant.
    ///
    /// # Errors
    /// As the database says.
    pub async fn endpoints(&self) -> Result<(Vec<Endpoint>, Timestamp)> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let rows: Vec<EndpointRow> = endpoints::table
            .filter(endpoints::deleted_at.is_null())
            .order((endpoints::created_at, endpoints::id))
            .select(EndpointRow::as_select())
            .load(&mut conn)
            .await?;
        Ok((rows.into_iter().map(Endpoint::try_from).collect::<Result<_>>()?, now))
    }

    /// Changes an endpoint. Where that enables it, what waits for it is due at once.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn update_endpoint(
        &self,
        id: EndpointId,
        update: UpdateEndpoint,
    ) -> Change<Endpoint> {
        if update.disabled == Some(false) {
            // First: enabled, what is out of time could be tried once more and be given up.
            self.begin_anew(id).await.map_err(NotChanged::Store)?;
        }
        let change = self.change(Wanted::default(), move |webhooks, now| {
            let endpoint = webhooks.endpoint(id)?;
            endpoint.update(update, now);
            Ok(endpoint.clone())
        });
        change.await
    }

    /// Disables an endpoint for a reason of creditd's own; false where it is disabled or deleted
    /// already, or has another URL by now.
    ///
    /// # Errors
    /// As the database says.
    pub async fn disable_endpoint(&self, id: EndpointId, url: &str, reason: &str) -> Result<bool> {
        let (url, reason) = (url.to_owned(), reason.to_owned());
        let change = self.change(Wanted::default(), move |webhooks, now| {
            let endpoint = webhooks.endpoint(id)?;
            Ok(endpoint.url == url && endpoint.disable(&reason, now))
        });
        match change.await {
            Ok(changed) => Ok(changed.what),
            Err(NotChanged::Refused(_)) => Ok(false),
            Err(NotChanged::Store(error)) => Err(error),
        }
    }

    /// Deletes an endpoint. What waits for it is seen no more; the sweeper removes it.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn delete_endpoint(&self, id: EndpointId) -> Change<()> {
        let wanted = Wanted { id: Some(id), ..Wanted::default() };
        self.change(wanted, move |webhooks, now| webhooks.delete(id, now)).await
    }

    /// Gives an endpoint another secret.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn rotate_secret(&self, id: EndpointId, fresh: Secret) -> Change<Endpoint> {
        let change = self.change(Wanted::default(), move |webhooks, now| {
            let endpoint = webhooks.endpoint(id)?;
            endpoint.rotate(fresh, now)?;
            Ok(endpoint.clone())
        });
        change.await
    }

    /// Makes what waits for an endpoint due, and gives it as long as something new has: while the
    /// endpoint was disabled nothing was tried. That may be much: no statement takes more than a
    /// stretch of it, from a part of the index to which nothing is added meanwhile.
    async fn begin_anew(&self, id: EndpointId) -> Result<()> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let give_up_at = now.checked_add_signed(limits::DELIVERY_RETRY_FOR).unwrap_or(now);
        let anew =
            (deliveries::next_attempt_at.eq(Some(now)), deliveries::give_up_at.eq(give_up_at));
        for part in [Part::Now, Part::Before, Part::After] {
            loop {
                let waiting = deliveries::table
                    .filter(deliveries::endpoint_id.eq(id.0))
                    // Spelt out, so that the index of those that wait serves it.
                    .filter(sql::<Bool>("deliveries.status = 'pending'"))
                    .select(deliveries::id)
                    .limit(limits::DELIVERIES_RENEWED_AT_ONCE)
                    .into_boxed();
                let stretch = match part {
                    Part::Now => waiting
                        .filter(deliveries::next_attempt_at.eq(now))
                        .filter(deliveries::give_up_at.lt(give_up_at)),
                    Part::Before => waiting.filter(deliveries::next_attempt_at.lt(now)),
                    Part::After => waiting.filter(deliveries::next_attempt_at.gt(now)),
                };
                let of_stretch = deliveries::table.filter(deliveries::id.eq_any(stretch));
                if diesel::update(of_stretch).set(anew).execute(&mut conn).await? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// What waits, by when it was to be tried.
#[derive(Clone, Copy)]
enum Part {
    Now,
    Before,
    After,
}
