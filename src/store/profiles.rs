//! Customers' profiles, and the segments they are in.

use std::collections::HashMap;

use diesel::IntoSql as _;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnectionCore as _, AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::Store;
use super::error::{Error, Result};
use super::statement::Statement;
use crate::domain::ids::{Customer, Segment};
use crate::domain::profile::{KeptProfile, Profile, Written};
use crate::domain::time::Timestamp;

struct InsertProfiles;
struct LockProfiles;
struct UpdateProfiles;
struct LeaveSegments;
struct JoinSegments;
struct GetProfile;
struct ListProfiles;

/// The columns of a [`Row`], of a profile called `p`.
macro_rules! profile_columns {
    () => {
        "p.external_id, p.name, p.segments, p.created_at, p.updated_at"
    };
}

type RowSqlType = (Text, Text, Array<Text>, Timestamptz, Timestamptz);
type Row = (String, String, Vec<String>, Timestamp, Timestamp);

/// Parts segments in one text: a control character, which no segment's name may hold.
const SEPARATOR: &str = "\u{1f}";

impl Store {
    /// Writes profiles, each customer's once, in one transaction; what became of each, in their
    /// order.
    ///
    /// # Errors
    /// As the database says; nothing is then written, or whether it was is unknown.
    pub async fn upsert_profiles(&self, profiles: &[Profile]) -> Result<Vec<Written>> {
        let mut sorted: Vec<&Profile> = profiles.iter().collect();
        // In one order, so that two who write the same customers wait for each other, and no more.
        sorted.sort_unstable_by_key(|profile| profile.customer.key);
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let written: HashMap<Uuid, Written> = conn
            .build_transaction()
            .run(async |conn| Ok::<_, Error>(write(conn, &sorted, now).await?))
            .await?;
        let of = |profile: &Profile| written.get(&profile.customer.key).copied();
        let written = profiles.iter().map(|profile| of(profile).unwrap_or(Written::Unchanged));
        Ok(written.collect())
    }

    /// A customer's profile.
    ///
    /// # Errors
    /// As the database says.
    pub async fn profile(&self, customer: &Customer) -> Result<Option<KeptProfile>> {
        let statement = Statement::<GetProfile, RowSqlType, _>::new(
            concat!(
                "SELECT ",
                profile_columns!(),
                " FROM customer_profiles p WHERE p.customer_id = "
            ),
            customer.key.into_sql::<SqlUuid>(),
            "",
        );
        let rows: Vec<Row> = statement.load(&mut self.readers.get().await?).await?;
        Ok(rows.into_iter().next().map(kept))
    }

    /// Profiles by customer id, of a segment or of all, from behind `after` on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_profiles(
        &self,
        segment: Option<&Segment>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<KeptProfile>> {
        let statement = Statement::<ListProfiles, RowSqlType, _>::new(
            concat!("SELECT ", profile_columns!(), " FROM (SELECT "),
            (
                segment.map(Segment::as_str).into_sql::<Nullable<Text>>(),
                after.unwrap_or_default().into_sql::<Text>(),
                limit.into_sql::<BigInt>(),
            ),
            // One of the two is empty.
            ") AS y(segment, after, items) CROSS JOIN LATERAL (\
             (SELECT external_id FROM segment_members WHERE segment = y.segment \
              AND external_id > y.after ORDER BY segment, external_id LIMIT y.items) \
             UNION ALL (SELECT external_id FROM customer_profiles WHERE y.segment IS NULL \
              AND external_id > y.after ORDER BY external_id LIMIT y.items)) m \
             CROSS JOIN LATERAL (SELECT * FROM customer_profiles \
              WHERE external_id = m.external_id LIMIT 1) p ORDER BY m.external_id",
        );
        let rows: Vec<Row> = statement.load(&mut self.readers.get().await?).await?;
        Ok(rows.into_iter().map(kept).collect())
    }
}

fn kept((external_id, name, segments, created_at, updated_at): Row) -> KeptProfile {
    let segments = segments.into_iter().map(Segment::stored).collect();
    let profile = Profile::new(Customer::stored(&external_id), name, segments);
    KeptProfile { profile, created_at, updated_at }
}

/// Writes profiles, sorted by key, and the segments' members; what became of each that is not as it
/// was.
async fn write(
    conn: &mut AsyncPgConnection,
    profiles: &[&Profile],
    now: Timestamp,
) -> Result<HashMap<Uuid, Written>> {
    let made = insert(conn, profiles, now).await?;
    // Behind the insert, which has waited for whoever was making one of them.
    let mut before = lock(conn, profiles).await?;
    let mut written = HashMap::with_capacity(profiles.len());
    let mut changed = Vec::new();
    let mut left: Vec<(String, &Customer)> = Vec::new();
    let mut joined: Vec<(&str, &Customer)> = Vec::new();
    for profile in profiles {
        let customer = &profile.customer;
        let (name, segments) = before.remove(&customer.key).unwrap_or_default();
        let now_in: Vec<&str> = profile.segments.iter().map(Segment::as_str).collect();
        if made.contains(&customer.key) {
            written.insert(customer.key, Written::Created);
            joined.extend(now_in.iter().map(|segment| (*segment, customer)));
        } else if name != profile.name || segments != now_in {
            written.insert(customer.key, Written::Updated);
            changed.push(*profile);
            let new = now_in.iter().filter(|segment| !segments.iter().any(|old| old == *segment));
            joined.extend(new.map(|segment| (*segment, customer)));
            let old = segments.into_iter().filter(|old| !now_in.contains(&old.as_str()));
            left.extend(old.map(|segment| (segment, customer)));
        }
    }
    update(conn, &changed, now).await?;
    leave(conn, &left).await?;
    join(conn, &joined).await?;
    Ok(written)
}

