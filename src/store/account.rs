//! Reading customers' accounts: what they have, as of now, with everything due booked.

use std::collections::HashMap;

use diesel::IntoSql as _;
use diesel::sql_types::{Array, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Store;
use super::batch::{self, Wanted};
use super::error::{Error, Result};
use super::rows::{GrantRow, GrantSqlType, HoldRow, HoldSqlType, grant_columns, hold_columns};
use super::standing::{StandingRow, StandingSqlType, standing_columns};
use super::statement::Statement;
use crate::domain::account::Account;
use crate::domain::command::Command;
use crate::domain::grant::Grant;
use crate::domain::hold::Hold;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;

struct ReadAccounts;
struct AllGrants;

type Columns = (
    SqlUuid,
    Nullable<StandingSqlType>,
    Timestamptz,
    Nullable<GrantSqlType>,
    Nullable<HoldSqlType>,
);
type Row = (Uuid, Option<StandingRow>, Timestamp, Option<GrantRow>, Option<HoldRow>);

/// Customers, and rows of two kinds: grants, and of the open holds those that have fallen due and
/// those that fall due next. (No other hold changes what a read shows: what is held is among a
/// grant's figures.) OFFSET keeps the planner from turning the look-ups into a join.
macro_rules! accounts_with {
    ($grants:literal) => {
        concat!(
            ") AS y(ids, test_now) CROSS JOIN t CROSS JOIN LATERAL unnest(y.ids) AS x(id) \
             LEFT JOIN customers c ON c.id = x.id CROSS JOIN (VALUES (1), (2)) AS k(kind) \
             LEFT JOIN LATERAL (SELECT * FROM grants \
               WHERE k.kind = 1 AND customer_id = c.id ",
            $grants,
            " OFFSET 0) g ON true \
             LEFT JOIN LATERAL (SELECT * FROM holds \
               WHERE k.kind = 2 AND customer_id = c.id AND status = 'open' \
               AND expires_at <= coalesce((SELECT n.expires_at FROM holds n \
                 WHERE n.customer_id = c.id AND n.status = 'open' \
                 AND n.expires_at > greatest(c.recorded_at, coalesce(y.test_now, t.now)) \
                 ORDER BY n.expires_at LIMIT 1), 'infinity') OFFSET 0) h ON true"
        )
    };
}

/// Accounts of one snapshot, as of now, with everything due booked.
pub struct Accounts {
    /// One for each customer, in no order.
    pub accounts: Vec<Account>,
    /// What the clock showed.
    pub clock: Timestamp,
}

impl Store {
    /// The account as of now: one statement, whose cost follows the open grants and not history.
    ///
    /// # Errors
    /// As the database says.
    pub async fn account(&self, customer: &Customer) -> Result<Account> {
        only(self.accounts(std::slice::from_ref(customer)).await?)
    }

    /// The same for several customers, each named once.
    ///
    /// # Errors
    /// As the database says.
    pub async fn accounts(&self, customers: &[Customer]) -> Result<Accounts> {
        self.read_accounts::<ReadAccounts>(customers, accounts_with!("AND open")).await
    }

    /// The account with every grant the customer ever had, for explanations.
    ///
    /// # Errors
    /// As the database says.
    pub async fn whole_account(&self, customer: &Customer) -> Result<Account> {
        let customers = std::slice::from_ref(customer);
        only(self.read_accounts::<AllGrants>(customers, accounts_with!("")).await?)
    }

    /// One statement, so that revisions and grants are of one snapshot.
    async fn read_accounts<Id: Send + 'static>(
        &self,
        customers: &[Customer],
        tables: &'static str,
    ) -> Result<Accounts> {
        let keys: Vec<Uuid> = customers.iter().map(|customer| customer.key).collect();
        let test_now = self.clock.test_now();
        let statement = Statement::<Id, Columns, _>::new(
            concat!(
                "WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now) SELECT x.id, ",
                standing_columns!(),
                ", t.now, ",
                grant_columns!(),
                ", ",
                hold_columns!(),
                " FROM (SELECT "
            ),
            (keys.into_sql::<Array<SqlUuid>>(), test_now.into_sql::<Nullable<Timestamptz>>()),
            tables,
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<Row> = statement.load(&mut conn).await?;
        drop(conn);
        let mut standings = HashMap::new();
        let mut grants: HashMap<Uuid, Vec<Grant>> = HashMap::new();
        let mut holds: HashMap<Uuid, Vec<Hold>> = HashMap::new();
        let mut clock = None;
        for (key, standing, now, grant, hold) in rows {
            clock = clock.max(Some(now));
            if let Some(standing) = standing {
                standings.insert(key, standing.into());
            }
            if let Some(grant) = grant {
                grants.entry(key).or_default().push(grant.try_into()?);
            }
            if let Some(hold) = hold {
                holds.entry(key).or_default().push(hold.try_into()?);
            }
        }
        let clock = test_now.or(clock).ok_or_else(|| Error::corrupt("no clock"))?;
        let mut accounts = Vec::with_capacity(customers.len());
        for customer in customers {
            let mut account = match standings.remove(&customer.key) {
                Some(standing) => {
                    let grants = grants.remove(&customer.key).unwrap_or_default();
                    let holds = holds.remove(&customer.key).unwrap_or_default();
                    Account::known(customer.clone(), self.windows, standing, grants, holds)
                }
                None => Account::unknown(customer.clone(), self.windows),
            };
            account.begin(clock)?;
            accounts.push(account);
        }
        Ok(Accounts { accounts, clock })
    }

    /// The accounts as a batch of these commands would find them, told the instant: for
    /// `validate_only` and dry runs, which decide as the real call would and write nothing.
    ///
    /// # Errors
    /// As the database says.
    pub async fn accounts_for(&self, commands: &[Command]) -> Result<batch::Accounts> {
        let mut conn = self.readers.get().await?;
        let wanted = Wanted::by(commands);
        let (mut accounts, now) =
            batch::peek(&mut conn, &wanted, self.windows, &self.clock).await?;
        for account in accounts.values_mut() {
            account.begin(now)?;
        }
        Ok(accounts)
    }
}

/// The one that was asked for.
fn only(read: Accounts) -> Result<Account> {
    read.accounts.into_iter().next().ok_or_else(|| Error::corrupt("no account"))
}
