//! Booking: the one place where a grant's figures change and a ledger entry comes to be.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Account, Dirt, Slot};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::drawdown::Plan;
use crate::domain::entry::{Entry, EntryType, RuleChange};
use crate::domain::figures::Figures;
use crate::domain::ids::{EventId, HoldId, InvoiceId};
use crate::domain::notification::EventType;
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
    /// Whether nothing of its grant is left, and nothing of it was lost to time.
    fn spends_the_last(&self) -> bool {
        matches!(self.kind, EntryType::Consumed | EntryType::Applied)
            && self.after.remaining.is_zero()
            && self.after.expired.is_zero()
    }
}

/// Movements worked out one after another, none of them booked yet.
pub(super) struct Draft<'a> {
    slots: &'a [Slot],
    /// What grants will have that the draft has moved.
    moved: HashMap<usize, Figures>,
    postings: Vec<Posting>,
}

impl<'a> Draft<'a> {
    pub(super) fn of(account: &'a Account) -> Self {
        Self { slots: &account.slots, moved: HashMap::new(), postings: Vec::new() }
    }

    /// Moves a grant's figures.
    ///
    /// # Errors
    /// Those of `change`; [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn post(
        &mut self,
        index: usize,
        kind: EntryType,
        change: impl FnOnce(Figures) -> Result<Figures, AmountError>,
    ) -> Result<(), AmountError> {
        let before = self.moved.get(&index).copied();
        let before = before.unwrap_or(self.slots[index].grant.figures);
        let after = change(before)?;
        self.moved.insert(index, after);
        self.postings.push(Posting {
            index,
            kind,
            after,
            amount: after.remaining.minus(before.remaining)?,
            held_amount: after.held.minus(before.held)?,
        });
        Ok(())
    }

    /// Takes what was planned, as entries of this type.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn take(&mut self, plan: &Plan, kind: EntryType) -> Result<(), AmountError> {
        for slice in &plan.slices {
            if slice.reclaim {
                let kind = EntryType::ExpirationReclaimed;
                self.post(slice.index, kind, |figures| figures.reclaim(slice.take))?;
            }
            self.post(slice.index, kind, |figures| figures.consume(slice.take))?;
        }
        Ok(())
    }

    /// Loses what has come free of a grant, where it was voided or has expired; whether it did.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn lose(&mut self, index: usize, expired: bool) -> Result<bool, AmountError> {
        if self.slots[index].grant.voided.is_some() {
            self.post(index, EntryType::Voided, Figures::void)?;
        } else if expired {
            self.post(index, EntryType::Expired, Figures::expire)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Gives back what a hold had set aside.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn release(
        &mut self,
        index: usize,
        amount: Amount,
        expired: bool,
    ) -> Result<(), AmountError> {
        self.post(index, EntryType::HoldReleased, |figures| figures.release(amount))?;
        self.lose(index, expired).map(drop)
    }

    /// How many movements there are so far.
    pub(super) fn postings(&self) -> usize {
        self.postings.len()
    }

    /// The movements, to be booked.
    pub(super) fn finish(self) -> Vec<Posting> {
        self.postings
    }
}

/// Why, by whom and when a posting was made.
pub(super) struct Cause {
    pub actor: Arc<str>,
    pub event_id: Option<EventId>,
    pub invoice_id: Option<InvoiceId>,
    pub hold_id: Option<HoldId>,
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
            invoice_id: None,
            hold_id: None,
            reason: None,
            change: None,
            occurred_at: now,
            recorded_at: now,
        }
    }
}

impl Account {
    /// Books one movement of one grant.
    ///
    /// # Errors
    /// Those of `change`; [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn book_one(
        &mut self,
        index: usize,
        kind: EntryType,
        change: impl FnOnce(Figures) -> Result<Figures, AmountError>,
        cause: &Cause,
    ) -> Result<(), AmountError> {
        let mut draft = Draft::of(self);
        draft.post(index, kind, change)?;
        let postings = draft.finish();
        self.book_all(&postings, cause).map(drop)
    }

    /// Books postings, and says which entries they became; None of none.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub(super) fn book_all(
        &mut self,
        postings: &[Posting],
        cause: &Cause,
    ) -> Result<Option<(i64, i64)>, AmountError> {
        let first = self.revision + 1;
        for posting in postings {
            let before = self.slots[posting.index].grant.figures;
            self.book(posting, cause);
            self.count_change(posting.index, before)?;
        }
        self.record_at(cause.recorded_at);
        let entries = (!postings.is_empty()).then_some((first, self.revision));
        for posting in postings.iter().filter(|posting| posting.spends_the_last()) {
            if self.slots[posting.index].grant.voided.is_none() {
                self.tell_of_grant(EventType::GrantExhausted, posting.index, cause.recorded_at)?;
            }
        }
        Ok(entries)
    }

    /// Books a posting: the grant's figures, and the entry that tells of it.
    fn book(&mut self, posting: &Posting, cause: &Cause) {
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
            invoice_id: cause.invoice_id.clone(),
            hold_id: cause.hold_id.clone(),
            reason: cause.reason.clone(),
            change: cause.change,
            actor: Arc::clone(&cause.actor),
            occurred_at: cause.occurred_at,
            recorded_at: cause.recorded_at,
        });
        self.note_point(cause.recorded_at);
    }

    /// Notes the instant of the last thing recorded.
    pub(super) fn record_at(&mut self, at: Timestamp) {
        self.recorded_at = Some(self.recorded_at.map_or(at, |last| last.max(at)));
    }
}
