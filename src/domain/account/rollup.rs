//! When a customer's usage is rolled up: added up by metric and hour, for summaries.
//!
//! A sum that kept up with every event would cost a row's update each. So events are counted, and
//! when many have come since the last time, all those recorded before now are added to their sums at
//! once. A customer's time never runs backwards: what was recorded before now is complete.

use super::Account;
use crate::domain::amount::Amount;
use crate::domain::ids::{Customer, Metric};
use crate::domain::time::Timestamp;
use crate::domain::usage::UsageEvent;
use crate::limits;

/// How far the rollups of a customer's usage reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolled {
    /// They hold the events recorded before this instant, all of them and no others.
    pub until: Timestamp,
    /// Events counted since.
    pub unrolled: i64,
}

impl Rolled {
    /// Those of a customer who comes to be now.
    pub(super) fn none_before(now: Timestamp) -> Self {
        Self { until: now, unrolled: 0 }
    }
}

/// What was reversed of an event that is in the rollups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledReversal {
    /// The event's metric.
    pub metric: Metric,
    /// When the event happened.
    pub timestamp: Timestamp,
    /// What was reversed.
    pub reversed: Amount,
    /// The part of it that had been uncovered.
    pub uncovered: Amount,
}

impl Account {
    /// Counts an event that is recorded now.
    pub(super) fn count_event(&mut self) {
        let now = self.now;
        let most = unrolled_max(&self.customer);
        let rolled = self.rolled.get_or_insert(Rolled::none_before(now));
        if rolled.unrolled >= most && rolled.until < now {
            self.changes.roll_up_from = Some(rolled.until);
            *rolled = Rolled::none_before(now);
        }
        rolled.unrolled += 1;
    }

    /// Notes what was reversed of an event, `uncovered` being the part of it that had been so: the
    /// rollups hear of it, if the event is among them. (If it is only now being rolled up, that
    /// adds up what is left of it.)
    pub(super) fn note_reversal(
        &mut self,
        event: &UsageEvent,
        reversed: Amount,
        uncovered: Amount,
    ) {
        let until = self.changes.roll_up_from.or(self.rolled.map(|rolled| rolled.until));
        if until.is_some_and(|until| event.recorded_at < until) {
            let (metric, timestamp) = (event.metric.clone(), event.timestamp);
            let reversal = RolledReversal { metric, timestamp, reversed, uncovered };
            self.changes.rolled_reversals.push(reversal);
        }
    }
}

/// How many events of this customer are counted before they are rolled up. Not the same for all:
/// customers who use the service alike would be rolled up in the same batch.
fn unrolled_max(customer: &Customer) -> i64 {
    let [.., high, low] = *customer.key.as_bytes();
    limits::ROLLUP_EVENTS + i64::from(u16::from_be_bytes([high, low])) % limits::ROLLUP_EVENTS
}