type Columns<'a> = (Vec<Uuid>, Vec<&'a str>, Vec<String>);

/// Keys, names and segments.
fn columns<'a>(profiles: &[&'a Profile]) -> Columns<'a> {
    let keys = profiles.iter().map(|profile| profile.customer.key).collect();
    let names = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let segments = profiles.iter().map(|profile| {
        profile.segments.iter().map(Segment::as_str).collect::<Vec<_>>().join(SEPARATOR)
    });
    (keys, names, segments.collect())
}

/// Inserts those that are not there yet, and says which.
async fn insert(
    conn: &mut AsyncPgConnection,
    profiles: &[&Profile],
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let (keys, names, segments) = columns(profiles);
    let ids: Vec<&str> = profiles.iter().map(|profile| &*profile.customer.external_id).collect();
    let statement = Statement::<InsertProfiles, (SqlUuid,), _>::new(
        "INSERT INTO customer_profiles (customer_id, external_id, name, segments, created_at, \
         updated_at) SELECT x.key, x.id, x.name, string_to_array(x.segments, E'\\x1f'), y.now, \
         y.now FROM (SELECT ",
        (
            keys.into_sql::<Array<SqlUuid>>(),
            ids.into_sql::<Array<Text>>(),
            names.into_sql::<Array<Text>>(),
            segments.into_sql::<Array<Text>>(),
            now.into_sql::<Timestamptz>(),
        ),
        ") AS y(keys, ids, names, segments, now) CROSS JOIN LATERAL \
         unnest(y.keys, y.ids, y.names, y.segments) AS x(key, id, name, segments) \
         ON CONFLICT DO NOTHING RETURNING customer_id",
    );
    let made: Vec<(Uuid,)> = statement.load(conn).await?;
    Ok(made.into_iter().map(|(key,)| key).collect())
}

/// Locks the profiles, and says what they are.
async fn lock(
    conn: &mut AsyncPgConnection,
    profiles: &[&Profile],
) -> Result<HashMap<Uuid, (String, Vec<String>)>> {
    let (keys, ..) = columns(profiles);
    let statement = Statement::<LockProfiles, (SqlUuid, Text, Array<Text>), _>::new(
        "SELECT customer_id, name, segments FROM customer_profiles WHERE customer_id = ANY(",
        keys.into_sql::<Array<SqlUuid>>(),
        ") ORDER BY customer_id FOR UPDATE",
    );
    let rows: Vec<(Uuid, String, Vec<String>)> = statement.load(conn).await?;
    Ok(rows.into_iter().map(|(key, name, segments)| (key, (name, segments))).collect())
}

async fn update(conn: &mut AsyncPgConnection, profiles: &[&Profile], now: Timestamp) -> Result<()> {
    if profiles.is_empty() {
        return Ok(());
    }
    let (keys, names, segments) = columns(profiles);
    let statement = Statement::<UpdateProfiles, (), _>::new(
        "UPDATE customer_profiles p SET name = x.name, \
         segments = string_to_array(x.segments, E'\\x1f'), updated_at = y.now FROM (SELECT ",
        (
            keys.into_sql::<Array<SqlUuid>>(),
            names.into_sql::<Array<Text>>(),
            segments.into_sql::<Array<Text>>(),
            now.into_sql::<Timestamptz>(),
        ),
        ") AS y(keys, names, segments, now) CROSS JOIN LATERAL \
         unnest(y.keys, y.names, y.segments) AS x(key, name, segments) \
         WHERE p.customer_id = x.key",
    );
    conn.execute_returning_count(statement).await?;
    Ok(())
}

async fn leave(conn: &mut AsyncPgConnection, left: &[(String, &Customer)]) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let segments: Vec<&str> = left.iter().map(|(segment, _)| segment.as_str()).collect();
    let customers: Vec<&str> = left.iter().map(|(_, customer)| &*customer.external_id).collect();
    let statement = Statement::<LeaveSegments, (), _>::new(
        "DELETE FROM segment_members m USING unnest(",
        (segments.into_sql::<Array<Text>>(), customers.into_sql::<Array<Text>>()),
        ") AS x(segment, external_id) \
         WHERE m.segment = x.segment AND m.external_id = x.external_id",
    );
    conn.execute_returning_count(statement).await?;
    Ok(())
}

async fn join(conn: &mut AsyncPgConnection, joined: &[(&str, &Customer)]) -> Result<()> {
    if joined.is_empty() {
        return Ok(());
    }
    let segments: Vec<&str> = joined.iter().map(|(segment, _)| *segment).collect();
    let ids: Vec<&str> = joined.iter().map(|(_, customer)| &*customer.external_id).collect();
    let keys: Vec<Uuid> = joined.iter().map(|(_, customer)| customer.key).collect();
    let statement = Statement::<JoinSegments, (), _>::new(
        "INSERT INTO segment_members (segment, external_id, customer_id) SELECT * FROM unnest(",
        (
            segments.into_sql::<Array<Text>>(),
            ids.into_sql::<Array<Text>>(),
            keys.into_sql::<Array<SqlUuid>>(),
        ),
        ")",
    );
    conn.execute_returning_count(statement).await?;
    Ok(())
}
