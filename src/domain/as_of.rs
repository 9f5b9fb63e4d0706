//! A grant as it was: what its ledger recorded after an instant is taken back.

use super::account::Remainder;
use super::amount::{Amount, AmountError};
use super::entry::RuleChange;
use super::figures::Figures;
use super::grant::Grant;
use super::hold::DueRelease;
use super::time::Timestamp;

/// What a grant's ledger recorded after an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Since {
    /// By how much what was spent has grown, signed; so with the others.
    pub consumed: Amount,
    /// What was lost to time.
    pub expired: Amount,
    /// What was taken back.
    pub voided: Amount,
    /// What holds have set aside.
    pub held: Amount,
    /// What updates changed, oldest first.
    pub changes: Vec<RuleChange>,
}

impl Grant {
    /// The grant as a read at `at` showed it, of one made by then: without what came since, and
    /// with what time had brought booked; `due` is what holds gave back to it at their deadlines,
    /// by `at` and by `now`, where that is not booked yet.
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
        due: [Option<DueRelease>; 2],
    ) -> Result<Self, AmountError> {
        let [due, due_by_now] = due;
        self.updated_at = self.clone().at(now, due_by_now)?.updated_at;
        self.figures = self.figures.before(self.amount, since)?;
        for change in since.changes.iter().rev() {
            self.take_back(change);
        }
        self.voided = self.voided.filter(|voided| voided.at <= at);
        self.at(at, due)
    }

    /// The grant as a balance at `at` counts it: with what it had left then, and under the rules
    /// from before `later`, the first change of each since.
    ///
    /// Where the rest has gone makes no difference to a balance: all of it counts as consumed.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where more was left than was granted.
    pub fn with_left(
        mut self,
        at: Timestamp,
        left: &Remainder,
        later: &RuleChange,
    ) -> Result<Self, AmountError> {
        self.figures = Figures {
            remaining: left.remaining,
            held: left.held,
            consumed: self.amount.less(left.remaining)?,
            ..Figures::default()
        };
        self.take_back(later);
        self.voided = self.voided.filter(|voided| voided.at <= at);
        Ok(self)
    }

    fn take_back(&mut self, change: &RuleChange) {
        self.priority = change.priority.map_or(self.priority, |(old, _)| old);
        self.expires_at = change.expires_at.map_or(self.expires_at, |(old, _)| old);
    }
}

impl Figures {
    /// Those of a grant of this amount before they grew so much.
    fn before(mut self, amount: Amount, since: &Since) -> Result<Self, AmountError> {
        self.consumed = self.consumed.minus(since.consumed)?;
        self.expired = self.expired.minus(since.expired)?;
        self.voided = self.voided.minus(since.voided)?;
        self.held = self.held.minus(since.held)?;
        self.remaining = amount;
        for gone in [self.consumed, self.expired, self.voided] {
            // Nothing can have gone by less than nothing: `less` sees to both.
            self.remaining = self.remaining.less(gone.less(Amount::ZERO)?)?;
        }
        // Nor can less than nothing have been held, or more than remained.
        self.remaining.less(self.held.less(Amount::ZERO)?)?;
        Ok(self)
    }
}
