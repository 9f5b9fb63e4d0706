//! The audit: every figure re-derived from the ledger, by SQL over whole tables, so that it shares
//! no code with what it checks. `creditd audit` runs it, and so does every integration test at its
//! end.

#![allow(clippy::disallowed_methods, reason = "its statements run once and need no cache")]

mod campaigns;
mod promises;
mod rules;

use std::fmt;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};

use self::campaigns::CAMPAIGNS;
use self::promises::PROMISES;
use self::rules::RULES;
use super::error::{Error, Result};
use super::postgres::Address;

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Difference {
    /// Which check found it.
    #[diesel(sql_type = Text)]
    pub rule: String,
    /// Whose.
    #[diesel(sql_type = Text)]
    pub customer: String,
    /// Of what: a grant, an entry, an event.
    #[diesel(sql_type = Text)]
    pub subject: String,
    /// What the ledger says.
    #[diesel(sql_type = Nullable<Text>)]
    pub expected: Option<String>,
    /// What is there.
    #[diesel(sql_type = Nullable<Text>)]
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, customer, subject, expected, found } = self;
        let (expected, found) = (text(expected.as_deref()), text(found.as_deref()));
        write!(f, "{rule}: customer {customer}, {subject}: expected {expected}, found {found}")
    }
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or("nothing")
}

/// What an audit looked at, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Customers looked at.
    pub customers: i64,
    /// Grants looked at.
    pub grants: i64,
    /// Ledger entries looked at.
    pub entries: i64,
    /// Usage events looked at.
    pub events: i64,
    /// What does not agree; of each rule the first [`crate::limits::AUDIT_DIFFERENCES_MAX`].
    pub differences: Vec<Difference>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Audits the books, in one snapshot, without locks; on the first server of the address that answers, a
/// standby or not.
///
/// # Errors
/// As the database says.
pub async fn audit(address: &Address) -> Result<Report> {
    let mut conn = address.for_reading().connect_current().await?;
    conn.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut differences = Vec::new();
    for (rule, finding) in RULES.iter().chain(PROMISES).chain(CAMPAIGNS) {
        // Written here and nowhere else: no text from outside becomes a part of a statement.
        let limit = crate::limits::AUDIT_DIFFERENCES_MAX;
        let query = format!(
            "SELECT $rule${rule}$rule$::text AS rule, \
             coalesce((SELECT external_id FROM customers WHERE id = d.customer_id), \
                      d.customer_id::text) AS customer, \
             d.subject::text AS subject, d.expected::text AS expected, d.found::text AS found \
             FROM ({finding}) AS d(customer_id, subject, expected, found) LIMIT {limit}"
        );
        let found: Vec<Difference> = diesel::sql_query(query).load(&mut conn).await?;
        differences.extend(found);
    }
    let report = Report {
        customers: count(&mut conn, "customers").await?,
        grants: count(&mut conn, "grants").await?,
        entries: count(&mut conn, "ledger_entries").await?,
        events: count(&mut conn, "usage_events").await?,
        differences,
    };
    conn.batch_execute("ROLLBACK").await?;
    Ok(report)
}

async fn count(conn: &mut AsyncPgConnection, table: &str) -> Result<i64> {
    let counted: Vec<Count> =
        diesel::sql_query(format!("SELECT count(*) AS count FROM {table}")).load(conn).await?;
    counted.into_iter().next().map(|row| row.count).ok_or_else(|| Error::corrupt("no count"))
}
