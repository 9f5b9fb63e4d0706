//! What a batch begins with, besides its accounts: the instant, and who is to be told of what.

use std::sync::Arc;

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::Value;

use super::super::clock::Clock;
use super::super::error::{Error, Result};
use super::super::notification::read_interests;
use super::super::statement::Statement;
use crate::domain::notification::Interests;
use crate::domain::time::Timestamp;

struct Look;

/// What a lane knows of who is to be told of what, and which version of it that is. A lane that
/// knows nothing yet has a version that none ever has.
#[derive(Debug, Clone)]
pub struct KnownInterests {
    version: i64,
    interests: Arc<Interests>,
}

impl Default for KnownInterests {
    fn default() -> Self {
        Self { version: -1, interests: Arc::default() }
    }
}

type Columns = (Timestamptz, BigInt, Nullable<Jsonb>);

/// Reads the clock, and the interests where they are others than those `known`.
///
/// The batch has a transaction id by then: so that whoever has waited for the end of all ids up to
/// one ([`Store::settle`](super::super::Store::settle)) has seen everything that is recorded by an
/// instant read before.
pub(super) async fn look(
    mut conn: &AsyncPgConnection,
    clock: &Clock,
    known: &mut KnownInterests,
) -> Result<(Timestamp, Arc<Interests>)> {
    let statement = Statement::<Look, Columns, _>::new(
        "SELECT CASE WHEN pg_current_xact_id() IS NOT NULL THEN clock_timestamp() END, n.version, \
         CASE WHEN n.version <> k.version THEN n.interests END \
         FROM notification_settings n, (SELECT ",
        known.version.into_sql::<BigInt>(),
        ") AS k(version)",
    );
    let rows: Vec<(Timestamp, i64, Option<Value>)> = statement.load(&mut conn).await?;
    let row = rows.into_iter().next();
    let (now, version, changed) = row.ok_or_else(|| Error::corrupt("no settings"))?;
    if let Some(changed) = changed {
        *known = KnownInterests { version, interests: Arc::new(read_interests(&changed)?) };
    }
    Ok((clock.test_now().unwrap_or(now), Arc::clone(&known.interests)))
}
