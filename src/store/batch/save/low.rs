//! Writing the thresholds below which balances have been told to be.

use diesel::sql_types::{Jsonb, Nullable, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;

use super::super::super::notification::thresholds_json;
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::column;
use crate::domain::account::Account;

struct Update;

/// Behind the statements that write customers, who may be new.
pub(super) fn update<'c>(conn: &'c AsyncPgConnection, accounts: &[&Account]) -> Running<'c> {
    let low =
        |account: &&Account| (!account.low().is_empty()).then(|| thresholds_json(account.low()));
    let statement = Statement::<Update, (), _>::new(
        "UPDATE customers c SET low = x.low FROM unnest(",
        (
            column::<SqlUuid, _, _>(accounts, |account| account.customer().key),
            column::<Nullable<Jsonb>, _, _>(accounts, low),
        ),
        ") AS x(id, low) WHERE c.id = x.id",
    );
    run(conn, statement)
}
