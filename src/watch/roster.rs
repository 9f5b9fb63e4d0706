//! The roster: who watches whom, what they were last shown, and whom to read. It waits for nothing
//! and asks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use super::mailbox::Mailbox;
use super::{Counts, Ending, Limits, Refused, Shown};
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;

pub(super) struct Roster {
    limits: Limits,
    /// By key, so that the beginning of a key finds whom it names.
    watched: BTreeMap<Uuid, Watched>,
    watchers: usize,
    watched_customers: usize,
    /// Whom to read, in the order in which that was asked for.
    stale: BTreeMap<u64, Wish>,
    /// Who has something due that must be booked before it is shown.
    unbooked: BTreeSet<Uuid>,
    /// When time alone changes what is shown, and whose.
    turns: BTreeSet<(Timestamp, Uuid)>,
    /// Passes of reading begun so far.
    passes: u64,
    /// The last number given: to a watcher, or to a wish to be read.
    number: u64,
    closed: bool,
}

/// Somebody who is watched.
struct Watched {
    customer: Customer,
    /// What everyone who watches was shown last.
    latest: Option<Arc<Shown>>,
    turns_at: Option<Timestamp>,
    stale: Option<u64>,
    /// Those who came first, first.
    watchers: Vec<Watcher>,
}

struct Watcher {
    mailbox: Arc<Mailbox>,
    /// The first pass whose reading may be the present state that it still waits for: one that has
    /// begun before it came may have read something older than what its caller knows of.
    awaits: Option<u64>,
}

/// That somebody be read, and since when that is wished.
struct Wish {
    key: Uuid,
    since: Instant,
}

/// Customers to be read together.
pub(super) struct Pass {
    pub number: u64,
    /// Since when the first of them is to be read.
    pub since: Instant,
    pub customers: Vec<Customer>,
}

/// What a reading means to those who were shown an earlier one.
enum News {
    Nothing,
    Change,
    Loss,
}

