//! What a batch writes: one statement a table, whatever the batch's size.

mod grants;
mod low;
mod notify;
mod outbox;
mod points;
mod promises;
mod records;
mod rollups;
mod rows;

use diesel::IntoSql as _;
use diesel::dsl::AsExprOf;
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::sql_types::{Array, BigInt, SqlType, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use uuid::Uuid;

use self::rows::Rows;
use super::super::error::Result;
use super::super::statement::Statement;
use super::{Accounts, Running, run};
use crate::domain::account::{Account, Standing};
use crate::domain::amount::Amount;

struct InsertCustomers;
struct UpdateCustomers;

/// A row to be written, and the customer's account it belongs to.
struct Of<'a, T> {
    key: Uuid,
    account: &'a Account,
    row: &'a T,
}

/// The statements that write what the accounts have changed; those with nothing to write are left
/// out.
pub(super) fn statements<'c>(
    conn: &'c AsyncPgConnection,
    accounts: &Accounts,
) -> Result<Vec<Running<'c>>> {
    let rows = Rows::of(accounts);
    let mut all = Vec::with_capacity(16);
    all.extend(some(&rows.new, |rows| Ok(insert_customers(conn, rows)))?);
    all.extend(some(&rows.known, |rows| Ok(update_customers(conn, rows)))?);
    all.extend(some(&rows.made, |rows| grants::insert(conn, rows))?);
    all.extend(some(&rows.terms, |rows| Ok(grants::update_terms(conn, rows)))?);
    all.extend(some(&rows.figures, |rows| grants::update_figures(conn, rows))?);
    all.extend(some(&rows.events, |rows| records::insert_events(conn, rows))?);
    all.extend(some(&rows.entries, |rows| records::insert_entries(conn, rows))?);
    all.extend(some(&rows.points, |rows| points::insert(conn, rows))?);
    all.extend(some(&rows.new_holds, |rows| promises::insert_holds(conn, rows))?);
    all.extend(some(&rows.changed_holds, |rows| promises::update_holds(conn, rows))?);
    all.extend(some(&rows.applications, |rows| promises::insert_applications(conn, rows))?);
    // Behind the inserts: what was made in this batch may have been reversed in it.
    all.extend(some(&rows.reversed_events, |rows| promises::reverse_events(conn, rows))?);
    all.extend(some(&rows.reversed_applications, |rows| {
        promises::reverse_applications(conn, rows)
    })?);
    all.extend(some(&rows.requests, |rows| records::insert_requests(conn, rows))?);
    all.extend(some(&rows.imported, |rows| Ok(records::insert_import_rows(conn, rows)))?);
    all.extend(some(&rows.campaigns, |rows| Ok(records::insert_campaign_grants(conn, rows)))?);
    // Behind what changes events: they are added up as they are from now on.
    all.extend(rollups::statements(conn, &rows.known)?);
    all.extend(some(&rows.low, |accounts| Ok(low::update(conn, accounts)))?);
    all.extend(some(&rows.notifications, |rows| outbox::insert(conn, rows))?);
    all.extend(some(&rows.payloads, |payloads| Ok(notify::notify(conn, payloads)))?);
    Ok(all)
}

/// The statement for these rows, where there are any.
fn some<'c, R>(
    rows: &[R],
    statement: impl FnOnce(&[R]) -> Result<Running<'c>>,
) -> Result<Option<Running<'c>>> {
    if rows.is_empty() { Ok(None) } else { statement(rows).map(Some) }
}

/// One column of an array of rows, as a bind.
fn column<'r, ST, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> AsExprOf<Vec<T>, Array<ST>>
where
    ST: SqlType + 'static,
    Array<ST>: SqlType + TypedExpressionType,
    Vec<T>: AsExpression<Array<ST>>,
{
    rows.iter().map(of).collect::<Vec<T>>().into_sql::<Array<ST>>()
}

/// A column of amounts.
fn amounts<R>(
    rows: &[R],
    of: impl Fn(&R) -> Amount,
) -> Result<AsExprOf<Vec<Decimal>, Array<diesel::sql_types::Numeric>>> {
    let decimals: Result<Vec<Decimal>> = rows.iter().map(|row| Ok(of(row).to_decimal()?)).collect();
    Ok(decimals?.into_sql::<Array<diesel::sql_types::Numeric>>())
}

fn insert_customers<'c>(conn: &'c AsyncPgConnection, rows: &[&Account]) -> Running<'c> {
    let standings: Vec<Standing> = rows.iter().map(|account| account.standing()).collect();
    let statement = Statement::<InsertCustomers, (), _>::new(
        "INSERT INTO customers (id, external_id, revision, version, recorded_at, rolled_until, \
         unrolled) SELECT * FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |account| account.customer().key),
            column::<Text, _, _>(rows, |account| &*account.customer().external_id),
            column::<BigInt, _, _>(&standings, |standing| standing.revision),
            column::<BigInt, _, _>(&standings, |standing| standing.version),
            column::<Timestamptz, _, _>(&standings, |standing| standing.recorded_at),
            column::<Timestamptz, _, _>(&standings, |standing| standing.rolled.until),
            column::<BigInt, _, _>(&standings, |standing| standing.rolled.unrolled),
        ),
        ")",
    );
    run(conn, statement)
}

fn update_customers<'c>(conn: &'c AsyncPgConnection, rows: &[&Account]) -> Running<'c> {
    let standings: Vec<Standing> = rows.iter().map(|account| account.standing()).collect();
    let statement = Statement::<UpdateCustomers, (), _>::new(
        "UPDATE customers c SET revision = x.revision, version = x.version, \
         recorded_at = x.recorded_at, rolled_until = x.rolled_until, unrolled = x.unrolled \
         FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |account| account.customer().key),
            column::<BigInt, _, _>(&standings, |standing| standing.revision),
            column::<BigInt, _, _>(&standings, |standing| standing.version),
            column::<Timestamptz, _, _>(&standings, |standing| standing.recorded_at),
            column::<Timestamptz, _, _>(&standings, |standing| standing.rolled.until),
            column::<BigInt, _, _>(&standings, |standing| standing.rolled.unrolled),
        ),
        ") AS x(id, revision, version, recorded_at, rolled_until, unrolled) WHERE c.id = x.id",
    );
    run(conn, statement)
}
