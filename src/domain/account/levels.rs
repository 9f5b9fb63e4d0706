//! What remains, as each threshold counts it. Worked out once for a batch and kept up with each
//! movement: a customer may have thousands of grants, and a batch thousands of commands.

use super::{Account, Slot};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::figures::Figures;
use crate::domain::notification::Threshold;
use crate::domain::time::Timestamp;

/// A figure for each threshold of the interests, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    /// As things stand.
    present: Vec<Amount>,
    /// As they stood when they were last looked at.
    seen: Vec<Amount>,
}

impl Slot {
    /// What counts of such figures, as balances count it: what remains while the grant is live, and
    /// otherwise what is held.
    fn counted(&self, figures: Figures) -> Amount {
        if self.live { figures.remaining } else { figures.held }
    }
}

impl Account {
    /// Works the levels out, as things stood then.
    pub(super) fn find_levels(&mut self, at: Timestamp) -> Result<(), AmountError> {
        let thresholds = self.interests.thresholds();
        self.levels = Levels::default();
        if thresholds.is_empty() {
            return Ok(());
        }
        for slot in &mut self.slots {
            slot.live = slot.grant.is_live(at);
        }
        let level = |threshold: &Threshold| {
            let paying = threshold.of.paying_for();
            let slots = self.slots.iter().filter(|slot| paying.counts(&slot.grant.scope));
            Amount::sum(slots.map(|slot| slot.counted(slot.grant.figures)))
        };
        let present: Vec<Amount> = thresholds.iter().map(level).collect::<Result<_, _>>()?;
        self.levels = Levels { seen: present.clone(), present };
        Ok(())
    }

    /// Counts that a grant's figures have become others.
    pub(super) fn count_change(
        &mut self,
        index: usize,
        before: Figures,
    ) -> Result<(), AmountError> {
        let slot = &self.slots[index];
        let (before, after) = (slot.counted(before), slot.counted(slot.grant.figures));
        self.shift(index, before, after)
    }

    /// Counts a grant as live, or no longer so.
    pub(super) fn count_as(&mut self, index: usize, live: bool) -> Result<(), AmountError> {
        let slot = &mut self.slots[index];
        let before = slot.counted(slot.grant.figures);
        slot.live = live;
        let after = slot.counted(slot.grant.figures);
        self.shift(index, before, after)
    }

    fn shift(&mut self, index: usize, before: Amount, after: Amount) -> Result<(), AmountError> {
        if before == after {
            return Ok(());
        }
        let scope = &self.slots[index].grant.scope;
        for (threshold, level) in self.interests.thresholds().iter().zip(&mut self.levels.present) {
            if threshold.of.paying_for().counts(scope) {
                *level = level.minus(before)?.plus(after)?;
            }
        }
        Ok(())
    }

    /// What each threshold's level was when it was last looked at, and what it is now.
    pub(super) fn look_at_levels(&mut self) -> Vec<(Amount, Amount)> {
        let present = self.levels.present.clone();
        let seen = std::mem::replace(&mut self.levels.seen, present.clone());
        seen.into_iter().zip(present).collect()
    }
}
