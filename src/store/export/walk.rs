//! Walking the customers, in the order of their keys.

use std::collections::VecDeque;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::schema::customers;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;
use crate::limits;

/// Where an export stands: whose rows come next, and behind which key of theirs.
pub(super) struct Walk<Key> {
    /// Those of the last slice whose rows are still to come, each with the key to go on behind.
    waiting: VecDeque<(Customer, Option<Key>)>,
    /// Behind whom the next slice begins; None where there is none.
    next: Option<Uuid>,
    /// Only customers with something recorded from this instant on.
    recorded_from: Option<Timestamp>,
    /// What the rows of each customer begin behind.
    start: Option<Key>,
}

impl<Key: Copy> Walk<Key> {
    /// Of one customer, or of all.
    pub(super) fn new(
        customer: Option<Customer>,
        recorded_from: Option<Timestamp>,
        start: Option<Key>,
    ) -> Self {
        // Nobody's key is nil: all are hashes.
        let next = if customer.is_none() { Some(Uuid::nil()) } else { None };
        let waiting = customer.into_iter().map(|customer| (customer, start)).collect();
        Self { waiting, next, recorded_from, start }
    }

    /// Reads the next slice where no customer is waiting; false where none is left.
    pub(super) async fn fill(&mut self, conn: &mut AsyncPgConnection) -> Result<bool> {
        while self.waiting.is_empty() {
            let Some(after) = self.next else { return Ok(false) };
            let slice: Vec<(Uuid, String, Timestamp)> = customers::table
                .filter(customers::id.gt(after))
                .order(customers::id)
                .limit(limits::EXPORT_PAGE)
                .select((customers::id, customers::external_id, customers::recorded_at))
                .load(conn)
                .await?;
            let full = is_full(slice.len());
            self.next = slice.last().map(|(key, ..)| *key).filter(|_| full);
            let recorded = slice
                .into_iter()
                .filter(|(_, _, last)| self.recorded_from.is_none_or(|from| *last >= from));
            let start = self.start;
            self.waiting.extend(recorded.map(|(key, external_id, _)| {
                (Customer { key, external_id: external_id.into() }, start)
            }));
        }
        Ok(true)
    }

    /// Those waiting: their keys, and the keys to go on behind.
    pub(super) fn waiting(&self) -> (Vec<Uuid>, Vec<Option<Key>>) {
        self.waiting.iter().map(|(customer, after)| (customer.key, *after)).unzip()
    }

    /// Whose row it is, by the ordinal among those waiting.
    pub(super) fn customer(&self, ordinal: i64) -> Result<&Customer> {
        let found = usize::try_from(ordinal - 1).ok().and_then(|index| self.waiting.get(index));
        found.map(|(customer, _)| customer).ok_or_else(|| Error::corrupt("a row of nobody"))
    }

    /// Goes on behind a page of this many rows, the last of which had this ordinal and key. A page
    /// that was not full was the last of all who were waiting.
    pub(super) fn pass(&mut self, rows: usize, last: Option<(i64, Key)>) {
        let Some((ordinal, key)) = last.filter(|_| is_full(rows)) else {
            return self.waiting.clear();
        };
        let done = usize::try_from(ordinal - 1).unwrap_or(usize::MAX).min(self.waiting.len());
        self.waiting.drain(..done);
        if let Some((_, after)) = self.waiting.front_mut() {
            *after = Some(key);
        }
    }
}

fn is_full(items: usize) -> bool {
    i64::try_from(items).is_ok_and(|items| items >= limits::EXPORT_PAGE)
}
