//! Reading an account as it was at a past instant.
//!
//! What remained is read from the last point of the balance before the instant and the entries
//! since, as far as they were recorded by then; the rules from the grants' rows, with what was
//! changed since taken back. So the cost follows the distance of two points and the number of open
//! grants, and neither the history before the instant nor that after it.

use std::collections::HashMap;

use chrono::TimeDelta;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Numeric, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::Store;
use super::clock::Clock;
use super::error::{Error, Result};
use super::export::last_before;
use super::rows::{GrantRow, GrantSqlType, HoldRow, change, grant_columns};
use super::schema::holds;
use super::statement::Statement;
use crate::domain::account::{Account, Remainder, Rolled, Standing};
use crate::domain::amount::Amount;
use crate::domain::entry::RuleChange;
use crate::domain::grant::Grant;
use crate::domain::hold::Hold;
use crate::domain::ids::{Customer, GrantId};
use crate::domain::time::Timestamp;
use crate::limits;

struct Remainders;
struct Terms;

type RemainderColumns = (BigInt, Nullable<(BigInt, SqlUuid, Numeric, Numeric)>);
type RemainderRow = (i64, Option<(i64, Uuid, Decimal, Decimal)>);
type TermsColumns = (GrantSqlType, Nullable<Jsonb>, Nullable<Jsonb>);
type TermsRow = (GrantRow, Option<Value>, Option<Value>);

/// What the ledger tells of an instant.
#[derive(Default)]
struct Then {
    /// The last sequence recorded by then.
    revision: i64,
    /// What was left, of every grant that had something left.
    remainders: HashMap<Uuid, Remainder>,
}

impl Store {
    /// The account as of an instant, at or before `now`: everything that had fallen due by then
    /// booked, nothing of what was recorded since. Of its grants' figures only what remains, and
    /// what of it is held, are those of then: enough for a balance.
    ///
    /// # Errors
    /// As the database says.
    pub async fn past_account(
        &self,
        customer: &Customer,
        as_of: Timestamp,
        now: Timestamp,
    ) -> Result<Account> {
        if self.may_yet_record(as_of, now) {
            self.settle().await?;
        }
        let mut conn = self.readers.get().await?;
        // One snapshot: what falls due is booked at its own instant whenever somebody comes to do
        // it, and must be booked in all that is read, or in none of it.
        let mut snapshot = conn.build_transaction().repeatable_read().read_only();
        let (then, terms, holds) = snapshot
            .run(async |conn| {
                let then = read_then(conn, customer.key, as_of).await?;
                let terms = read_terms(conn, customer.key, &then).await?;
                let holds = read_due_holds(conn, customer.key, as_of).await?;
                Ok::<_, Error>((then, terms, holds))
            })
            .await?;
        drop(conn);
        let rolled = Rolled { until: as_of, unrolled: 0 };
        let standing = Standing { revision: then.revision, version: 0, recorded_at: as_of, rolled };
        let grants = terms.into_iter().map(|row| grant_then(row, &then, as_of));
        let grants = grants.collect::<Result<_>>()?;
        let holds = holds.into_iter().map(Hold::try_from).collect::<Result<_>>()?;
        let mut account = Account::known(customer.clone(), self.windows, standing, grants, holds);
        account.begin(as_of)?;
        Ok(account)
    }

    /// Whether a batch that read the clock by `at` may still be under way. Of a test clock nobody
    /// knows how long ago it showed what.
    fn may_yet_record(&self, at: Timestamp, now: Timestamp) -> bool {
        matches!(self.clock, Clock::Test(_)) || now <= at + limits::SETTLED_AFTER
    }
}

