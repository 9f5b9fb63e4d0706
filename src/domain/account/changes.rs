//! What an account leaves behind to be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{Account, Dirt, Point, RolledReversal};
use crate::domain::amount::Amount;
use crate::domain::application::CreditApplication;
use crate::domain::command::Key;
use crate::domain::entry::Entry;
use crate::domain::grant::Grant;
use crate::domain::hold::Hold;
use crate::domain::ids::{EventId, GrantId, InvoiceId};
use crate::domain::notification::Notification;
use crate::domain::reversal::Reversal;
use crate::domain::time::Timestamp;
use crate::domain::usage::UsageEvent;

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It made a grant.
    Grant(GrantId),
    /// It gave usage back.
    UsageReversal(EventId, Reversal),
    /// It gave applied credits back.
    ApplicationReversal(InvoiceId, Reversal),
}

/// What a key did: enough to tell a repetition from another payload, and to answer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: Key,
    /// Whose it is: of a row of an import, it may be another customer's.
    pub customer: Uuid,
    /// The fingerprint of what was sent, such as [`crate::domain::command::CreateGrant::payload`].
    pub payload: Uuid,
    /// `effective_at` as sent, of a grant.
    pub effective_at: Option<Timestamp>,
    /// What it did.
    pub made: Made,
}

/// What must be written after a batch.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Ledger entries, by sequence.
    pub entries: Vec<Entry>,
    /// Usage events recorded.
    pub events: Vec<Arc<UsageEvent>>,
    /// Credit applications made.
    pub applications: Vec<Arc<CreditApplication>>,
    /// What has been given back by now of events that were reversed.
    pub reversed_events: BTreeMap<EventId, Amount>,
    /// The same of applications.
    pub reversed_applications: BTreeMap<InvoiceId, Amount>,
    /// Keys of grants and of reversals used.
    pub keys: Vec<KeyRecord>,
    /// Points of the balance that were passed.
    pub points: Vec<Point>,
    /// Usage recorded from this instant on, and before [`super::Rolled::until`], is to be rolled up.
    pub roll_up_from: Option<Timestamp>,
    /// What was reversed of events that are in the rollups.
    pub rolled_reversals: Vec<RolledReversal>,
    /// What somebody is to be told of, in the order in which it happened.
    pub notifications: Vec<Notification>,
    /// Whether the thresholds below which the balance has been told to be are others now.
    pub low: bool,
}

impl Changes {
    fn is_empty(&self) -> bool {
        // No point is passed without an entry; nor is anything rolled up without an event.
        let Self {
            entries,
            events,
            applications,
            reversed_events,
            reversed_applications,
            keys,
            points: _,
            roll_up_from: _,
            rolled_reversals: _,
            notifications,
            low,
        } = self;
        entries.is_empty()
            && events.is_empty()
            && applications.is_empty()
            && reversed_events.is_empty()
            && reversed_applications.is_empty()
            && keys.is_empty()
            && notifications.is_empty()
            && !low
    }
}

impl Account {
    /// What must be written, besides grants.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Whether anything must be written.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.changes.is_empty() || self.has_dirt()
    }

    /// Whether its balance may have changed, or the instants at which time will change it: whoever
    /// watches must be told.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.changes.entries.is_empty() || self.changed_holds().next().is_some()
    }

    /// Grants made since the account was loaded.
    pub fn new_grants(&self) -> impl Iterator<Item = &Grant> {
        self.with_dirt(|dirt| dirt == Dirt::New)
    }

    /// Grants whose rules or notes changed (their figures may have, too).
    pub fn grants_with_new_terms(&self) -> impl Iterator<Item = &Grant> {
        self.with_dirt(|dirt| dirt == Dirt::Terms)
    }

    /// Grants of which only figures changed.
    pub fn grants_with_new_figures(&self) -> impl Iterator<Item = &Grant> {
        self.with_dirt(|dirt| dirt == Dirt::Figures)
    }

    /// Holds made since the account was loaded.
    pub fn new_holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds_with_dirt(|dirt| dirt == Dirt::New)
    }

    /// Holds whose deadline was moved, or which have ended, since the account was loaded.
    pub fn changed_holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds_with_dirt(|dirt| dirt == Dirt::Terms)
    }

    /// The next instant at which time alone changes a grant or a hold that has changed since the
    /// account was loaded.
    #[must_use]
    pub fn due_next(&self) -> Option<Timestamp> {
        let grants = self.with_dirt(|dirt| dirt > Dirt::Clean);
        let grants = grants.filter_map(|grant| self.due_at(grant));
        let holds = self.holds_with_dirt(|dirt| dirt > Dirt::Clean);
        let holds = holds.filter(|hold| hold.end.is_none()).map(|hold| hold.expires_at);
        grants.chain(holds).min()
    }

    pub(super) fn has_dirt(&self) -> bool {
        self.with_dirt(|dirt| dirt > Dirt::Clean).next().is_some()
            || self.holds_with_dirt(|dirt| dirt > Dirt::Clean).next().is_some()
    }

    fn holds_with_dirt(&self, wanted: impl Fn(Dirt) -> bool) -> impl Iterator<Item = &Hold> {
        self.holds.values().filter(move |slot| wanted(slot.dirt)).map(|slot| &*slot.hold)
    }

    fn with_dirt(&self, wanted: impl Fn(Dirt) -> bool) -> impl Iterator<Item = &Grant> {
        self.slots.iter().filter(move |slot| wanted(slot.dirt)).map(|slot| &slot.grant)
    }
}
