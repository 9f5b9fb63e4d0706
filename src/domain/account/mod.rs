//! One customer's credits, and the decisions about them.
//!
//! An account is loaded, told the instant ([`Account::begin`], which books what is due), given
//! commands one after another ([`Account::apply`]), and leaves behind what must be written
//! ([`Account::changes`]). Nothing here waits, reads a clock or touches the database.

mod booking;
mod changes;
mod due;
mod grants;
mod holds;
mod invoices;
mod levels;
mod news;
mod point;
mod reversals;
mod rollup;
mod slot;
mod usage;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::changes::{Changes, KeyRecord, Made};
pub use self::due::Brought;
use self::levels::Levels;
pub use self::point::{Point, Remainder};
pub use self::rollup::{Rolled, RolledReversal};
use self::slot::{Dirt, HoldSlot, Slot};
use super::amount::AmountError;
use super::application::CreditApplication;
use super::command::{Action, Command, Key, Outcome};
use super::grant::Grant;
use super::hold::Hold;
use super::ids::{Customer, EventId, GrantId, HoldId, InvoiceId};
use super::notification::{Interests, Threshold};
use super::order;
use super::refusal::Refusal;
use super::time::{Timestamp, Windows};
use super::usage::UsageEvent;
use crate::limits;

/// A customer's credits in hand.
#[derive(Debug, Clone)]
pub struct Account {
    customer: Customer,
    known: bool,
    revision: i64,
    version: i64,
    recorded_at: Option<Timestamp>,
    rolled: Option<Rolled>,
    now: Timestamp,
    windows: Windows,
    /// In the order of consumption: every open grant, and for the time of a batch those that its
    /// commands name.
    slots: Vec<Slot>,
    /// Every open hold, and for the time of a batch those that its commands name. A read has only those
    /// that are due and those that will be next, and decides nothing about them.
    holds: HashMap<HoldId, HoldSlot>,
    events: HashMap<EventId, Arc<UsageEvent>>,
    applications: HashMap<InvoiceId, Arc<CreditApplication>>,
    keys: HashMap<Key, KeyRecord>,
    /// Grants that a dry run has decided to make, which count as open ones.
    rehearsed: usize,
    /// Whether anybody has asked for it but imports, campaigns, voids and time, which come by but once.
    in_use: bool,
    /// Who is to be told of what.
    interests: Arc<Interests>,
    /// What remains, as the thresholds among the interests count it.
    levels: Levels,
    /// The thresholds below which the balance has been told to be.
    low: Vec<Threshold>,
    /// What time has brought in this batch, until a command asks.
    brought: Brought,
    changes: Changes,
}

/// What the database knows of a customer, besides the grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The last sequence of the ledger.
    pub revision: i64,
    /// Counts the batches that changed the row of a grant or a hold: tells a cache whether it is
    /// current.
    pub version: i64,
    /// The last instant at which something was recorded.
    pub recorded_at: Timestamp,
    /// How far usage is rolled up.
    pub rolled: Rolled,
}

impl Account {
    /// The account of a customer never mentioned before.
    #[must_use]
    pub fn unknown(customer: Customer, windows: Windows) -> Self {
        Self {
            customer,
            known: false,
            revision: 0,
            version: 0,
            recorded_at: None,
            rolled: None,
            now: Timestamp::UNIX_EPOCH,
            windows,
            slots: Vec::new(),
            holds: HashMap::new(),
            events: HashMap::new(),
            applications: HashMap::new(),
            keys: HashMap::new(),
            rehearsed: 0,
            in_use: false,
            interests: Arc::default(),
            levels: Levels::default(),
            low: Vec::new(),
            brought: Brought::default(),
            changes: Changes::default(),
        }
    }

