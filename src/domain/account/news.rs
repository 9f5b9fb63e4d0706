//! What is told of what happens, where somebody is to be told of it.

use std::cmp::Reverse;
use std::sync::Arc;

use super::due::Due;
use super::{Account, Dirt, Slot};
use crate::domain::amount::AmountError;
use crate::domain::balance;
use crate::domain::grant::Grant;
use crate::domain::notification::{
    EventType, Interests, Notification, Subject, Threshold, Warned, WarningPeriod,
};
use crate::domain::time::Timestamp;

impl Account {
    /// Says who is to be told of what, from now on. Unless it is called, nobody is.
    pub fn heed(&mut self, interests: Arc<Interests>) {
        self.interests = interests;
    }

    /// Who is to be told of what.
    #[must_use]
    pub fn interests(&self) -> &Interests {
        &self.interests
    }

    /// Adds the thresholds below which the balance has been told to be.
    pub fn remember_low(&mut self, low: Vec<Threshold>) {
        self.low = low;
    }

    /// The thresholds below which the balance has been told to be.
    #[must_use]
    pub fn low(&self) -> &[Threshold] {
        &self.low
    }

    /// Tells whoever wants to know, as things stand now.
    pub(super) fn tell(&mut self, subject: Subject, at: Timestamp) -> Result<(), AmountError> {
        let mut told = Notification { subject, at, sequence: self.revision, totals: Vec::new() };
        if self.interests.want(told.event_type()) {
            told.totals = balance::totals(self.grants(), at)?;
            self.changes.notifications.push(told);
            // What has been told has been recorded: it does not happen again.
            self.record_at(at);
        }
        Ok(())
    }

    /// Tells what happened to a grant.
    pub(super) fn tell_of_grant(
        &mut self,
        kind: EventType,
        index: usize,
        at: Timestamp,
    ) -> Result<(), AmountError> {
        if !self.interests.want(kind) {
            return Ok(());
        }
        let grant = Box::new(self.slots[index].grant.clone());
        self.tell(Subject::Grant(kind, grant), at)
    }

    /// The warnings that are due, of what was recorded last at `since`. Each is due where its period
    /// begins; where that was passed before (the grant, its end or the period is new, or something
    /// has come back to it) it is due now, unless the grant has ended.
    pub(super) fn due_warnings(&self, since: Timestamp) -> impl Iterator<Item = (Timestamp, Due)> {
        let now = self.now;
        let left =
            |slot: &Slot| slot.grant.voided.is_none() && slot.grant.figures.remaining.is_positive();
        let slots = self.slots.iter().enumerate().filter(move |(_, slot)| left(slot));
        let ends = slots.filter_map(|(index, slot)| Some((index, slot, slot.grant.expires_at?)));
        let running = ends.filter(move |(_, _, end)| *end > since);
        running.flat_map(move |(index, slot, end)| {
            let unsent = self.unsent(&slot.grant, end);
            unsent.filter_map(move |period| {
                let begins = period.before(end);
                let late = begins <= since;
                let due = begins <= now && !(late && end <= now);
                let at = if late { now } else { begins };
                let sequence = slot.grant.sequence;
                let warning = Due::Warning { sequence, period: Reverse(period), index };
                due.then_some((at, warning))
            })
        })
    }

    /// The periods of which the grant has not been warned yet.
    fn unsent(&self, grant: &Grant, end: Timestamp) -> impl Iterator<Item = WarningPeriod> {
        let periods = self.interests.warnings().iter().copied();
        periods.filter(move |period| !grant.warned.contains(&Warned { period: *period, end }))
    }

    /// The next instant after now at which a grant is to be warned of.
    pub(super) fn next_warning(&self, grant: &Grant) -> Option<Timestamp> {
        let end = grant.expires_at?;
        let begin = self.unsent(grant, end).map(|period| period.before(end));
        begin.filter(|begins| *begins > self.now).min()
    }

    /// Warns of a grant's end.
    pub(super) fn warn(
        &mut self,
        index: usize,
        period: WarningPeriod,
        at: Timestamp,
    ) -> Result<(), AmountError> {
        let slot = &mut self.slots[index];
        let Some(end) = slot.grant.expires_at else { return Ok(()) };
        // An end that has passed cannot be moved to again.
        slot.grant.warned.retain(|warned| warned.end > at);
        slot.grant.warned.push(Warned { period, end });
        slot.dirt = slot.dirt.max(Dirt::Terms);
        let grant = Box::new(slot.grant.clone());
        self.tell(Subject::Expiring(period, grant), at)
    }

    /// Sends the warnings that a command has made due.
    pub(super) fn warn_now(&mut self) -> Result<(), AmountError> {
        let mut due: Vec<(Timestamp, Due)> = self.due_warnings(self.now).collect();
        due.sort_unstable();
        for (at, due) in due {
            if let Due::Warning { period, index, .. } = due {
                self.warn(index, period.0, at)?;
            }
        }
        Ok(())
    }

    /// Tells of thresholds that the balance has crossed since the last time.
    pub(super) fn compare_levels(&mut self, at: Timestamp) -> Result<(), AmountError> {
        let interests = Arc::clone(&self.interests);
        if !interests.want(EventType::BalanceLow) && !interests.want(EventType::BalanceRecovered) {
            return Ok(());
        }
        let configured = |low: &Threshold| {
            interests.thresholds().iter().any(|threshold| threshold.is_same_line(low))
        };
        let known = self.low.len();
        self.low.retain(configured);
        self.changes.low |= self.low.len() != known;
        let levels = self.look_at_levels();
        for (threshold, (before, after)) in interests.thresholds().iter().zip(levels) {
            let place = self.low.iter().position(|low| low.is_same_line(threshold));
            match place {
                Some(place) if after >= threshold.recover_at => {
                    self.low.remove(place);
                    self.changes.low = true;
                    self.tell(Subject::Recovered(threshold.clone(), after), at)?;
                }
                None if before >= threshold.amount && after < threshold.amount => {
                    self.low.push(threshold.clone());
                    self.changes.low = true;
                    self.tell(Subject::Low(threshold.clone(), after), at)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
