//! Exact amounts: whole multiples of 10^-12, counted in an `i128`.
//!
//! `rust_decimal` rounds silently when a sum needs more than 96 bits; an `i128` of 10^-12 holds
//! 10^11 times the largest single amount and says so when it is full.

use std::fmt::{self, Write as _};

use rust_decimal::Decimal;

use crate::limits;

/// Decimals that every amount is counted in.
pub const SCALE: u32 = 12;
const ONE: i128 = 10_i128.pow(SCALE);
const ONE_U64: u64 = 10_u64.pow(SCALE);
/// Room for what amounts are in practice: a sign, 16 digits, a point, 12 decimals.
const LONGEST: usize = 30;
/// The largest amount or quantity a caller may send: 10^15.
const LARGEST: i128 = 10_i128.pow(15) * ONE;

/// A signed exact decimal with up to 12 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

/// Why a text is not an amount, or why a sum cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is empty.
    #[error("is required")]
    Missing,
    /// Anything but digits with at most one point between them.
    #[error("must be a plain decimal such as \"100\" or \"0.25\"")]
    NotADecimal,
    /// More decimals than allowed, trailing zeros aside.
    #[error("must have at most {0} decimals; it is not rounded")]
    TooPrecise(u32),
    /// Above 10^15.
    #[error("must be at most 1000000000000000 (10^15)")]
    TooLarge,
    /// Zero where something must move.
    #[error("must be greater than 0")]
    NotPositive,
    /// A sum outside the counted range, or a figure below zero.
    #[error("arithmetic left the exact range")]
    OutOfRange,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a quantity: a decimal in [0, 10^15] with at most `decimals` decimals.
    ///
    /// # Errors
    /// Whatever of [`AmountError`] applies; nothing is rounded.
    pub fn parse(text: &str, decimals: u32) -> Result<Self, AmountError> {
        if text.is_empty() {
            return Err(AmountError::Missing);
        }
        if text.len() > limits::AMOUNT_BYTES_MAX {
            return Err(AmountError::NotADecimal);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountError::NotADecimal),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(AmountError::NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        let places = u32::try_from(fraction.len()).map_err(|_| AmountError::NotADecimal)?;
        if places > decimals.min(SCALE) {
            return Err(AmountError::TooPrecise(decimals.min(SCALE)));
        }
        let mut units: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            units = units
                .checked_mul(10)
                .and_then(|u| u.checked_add(i128::from(byte - b'0')))
                .ok_or(AmountError::TooLarge)?;
        }
        units = units.checked_mul(10_i128.pow(SCALE - places)).ok_or(AmountError::TooLarge)?;
        if units > LARGEST {
            return Err(AmountError::TooLarge);
        }
        Ok(Self(units))
    }

    /// Reads an amount that must be more than nothing: (0, 10^15].
    ///
    /// # Errors
    /// As [`Amount::parse`], and [`AmountError::NotPositive`] for zero.
    pub fn parse_positive(text: &str, decimals: u32) -> Result<Self, AmountError> {
        match Self::parse(text, decimals)? {
            Self::ZERO => Err(AmountError::NotPositive),
            amount => Ok(amount),
        }
    }

    /// From the count of 10^-12.
    #[must_use]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The count of 10^-12.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Whether it needs no more decimals than these.
    #[must_use]
    pub fn fits_decimals(self, decimals: u32) -> bool {
        self.0 % 10_i128.pow(SCALE - decimals.min(SCALE)) == 0
    }

    /// True where nothing is left.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// True where there is something.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Sum.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where it does not fit.
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError::OutOfRange)
    }

    /// Signed difference.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where it does not fit.
    pub fn minus(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountError::OutOfRange)
    }

    /// Difference that must not fall below zero: for figures.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where `other` is larger.
    pub fn less(self, other: Self) -> Result<Self, AmountError> {
        match self.minus(other)? {
            left if left.0 >= 0 => Ok(left),
            _ => Err(AmountError::OutOfRange),
        }
    }

    /// The sum of all.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where it does not fit.
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Result<Self, AmountError> {
        all.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// For the database: NUMERIC(28,12).
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where it needs more than 96 bits; no figure of one grant does.
    pub fn to_decimal(self) -> Result<Decimal, AmountError> {
        Decimal::try_from_i128_with_scale(self.0, SCALE).map_err(|_| AmountError::OutOfRange)
    }

    /// From the database.
    ///
    /// # Errors
    /// [`AmountError::TooPrecise`] for more than 12 decimals, [`AmountError::OutOfRange`].
    pub fn from_decimal(value: Decimal) -> Result<Self, AmountError> {
        let value = if value.scale() > SCALE { value.normalize() } else { value };
        let missing = SCALE.checked_sub(value.scale()).ok_or(AmountError::TooPrecise(SCALE))?;
        value.mantissa().checked_mul(10_i128.pow(missing)).map(Self).ok_or(AmountError::OutOfRange)
    }

    /// Printed with exactly `decimals` decimals, as money is ("100.00").
    ///
    /// More decimals are printed where the value needs them: nothing is ever rounded.
    #[must_use]
    pub fn with_decimals(self, decimals: u32) -> String {
        self.print(usize::try_from(decimals).unwrap_or(usize::MAX))
    }

    /// In one allocation, and by 64-bit arithmetic where that holds it: this runs several times for
    /// every event.
    fn print(self, decimals_min: usize) -> String {
        let size = self.0.unsigned_abs();
        let (whole, fraction) = match u64::try_from(size) {
            Ok(size) => (u128::from(size / ONE_U64), u128::from(size % ONE_U64)),
            Err(_) => (size / ONE.unsigned_abs(), size % ONE.unsigned_abs()),
        };
        let mut text = String::with_capacity(LONGEST);
        if self.0 < 0 {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{whole}");
        if fraction == 0 && decimals_min == 0 {
            return text;
        }
        let shortest = text.len() + 1 + decimals_min;
        let _ = write!(text, ".{fraction:012}");
        let needed = text.trim_end_matches('0').len().max(shortest);
        text.truncate(needed);
        text
    }
}

impl std::ops::Neg for Amount {
    type Output = Self;
    /// Cannot overflow: `i128::MIN` is outside what any sum of amounts reaches.
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// Without trailing zeros, as units are printed ("0.25", "100").
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_exactly() {
        for (text, units) in [
            ("0", "0"),
            ("1.00", "1"),
            ("0.000000000001", "0.000000000001"),
            ("1000000000000000", "1000000000000000"),
            ("999999999999999.999999999999", "999999999999999.999999999999"),
            ("007.5000000000000000", "7.5"),
        ] {
            assert_eq!(Amount::parse(text, 12).unwrap().to_string(), units, "{text}");
        }
        assert_eq!(Amount::parse("100", 2).unwrap().with_decimals(2), "100.00");
        assert_eq!(Amount::parse("100", 0).unwrap().with_decimals(0), "100");
        assert_eq!((-Amount::parse("0.5", 3).unwrap()).with_decimals(3), "-0.500");
    }

    #[test]
    fn refuses_what_it_would_have_to_round_or_guess() {
        for (text, error) in [
            ("", AmountError::Missing),
            ("1e3", AmountError::NotADecimal),
            ("+1", AmountError::NotADecimal),
            ("-1", AmountError::NotADecimal),
            (" 1", AmountError::NotADecimal),
            (".5", AmountError::NotADecimal),
            ("5.", AmountError::NotADecimal),
            ("1,000", AmountError::NotADecimal),
            ("1_000", AmountError::NotADecimal),
            ("NaN", AmountError::NotADecimal),
            ("١", AmountError::NotADecimal),
            ("1.001", AmountError::TooPrecise(2)),
            ("1000000000000000.01", AmountError::TooLarge),
            ("99999999999999999999999999999999999999999999999999", AmountError::TooLarge),
        ] {
            assert_eq!(Amount::parse(text, 2), Err(error), "{text}");
        }
        assert_eq!(Amount::parse_positive("0.00", 2), Err(AmountError::NotPositive));
    }

    proptest::proptest! {
        #[test]
        fn text_and_database_round_trip(units in 0..=LARGEST) {
            let amount = Amount::from_units(units);
            proptest::prop_assert_eq!(Amount::parse(&amount.to_string(), 12), Ok(amount));
            let stored = amount.to_decimal().unwrap();
            proptest::prop_assert_eq!(Amount::from_decimal(stored), Ok(amount));
            proptest::prop_assert_eq!(Amount::from_decimal(stored.normalize()), Ok(amount));
        }
    }
}
