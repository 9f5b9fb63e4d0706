//! What a batch reads.
//!
//! Each statement is written so that its plan does not depend on how full the tables looked when
//! it was planned: a lateral look-up by primary key for every item of an array.

use std::collections::{BTreeMap, HashMap};

use diesel::IntoSql as _;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Numeric, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::rows::{EventRow, GrantRow, GrantSqlType, grant_columns};
use super::super::schema::{customers, requests};
use super::super::statement::Statement;
use super::Accounts;
use crate::domain::account::{Account, RequestRecord, Standing};
use crate::domain::command::{Action, Command};
use crate::domain::grant::Grant;
use crate::domain::ids::{Customer, GrantId, RequestId};
use crate::domain::time::{Timestamp, Windows};

struct Lock;
struct Peek;
struct OpenGrants;
struct PriorEvents;
struct PriorRequests;
struct NamedGrants;

/// What a batch of commands needs to be decided.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Sorted by key: the order of locking.
    customers: BTreeMap<Uuid, Customer>,
    events: Vec<(Uuid, String)>,
    requests: Vec<(Uuid, String)>,
    grants: Vec<(Uuid, Uuid)>,
}

impl Wanted {
    /// What these commands need.
    pub fn by<'a>(commands: impl IntoIterator<Item = &'a Command>) -> Self {
        let mut wanted = Self::default();
        for command in commands {
            wanted.add(command);
        }
        // Sorted look-ups walk an index in its own order.
        wanted.events.sort_unstable();
        wanted
    }

    /// A customer's open grants, and nothing else.
    #[must_use]
    pub fn account(customer: &Customer) -> Self {
        let mut wanted = Self::default();
        wanted.customers.insert(customer.key, customer.clone());
        wanted
    }

    /// The keys of the customers concerned.
    pub fn customers(&self) -> impl Iterator<Item = Uuid> {
        self.customers.keys().copied()
    }

    fn add(&mut self, command: &Command) {
        let key = command.customer.key;
        self.customers.entry(key).or_insert_with(|| command.customer.clone());
        match &command.action {
            Action::CreateGrant(create) => {
                self.requests.push((key, create.request_id.as_str().to_owned()));
            }
            Action::UpdateGrant(update) => self.grants.push((key, update.grant_id.0)),
            Action::VoidGrant(void) => self.grants.push((key, void.grant_id.0)),
            Action::RecordUsage(usage) => {
                self.events.push((key, usage.event_id.as_str().to_owned()));
            }
            Action::BookDue => {}
        }
    }
}

type StandingRow = (Uuid, String, i64, i64, Timestamp);

/// Locks the known among the customers, in the order of their keys.
pub(super) async fn lock(conn: &AsyncPgConnection, wanted: &Wanted) -> Result<Vec<StandingRow>> {
    read_standings::<Lock>(conn, wanted, ") ORDER BY c.id FOR NO KEY UPDATE").await
}

/// The same without a lock.
pub(super) async fn standing(
    conn: &AsyncPgConnection,
    wanted: &Wanted,
) -> Result<Vec<StandingRow>> {
    read_standings::<Peek>(conn, wanted, ")").await
}

async fn read_standings<Id: Send + 'static>(
    mut conn: &AsyncPgConnection,
    wanted: &Wanted,
    tail: &'static str,
) -> Result<Vec<StandingRow>> {
    let keys: Vec<Uuid> = wanted.customers().collect();
    let statement = Statement::<Id, customers::SqlType, _>::new(
        "SELECT c.id, c.external_id, c.revision, c.version, c.recorded_at FROM customers c \
         WHERE c.id = ANY(",
        keys.into_sql::<Array<diesel::sql_types::Uuid>>(),
        tail,
    );
    Ok(statement.load(&mut conn).await?)
}

type RequestRow = (Uuid, String, Uuid, Option<Timestamp>, Uuid, Timestamp);

/// What was read for a batch.
pub(super) struct Loaded {
    open: Vec<GrantRow>,
    named: Vec<GrantRow>,
    events: Vec<EventRow>,
    requests: Vec<(RequestRow, GrantRow)>,
}

