//! Telling whoever listens, on any replica, whose balance changed.

use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;

use super::super::super::changes::channel;
use super::super::super::statement::Statement;
use super::super::{Running, run};
use super::column;

struct Notify;

/// Sent with the commit, and only with it.
pub(super) fn notify<'c>(conn: &'c AsyncPgConnection, payloads: &[String]) -> Running<'c> {
    let statement = Statement::<Notify, (), _>::new(
        concat!("SELECT pg_notify('", channel!(), "', x) FROM unnest("),
        column::<Text, _, _>(payloads, String::as_str),
        ") AS x",
    );
    run(conn, statement)
}
