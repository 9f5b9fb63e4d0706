//! A grant as it was: what its ledger recorded after an instant is taken back.

use super::amount::{Amount, AmountError};
use super::entry::{EntryType, RuleChange};
use super::grant::{Figures, Grant};
use super::time::Timestamp;

/// What a grant's ledger recorded after an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Since {
    /// What entries of each type moved, added up.
    pub moved: Vec<(EntryType, Amount)>,
    /// What updates changed, oldest first.
    pub changes: Vec<RuleChange>,
}

impl Grant {
    /// The grant as a read at `at` showed it, of one made by then: without what came since, and
    /// with its expiry booked.
    ///
    /// Two things are not in the ledger: the notes stay what they are, and `updated_at` is that of
    /// the last change by `now`, which may have come later than `at`.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where it did not come to its figures by these entries.
    pub fn as_of(
        mut self,
        at: Timestamp,
        now: Timestamp,
        since: &Since,
    ) -> Result<Self, AmountError> {
        self.updated_at = self.last_change(now)?;
        self.figures = self.figures.before(self.amount, &since.moved)?;
        for change in since.changes.iter().rev() {
            self.priority = change.priority.map_or(self.priority, |(old, _)| old);
            self.expires_at = change.expires_at.map_or(self.expires_at, |(old, _)| old);
        }
        self.voided = self.voided.filter(|voided| voided.at <= at);
        self.at(at)
    }
}

impl Figures {
    /// Those of a grant of this amount before entries moved so much.
    fn before(
        mut self,
        amount: Amount,
        moved: &[(EntryType, Amount)],
    ) -> Result<Self, AmountError> {
        for (kind, by) in moved {
            match kind {
                // What took from `remaining` had given to one of the others, and so the other way.
                EntryType::Consumed => self.consumed = self.consumed.plus(*by)?,
                EntryType::Expired | EntryType::ExpirationReclaimed => {
                    self.expired = self.expired.plus(*by)?;
                }
                EntryType::Voided => self.voided = self.voided.plus(*by)?,
                EntryType::Granted | EntryType::Updated => {}
            }
        }
        self.remaining = amount;
        for gone in [self.consumed, self.expired, self.voided] {
            // Nothing can have gone by less than nothing: `less` sees to both.
            self.remaining = self.remaining.less(gone.less(Amount::ZERO)?)?;
        }
        Ok(self)
    }
}
