//! A grant as it was: what its ledger recorded after an instant is taken back.

use super::account::Remainder;
use super::amount::{Amount, AmountError};
use super::entry::{EntryType, RuleChange};
use super::figures::Figures;
use super::grant::Grant;
use super::hold::DueRelease;
use super::time::Timestamp;

/// What entries of one type moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The type.
    pub kind: EntryType,
    /// By how much `remaining` changed, signed.
    pub amount: Amount,
    /// By how much `held` changed, signed.
    pub held: Amount,
}

/// What a grant's ledger recorded after an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Since {
    /// What entries of each type moved, added up.
    pub moved: Vec<Moved>,
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
        self.figures = self.figures.before(self.amount, &since.moved)?;
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
    /// Those of a grant of this amount before entries moved so much.
    fn before(mut self, amount: Amount, moved: &[Moved]) -> Result<Self, AmountError> {
        for Moved { kind, amount: by, held } in moved {
            self.held = self.held.minus(*held)?;
            match kind {
                // What took from `remaining` had given to one of the others, and so the other way.
                EntryType::Consumed
                | EntryType::Applied
                | EntryType::UsageReversed
                | EntryType::ApplicationReversed => self.consumed = self.consumed.plus(*by)?,
                EntryType::Expired | EntryType::ExpirationReclaimed => {
                    self.expired = self.expired.plus(*by)?;
                }
                EntryType::Voided => self.voided = self.voided.plus(*by)?,
                EntryType::Granted
                | EntryType::Updated
                | EntryType::Held
                | EntryType::HoldReleased => {}
            }
        }
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
