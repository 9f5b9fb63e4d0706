//! What of a grant went where, and every way in which it moves.

use super::amount::{Amount, AmountError};

/// What of a grant went where. `amount = remaining + consumed + expired + voided`, always, and
/// `0 <= held <= remaining`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Not yet spent, expired or voided.
    pub remaining: Amount,
    /// The part of `remaining` that holds have set aside.
    pub held: Amount,
    /// Spent by usage or on invoices.
    pub consumed: Amount,
    /// Lost to time.
    pub expired: Amount,
    /// Taken back.
    pub voided: Amount,
}

impl Figures {
    /// Those of a grant that nobody has touched.
    #[must_use]
    pub fn of_new(amount: Amount) -> Self {
        Self { remaining: amount, ..Self::default() }
    }

    /// What is not set aside.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where `held > remaining`, which would be a bug.
    pub fn free(&self) -> Result<Amount, AmountError> {
        self.remaining.less(self.held)
    }

    /// After spending `take` of what is free.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where less is free.
    pub fn consume(self, take: Amount) -> Result<Self, AmountError> {
        self.free()?.less(take)?;
        Ok(Self {
            remaining: self.remaining.less(take)?,
            consumed: self.consumed.plus(take)?,
            ..self
        })
    }

    /// After setting aside `take` of what is free.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where less is free.
    pub fn hold(self, take: Amount) -> Result<Self, AmountError> {
        self.free()?.less(take)?;
        Ok(Self { held: self.held.plus(take)?, ..self })
    }

    /// After giving `back` what a hold had set aside.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where less is held.
    pub fn release(self, back: Amount) -> Result<Self, AmountError> {
        Ok(Self { held: self.held.less(back)?, ..self })
    }

    /// After spending `take` of what a hold had set aside.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where less is held.
    pub fn consume_held(self, take: Amount) -> Result<Self, AmountError> {
        self.release(take)?.consume(take)
    }

    /// After `back` of what was spent was given back.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where less was spent.
    pub fn restore(self, back: Amount) -> Result<Self, AmountError> {
        Ok(Self {
            remaining: self.remaining.plus(back)?,
            consumed: self.consumed.less(back)?,
            ..self
        })
    }

    /// After everything free has expired.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn expire(self) -> Result<Self, AmountError> {
        let lost = self.free()?;
        Ok(Self {
            remaining: self.remaining.less(lost)?,
            expired: self.expired.plus(lost)?,
            ..self
        })
    }

    /// After everything free was voided.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn void(self) -> Result<Self, AmountError> {
        let lost = self.free()?;
        Ok(Self { remaining: self.remaining.less(lost)?, voided: self.voided.plus(lost)?, ..self })
    }

    /// After `back` of what had expired was taken back for a late event.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where less had expired.
    pub fn reclaim(self, back: Amount) -> Result<Self, AmountError> {
        Ok(Self {
            remaining: self.remaining.plus(back)?,
            expired: self.expired.less(back)?,
            ..self
        })
    }
}
