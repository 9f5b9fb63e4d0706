//! What a batch writes: one statement a table, whatever the batch's size.

mod grants;
mod notify;
mod promises;
mod records;

use diesel::IntoSql as _;
use diesel::dsl::AsExprOf;
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::sql_types::{Array, BigInt, SqlType, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::changes;
use super::super::error::Result;
use super::super::statement::Statement;
use super::{Accounts, Running, run};
use crate::domain::account::{Account, Standing};
use crate::domain::amount::Amount;
use crate::domain::command::Key;
use crate::domain::import::ImportRow;

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
    let all = accounts.values().map(|account| &**account);
    let mut dirty: Vec<&Account> = all.filter(|account| account.is_dirty()).collect();
    dirty.sort_unstable_by_key(|account| account.customer().key);
    let (known, new): (Vec<&Account>, Vec<&Account>) =
        dirty.iter().copied().partition(|account| account.is_known());

    let mut made = Vec::new();
    let mut terms = Vec::new();
    let mut figures = Vec::new();
    let mut events = Vec::new();
    let mut entries = Vec::new();
    let mut requests = Vec::new();
    let mut import_rows = Vec::new();
    let mut new_holds = Vec::new();
    let mut changed_holds = Vec::new();
    let mut applications = Vec::new();
    let mut reversed_events = Vec::new();
    let mut reversed_applications = Vec::new();
    let changed = dirty.iter().filter(|account| account.has_news());
    let payloads = changes::payloads(changed.map(|account| account.customer().key));
    for account in dirty {
        let key = account.customer().key;
        let changes = account.changes();
        made.extend(account.new_grants().map(|row| Of { key, account, row }));
        terms.extend(account.grants_with_new_terms().map(|row| Of { key, account, row }));
        figures.extend(account.grants_with_new_terms().map(|row| Of { key, account, row }));
        figures.extend(account.grants_with_new_figures().map(|row| Of { key, account, row }));
        events.extend(changes.events.iter().map(|event| Of { key, account, row: &**event }));
        entries.extend(changes.entries.iter().map(|row| Of { key, account, row }));
        new_holds.extend(account.new_holds().map(|row| Of { key, account, row }));
        changed_holds.extend(account.changed_holds().map(|row| Of { key, account, row }));
        applications.extend(changes.applications.iter().map(|made| Of {
            key,
            account,
            row: &**made,
        }));
        reversed_events.extend(changes.reversed_events.iter().map(|(id, by)| (key, id, *by)));
        reversed_applications
            .extend(changes.reversed_applications.iter().map(|(id, by)| (key, id, *by)));
        for row in &changes.keys {
            let of = Of { key, account, row };
            match &row.key {
                Key::Request(id) => requests.push((id, of)),
                Key::Import(row) => import_rows.push((row, of)),
            }
        }
    }
    // In the order of the index: neighbours land on the same page.
    events.sort_unstable_by(|a, b| (a.key, &a.row.event_id).cmp(&(b.key, &b.row.event_id)));

    // Two batches may meet in these rows without having met in a customer's lock: in one order.
    import_rows.sort_by_cached_key(|(row, _): &records::Used<'_, ImportRow>| {
        (row.import_id.key(), row.row)
    });

    let mut all = Vec::with_capacity(16);
    all.extend(some(&new, |rows| Ok(insert_customers(conn, rows)))?);
    all.extend(some(&known, |rows| Ok(update_customers(conn, rows)))?);
    all.extend(some(&made, |rows| grants::insert(conn, rows))?);
    all.extend(some(&terms, |rows| Ok(grants::update_terms(conn, rows)))?);
    all.extend(some(&figures, |rows| grants::update_figures(conn, rows))?);
    all.extend(some(&events, |rows| records::insert_events(conn, rows))?);
    all.extend(some(&entries, |rows| records::insert_entries(conn, rows))?);
    all.extend(some(&new_holds, |rows| promises::insert_holds(conn, rows))?);
    all.extend(some(&changed_holds, |rows| promises::update_holds(conn, rows))?);
    all.extend(some(&applications, |rows| promises::insert_applications(conn, rows))?);
    // Behind the inserts: what was made in this batch may have been reversed in it.
    all.extend(some(&reversed_events, |rows| promises::reverse_events(conn, rows))?);
    all.extend(some(&reversed_applications, |rows| promises::reverse_applications(conn, rows))?);
    all.extend(some(&requests, |rows| records::insert_requests(conn, rows))?);
    all.extend(some(&import_rows, |rows| Ok(records::insert_import_rows(conn, rows)))?);
    all.extend(some(&payloads, |payloads| Ok(notify::notify(conn, payloads)))?);
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
        "INSERT INTO customers (id, external_id, revision, version, recorded_at) \
         SELECT * FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |account| account.customer().key),
            column::<Text, _, _>(rows, |account| &*account.customer().external_id),
            column::<BigInt, _, _>(&standings, |standing| standing.revision),
            column::<BigInt, _, _>(&standings, |standing| standing.version),
            column::<Timestamptz, _, _>(&standings, |standing| standing.recorded_at),
        ),
        ")",
    );
    run(conn, statement)
}

fn update_customers<'c>(conn: &'c AsyncPgConnection, rows: &[&Account]) -> Running<'c> {
    let standings: Vec<Standing> = rows.iter().map(|account| account.standing()).collect();
    let statement = Statement::<UpdateCustomers, (), _>::new(
        "UPDATE customers c SET revision = x.revision, version = x.version, \
         recorded_at = x.recorded_at FROM unnest(",
        (
            column::<SqlUuid, _, _>(rows, |account| account.customer().key),
            column::<BigInt, _, _>(&standings, |standing| standing.revision),
            column::<BigInt, _, _>(&standings, |standing| standing.version),
            column::<Timestamptz, _, _>(&standings, |standing| standing.recorded_at),
        ),
        ") AS x(id, revision, version, recorded_at) WHERE c.id = x.id",
    );
    run(conn, statement)
}
