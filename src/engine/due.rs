//! What time brings, through one place: one pass, and the word of when the next is worth it.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tracing::Instrument as _;

use super::{Engine, Failure, Reply};
use crate::domain::account::Brought;
use crate::domain::command::{Action, Command, Outcome};
use crate::domain::entry::ACTOR_TIME;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;
use crate::limits;
use crate::spans;
use crate::store::{Result, Store};

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Customers that had something due.
    pub customers: usize,
    /// What time has brought them.
    pub brought: Brought,
    /// Customers whose grants were looked at because warnings have changed.
    pub renewed: usize,
    /// Old deliveries that were removed.
    pub removed: usize,
    /// Why bookings failed; the next pass takes those customers again.
    pub failures: Vec<Failure>,
    /// Whether the pass was full: there may be more.
    pub full: bool,
    /// The instant at which the next thing falls due; None where nothing ever does.
    pub next: Option<Timestamp>,
    /// The instant of the pass.
    pub now: Timestamp,
}

/// What came of bookings.
#[derive(Debug, Default)]
pub struct Booked {
    /// What time has brought.
    pub brought: Brought,
    /// Why bookings failed, where some did.
    pub failures: Vec<Failure>,
}

fn bookings(customers: Vec<Customer>) -> Vec<Command> {
    let book = |customer| Command { customer, actor: ACTOR_TIME.into(), action: Action::BookDue };
    customers.into_iter().map(book).collect()
}

impl From<Vec<Reply>> for Booked {
    fn from(replies: Vec<Reply>) -> Self {
        let mut booked = Self::default();
        for reply in replies {
            match reply {
                Ok(Outcome::Booked(brought)) => booked.brought.add(brought),
                Ok(_) => {}
                Err(failure) => booked.failures.push(failure),
            }
        }
        booked
    }
}

impl Pass {
    /// Counts what the pass before it did, too.
    fn add(&mut self, before: Self) {
        self.customers += before.customers;
        self.brought.add(before.brought);
        self.renewed += before.renewed;
        self.removed += before.removed;
    }
}

impl Booked {
    fn add(&mut self, other: Self) {
        self.brought.add(other.brought);
        self.failures.extend(other.failures);
    }
}

impl Engine {
    /// Does what time asks for: books what has fallen due for at most
    /// [`limits::SWEEP_CUSTOMERS_MAX`] customers, looks at as many anew where warnings have
    /// changed, and removes old deliveries. Safe to run from several places at once: each booking
    /// is a command like any other.
    ///
    /// # Errors
    /// As the database says.
    pub async fn sweep(&self, store: &Store) -> Result<Pass> {
        let span = spans::sweep();
        let pass = self.pass(store).instrument(span.clone()).await;
        match &pass {
            Ok(pass) => {
                self.stats.sweeps().done(pass);
                spans::swept(&span, pass.customers, pass.renewed, pass.removed);
                spans::failed_if(!pass.failures.is_empty(), &span);
            }
            Err(_) => {
                self.stats.sweeps().failed();
                spans::failed_if(true, &span);
            }
        }
        pass
    }

    async fn pass(&self, store: &Store) -> Result<Pass> {
        let most = i64::from(limits::SWEEP_CUSTOMERS_MAX);
        let due = store.due(most).await?;
        self.stats.sweeps().found(due.customers.len(), due.lag());
        // At once, so that word of something earlier that is left meanwhile is not lost.
        self.due.set(due.next);
        let customers = due.customers.len();
        let mut booked = self.sweep_customers(due.customers).await;
        let mut full = due.full;
        let mut renewed = 0;
        if let Some(renewal) = store.renewal(most).await? {
            renewed = renewal.customers.len();
            let looked = self.sweep_customers(renewal.customers).await;
            // What fails for a reason of its own fails again: others do not wait for it.
            let lasting = |failure: &Failure| matches!(failure, Failure::Internal(_));
            if looked.failures.iter().all(lasting) {
                store.renewed(renewal.step).await?;
            }
            full |= renewal.step.to.is_some();
            booked.add(looked);
        }
        let removed = store.remove_old_deliveries(due.now).await?;
        full |= removed >= limits::DELIVERIES_REMOVED_AT_ONCE;
        let Booked { brought, failures } = booked;
        let (next, now) = (due.next, due.now);
        Ok(Pass { customers, brought, renewed, removed, failures, full, next, now })
    }

    /// Passes until nothing is left to do, or something fails; what they did together.
    ///
    /// # Errors
    /// As the database says.
    pub async fn sweep_all(&self, store: &Store) -> Result<Pass> {
        let mut all = self.sweep(store).await?;
        while all.full && all.failures.is_empty() {
            let mut next = self.sweep(store).await?;
            next.add(all);
            all = next;
        }
        Ok(all)
    }

    /// Books what has fallen due for these customers, at most [`limits::LANE_STREAM_QUEUE`].
    pub async fn book_due_of(&self, customers: Vec<Customer>) -> Booked {
        Booked::from(self.enqueue(bookings(customers), None).await.replies().await)
    }

    /// The same in the sweeper's own lane, a bounded number at a time.
    async fn sweep_customers(&self, mut customers: Vec<Customer>) -> Booked {
        let mut booked = Booked::default();
        while !customers.is_empty() {
            let rest = customers.split_off(customers.len().min(usize::from(limits::SWEEP_BATCH)));
            let pending = self.enqueue_swept(bookings(customers)).await;
            booked.add(Booked::from(pending.replies().await));
            customers = rest;
        }
        booked
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

    /// Wakes the sweeper: something may be due that nobody noted.
    pub fn wake(&self) {
        self.earlier.notify_one();
    }

    /// Waits for word of something earlier than what was set.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }
}
