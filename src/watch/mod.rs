//! FLOOR 3: the hub of WatchBalance: who watches whom, and what they were last shown.
//!
//! Nobody who writes knows of watchers. A batch notifies; the listener (tasks/) tells the hub which
//! customers changed; one refresher ([`refresh`]) reads those that are watched, many at a time, and
//! lays what is new into the watchers' mailboxes. A mailbox keeps the latest of each customer, so
//! that who reads slowly misses steps, and never takes up more room.

mod mailbox;
pub mod refresh;
mod roster;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use self::mailbox::Mailbox;
use self::roster::{Pass, Roster};
use crate::domain::balance::Balance;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;
use crate::limits;
use crate::metrics::Timing;
use crate::store::KeyPrefix;

/// How many may watch on this replica.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Streams.
    pub watchers: usize,
    /// Customers that they watch, each counted once for every stream.
    pub watched_customers: usize,
}

/// How many do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Streams.
    pub watchers: usize,
    /// Customers that they watch, each counted once for every stream.
    pub watched_customers: usize,
    /// Customers of whom the hub knows anything.
    pub customers: usize,
}

/// Why nobody more may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many watchers as this replica takes.
    #[error("this replica has {0} watchers, and takes no more")]
    TooManyWatchers(usize),
    /// They watch as many customers as this replica takes.
    #[error("this replica takes {0} watched customers, and these are too many more")]
    TooManyCustomers(usize),
    /// The service is going down.
    #[error("going down")]
    Closing,
}

/// Why a subscription has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The service is going down.
    Closing,
    /// The database has lost something that was shown: it is another server's now.
    Lost,
    /// A customer's rows do not read; told in the log under this id.
    Unreadable(Uuid),
}

/// A customer's balance, as it is shown to all who watch it.
#[derive(Debug)]
pub struct Shown {
    /// Whose.
    pub customer: Customer,
    /// The balance.
    pub balance: Balance,
}

/// Who watches whom, and what is to be read for them.
pub struct Hub {
    roster: Mutex<Roster>,
    /// Something is to be read.
    stale: Notify,
    /// Something is to be booked.
    unbooked: Notify,
    /// From word of a change until it is shown.
    lag: Timing,
}

impl Hub {
    /// A hub that nobody watches. `lag` takes the time from word of a change until it is shown.
    #[must_use]
    pub fn new(limits: Limits, lag: Timing) -> Self {
        let roster = Mutex::new(Roster::new(limits));
        Self { roster, stale: Notify::new(), unbooked: Notify::new(), lag }
    }

    /// Watches these customers, each named once, until the subscription is dropped.
    ///
    /// # Errors
    /// [`Refused`], the limits in the order of its variants.
    pub fn watch(self: &Arc<Self>, customers: Vec<Customer>) -> Result<Subscription, Refused> {
        let keys = customers.iter().map(|customer| customer.key).collect();
        let mailbox = self.with(|roster| roster.enter(customers))?;
        Ok(Subscription { hub: Arc::clone(self), keys, mailbox })
    }

    /// Takes note of customers that changed, on whichever replica.
    pub fn changed(&self, names: &[KeyPrefix]) {
        self.with(|roster| names.iter().for_each(|name| roster.changed(name.keys())));
    }

    /// Takes note that anybody may have changed: for a while nobody listened.
    pub fn anything_changed(&self) {
        self.with(|roster| roster.changed(Uuid::nil()..=Uuid::max()));
    }

    /// How many watch.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.with(|roster| roster.counts())
    }

    /// Ends every subscription; there will be no more.
    fn close(&self) {
        self.with(Roster::close);
    }

    fn begin_pass(&self) -> Option<Pass> {
        self.with(|roster| roster.begin_pass(limits::WATCH_READ_CUSTOMERS))
    }

    /// Customers that were to be read, and could not be.
    fn put_back(&self, customers: impl IntoIterator<Item = Customer>) {
        let keys = customers.into_iter().map(|customer| customer.key);
        self.with(|roster| keys.for_each(|key| roster.changed(key..=key)));
    }

    /// Those who have something due that is not booked, once there is one.
    async fn due(&self) -> Vec<Customer> {
        loop {
            let due = self.with(|roster| roster.take_unbooked(limits::WATCH_READ_CUSTOMERS));
            if !due.is_empty() {
                return due;
            }
            self.unbooked.notified().await;
        }
    }

    /// The next instant at which time alone changes what somebody watches.
    fn next_turn(&self) -> Option<Timestamp> {
        self.with(|roster| roster.next_turn())
    }

    /// Runs `work` on the roster, and wakes who is to work on what it leaves behind.
    fn with<T>(&self, work: impl FnOnce(&mut Roster) -> T) -> T {
        let mut roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut roster);
        if roster.has_stale() {
            self.stale.notify_one();
        }
        if roster.has_unbooked() {
            self.unbooked.notify_one();
        }
        done
    }
}

/// One stream's part in the hub.
pub struct Subscription {
    hub: Arc<Hub>,
    keys: Vec<Uuid>,
    mailbox: Arc<Mailbox>,
}

impl Subscription {
    /// Waits until the present state of every customer is there, read since the subscription began.
    ///
    /// # Errors
    /// [`Ending`].
    pub async fn ready(&self) -> Result<(), Ending> {
        self.mailbox.filled().await
    }

    /// Waits for the next balance: first the present state of every customer, then what changed,
    /// the latest of each.
    ///
    /// # Errors
    /// [`Ending`]; there is nothing more to come.
    pub async fn next(&mut self) -> Result<Arc<Shown>, Ending> {
        self.mailbox.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.with(|roster| roster.leave(&self.mailbox, &self.keys));
    }
}
