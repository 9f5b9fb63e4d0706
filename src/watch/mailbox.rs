//! A stream's mailbox: the latest news of each customer that it watches, and nothing older.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{Ending, Shown};

pub(super) struct Mailbox {
    /// Later ones are greater.
    pub id: u64,
    inside: Mutex<Inside>,
    arrived: Notify,
}

#[derive(Default)]
struct Inside {
    /// Customers whose present state has not come yet; nothing is read before all are there.
    missing: usize,
    news: BTreeMap<Uuid, Arc<Shown>>,
    /// Whose news were read last: the next are those of who comes behind, so that a customer that
    /// changes all the time does not keep others' news back.
    last: Uuid,
    ending: Option<Ending>,
}

impl Mailbox {
    pub(super) fn new(id: u64, customers: usize) -> Self {
        let inside = Inside { missing: customers, ..Inside::default() };
        Self { id, inside: Mutex::new(inside), arrived: Notify::new() }
    }

    /// Lays down the present state of a customer that was missing.
    pub(super) fn begin(&self, shown: &Arc<Shown>) {
        let mut inside = self.inside();
        inside.missing = inside.missing.saturating_sub(1);
        self.lay(inside, shown);
    }

    /// Lays down a change, in place of what was not read yet.
    pub(super) fn put(&self, shown: &Arc<Shown>) {
        self.lay(self.inside(), shown);
    }

    fn lay(&self, mut inside: MutexGuard<'_, Inside>, shown: &Arc<Shown>) {
        if inside.ending.is_some() {
            return;
        }
        inside.news.insert(shown.customer.key, Arc::clone(shown));
        if inside.missing == 0 {
            self.arrived.notify_one();
        }
    }

    /// Ends it: what was not read is dropped.
    pub(super) fn end(&self, ending: Ending) {
        let mut inside = self.inside();
        inside.ending.get_or_insert(ending);
        inside.news.clear();
        self.arrived.notify_one();
    }

    pub(super) async fn filled(&self) -> Result<(), Ending> {
        loop {
            {
                let inside = self.inside();
                match inside.ending {
                    Some(ending) => return Err(ending),
                    None if inside.missing == 0 => return Ok(()),
                    None => {}
                }
            }
            self.arrived.notified().await;
        }
    }

    pub(super) async fn next(&self) -> Result<Arc<Shown>, Ending> {
        loop {
            self.filled().await?;
            if let Some(shown) = self.inside().take() {
                return Ok(shown);
            }
            self.arrived.notified().await;
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn take(&mut self) -> Option<Arc<Shown>> {
        let behind = self.news.range((Excluded(self.last), Unbounded)).next();
        let next = behind.or_else(|| self.news.first_key_value());
        self.last = *next?.0;
        self.news.remove(&self.last)
    }
}
