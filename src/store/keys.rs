//! API keys. Their times are PostgreSQL's own, also under a test clock: whoever holds a key lives by
//! the real one.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Store;
use super::error::{Error, Result};
use super::postgres::Address;
use super::schema::api_keys;
use crate::domain::identity::{ApiKey, KeyDigest, KeyId, KeyName, KeyText, Role};
use crate::domain::time::Timestamp;
use crate::limits;

/// A key that opens.
pub struct TakenKey {
    /// What it is found by.
    pub id: KeyId,
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What its text must come to.
    pub digest: KeyDigest,
}

type Row = (Uuid, String, String, Timestamp, Option<Timestamp>, Option<Timestamp>);

impl Store {
    /// The keys that are taken now.
    ///
    /// # Errors
    /// As the database says.
    pub async fn taken_keys(&self) -> Result<Vec<TakenKey>> {
        let columns = (api_keys::id, api_keys::name, api_keys::role, api_keys::digest);
        let taken = api_keys::table.filter(taken()).order(api_keys::id).select(columns);
        // Not over the readers' connections: whoever keeps those busy with a key must not thereby
        // outlive its revocation.
        let rows: Vec<(Uuid, String, String, Vec<u8>)> =
            taken.load(&mut self.pulse.get().await?).await?;
        let taken = rows.into_iter().map(|(id, name, role, digest)| {
            let digest = digest.try_into().map_err(|_| Error::corrupt("a key's digest"))?;
            let (id, digest) = (KeyId(id), KeyDigest(digest));
            Ok(TakenKey { id, name, role: read_role(&role)?, digest })
        });
        taken.collect()
    }
}

/// The keys of a database, for who keeps them.
pub struct KeyBook(AsyncPgConnection);

impl KeyBook {
    /// Opens the book.
    ///
    /// # Errors
    /// [`Error::Away`], or [`Error::Other`] where the schema is not this creditd's.
    pub async fn open(address: &Address) -> Result<Self> {
        Ok(Self(address.connect_current().await?))
    }

    /// Makes a key; None where as many are taken as may be.
    ///
    /// # Errors
    /// As the database says.
    pub async fn create(
        &mut self,
        key: &KeyText,
        name: &KeyName,
        role: Role,
        expires_in: Option<chrono::TimeDelta>,
    ) -> Result<Option<ApiKey>> {
        let taken: i64 = api_keys::table.filter(taken()).count().get_result(&mut self.0).await?;
        if usize::try_from(taken).is_ok_and(|taken| taken >= limits::API_KEYS_MAX) {
            return Ok(None);
        }
        let created_at: Timestamp =
            diesel::select(now.into_sql::<Timestamptz>()).get_result(&mut self.0).await?;
        let expires_at = expires_in.and_then(|after| created_at.checked_add_signed(after));
        diesel::insert_into(api_keys::table)
            .values((
                api_keys::id.eq(key.id.0),
                api_keys::name.eq(name.as_str()),
                api_keys::role.eq(role.name()),
                api_keys::digest.eq(key.digest().0.as_slice()),
                api_keys::created_at.eq(created_at),
                api_keys::expires_at.eq(expires_at),
            ))
            .execute(&mut self.0)
            .await?;
        let (id, name) = (key.id, name.as_str().to_owned());
        Ok(Some(ApiKey { id, name, role, created_at, expires_at, revoked_at: None }))
    }

    /// All keys, those that are no longer taken, too, in the order in which they were made; and the
    /// present instant.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list(&mut self) -> Result<(Vec<ApiKey>, Timestamp)> {
        let keys = api_keys::table.order(api_keys::id).select(columns());
        let rows: Vec<Row> = keys.load(&mut self.0).await?;
        let at = diesel::select(now.into_sql::<Timestamptz>()).get_result(&mut self.0).await?;
        Ok((rows.into_iter().map(key).collect::<Result<_>>()?, at))
    }

    /// Revokes a key; None where there is none. One that was revoked before stays as it is.
    ///
    /// # Errors
    /// As the database says.
    pub async fn revoke(&mut self, id: KeyId) -> Result<Option<ApiKey>> {
        let found = api_keys::table.find(id.0);
        diesel::update(found.filter(api_keys::revoked_at.is_null()))
            .set(api_keys::revoked_at.eq(now))
            .execute(&mut self.0)
            .await?;
        let row: Option<Row> = found.select(columns()).first(&mut self.0).await.optional()?;
        row.map(key).transpose()
    }
}

#[diesel::dsl::auto_type]
fn taken() -> _ {
    let unexpired = api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now));
    api_keys::revoked_at.is_null().and(unexpired)
}

type Columns = (
    api_keys::id,
    api_keys::name,
    api_keys::role,
    api_keys::created_at,
    api_keys::expires_at,
    api_keys::revoked_at,
);

fn columns() -> Columns {
    (
        api_keys::id,
        api_keys::name,
        api_keys::role,
        api_keys::created_at,
        api_keys::expires_at,
        api_keys::revoked_at,
    )
}

fn key((id, name, role, created_at, expires_at, revoked_at): Row) -> Result<ApiKey> {
    let (id, role) = (KeyId(id), read_role(&role)?);
    Ok(ApiKey { id, name, role, created_at, expires_at, revoked_at })
}

fn read_role(name: &str) -> Result<Role> {
    name.parse().map_err(|_| Error::corrupt("a role"))
}