/// The last sequence, and what the grants had left behind it: those of the last point, and behind
/// that each grant's last entry.
async fn read_then(mut conn: &AsyncPgConnection, customer: Uuid, as_of: Timestamp) -> Result<Then> {
    let statement = Statement::<Remainders, RemainderColumns, _>::new(
        "SELECT y.last, l.sequence, l.grant_id, l.remaining, l.held FROM (SELECT ",
        (
            customer.into_sql::<SqlUuid>(),
            (as_of + TimeDelta::microseconds(1)).into_sql::<Timestamptz>(),
        ),
        // OFFSET keeps the planner from working the same thing out in several places.
        concat!(
            ") AS x(customer_id, after) CROSS JOIN LATERAL (SELECT ",
            last_before!("x.after"),
            " AS last OFFSET 0) y LEFT JOIN LATERAL (SELECT * FROM balance_points \
               WHERE customer_id = x.customer_id AND recorded_at < x.after \
               ORDER BY recorded_at DESC, sequence DESC LIMIT 1) p ON true \
             LEFT JOIN LATERAL (SELECT p.sequence, u.* \
               FROM unnest(p.grant_ids, p.remaining, p.held) AS u(grant_id, remaining, held) \
               UNION ALL SELECT e.sequence, e.grant_id, e.balance_after, e.held_after \
               FROM (SELECT max(sequence) AS last FROM ledger_entries \
                 WHERE customer_id = x.customer_id AND sequence > coalesce(p.sequence, 0) \
                 AND sequence <= y.last GROUP BY grant_id OFFSET 0) m \
               CROSS JOIN LATERAL (SELECT * FROM ledger_entries \
                 WHERE customer_id = x.customer_id AND sequence = m.last LIMIT 1) e) l ON true"
        ),
    );
    let rows: Vec<RemainderRow> = statement.load(&mut conn).await?;
    let mut then = Then::default();
    let mut last: HashMap<Uuid, (i64, Decimal, Decimal)> = HashMap::new();
    for (revision, row) in rows {
        then.revision = revision;
        if let Some((sequence, grant_id, remaining, held)) = row {
            let row = (sequence, remaining, held);
            last.entry(grant_id).and_modify(|last| *last = row.max(*last)).or_insert(row);
        }
    }
    for (id, (_, remaining, held)) in last {
        let remaining = Amount::from_decimal(remaining)?;
        if remaining.is_positive() {
            let held = Amount::from_decimal(held)?;
            then.remainders.insert(id, Remainder { grant_id: GrantId(id), remaining, held });
        }
    }
    Ok(then)
}

/// The rows of the grants that had something left, each with the first change since of its
/// priority, and of its expiry.
async fn read_terms(
    mut conn: &AsyncPgConnection,
    customer: Uuid,
    then: &Then,
) -> Result<Vec<TermsRow>> {
    let ids: Vec<Uuid> = then.remainders.keys().copied().collect();
    let statement = Statement::<Terms, TermsColumns, _>::new(
        concat!("SELECT ", grant_columns!(), ", p.change, e.change FROM (SELECT "),
        (
            customer.into_sql::<SqlUuid>(),
            then.revision.into_sql::<BigInt>(),
            ids.into_sql::<Array<SqlUuid>>(),
        ),
        ") AS y(customer_id, last, ids) CROSS JOIN LATERAL unnest(y.ids) AS x(id) \
         CROSS JOIN LATERAL (SELECT * FROM grants \
           WHERE customer_id = y.customer_id AND id = x.id LIMIT 1) g \
         LEFT JOIN LATERAL (SELECT c.change FROM ledger_entries c \
           WHERE c.customer_id = y.customer_id AND c.grant_id = x.id AND c.sequence > y.last \
           AND c.change ? 'priority' ORDER BY c.sequence LIMIT 1) p ON true \
         LEFT JOIN LATERAL (SELECT c.change FROM ledger_entries c \
           WHERE c.customer_id = y.customer_id AND c.grant_id = x.id AND c.sequence > y.last \
           AND c.change ? 'expires_at' ORDER BY c.sequence LIMIT 1) e ON true",
    );
    Ok(statement.load(&mut conn).await?)
}

/// Holds that had fallen due by then and that nobody has booked yet. What was booked is in the
/// ledger, and of a hold that was open then nothing but what it held matters to a balance.
async fn read_due_holds(
    conn: &mut AsyncPgConnection,
    customer: Uuid,
    as_of: Timestamp,
) -> Result<Vec<HoldRow>> {
    let due = holds::table
        .filter(holds::customer_id.eq(customer))
        // As the index has it.
        .filter(sql::<Bool>("holds.status = 'open'"))
        .filter(holds::expires_at.le(as_of))
        .select(HoldRow::as_select());
    Ok(due.load(conn).await?)
}

/// A grant as it was.
fn grant_then((row, priority, expiry): TermsRow, then: &Then, as_of: Timestamp) -> Result<Grant> {
    let left = then.remainders.get(&row.id).ok_or_else(|| Error::corrupt("a grant unasked"))?;
    let change = |kept: Option<Value>| kept.as_ref().map(change).transpose();
    let later = RuleChange {
        priority: change(priority)?.and_then(|change| change.priority),
        expires_at: change(expiry)?.and_then(|change| change.expires_at),
    };
    Ok(Grant::try_from(row)?.with_left(as_of, left, &later)?)
}
