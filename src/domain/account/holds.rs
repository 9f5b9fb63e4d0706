//! Decisions about holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::booking::{Cause, Draft};
use super::{Account, Dirt, HoldSlot};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::command::{CreateHold, ExtendHold, Outcome, SettleHold};
use crate::domain::drawdown::Purpose;
use crate::domain::entry::EntryType;
use crate::domain::grant::Metadata;
use crate::domain::hold::{Ending, Hold};
use crate::domain::ids::{GrantId, HoldId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::usage::{Allocation, Uncovered, UsageEvent};
use crate::limits;

impl Account {
    /// The ladder: the key; the limit; the credit.
    pub(super) fn create_hold(
        &mut self,
        create: &CreateHold,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        if let Some(hold) = self.hold(&create.hold_id) {
            return if create.made(&hold) {
                Ok(Outcome::Hold { hold, replayed: true })
            } else {
                Err(Refusal::HoldIdReused)
            };
        }
        let open = self.holds.values().filter(|slot| slot.hold.end.is_none()).count();
        if open >= limits::OPEN_HOLDS_MAX {
            return Err(Refusal::TooManyOpenHolds { limit: limits::OPEN_HOLDS_MAX });
        }
        let plan = self.plan(Purpose::Usage(&create.metric), create.quantity, self.now)?;
        let enough = plan.uncovered.is_zero() || create.allow_partial;
        if !enough || plan.covered.is_zero() {
            return Err(Refusal::InsufficientCredits {
                requested: create.quantity,
                available: plan.covered,
            });
        }
        let mut draft = Draft::of(self);
        for slice in &plan.slices {
            draft.post(slice.index, EntryType::Held, |figures| figures.hold(slice.take))?;
        }
        let postings = draft.finish();
        let cause = Cause { hold_id: Some(create.hold_id.clone()), ..Cause::call(actor, self.now) };
        self.book_all(&postings, &cause)?;
        let hold = Hold {
            hold_id: create.hold_id.clone(),
            metric: create.metric.clone(),
            quantity: create.quantity,
            ttl: create.ttl,
            allow_partial: create.allow_partial,
            created_at: self.now,
            expires_at: self.now + create.ttl,
            slices: self.taken(&plan).collect(),
            end: None,
        };
        let hold = self.put_hold(hold, Dirt::New);
        Ok(Outcome::Hold { hold, replayed: false })
    }

    /// The ladder: the hold; its end.
    pub(super) fn extend_hold(&mut self, extend: &ExtendHold) -> Result<Outcome, Refusal> {
        let hold = self.open_hold(&extend.hold_id)?;
        let mut after = (*hold).clone();
        after.expires_at = self.now + extend.ttl;
        let hold = self.put_hold(after, Dirt::Terms);
        self.record_at(self.now);
        Ok(Outcome::Hold { hold, replayed: false })
    }

    /// The ladder: the hold; what ended before, which is no error; its end.
    pub(super) fn release_hold(
        &mut self,
        hold_id: &HoldId,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let hold = self.named_hold(hold_id)?;
        match &hold.end {
            None => {}
            Some((_, Ending::Released | Ending::Expired)) => {
                return Ok(Outcome::Hold { hold, replayed: true });
            }
            Some((_, end @ Ending::Settled { .. })) => {
                return Err(Refusal::HoldNotOpen(end.clone()));
            }
        }
        let mut draft = Draft::of(self);
        for (index, amount) in self.held_slices(&hold)? {
            let past = self.slots[index].grant.is_past(self.now);
            draft.release(index, amount, past)?;
        }
        let postings = draft.finish();
        let cause = Cause { hold_id: Some(hold_id.clone()), ..Cause::call(actor, self.now) };
        self.book_all(&postings, &cause)?;
        let hold = self.end_hold(&hold, self.now, Ending::Released);
        Ok(Outcome::Hold { hold, replayed: false })
    }

    /// The ladder: the hold; the event's key; the hold's end, but for its deadline; the timestamp's
    /// window.
    pub(super) fn settle_hold(
        &mut self,
        settle: &SettleHold,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let hold = self.named_hold(&settle.hold_id)?;
        if let Some(event) = self.events.get(&settle.event_id) {
            return if settle.made(event) {
                Ok(Outcome::Settled { hold, event: Arc::clone(event) })
            } else {
                Err(Refusal::EventIdReused)
            };
        }
        if let Some((_, end @ (Ending::Settled { .. } | Ending::Released))) = &hold.end {
            return Err(Refusal::HoldNotOpen(end.clone()));
        }
        let timestamp = settle.timestamp.unwrap_or(self.now);
        self.check_window(timestamp)?;
        let settlement = self.settlement(&hold, settle.quantity, timestamp)?;
        let spent = Cause {
            event_id: Some(settle.event_id.clone()),
            hold_id: Some(settle.hold_id.clone()),
            occurred_at: timestamp,
            ..Cause::call(actor, self.now)
        };
        let entries = self.book_all(&settlement.spent, &spent)?;
        let released =
            Cause { hold_id: Some(settle.hold_id.clone()), ..Cause::call(actor, self.now) };
        self.book_all(&settlement.released, &released)?;
        let event = self.add_event(UsageEvent {
            event_id: settle.event_id.clone(),
            metric: hold.metric.clone(),
            quantity: settle.quantity,
            timestamp,
            timestamp_given: settle.timestamp.is_some(),
            policy: Uncovered::AllowOverage,
            metadata: Metadata::new(),
            uncovered: settlement.uncovered,
            reversed: Amount::ZERO,
            taken: settlement.taken,
            hold_id: Some(settle.hold_id.clone()),
            entries,
            recorded_at: self.now,
        });
        let ending =
            Ending::Settled { event_id: settle.event_id.clone(), settled: settlement.settled };
        let hold = self.end_hold(&hold, self.now, ending);
        Ok(Outcome::Settled { hold, event })
    }

    /// Works out a settlement: what is held goes first, whatever the timestamp; then what is
    /// available at the timestamp. What is held beyond it is given back.
    fn settlement(
        &self,
        hold: &Hold,
        quantity: Amount,
        timestamp: Timestamp,
    ) -> Result<Settlement, Refusal> {
        let held = if hold.end.is_none() { self.held_slices(hold)? } else { Vec::new() };
        let mut draft = Draft::of(self);
        let mut taken = Vec::new();
        let mut unused = Vec::new();
        let mut rest = quantity;
        for (index, amount) in held {
            let take = amount.min(rest);
            rest = rest.less(take)?;
            if take.is_positive() {
                draft.post(index, EntryType::Consumed, |figures| figures.consume_held(take))?;
                let grant_id = self.slots[index].grant.id;
                taken.push(Allocation { grant_id, amount: take });
            }
            unused.push((index, amount.less(take)?));
        }
        let settled = quantity.less(rest)?;
        let plan = self.plan(Purpose::Usage(&hold.metric), rest, timestamp)?;
        draft.take(&plan, EntryType::Consumed)?;
        taken.extend(self.taken(&plan));
        let spent = draft.postings();
        for (index, amount) in unused.into_iter().filter(|(_, amount)| amount.is_positive()) {
            let past = self.slots[index].grant.is_past(self.now);
            draft.release(index, amount, past)?;
        }
        let mut spending = draft.finish();
        let released = spending.split_off(spent);
        Ok(Settlement { spent: spending, released, taken, settled, uncovered: plan.uncovered })
    }

    /// The hold as it is now.
    pub(super) fn hold(&self, hold_id: &HoldId) -> Option<Arc<Hold>> {
        self.holds.get(hold_id).map(|slot| Arc::clone(&slot.hold))
    }

    /// Ends a hold.
    pub(super) fn end_hold(&mut self, hold: &Hold, at: Timestamp, ending: Ending) -> Arc<Hold> {
        let ended = Hold { end: Some((at, ending)), ..hold.clone() };
        self.put_hold(ended, Dirt::Terms)
    }

    /// What an open hold has set aside, by the grants' places, in the order of consumption.
    fn held_slices(&self, hold: &Hold) -> Result<Vec<(usize, Amount)>, AmountError> {
        let held: HashSet<GrantId> = hold.slices.iter().map(|slice| slice.grant_id).collect();
        slices_by_place(hold, &self.places(|id| held.contains(&id)))
    }

    fn named_hold(&self, hold_id: &HoldId) -> Result<Arc<Hold>, Refusal> {
        self.hold(hold_id).ok_or_else(|| Refusal::HoldNotFound(hold_id.clone()))
    }

    fn open_hold(&self, hold_id: &HoldId) -> Result<Arc<Hold>, Refusal> {
        let hold = self.named_hold(hold_id)?;
        match &hold.end {
            None => Ok(hold),
            Some((_, ending)) => Err(Refusal::HoldNotOpen(ending.clone())),
        }
    }

    fn put_hold(&mut self, hold: Hold, dirt: Dirt) -> Arc<Hold> {
        let hold = Arc::new(hold);
        let slot = HoldSlot { hold: Arc::clone(&hold), dirt };
        let before = self.holds.insert(hold.hold_id.clone(), slot).map(|slot| slot.dirt);
        if before == Some(Dirt::New)
            && let Some(slot) = self.holds.get_mut(&hold.hold_id)
        {
            slot.dirt = Dirt::New;
        }
        hold
    }
}

/// A settlement that was worked out.
struct Settlement {
    spent: Vec<super::booking::Posting>,
    released: Vec<super::booking::Posting>,
    taken: Vec<Allocation>,
    /// What the hold's credits paid.
    settled: Amount,
    uncovered: Amount,
}

/// What an open hold has set aside, by the grants' places, in the order of consumption.
pub(super) fn slices_by_place(
    hold: &Hold,
    places: &HashMap<GrantId, usize>,
) -> Result<Vec<(usize, Amount)>, AmountError> {
    let placed = |slice: &Allocation| Some((*places.get(&slice.grant_id)?, slice.amount));
    let placed: Option<Vec<_>> = hold.slices.iter().map(placed).collect();
    // A held grant is open, and so in hand.
    let mut placed = placed.ok_or(AmountError::OutOfRange)?;
    placed.sort_unstable_by_key(|(place, _)| *place);
    Ok(placed)
}
