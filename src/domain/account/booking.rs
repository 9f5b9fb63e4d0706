//! Booking: the one place where a grant's figures change and a ledger entry comes to be.

use std::sync::Arc;

use super::{Account, Dirt, Slot};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::entry::{ACTOR_TIME, Entry, EntryType, RuleChange};
use crate::domain::grant::Figures;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;

/// A movement on one grant, worked out but not booked: all that can fail has been done.
pub(super) struct Posting {
    index: usize,
    kind: EntryType,
    after: Figures,
    amount: Amount,
    held_amount: Amount,
}

impl Posting {
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn new(
        index: usize,
        kind: EntryType,
        before: &Figures,
        after: Figures,
    ) -> Result<Self, AmountError> {
        Ok(Self {
            index,
            kind,
            after,
            amount: after.remaining.minus(before.remaining)?,
            held_amount: after.held.minus(before.held)?,
        })
    }
}

/// Why, by whom and when a posting was made.
pub(super) struct Cause {
    pub actor: Arc<str>,
    pub event_id: Option<EventId>,
    pub reason: Option<Arc<str>>,
    pub change: Option<RuleChange>,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
}

impl Cause {
    /// A caller's doing, now.
    pub(super) fn call(actor: &Arc<str>, now: Timestamp) -> Self {
        Self {
            actor: Arc::clone(actor),
            event_id: None,
            reason: None,
            change: None,
            occurred_at: now,
            recorded_at: now,
        }
    }
}

impl Account {
    /// Books a posting: the grant's figures, and the entry that tells of it.
    pub(super) fn book(&mut self, posting: &Posting, cause: &Cause) {
        let slot = &mut self.slots[posting.index];
        slot.grant.figures = posting.after;
        slot.grant.updated_at = cause.recorded_at;
        slot.dirt = slot.dirt.max(Dirt::Figures);
        let grant_id = slot.grant.id;
        self.revision += 1;
        self.changes.entries.push(Entry {
            sequence: self.revision,
            grant_id,
            kind: posting.kind,
            amount: posting.amount,
            balance_after: posting.after.remaining,
            held_amount: posting.held_amount,
            held_after: posting.after.held,
            event_id: cause.event_id.clone(),
            reason: cause.reason.clone(),
            change: cause.change,
            actor: Arc::clone(&cause.actor),
            occurred_at: cause.occurred_at,
            recorded_at: cause.recorded_at,
        });
        self.record_at(cause.recorded_at);
    }

    /// Notes the instant of the last thing recorded.
    pub(super) fn record_at(&mut self, at: Timestamp) {
        self.recorded_at = Some(self.recorded_at.map_or(at, |last| last.max(at)));
    }

    /// Books what time has brought by `now`, in the order of the due instants.
    pub(super) fn book_due(&mut self) -> Result<(), AmountError> {
        let mut due = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            if let Some(at) = slot.grant.expires_at
                && slot.grant.is_due(self.now)?
            {
                due.push((at, slot.grant.sequence, index));
            }
        }
        due.sort_unstable();
        for (at, _, index) in due {
            let before = self.slots[index].grant.figures;
            let posting = Posting::new(index, EntryType::Expired, &before, before.expire()?)?;
            // The instant at which it fell due, whenever somebody comes to book it; an account
            // that recorded something later keeps its time running forward.
            let recorded_at = self.recorded_at.map_or(at, |last| last.max(at));
            self.book(
                &posting,
                &Cause { occurred_at: at, ..Cause::call(&ACTOR_TIME.into(), recorded_at) },
            );
        }
        self.close_past_late_window();
        Ok(())
    }

    /// Marks the rows of grants that wait for the end of their late window, so that their next due
    /// instant is written anew: it was worked out with the window of then, and that of now may be
    /// longer.
    pub(super) fn renew_due(&mut self) {
        let now = self.now;
        let waiting = |slot: &&mut Slot| slot.open && slot.grant.is_past(now);
        for slot in self.slots.iter_mut().filter(waiting) {
            slot.dirt = slot.dirt.max(Dirt::Figures);
        }
    }

    /// Marks the rows of grants that no late event can reach any more, so that they are closed.
    fn close_past_late_window(&mut self) {
        let (now, windows) = (self.now, self.windows);
        let mut closed = None;
        for slot in self.slots.iter_mut().filter(|slot| slot.open) {
            let end = slot.grant.closes_at(&windows);
            if let Some(end) = end.filter(|_| !slot.grant.is_open(now, &windows)) {
                slot.dirt = slot.dirt.max(Dirt::Figures);
                closed = closed.max(Some(end));
            }
        }
        // What is closed stays closed, even if the database's clock should step back.
        if let Some(end) = closed {
            self.record_at(end);
        }
    }
}
