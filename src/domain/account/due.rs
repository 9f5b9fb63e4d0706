//! What time brings: the deadlines of holds, the ends of grants and of their late windows.

use std::collections::HashMap;

use super::booking::{Cause, Draft};
use super::holds::slices_by_place;
use super::{Account, Dirt, Slot};
use crate::domain::amount::AmountError;
use crate::domain::entry::{ACTOR_TIME, EntryType};
use crate::domain::figures::Figures;
use crate::domain::hold::Ending;
use crate::domain::ids::{GrantId, HoldId};
use crate::domain::time::Timestamp;

/// Something that falls due. At the same instant holds come before grants, so that what a hold gives
/// back expires with the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Hold(HoldId),
    Grant { sequence: i64, index: usize },
}

impl Account {
    /// Books what time has brought by `now`, in the order of the due instants.
    pub(super) fn book_due(&mut self) -> Result<(), AmountError> {
        let due = self.due()?;
        let any = !due.is_empty();
        // Nothing here changes the order.
        let places = self.places(|_| any);
        for (at, due) in due {
            match due {
                Due::Hold(hold_id) => self.expire_hold(&hold_id, at, &places)?,
                Due::Grant { index, .. } => self.expire_grant(index, at)?,
            }
        }
        self.close_past_late_window();
        Ok(())
    }

    fn due(&self) -> Result<Vec<(Timestamp, Due)>, AmountError> {
        let mut due = Vec::new();
        for slot in self.holds.values().filter(|slot| slot.hold.is_due(self.now)) {
            due.push((slot.hold.expires_at, Due::Hold(slot.hold.hold_id.clone())));
        }
        for (index, slot) in self.slots.iter().enumerate() {
            let grant = &slot.grant;
            // What is held may come free on the way.
            if let Some(at) = grant.expires_at
                && (grant.is_due(self.now)?
                    || (grant.is_past(self.now) && grant.figures.held.is_positive()))
            {
                due.push((at, Due::Grant { sequence: grant.sequence, index }));
            }
        }
        due.sort_unstable();
        Ok(due)
    }

    fn expire_hold(
        &mut self,
        hold_id: &HoldId,
        at: Timestamp,
        places: &HashMap<GrantId, usize>,
    ) -> Result<(), AmountError> {
        let hold = self.hold(hold_id).ok_or(AmountError::OutOfRange)?;
        let mut draft = Draft::of(self);
        for (index, amount) in slices_by_place(&hold, places)? {
            // What ends at this very instant is taken by the grant's own end, which comes next.
            let expired = self.slots[index].grant.expires_at.is_some_and(|end| end < at);
            draft.release(index, amount, expired)?;
        }
        let postings = draft.finish();
        let cause = Cause { hold_id: Some(hold_id.clone()), ..self.time_brings(at) };
        self.book_all(&postings, &cause);
        self.end_hold(&hold, at, Ending::Expired);
        Ok(())
    }

    fn expire_grant(&mut self, index: usize, at: Timestamp) -> Result<(), AmountError> {
        if self.slots[index].grant.is_due(at)? {
            let cause = self.time_brings(at);
            self.book_one(index, EntryType::Expired, Figures::expire, &cause)?;
        }
        Ok(())
    }

    /// The instant at which it fell due, whenever somebody comes to book it; an account that recorded
    /// something later keeps its time running forward.
    fn time_brings(&self, at: Timestamp) -> Cause {
        let recorded_at = self.recorded_at.map_or(at, |last| last.max(at));
        Cause { occurred_at: at, ..Cause::call(&ACTOR_TIME.into(), recorded_at) }
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
            let end = slot.grant.closes_at(&windows).filter(|end| *end <= now);
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