impl Roster {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            watched: BTreeMap::new(),
            watchers: 0,
            watched_customers: 0,
            stale: BTreeMap::new(),
            unbooked: BTreeSet::new(),
            turns: BTreeSet::new(),
            passes: 0,
            number: 0,
            closed: false,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            watchers: self.watchers,
            watched_customers: self.watched_customers,
            customers: self.watched.len(),
        }
    }

    /// A new watcher of these customers.
    pub(super) fn enter(&mut self, customers: Vec<Customer>) -> Result<Arc<Mailbox>, Refused> {
        if self.closed {
            return Err(Refused::Closing);
        }
        if self.watchers >= self.limits.watchers {
            return Err(Refused::TooManyWatchers(self.limits.watchers));
        }
        let watched = self.watched_customers.saturating_add(customers.len());
        if watched > self.limits.watched_customers {
            return Err(Refused::TooManyCustomers(self.limits.watched_customers));
        }
        self.watchers += 1;
        self.watched_customers = watched;
        let mailbox = Arc::new(Mailbox::new(next(&mut self.number), customers.len()));
        for customer in customers {
            let key = customer.key;
            let watched = self.watched.entry(key).or_insert_with(|| Watched::new(customer));
            let awaits = Some(self.passes + 1);
            watched.watchers.push(Watcher { mailbox: Arc::clone(&mailbox), awaits });
            watched.wish(&mut self.stale, &mut self.number);
        }
        Ok(mailbox)
    }

    /// A watcher goes, and with it all that is known of those whom nobody else watches.
    pub(super) fn leave(&mut self, mailbox: &Mailbox, keys: &[Uuid]) {
        self.watchers = self.watchers.saturating_sub(1);
        self.watched_customers = self.watched_customers.saturating_sub(keys.len());
        for key in keys {
            let Some(watched) = self.watched.get_mut(key) else { continue };
            let place = watched.watchers.binary_search_by_key(&mailbox.id, |each| each.mailbox.id);
            if let Ok(place) = place {
                watched.watchers.remove(place);
            }
            if watched.watchers.is_empty() {
                watched.read(&mut self.stale);
                watched.turn(&mut self.turns, None);
                self.unbooked.remove(key);
                self.watched.remove(key);
            }
        }
    }

    /// Those in this range who are watched are to be read.
    pub(super) fn changed(&mut self, keys: RangeInclusive<Uuid>) {
        for (_, watched) in self.watched.range_mut(keys) {
            watched.wish(&mut self.stale, &mut self.number);
        }
    }

    /// Whether somebody is to be read.
    pub(super) fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// Takes at most so many who are to be read, those who have waited longest.
    pub(super) fn begin_pass(&mut self, most: usize) -> Option<Pass> {
        let since = self.stale.values().next()?.since;
        let keys: Vec<Uuid> = self.stale.values().take(most).map(|wish| wish.key).collect();
        self.passes += 1;
        let mut customers = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(watched) = self.watched.get_mut(&key) {
                watched.read(&mut self.stale);
                customers.push(watched.customer.clone());
            }
        }
        Some(Pass { number: self.passes, since, customers })
    }

    /// Shows what a pass has read, and keeps in mind when time will change it.
    pub(super) fn publish(&mut self, pass: u64, shown: Shown, turns_at: Option<Timestamp>) {
        let Some(watched) = self.watched.get_mut(&shown.customer.key) else { return };
        watched.turn(&mut self.turns, turns_at);
        let news = watched.take_in(shown);
        let Some(latest) = &watched.latest else { return };
        for watcher in &mut watched.watchers {
            match (watcher.awaits, &news) {
                (Some(first), _) if first > pass => {}
                (Some(_), _) => {
                    watcher.awaits = None;
                    watcher.mailbox.begin(latest);
                }
                (None, News::Nothing) => {}
                (None, News::Change) => watcher.mailbox.put(latest),
                (None, News::Loss) => watcher.mailbox.end(Ending::Lost),
            }
        }
    }

    /// Ends those who watch this customer.
    pub(super) fn end(&mut self, key: Uuid, ending: Ending) {
        if let Some(watched) = self.watched.get(&key) {
            watched.watchers.iter().for_each(|watcher| watcher.mailbox.end(ending));
        }
    }

    /// Ends everyone, and refuses whoever comes.
    pub(super) fn close(&mut self) {
        self.closed = true;
        let watchers = self.watched.values().flat_map(|watched| &watched.watchers);
        watchers.for_each(|watcher| watcher.mailbox.end(Ending::Closing));
    }

    /// What is due of this customer is to be booked.
    pub(super) fn book(&mut self, key: Uuid) {
        if self.watched.contains_key(&key) {
            self.unbooked.insert(key);
        }
    }

    /// Whether something is to be booked.
    pub(super) fn has_unbooked(&self) -> bool {
        !self.unbooked.is_empty()
    }

    /// Takes at most so many of those of whom something is to be booked.
    pub(super) fn take_unbooked(&mut self, most: usize) -> Vec<Customer> {
        let keys: Vec<Uuid> = self.unbooked.iter().take(most).copied().collect();
        let customers = keys.iter().filter_map(|key| {
            self.unbooked.remove(key);
            self.watched.get(key).map(|watched| watched.customer.clone())
        });
        customers.collect()
    }

    /// The next instant at which time alone changes what somebody was shown.
    pub(super) fn next_turn(&self) -> Option<Timestamp> {
        self.turns.first().map(|(at, _)| *at)
    }

    /// Those whom time has changed by `now` are to be read.
    pub(super) fn turned(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.turns.first().copied().filter(|(at, _)| *at <= now) {
            let Some(watched) = self.watched.get_mut(&key) else { return };
            watched.turn(&mut self.turns, None);
            watched.wish(&mut self.stale, &mut self.number);
        }
    }
}

fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number
}

impl Watched {
    fn new(customer: Customer) -> Self {
        Self { customer, latest: None, turns_at: None, stale: None, watchers: Vec::new() }
    }

    /// It is to be read, once, however often that is wished.
    fn wish(&mut self, stale: &mut BTreeMap<u64, Wish>, number: &mut u64) {
        let key = self.customer.key;
        self.stale.get_or_insert_with(|| {
            let number = next(number);
            stale.insert(number, Wish { key, since: Instant::now() });
            number
        });
    }

    /// It is being read, or need not be any more.
    fn read(&mut self, stale: &mut BTreeMap<u64, Wish>) {
        if let Some(number) = self.stale.take() {
            stale.remove(&number);
        }
    }

    /// Time alone changes it at this instant, and no more at the one known before.
    fn turn(&mut self, turns: &mut BTreeSet<(Timestamp, Uuid)>, at: Option<Timestamp>) {
        if let Some(before) = std::mem::replace(&mut self.turns_at, at) {
            turns.remove(&(before, self.customer.key));
        }
        turns.extend(at.map(|at| (at, self.customer.key)));
    }

    /// Takes a reading for the latest where it is later.
    fn take_in(&mut self, shown: Shown) -> News {
        let news = match self.latest.as_deref().map(|latest| &latest.balance) {
            None => News::Change,
            Some(before) if shown.balance.revision < before.revision => News::Loss,
            Some(before) if shown.balance.version() <= before.version() => return News::Nothing,
            Some(before) if shown.balance.differs_from(before) => News::Change,
            Some(_) => News::Nothing,
        };
        self.latest = Some(Arc::new(shown));
        news
    }
}