    /// A known customer's account, with all open grants and holds.
    #[must_use]
    pub fn known(
        customer: Customer,
        windows: Windows,
        standing: Standing,
        grants: Vec<Grant>,
        holds: Vec<Hold>,
    ) -> Self {
        let mut account = Self {
            known: true,
            revision: standing.revision,
            version: standing.version,
            recorded_at: Some(standing.recorded_at),
            rolled: Some(standing.rolled),
            ..Self::unknown(customer, windows)
        };
        account.slots = grants.into_iter().map(|grant| Slot::stored(grant, true)).collect();
        account.sort();
        for hold in holds {
            account.name_hold(hold);
        }
        account
    }

    /// Takes up where another batch left off: the grants are current, but something without
    /// entries (usage that no grant paid) may have been recorded since.
    pub fn resume(&mut self, standing: Standing) {
        self.revision = standing.revision;
        self.recorded_at = Some(standing.recorded_at);
        self.rolled = Some(standing.rolled);
    }

    /// Says when open grants fall due, as their rows have it.
    pub fn remember_due(&mut self, due: &HashMap<GrantId, Timestamp>) {
        for slot in &mut self.slots {
            slot.due_at = due.get(&slot.grant.id).copied();
        }
    }

    /// Adds a grant that a command names. If it is open it is there already.
    pub fn name_grant(&mut self, grant: Grant) {
        if self.position(grant.id).is_none() {
            self.insert(Slot::stored(grant, false));
        }
    }

    /// Adds a hold that a command names. If it is open it is there already.
    pub fn name_hold(&mut self, hold: Hold) {
        let slot = HoldSlot { hold: Arc::new(hold), dirt: Dirt::Clean };
        self.holds.entry(slot.hold.hold_id.clone()).or_insert(slot);
    }

    /// Adds what was applied to an invoice before.
    pub fn remember_application(&mut self, application: CreditApplication) {
        self.applications.insert(application.invoice_id.clone(), Arc::new(application));
    }

    /// Adds what an event id did before.
    pub fn remember_event(&mut self, event: UsageEvent) {
        self.events.insert(event.event_id.clone(), Arc::new(event));
    }

    /// Adds what a key did before.
    pub fn remember_key(&mut self, record: KeyRecord) {
        self.keys.insert(record.key.clone(), record);
    }

    /// Counts grants as open that a dry run has decided to make.
    pub fn rehearse(&mut self, grants: usize) {
        self.rehearsed = grants;
    }

