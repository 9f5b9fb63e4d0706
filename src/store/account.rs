//! Reading customers' accounts: what they have, as of now, with everything due booked.

use std::collections::HashMap;

use diesel::IntoSql as _;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::Store;
use super::batch::{self, Wanted};
use super::clock::Clock;
use super::error::{Error, Result};
use super::rows::{GrantRow, GrantSqlType, grant_columns};
use super::statement::Statement;
use crate::domain::account::{Account, Standing};
use crate::domain::command::Command;
use crate::domain::grant::Grant;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;

struct ReadAccounts;
struct AllGrants;

type Columns = (
    SqlUuid,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Timestamptz>,
    Timestamptz,
    Nullable<GrantSqlType>,
);
type Row = (Uuid, Option<i64>, Option<i64>, Option<Timestamp>, Timestamp, Option<GrantRow>);

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
        // OFFSET keeps the planner from turning the look-ups into a join.
        self.read_accounts::<ReadAccounts>(
            customers,
            ") AS x(id) LEFT JOIN customers c ON c.id = x.id LEFT JOIN LATERAL \
             (SELECT * FROM grants WHERE customer_id = c.id AND open OFFSET 0) g ON true",
        )
        .await
    }

    /// The account with every grant the customer ever had, for explanations.
    ///
    /// # Errors
    /// As the database says.
    pub async fn whole_account(&self, customer: &Customer) -> Result<Account> {
        let read = self.read_accounts::<AllGrants>(
            std::slice::from_ref(customer),
            ") AS x(id) LEFT JOIN customers c ON c.id = x.id LEFT JOIN LATERAL \
             (SELECT * FROM grants WHERE customer_id = c.id OFFSET 0) g ON true",
        );
        only(read.await?)
    }

    /// One statement, so that revisions and grants are of one snapshot.
    async fn read_accounts<Id: Send + 'static>(
        &self,
        customers: &[Customer],
        tables: &'static str,
    ) -> Result<Accounts> {
        let keys: Vec<Uuid> = customers.iter().map(|customer| customer.key).collect();
        let statement = Statement::<Id, Columns, _>::new(
            concat!(
                "SELECT x.id, c.revision, c.version, c.recorded_at, clock_timestamp(), ",
                grant_columns!(),
                " FROM unnest("
            ),
            keys.into_sql::<Array<SqlUuid>>(),
            tables,
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<Row> = statement.load(&mut conn).await?;
        drop(conn);
        let mut standings = HashMap::new();
        let mut grants: HashMap<Uuid, Vec<Grant>> = HashMap::new();
        let mut clock = None;
        for (key, revision, version, recorded_at, now, grant) in rows {
            clock = clock.max(Some(now));
            if let (Some(revision), Some(version), Some(recorded_at)) =
                (revision, version, recorded_at)
            {
                standings.insert(key, Standing { revision, version, recorded_at });
            }
            if let Some(grant) = grant {
                grants.entry(key).or_default().push(grant.try_into()?);
            }
        }
        let clock = match &self.clock {
            Clock::Test(clock) => clock.now(),
            Clock::Database => clock.ok_or_else(|| Error::corrupt("no clock"))?,
        };
        let mut accounts = Vec::with_capacity(customers.len());
        for customer in customers {
            let mut account = match standings.remove(&customer.key) {
                Some(standing) => {
                    let grants = grants.remove(&customer.key).unwrap_or_default();
                    Account::known(customer.clone(), self.windows, standing, grants)
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