impl Loaded {
    /// Reads all of it in one pipeline; what no command needs is not asked.
    pub(super) async fn read(
        conn: &AsyncPgConnection,
        wanted: &Wanted,
        cached: &Accounts,
    ) -> Result<Self> {
        let unknown = wanted.customers().filter(|key| !cached.contains_key(key)).collect();
        let (open, named, events, requests) = tokio::join!(
            open_grants(conn, unknown),
            named_grants(conn, &wanted.grants),
            prior_events(conn, &wanted.events),
            prior_requests(conn, &wanted.requests),
        );
        Ok(Self { open: open?, named: named?, events: events?, requests: requests? })
    }

    /// Reads the open grants of those whose cached account another replica has made stale, which
    /// the lock has just told: a third round trip, but a rare one.
    pub(super) async fn refresh(
        &mut self,
        conn: &AsyncPgConnection,
        locked: &[StandingRow],
        cached: &mut Accounts,
    ) -> Result<()> {
        let mut stale = Vec::new();
        for (key, _, _, version, _) in locked {
            if cached.get(key).is_some_and(|account| account.standing().version != *version) {
                cached.remove(key);
                stale.push(*key);
            }
        }
        self.open.extend(open_grants(conn, stale).await?);
        Ok(())
    }
}

async fn open_grants(mut conn: &AsyncPgConnection, customers: Vec<Uuid>) -> Result<Vec<GrantRow>> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Statement::<OpenGrants, GrantSqlType, _>::new(
        concat!("SELECT ", grant_columns!(), " FROM unnest("),
        customers.into_sql::<Array<diesel::sql_types::Uuid>>(),
        // OFFSET keeps the planner from turning the look-ups into a join.
        ") AS x(customer_id) CROSS JOIN LATERAL \
         (SELECT * FROM grants WHERE customer_id = x.customer_id AND open OFFSET 0) g",
    );
    Ok(statement.load(&mut conn).await?)
}

async fn named_grants(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, Uuid)],
) -> Result<Vec<GrantRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (customers, ids): (Vec<Uuid>, Vec<Uuid>) = wanted.iter().copied().unzip();
    let statement = Statement::<NamedGrants, GrantSqlType, _>::new(
        concat!("SELECT ", grant_columns!(), " FROM unnest("),
        (
            customers.into_sql::<Array<diesel::sql_types::Uuid>>(),
            ids.into_sql::<Array<diesel::sql_types::Uuid>>(),
        ),
        ") AS x(customer_id, id) CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = x.customer_id AND id = x.id LIMIT 1) g",
    );
    Ok(statement.load(&mut conn).await?)
}

/// The SQL type of an [`EventRow`].
pub(in super::super) type EventSqlType = (
    diesel::sql_types::Uuid,
    Text,
    Text,
    Numeric,
    Numeric,
    Numeric,
    Timestamptz,
    Timestamptz,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Bool,
    Bool,
    Nullable<Jsonb>,
    Nullable<Array<diesel::sql_types::Uuid>>,
    Nullable<Array<Numeric>>,
);

/// The columns of an [`EventRow`], of a usage event called `u` and what it drew called `l`.
macro_rules! event_columns {
    () => {
        "u.customer_id, u.event_id, u.metric, u.quantity, u.uncovered, u.reversed, u.timestamp, \
         u.recorded_at, u.first_sequence, u.last_sequence, u.timestamp_given, u.reject, \
         u.metadata, l.grant_ids, l.amounts"
    };
}
/// What a usage event called `u` drew, called `l`.
macro_rules! event_draws {
    () => {
        " LEFT JOIN LATERAL (SELECT array_agg(e.grant_id ORDER BY e.sequence) AS grant_ids, \
         array_agg(e.amount ORDER BY e.sequence) AS amounts FROM ledger_entries e \
         WHERE e.customer_id = u.customer_id \
         AND e.sequence BETWEEN u.first_sequence AND u.last_sequence \
         AND e.type = 'consumed') l ON u.first_sequence IS NOT NULL"
    };
}
pub(in super::super) use {event_columns, event_draws};

