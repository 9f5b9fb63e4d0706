//! Credit applications: what monetary grants pay of an invoice.

use super::amount::{Amount, AmountError};
use super::currency::Currency;
use super::ids::InvoiceId;
use super::reversal;
use super::time::Timestamp;
use super::usage::Allocation;

/// What an invoice calls the credits that pay for it.
pub const LINE_LABEL: &str = "Credit Applied";

/// Credits applied to an invoice. `amount_due = applied + remaining`, net of what was reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditApplication {
    /// The caller's id.
    pub invoice_id: InvoiceId,
    /// The invoice's currency.
    pub currency: Currency,
    /// What was due before credits.
    pub amount_due: Amount,
    /// When the credits count as applied.
    pub applied_at: Timestamp,
    /// Whether the caller gave that instant: one that was left out agrees with any.
    pub applied_at_given: bool,
    /// When creditd took it in.
    pub recorded_at: Timestamp,
    /// What was given back since.
    pub reversed: Amount,
    /// What each grant paid at first, in the order in which it was taken, and what the grant's
    /// description is now.
    pub taken: Vec<(Allocation, String)>,
    /// Sequences of the first and last ledger entry it made; none where no grant paid.
    pub entries: Option<(i64, i64)>,
}

impl CreditApplication {
    /// What grants pay, net of what was given back.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn applied(&self) -> Result<Amount, AmountError> {
        Amount::sum(self.allocations().map(|taken| taken.amount))?.less(self.reversed)
    }

    /// What is left to be paid by other means.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn remaining(&self) -> Result<Amount, AmountError> {
        self.amount_due.less(self.applied()?)
    }

    /// What each grant pays, net of what was given back, with the grant's description.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn lines(&self) -> Result<Vec<(Allocation, &str)>, AmountError> {
        // What was taken last went back first: what is left are the first of what was taken.
        let left = reversal::left(self.allocations(), self.reversed)?;
        let descriptions = self.taken.iter().map(|(_, description)| description.as_str());
        Ok(left.into_iter().zip(descriptions).collect())
    }

    /// What each grant paid at first.
    #[must_use]
    pub fn allocations(&self) -> impl DoubleEndedIterator<Item = Allocation> + '_ {
        self.taken.iter().map(|(taken, _)| *taken)
    }
}
