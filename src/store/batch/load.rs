//! What a batch reads.
//!
//! Each statement is written so that its plan does not depend on how full the tables looked when
//! it was planned: a lateral look-up by primary key for every item of an array.

use std::collections::{BTreeMap, HashMap};

use diesel::IntoSql as _;
use diesel::sql_types::Array;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::rows::{EventRow, GrantRow, GrantSqlType, grant_columns};
use super::super::schema::customers;
use super::super::statement::Statement;
use super::prior::{ImportRowRow, RequestRow};
use super::{Accounts, prior};
use crate::domain::account::{Account, KeyRecord, Standing};
use crate::domain::command::{Action, Command, GrantKey};
use crate::domain::grant::Grant;
use crate::domain::ids::{Customer, GrantId, RequestId};
use crate::domain::import::ImportRow;
use crate::domain::time::{Timestamp, Windows};

struct Lock;
struct Peek;
struct OpenGrants;
struct NamedGrants;

/// What a batch of commands needs to be decided.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Sorted by key: the order of locking.
    customers: BTreeMap<Uuid, Customer>,
    events: Vec<(Uuid, String)>,
    requests: Vec<(Uuid, String)>,
    import_rows: Vec<(Uuid, ImportRow)>,
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
            Action::CreateGrant(create) => match &create.key {
                GrantKey::Request(id) => self.requests.push((key, id.as_str().to_owned())),
                GrantKey::Import(row) => self.import_rows.push((key, row.clone())),
            },
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

/// What was read for a batch.
pub(super) struct Loaded {
    open: Vec<GrantRow>,
    named: Vec<GrantRow>,
    events: Vec<EventRow>,
    requests: Vec<(RequestRow, GrantRow)>,
    import_rows: Vec<(ImportRowRow, GrantRow)>,
}

impl Loaded {
    /// Reads all of it in one pipeline; what no command needs is not asked.
    pub(super) async fn read(
        conn: &AsyncPgConnection,
        wanted: &Wanted,
        cached: &Accounts,
    ) -> Result<Self> {
        let unknown = wanted.customers().filter(|key| !cached.contains_key(key)).collect();
        let (open, named, events, requests, import_rows) = tokio::join!(
            open_grants(conn, unknown),
            named_grants(conn, &wanted.grants),
            prior::events(conn, &wanted.events),
            prior::requests(conn, &wanted.requests),
            prior::import_rows(conn, &wanted.import_rows),
        );
        Ok(Self {
            open: open?,
            named: named?,
            events: events?,
            requests: requests?,
            import_rows: import_rows?,
        })
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
        let account = account_of(&mut accounts, key)?;
        account.remember_key(KeyRecord {
            key: GrantKey::Request(RequestId::stored(request_id)),
            customer: key,
            payload,
            effective_at,
            grant_id: GrantId(grant_id),
        });
        account.name_grant(grant.try_into()?);
    }
    for ((place, customer, payload, effective_at, grant_id), grant) in loaded.import_rows {
        // PostgreSQL counts from 1.
        let asked = usize::try_from(place - 1).ok().and_then(|place| wanted.import_rows.get(place));
        let (asking, row) = asked.ok_or_else(|| Error::corrupt("a row nobody asked for"))?;
        let account = account_of(&mut accounts, *asking)?;
        account.remember_key(KeyRecord {
            key: GrantKey::Import(row.clone()),
            customer,
            payload,
            effective_at,
            grant_id: GrantId(grant_id),
        });
        if customer == *asking {
            account.name_grant(grant.try_into()?);
        }
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
