//! What time brings: the deadlines of holds, the ends and starts of grants, warnings of their ends,
//! and the ends of their late windows.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::booking::{Cause, Draft};
use super::holds::slices_by_place;
use super::{Account, Dirt};
use crate::domain::amount::AmountError;
use crate::domain::entry::{ACTOR_TIME, EntryType};
use crate::domain::figures::Figures;
use crate::domain::grant::Grant;
use crate::domain::hold::Ending;
use crate::domain::ids::{GrantId, HoldId};
use crate::domain::notification::{EventType, Subject, WarningPeriod};
use crate::domain::time::Timestamp;

/// Something that falls due. At the same instant holds come before grants, so that what a hold gives
/// back expires with the rest; and warnings come last, the longest first, so that they tell how
/// things stand then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Hold(HoldId),
    End { sequence: i64, index: usize },
    Start { sequence: i64, index: usize },
    Warning { sequence: i64, period: Reverse<WarningPeriod>, index: usize },
}

/// How much time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Brought {
    /// Holds that reached their deadlines.
    pub holds_expired: usize,
    /// Grants that reached their ends with something left.
    pub grants_ended: usize,
    /// Grants that reached their starts.
    pub grants_started: usize,
    /// Warnings of grants' ends.
    pub warnings: usize,
}

impl Brought {
    /// Counts what others were brought, too.
    pub fn add(&mut self, other: Self) {
        self.holds_expired += other.holds_expired;
        self.grants_ended += other.grants_ended;
        self.grants_started += other.grants_started;
        self.warnings += other.warnings;
    }
}

impl Account {
    /// Books what time has brought by `now`, in the order of the due instants.
    pub(super) fn book_due(&mut self) -> Result<(), AmountError> {
        // What was due before this has been booked.
        let since = self.recorded_at.unwrap_or(Timestamp::MIN_UTC);
        self.find_levels(since)?;
        let due = self.due(since)?;
        let any = !due.is_empty();
        // Nothing here changes the order.
        let places = self.places(|_| any);
        let mut moved = None;
        for (at, due) in due {
            // All that happens at one instant, before the balance is looked at.
            if let Some(before) = moved.take_if(|moved| *moved < at) {
                self.compare_levels(before)?;
            }
            // A warning moves nothing; a grant that ended before, and still holds something, is no news.
            if at > since && !matches!(due, Due::Warning { .. }) {
                moved = Some(at);
            }
            match due {
                Due::Hold(hold_id) => self.expire_hold(&hold_id, at, &places)?,
                Due::End { index, .. } => self.end_grant(index, at, at > since)?,
                Due::Start { index, .. } => self.start_grant(index, at)?,
                Due::Warning { index, period, .. } => {
                    self.warn(index, period.0, at)?;
                    self.brought.warnings += 1;
                }
            }
        }
        if let Some(at) = moved {
            self.compare_levels(at)?;
        }
        self.close_past_late_window();
        Ok(())
    }

    fn due(&self, since: Timestamp) -> Result<Vec<(Timestamp, Due)>, AmountError> {
        let mut due: Vec<(Timestamp, Due)> = self.due_warnings(since).collect();
        for slot in self.holds.values().filter(|slot| slot.hold.is_due(self.now)) {
            due.push((slot.hold.expires_at, Due::Hold(slot.hold.hold_id.clone())));
        }
        for (index, slot) in self.slots.iter().enumerate() {
            let grant = &slot.grant;
            let sequence = grant.sequence;
            let left = grant.voided.is_none() && grant.figures.remaining.is_positive();
            if left && grant.effective_at > since && grant.effective_at <= self.now {
                due.push((grant.effective_at, Due::Start { sequence, index }));
            }
            // What is held may come free on the way.
            if let Some(at) = grant.expires_at
                && grant.voided.is_none()
                && (grant.is_due(self.now)?
                    || (grant.is_past(self.now) && grant.figures.held.is_positive()))
            {
                due.push((at, Due::End { sequence, index }));
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
        self.book_all(&postings, &cause)?;
        let hold = self.end_hold(&hold, at, Ending::Expired);
        self.brought.holds_expired += 1;
        self.tell(Subject::HoldExpired(hold), at)
    }

    /// A grant's end; `first` where it has just come, and not only something free of what it still
    /// held.
    fn end_grant(&mut self, index: usize, at: Timestamp, first: bool) -> Result<(), AmountError> {
        let grant = &self.slots[index].grant;
        let ends = first && grant.voided.is_none() && grant.figures.remaining.is_positive();
        self.count_as(index, false)?;
        let grant = &self.slots[index].grant;
        if grant.is_due(at)? {
            let cause = self.time_brings(at);
            self.book_one(index, EntryType::Expired, Figures::expire, &cause)?;
        }
        if ends {
            self.brought.grants_ended += 1;
            self.tell_of_grant(EventType::GrantExpired, index, at)?;
        }
        Ok(())
    }

    /// A start moves no figure, but it is recorded, whether or not somebody is told of it: who comes to
    /// listen later is not told of what has passed.
    fn start_grant(&mut self, index: usize, at: Timestamp) -> Result<(), AmountError> {
        self.brought.grants_started += 1;
        let slot = &mut self.slots[index];
        slot.dirt = slot.dirt.max(Dirt::Figures);
        self.count_as(index, true)?;
        self.record_at(at);
        self.tell_of_grant(EventType::GrantActivated, index, at)
    }

    /// The instant at which it fell due, whenever somebody comes to book it; an account that recorded
    /// something later keeps its time running forward.
    fn time_brings(&self, at: Timestamp) -> Cause {
        let recorded_at = self.recorded_at.map_or(at, |last| last.max(at));
        Cause { occurred_at: at, ..Cause::call(&ACTOR_TIME.into(), recorded_at) }
    }

    /// The next instant at which time alone changes a grant's row.
    #[must_use]
    pub fn due_at(&self, grant: &Grant) -> Option<Timestamp> {
        let turn = grant.due_at(self.now, &self.windows)?;
        // Of a grant that has ended nobody is warned.
        let warning = if grant.is_past(self.now) { None } else { self.next_warning(grant) };
        Some(warning.map_or(turn, |warning| warning.min(turn)))
    }

    /// Marks the rows of grants whose next due instant is another than was noted: it was worked out
    /// with the late window, the warning periods and the interests of then.
    pub(super) fn renew_due(&mut self) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.open && slot.due_at != self.due_at(&slot.grant) {
                let slot = &mut self.slots[index];
                slot.dirt = slot.dirt.max(Dirt::Figures);
            }
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
