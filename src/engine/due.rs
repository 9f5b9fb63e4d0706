//! Booking what has fallen due: one pass, and the word of when the next is worth it.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Engine, Failure, Reply};
use crate::domain::command::{Action, Command};
use crate::domain::entry::ACTOR_TIME;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;
use crate::limits;
use crate::store::{Result, Store};

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Customers that had something due.
    pub customers: usize,
    /// Why bookings failed; the next pass takes those customers again.
    pub failures: Vec<Failure>,
    /// Whether the pass was full: there may be more.
    pub full: bool,
    /// The instant at which the next thing falls due; None where nothing ever does.
    pub next: Option<Timestamp>,
    /// The instant of the pass.
    pub now: Timestamp,
}

impl Engine {
    /// Books what has fallen due for at most [`limits::SWEEP_CUSTOMERS_MAX`] customers. Safe to
    /// run from several places at once: each booking is a command like any other.
    ///
    /// # Errors
    /// As the database says.
    pub async fn book_due(&self, store: &Store) -> Result<Pass> {
        let due = store.due(i64::from(limits::SWEEP_CUSTOMERS_MAX)).await?;
        let customers = due.customers.len();
        let failures = self.book_due_of(due.customers).await;
        Ok(Pass { customers, failures, full: due.full, next: due.next, now: due.now })
    }

    /// Books what has fallen due for these customers, at most [`limits::LANE_STREAM_QUEUE`]; why
    /// bookings failed, where some did.
    pub async fn book_due_of(&self, customers: Vec<Customer>) -> Vec<Failure> {
        let book =
            |customer| Command { customer, actor: ACTOR_TIME.into(), action: Action::BookDue };
        let commands = customers.into_iter().map(book).collect();
        let replies = self.enqueue(commands, None).await.replies().await;
        replies.into_iter().filter_map(Reply::err).collect()
    }
}

/// Where batches leave word of the earliest thing that will fall due, so that the sweeper, which
/// sleeps until the next due instant, learns of an earlier one.
#[derive(Debug, Default)]
pub struct DueHint {
    earliest: Mutex<Option<Timestamp>>,
    earlier: Notify,
}

impl DueHint {
    /// Leaves word of what will fall due.
    pub(super) fn leave(&self, due: Option<Timestamp>) {
        let Some(due) = due else { return };
        let mut earliest = self.earliest.lock().unwrap_or_else(PoisonError::into_inner);
        if earliest.is_none_or(|known| due < known) {
            *earliest = Some(due);
            self.earlier.notify_one();
        }
    }

    /// Takes note of what the sweeper will wake for by itself.
    pub fn set(&self, next: Option<Timestamp>) {
        *self.earliest.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Waits for word of something earlier than what was set.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }
}
