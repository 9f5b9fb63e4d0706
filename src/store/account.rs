//! Reading one customer's account: what it has, as of now, with everything due booked.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;

use super::Store;
use super::batch::{self, Accounts, Wanted};
use super::clock::Clock;
use super::error::{Error, Result};
use super::rows::{GrantRow, GrantSqlType, grant_columns};
use super::statement::Statement;
use crate::domain::account::{Account, Standing};
use crate::domain::command::Command;
use crate::domain::grant::Grant;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;

struct ReadAccount;
struct AllGrants;

type Columns = (
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Timestamptz>,
    Timestamptz,
    Nullable<GrantSqlType>,
);
type Row = (Option<i64>, Option<i64>, Option<Timestamp>, Timestamp, Option<GrantRow>);

impl Store {
    /// The account as of now: one statement, whose cost follows the open grants and not history.
    ///
    /// # Errors
    /// As the database says.
    pub async fn account(&self, customer: &Customer) -> Result<Account> {
        self.read_account::<ReadAccount>(
            customer,
            " AS id) x LEFT JOIN customers c ON c.id = x.id \
             LEFT JOIN LATERAL (SELECT * FROM grants WHERE customer_id = c.id AND open) g ON true",
        )
        .await
    }

    /// The account with every grant the customer ever had, for explanations.
    ///
    /// # Errors
    /// As the database says.
    pub async fn whole_account(&self, customer: &Customer) -> Result<Account> {
        self.read_account::<AllGrants>(
            customer,
            " AS id) x LEFT JOIN customers c ON c.id = x.id \
             LEFT JOIN LATERAL (SELECT * FROM grants WHERE customer_id = c.id) g ON true",
        )
        .await
    }

    /// One statement, so that revision and grants are of one snapshot.
    async fn read_account<Id: Send + 'static>(
        &self,
        customer: &Customer,
        tables: &'static str,
    ) -> Result<Account> {
        let statement = Statement::<Id, Columns, _>::new(
            concat!(
                "SELECT c.revision, c.version, c.recorded_at, clock_timestamp(), ",
                grant_columns!(),
                " FROM (SELECT "
            ),
            customer.key.into_sql::<SqlUuid>(),
            tables,
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<Row> = statement.load(&mut conn).await?;
        let mut clock = None;
        let mut standing = None;
        let mut grants = Vec::<Grant>::new();
        for (revision, version, recorded_at, now, grant) in rows {
            clock = Some(now);
            if let (Some(revision), Some(version), Some(recorded_at)) =
                (revision, version, recorded_at)
            {
                standing = Some(Standing { revision, version, recorded_at });
            }
            grants.extend(grant.map(Grant::try_from).transpose()?);
        }
        let mut account = match standing {
            Some(standing) => Account::known(customer.clone(), self.windows, standing, grants),
            None => Account::unknown(customer.clone(), self.windows),
        };
        let now = match &self.clock {
            Clock::Test(clock) => clock.now(),
            Clock::Database => clock.ok_or_else(|| Error::corrupt("no clock"))?,
        };
        account.begin(now)?;
        Ok(account)
    }

    /// The accounts as a batch of these commands would find them, told the instant: for
    /// `validate_only` and dry runs, which decide as the real call would and write nothing.
    ///
    /// # Errors
    /// As the database says.
    pub async fn accounts_for(&self, commands: &[Command]) -> Result<Accounts> {
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
