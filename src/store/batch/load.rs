//! What a batch reads.
//!
//! Each statement is written so that its plan does not depend on how full the tables looked when
//! it was planned: a lateral look-up by primary key for every item of an array.

use std::collections::BTreeMap;

use diesel::IntoSql as _;
use diesel::sql_types::{Array, Jsonb, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::Value;
use uuid::Uuid;

use super::super::error::Result;
use super::super::rows::{
    ApplicationRow, EventRow, GrantRow, GrantSqlType, HoldRow, HoldSqlType, grant_columns,
    hold_columns,
};
use super::super::standing::{StandingRow, StandingSqlType, standing_columns};
use super::super::statement::Statement;
use super::prior::{CampaignGrantRow, ImportRowRow, RequestRow};
use super::{Accounts, prior};
use crate::domain::command::{Action, Command, Key};
use crate::domain::ids::{CampaignId, Customer};
use crate::domain::import::ImportRow;

struct Lock;
struct Peek;
struct OpenGrants;
struct OpenHolds;
struct NamedGrants;

/// What a batch of commands needs to be decided.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Sorted by key: the order of locking.
    pub(super) customers: BTreeMap<Uuid, Customer>,
    events: Vec<(Uuid, String)>,
    requests: Vec<(Uuid, String)>,
    pub(super) import_rows: Vec<(Uuid, ImportRow)>,
    pub(super) campaigns: Vec<(Uuid, CampaignId)>,
    grants: Vec<(Uuid, Uuid)>,
    holds: Vec<(Uuid, String)>,
    invoices: Vec<(Uuid, String)>,
    /// Events and invoices whose grants are needed, because credits may go back to them.
    reversed_events: Vec<(Uuid, String)>,
    reversed_invoices: Vec<(Uuid, String)>,
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

    /// A customer's open grants and holds, and nothing else.
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
                Key::Request(id) => self.requests.push((key, text(id.as_str()))),
                Key::Import(row) => self.import_rows.push((key, row.clone())),
                Key::Campaign(id) => self.campaigns.push((key, id.clone())),
            },
            Action::UpdateGrant(update) => self.grants.push((key, update.grant_id.0)),
            Action::VoidGrant(void) => self.grants.push((key, void.grant_id.0)),
            Action::RecordUsage(usage) => self.events.push((key, text(usage.event_id.as_str()))),
            Action::ReverseUsage(reverse) => {
                self.requests.push((key, text(reverse.request_id.as_str())));
                self.events.push((key, text(reverse.event_id.as_str())));
                self.reversed_events.push((key, text(reverse.event_id.as_str())));
            }
            Action::ApplyCredits(apply) => {
                self.invoices.push((key, text(apply.invoice_id.as_str())));
            }
            Action::ReverseApplication(reverse) => {
                self.requests.push((key, text(reverse.request_id.as_str())));
                self.invoices.push((key, text(reverse.invoice_id.as_str())));
                self.reversed_invoices.push((key, text(reverse.invoice_id.as_str())));
            }
            Action::CreateHold(create) => self.holds.push((key, text(create.hold_id.as_str()))),
            Action::ExtendHold(extend) => self.holds.push((key, text(extend.hold_id.as_str()))),
            Action::ReleaseHold(hold_id) => self.holds.push((key, text(hold_id.as_str()))),
            Action::SettleHold(settle) => {
                self.holds.push((key, text(settle.hold_id.as_str())));
                self.events.push((key, text(settle.event_id.as_str())));
            }
            Action::BookDue => {}
        }
    }
}

fn text(id: &str) -> String {
    id.to_owned()
}

/// A customer's key, id, standing, and the thresholds below which the balance has been told to be.
pub(super) type Known = (Uuid, String, StandingRow, Option<Value>);
type KnownSqlType = (diesel::sql_types::Uuid, Text, StandingSqlType, Nullable<Jsonb>);

/// Locks the known among the customers, in the order of their keys.
pub(super) async fn lock(conn: &AsyncPgConnection, wanted: &Wanted) -> Result<Vec<Known>> {
    read_standings::<Lock>(conn, wanted, ") ORDER BY c.id FOR NO KEY UPDATE").await
}

/// The same without a lock.
pub(super) async fn standing(conn: &AsyncPgConnection, wanted: &Wanted) -> Result<Vec<Known>> {
    read_standings::<Peek>(conn, wanted, ")").await
}

