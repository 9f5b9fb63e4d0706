//! Changing endpoints and settings, and with them what batches write: one transaction a change,
//! one change at a time.

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::Store;
use super::super::error::Error;
use super::super::schema::{notification_settings as settings, webhook_endpoints as endpoints};
use super::interests::{interests_json, read_interests, thresholds_json};
use super::rows::{EndpointRow, SettingsRow};
use crate::domain::ids::{EndpointId, RequestId};
use crate::domain::notification::Interests;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Endpoint, Refusal, Settings, Webhooks};

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// It may not be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<DieselError> for NotChanged {
    fn from(error: DieselError) -> Self {
        Self::Store(error.into())
    }
}

/// A change that was made, or was not needed.
#[derive(Debug)]
pub struct Changed<T> {
    /// What came of it.
    pub what: T,
    /// Whether grants are to be looked at anew: a warning is heard of that was not before.
    pub renews: bool,
    /// When it was made.
    pub at: Timestamp,
}

/// What came of a change.
pub type Change<T> = Result<Changed<T>, NotChanged>;

/// Endpoints that a change asks for though they may be deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub id: Option<EndpointId>,
    pub request_id: Option<RequestId>,
}

impl Store {
    /// Makes a change, in a task of its own: a caller that hangs up leaves no transaction open.
    pub(super) async fn change<T, F>(&self, wanted: Wanted, apply: F) -> Change<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Webhooks, Timestamp) -> Result<T, Refusal> + Send + 'static,
    {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let mut conn = store.readers.get().await?;
            let clock = &store.clock;
            conn.transaction(async |conn| {
                let (mut webhooks, interests) = load(conn, &wanted).await?;
                // Behind the lock, so that changes are in the order of their instants.
                let at = clock.read(conn).await?;
                let before = webhooks.clone();
                let what = apply(&mut webhooks, at)?;
                let renews = save(conn, &before, &webhooks, &interests).await?;
                Ok(Changed { what, renews, at })
            })
            .await
        });
        task.await.map_err(|error| Error::Other(error.to_string()))?
    }
}

/// Locks the settings, and with them all changes; then reads what there is.
async fn load(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
) -> Result<(Webhooks, Interests), Error> {
    let row = settings::table.select(SettingsRow::as_select()).for_update();
    let row: SettingsRow = row.first(conn).await?;
    // Deliveries note on these rows that they fail.
    let rows: Vec<EndpointRow> = endpoints::table
        .filter(endpoints::deleted_at.is_null())
        .or_filter(endpoints::id.nullable().eq(wanted.id.map(|id| id.0)))
        .or_filter(endpoints::request_id.eq(wanted.request_id.as_ref().map(RequestId::as_str)))
        .order((endpoints::created_at, endpoints::id))
        .select(EndpointRow::as_select())
        .for_update()
        .load(conn)
        .await?;
    let endpoints = rows.into_iter().map(Endpoint::try_from).collect::<Result<_, _>>()?;
    let settings = Settings::try_from(&row)?;
    Ok((Webhooks { settings, endpoints }, read_interests(&row.interests)?))
}

/// Writes what has changed, and what follows from it; whether grants are to be looked at anew.
async fn save(
    conn: &mut AsyncPgConnection,
    before: &Webhooks,
    after: &Webhooks,
    known: &Interests,
) -> Result<bool, Error> {
    if after == before {
        return Ok(false);
    }
    for endpoint in after.endpoints.iter().filter(|one| !before.endpoints.contains(one)) {
        let row = EndpointRow::from(endpoint);
        diesel::insert_into(endpoints::table)
            .values(&row)
            .on_conflict(endpoints::id)
            .do_update()
            .set(&row)
            .execute(conn)
            .await?;
    }
    let Settings { warnings, thresholds, updated_at } = &after.settings;
    let interests = after.interests();
    let renews = interests.warnings().iter().any(|period| !known.warnings().contains(period));
    let warnings: Vec<i64> = warnings.iter().map(|period| period.seconds()).collect();
    diesel::update(settings::table)
        .set((
            settings::version.eq(settings::version + 1),
            settings::expiry_warnings.eq(warnings),
            settings::balance_thresholds.eq(thresholds_json(thresholds)),
            settings::updated_at.eq(updated_at),
            settings::interests.eq(interests_json(&interests)),
            renews.then(|| settings::renewed_up_to.eq(Uuid::nil())),
        ))
        .execute(conn)
        .await?;
    Ok(renews)
}