async fn prior_events(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<EventRow>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (customers, ids) = keys(wanted);
    let statement = Statement::<PriorEvents, EventSqlType, _>::new(
        concat!("SELECT ", event_columns!(), " FROM unnest("),
        (customers.into_sql::<Array<diesel::sql_types::Uuid>>(), ids.into_sql::<Array<Text>>()),
        concat!(
            ") AS x(customer_id, event_id) CROSS JOIN LATERAL (SELECT * FROM usage_events \
             WHERE customer_id = x.customer_id AND event_id = x.event_id LIMIT 1) u",
            event_draws!()
        ),
    );
    Ok(statement.load(&mut conn).await?)
}

async fn prior_requests(
    mut conn: &AsyncPgConnection,
    wanted: &[(Uuid, String)],
) -> Result<Vec<(RequestRow, GrantRow)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (customers, ids) = keys(wanted);
    let statement = Statement::<PriorRequests, (requests::SqlType, GrantSqlType), _>::new(
        concat!(
            "SELECT r.customer_id, r.request_id, r.payload, r.effective_at, r.grant_id, \
             r.recorded_at, ",
            grant_columns!(),
            " FROM unnest("
        ),
        (customers.into_sql::<Array<diesel::sql_types::Uuid>>(), ids.into_sql::<Array<Text>>()),
        ") AS x(customer_id, request_id) CROSS JOIN LATERAL (SELECT * FROM requests \
         WHERE customer_id = x.customer_id AND request_id = x.request_id LIMIT 1) r \
         CROSS JOIN LATERAL (SELECT * FROM grants \
         WHERE customer_id = x.customer_id AND id = r.grant_id LIMIT 1) g",
    );
    Ok(statement.load(&mut conn).await?)
}

fn keys(wanted: &[(Uuid, String)]) -> (Vec<Uuid>, Vec<&str>) {
    wanted.iter().map(|(customer, id)| (*customer, id.as_str())).unzip()
}

/// Puts together the accounts that a batch decides on.
pub(super) fn assemble(
    wanted: &Wanted,
    standings: Vec<StandingRow>,
    loaded: Loaded,
    mut cached: Accounts,
    windows: Windows,
) -> Result<Accounts> {
    let mut open: HashMap<Uuid, Vec<Grant>> = HashMap::new();
    for row in loaded.open {
        open.entry(row.customer_id).or_default().push(row.try_into()?);
    }
    let mut accounts = Accounts::with_capacity(wanted.customers.len());
    for (key, external_id, revision, version, recorded_at) in standings {
        let customer = wanted.customers.get(&key).ok_or_else(|| Error::corrupt("customer"))?;
        if *customer.external_id != *external_id {
            return Err(Error::corrupt("two customers share a key"));
        }
        let standing = Standing { revision, version, recorded_at };
        let account = match cached.remove(&key) {
            Some(mut account) => {
                account.resume(standing);
                account
            }
            None => {
                let grants = open.remove(&key).unwrap_or_default();
                Box::new(Account::known(customer.clone(), windows, standing, grants))
            }
        };
        accounts.insert(key, account);
    }
    for (key, customer) in &wanted.customers {
        accounts
            .entry(*key)
            .or_insert_with(|| Box::new(Account::unknown(customer.clone(), windows)));
    }
    for row in loaded.named {
        account_of(&mut accounts, row.customer_id)?.name_grant(row.try_into()?);
    }
    for row in loaded.events {
        account_of(&mut accounts, row.customer_id)?.remember_event(row.try_into()?);
    }
    for ((key, request_id, payload, effective_at, grant_id, _), grant) in loaded.requests {
        let request = RequestRecord {
            request_id: RequestId::stored(request_id),
            payload,
            effective_at,
            grant_id: GrantId(grant_id),
        };
        let account = account_of(&mut accounts, key)?;
        account.remember_request(request);
        account.name_grant(grant.try_into()?);
    }
    Ok(accounts)
}

/// The keys were looked up for these customers, so that a row of another is impossible.
fn account_of(accounts: &mut Accounts, key: Uuid) -> Result<&mut Account> {
    accounts
        .get_mut(&key)
        .map(|account| &mut **account)
        .ok_or_else(|| Error::corrupt("a row of another customer"))
}