async fn read_standings<Id: Send + 'static>(
    mut conn: &AsyncPgConnection,
    wanted: &Wanted,
    tail: &'static str,
) -> Result<Vec<Known>> {
    let keys: Vec<Uuid> = wanted.customers().collect();
    let statement = Statement::<Id, KnownSqlType, _>::new(
        concat!(
            "SELECT c.id, c.external_id, ",
            standing_columns!(),
            ", c.low FROM customers c WHERE c.id = ANY("
        ),
        keys.into_sql::<Array<diesel::sql_types::Uuid>>(),
        tail,
    );
    Ok(statement.load(&mut conn).await?)
}

/// What was read for a batch.
pub(super) struct Loaded {
    pub open: Vec<GrantRow>,
    pub open_holds: Vec<HoldRow>,
    pub named: Named,
}

/// What the commands of a batch name.
pub(super) struct Named {
    /// Also those from which came what commands may give back.
    pub grants: Vec<GrantRow>,
    pub holds: Vec<HoldRow>,
    pub events: Vec<EventRow>,
    pub applications: Vec<ApplicationRow>,
    pub requests: Vec<(RequestRow, Option<GrantRow>)>,
    pub import_rows: Vec<(ImportRowRow, GrantRow)>,
    pub campaign_grants: Vec<(CampaignGrantRow, GrantRow)>,
}

impl Loaded {
    /// Reads all of it in one pipeline; what no command needs is not asked.
    pub(super) async fn read(
        conn: &AsyncPgConnection,
        wanted: &Wanted,
        cached: &Accounts,
    ) -> Result<Self> {
        let unknown: Vec<Uuid> =
            wanted.customers().filter(|key| !cached.contains_key(key)).collect();
        let (open, open_holds, named) = tokio::join!(
            open_grants(conn, &unknown),
            open_holds(conn, &unknown),
            Named::read(conn, wanted),
        );
        Ok(Self { open: open?, open_holds: open_holds?, named: named? })
    }

    /// Reads the open grants and holds of those whose cached account another replica has made stale, which
    /// the lock has just told: a third round trip, but a rare one.
    pub(super) async fn refresh(
        &mut self,
        conn: &AsyncPgConnection,
        locked: &[Known],
        cached: &mut Accounts,
    ) -> Result<()> {
        let mut stale = Vec::new();
        for (key, _, found, _) in locked {
            if cached.get(key).is_some_and(|account| account.standing().version != found.version) {
                cached.remove(key);
                stale.push(*key);
            }
        }
        let (open, holds) = tokio::join!(open_grants(conn, &stale), open_holds(conn, &stale));
        self.open.extend(open?);
        self.open_holds.extend(holds?);
        Ok(())
    }
}

impl Named {
    async fn read(conn: &AsyncPgConnection, wanted: &Wanted) -> Result<Self> {
        let (
            grants,
            of_events,
            of_applications,
            holds,
            events,
            applications,
            requests,
            rows,
            campaigns,
        ) = tokio::join!(
            named_grants(conn, &wanted.grants),
            prior::grants_of_events(conn, &wanted.reversed_events),
            prior::grants_of_applications(conn, &wanted.reversed_invoices),
            prior::holds(conn, &wanted.holds),
            prior::events(conn, &wanted.events),
            prior::applications(conn, &wanted.invoices),
            prior::requests(conn, &wanted.requests),
            prior::import_rows(conn, &wanted.import_rows),
            prior::campaign_grants(conn, &wanted.campaigns),
        );
        let mut grants = grants?;
        grants.extend(of_events?);
        grants.extend(of_applications?);
        Ok(Self {
            grants,
            holds: holds?,
            events: events?,
            applications: applications?,
            requests: requests?,
            import_rows: rows?,
            campaign_grants: campaigns?,
        })
    }
}

async fn open_grants(mut conn: &AsyncPgConnection, customers: &[Uuid]) -> Result<Vec<GrantRow>> {
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

async fn open_holds(mut conn: &AsyncPgConnection, customers: &[Uuid]) -> Result<Vec<HoldRow>> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Statement::<OpenHolds, HoldSqlType, _>::new(
        concat!("SELECT ", hold_columns!(), " FROM unnest("),
        customers.into_sql::<Array<diesel::sql_types::Uuid>>(),
        ") AS x(customer_id) CROSS JOIN LATERAL \
         (SELECT * FROM holds WHERE customer_id = x.customer_id AND status = 'open' OFFSET 0) h",
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