    /// Sets the instant of the decisions to come and books what has fallen due by then.
    ///
    /// The instant is `clock`, but never before the last one recorded: replicas whose clocks
    /// differ cannot disagree, and sequence and time run together.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn begin(&mut self, clock: Timestamp) -> Result<(), AmountError> {
        self.now = self.recorded_at.map_or(clock, |last| last.max(clock));
        self.book_due()
    }

    /// Decides one command and books what it does.
    ///
    /// # Errors
    /// A [`Refusal`]; then nothing of the command was done.
    pub fn apply(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let outcome = self.decide(command)?;
        // Whatever gives a grant something, or another end, may have made a warning due.
        if matches!(
            command.action,
            Action::CreateGrant(_)
                | Action::UpdateGrant(_)
                | Action::ReverseUsage(_)
                | Action::ReverseApplication(_)
        ) {
            self.warn_now()?;
        }
        self.compare_levels(self.now)?;
        Ok(outcome)
    }

    fn decide(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let in_passing = matches!(command.action, Action::BookDue | Action::VoidGrant(_));
        self.in_use |= !command.is_in_bulk() && !in_passing;
        match &command.action {
            Action::CreateGrant(create) => self.create_grant(create, &command.actor),
            Action::UpdateGrant(update) => self.update_grant(update, &command.actor),
            Action::VoidGrant(void) => self.void_grant(void, &command.actor),
            Action::RecordUsage(usage) => self.record_usage(usage, &command.actor),
            Action::ReverseUsage(reverse) => self.reverse_usage(reverse, &command.actor),
            Action::ApplyCredits(apply) => self.apply_credits(apply, &command.actor),
            Action::ReverseApplication(reverse) => {
                self.reverse_application(reverse, &command.actor)
            }
            Action::CreateHold(create) => self.create_hold(create, &command.actor),
            Action::ExtendHold(extend) => self.extend_hold(extend),
            Action::SettleHold(settle) => self.settle_hold(settle, &command.actor),
            Action::ReleaseHold(hold_id) => self.release_hold(hold_id, &command.actor),
            Action::BookDue => {
                self.renew_due();
                Ok(Outcome::Booked(std::mem::take(&mut self.brought)))
            }
        }
    }

    /// Ends the deciding: counts the version up where the row of a grant or a hold is to change, or
    /// a mark on the customer.
    pub fn seal(&mut self) {
        if self.has_dirt() || self.changes.low {
            self.version += 1;
        }
    }

    /// Makes the account what the next batch will find, once its changes are committed.
    pub fn committed(&mut self) {
        self.known |= self.is_dirty();
        self.brought = Brought::default();
        self.changes = Changes::default();
        self.events.clear();
        self.applications.clear();
        self.keys.clear();
        self.holds.retain(|_, slot| {
            slot.dirt = Dirt::Clean;
            slot.hold.end.is_none()
        });
        let (now, windows) = (self.now, self.windows);
        for index in 0..self.slots.len() {
            if self.slots[index].dirt > Dirt::Clean {
                self.slots[index].due_at = self.due_at(&self.slots[index].grant);
            }
        }
        self.slots.retain_mut(|slot| {
            // Its row was written, or is as it was.
            if slot.dirt > Dirt::Clean {
                slot.open = slot.grant.is_open(now, &windows);
            }
            slot.dirt = Dirt::Clean;
            slot.open
        });
    }

    /// Whether the customer has a row.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Whose account it is.
    #[must_use]
    pub fn customer(&self) -> &Customer {
        &self.customer
    }

    /// What the database is to know of the customer, besides the grants.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            revision: self.revision,
            version: self.version,
            recorded_at: self.recorded_at.unwrap_or(self.now),
            rolled: self.rolled.unwrap_or(Rolled::none_before(self.now)),
        }
    }

    /// The instant of the decisions.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The configured windows.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The grants in hand, in the order of consumption.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.slots.iter().map(|slot| &slot.grant)
    }

    /// Whether the account should be kept between batches. A million customers that an import
    /// meets once each would fill a cache with accounts that nobody asks for again; those with many
    /// grants are kept all the same, because the import's next rows may be theirs, and loading them
    /// is dear.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.known && (self.in_use || self.slots.len() >= limits::UNUSED_ACCOUNT_GRANTS_KEPT)
    }

    /// The next instant at which time alone changes what a balance shows.
    #[must_use]
    pub fn turns_at(&self) -> Option<Timestamp> {
        let grants = self.grants().filter_map(|grant| grant.turns_at(self.now));
        let open = self.holds.values().filter(|slot| slot.hold.end.is_none());
        grants.chain(open.map(|slot| slot.hold.expires_at)).min()
    }

    /// How much room the account takes in a cache, in grants; one at least.
    #[must_use]
    pub fn weight(&self) -> usize {
        let notes = |slot: &Slot| slot.grant.notes.bytes() / limits::NOTES_BYTES_PER_GRANT;
        self.slots.iter().map(|slot| 1 + notes(slot)).sum::<usize>() + self.holds.len() + 1
    }

    /// Where grants stand in the order of consumption.
    fn places(&self, wanted: impl Fn(GrantId) -> bool) -> HashMap<GrantId, usize> {
        let ids = self.slots.iter().map(|slot| slot.grant.id).zip(0..);
        ids.filter(|(id, _)| wanted(*id)).collect()
    }

    fn position(&self, id: GrantId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.grant.id == id)
    }

    /// Puts a grant where the order of consumption has it, and says where that is.
    fn insert(&mut self, slot: Slot) -> usize {
        let before = |other: &Slot| order::by_consumption(&other.grant, &slot.grant).is_lt();
        let place = self.slots.partition_point(before);
        self.slots.insert(place, slot);
        place
    }

    fn sort(&mut self) {
        self.slots.sort_by(|a, b| order::by_consumption(&a.grant, &b.grant));
    }
}
