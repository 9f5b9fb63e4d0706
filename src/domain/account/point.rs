//! Points: what all grants have left right after some entries, so that a past balance need not be
//! worked out from the beginning of the ledger.

use super::Account;
use crate::domain::amount::Amount;
use crate::domain::ids::GrantId;
use crate::domain::time::Timestamp;
use crate::limits;

/// What a grant had left right after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remainder {
    /// The grant.
    pub grant_id: GrantId,
    /// Not yet spent, expired or voided.
    pub remaining: Amount,
    /// The part of it that holds had set aside.
    pub held: Amount,
}

/// What all grants had left right after an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The entry's sequence.
    pub sequence: i64,
    /// When the entry was recorded.
    pub recorded_at: Timestamp,
    /// Of every grant that had something left, by id.
    pub remainders: Vec<Remainder>,
}

impl Account {
    /// Notes a point where one belongs behind the entry that was just booked, which depends on
    /// nothing but the ledger: batches leave what their commands would leave one by one.
    ///
    /// Points are as many entries apart as one of them has grants, so that they cost each entry no
    /// more than one grant's room: the next power of two, at least [`limits::POINT_EVERY`].
    pub(super) fn note_point(&mut self, recorded_at: Timestamp) {
        if !falls_on(self.revision, limits::POINT_EVERY) {
            return;
        }
        let left = self.grants().filter(|grant| grant.figures.remaining.is_positive());
        let mut remainders: Vec<Remainder> = left
            .map(|grant| Remainder {
                grant_id: grant.id,
                remaining: grant.figures.remaining,
                held: grant.figures.held,
            })
            .collect();
        if falls_on(self.revision, remainders.len().next_power_of_two()) {
            remainders.sort_unstable_by_key(|of| of.grant_id.0);
            self.changes.points.push(Point { sequence: self.revision, recorded_at, remainders });
        }
    }
}

fn falls_on(sequence: i64, every: usize) -> bool {
    i64::try_from(every).is_ok_and(|every| sequence % every == 0)
}
