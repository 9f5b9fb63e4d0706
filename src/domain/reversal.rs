//! Giving back what was taken: the slice taken last goes back first.

use std::collections::HashMap;

use super::amount::{Amount, AmountError};
use super::usage::Allocation;

/// What one reversal did; together it is what was reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reversal {
    /// What grants can be spent of again.
    pub restored: Amount,
    /// What came from grants that had ended meanwhile, and is lost again.
    pub forfeited: Amount,
    /// What no grant had paid.
    pub uncovered: Amount,
}

/// What is left of slices, in the order in which they were taken, after `back` was given back.
///
/// # Errors
/// [`AmountError::OutOfRange`] where that is more than was taken.
pub fn left(
    taken: impl DoubleEndedIterator<Item = Allocation>,
    back: Amount,
) -> Result<Vec<Allocation>, AmountError> {
    let mut left = Vec::new();
    let mut gone = back;
    for slice in taken.rev() {
        let part = slice.amount.min(gone);
        gone = gone.less(part)?;
        let amount = slice.amount.less(part)?;
        if amount.is_positive() {
            left.push(Allocation { amount, ..slice });
        }
    }
    if gone.is_positive() {
        return Err(AmountError::OutOfRange);
    }
    left.reverse();
    Ok(left)
}

/// What to give back now, in this order, where `before` was given back before.
///
/// # Errors
/// [`AmountError::OutOfRange`] where that is more than is left.
pub fn give_back(
    taken: impl DoubleEndedIterator<Item = Allocation>,
    before: Amount,
    back: Amount,
) -> Result<Vec<Allocation>, AmountError> {
    let mut slices = Vec::new();
    let mut rest = back;
    for slice in left(taken, before)?.into_iter().rev() {
        if rest.is_zero() {
            break;
        }
        let amount = slice.amount.min(rest);
        rest = rest.less(amount)?;
        slices.push(Allocation { amount, ..slice });
    }
    if rest.is_positive() {
        return Err(AmountError::OutOfRange);
    }
    Ok(slices)
}

/// One line for each grant, in the order of the first: a hold's event may have taken twice from one.
///
/// # Errors
/// [`AmountError::OutOfRange`], never for sound figures.
pub fn by_grant(slices: Vec<Allocation>) -> Result<Vec<Allocation>, AmountError> {
    let mut lines: Vec<Allocation> = Vec::with_capacity(slices.len());
    let mut places = HashMap::with_capacity(slices.len());
    for slice in slices {
        let place = *places.entry(slice.grant_id).or_insert(lines.len());
        match lines.get_mut(place) {
            Some(line) => line.amount = line.amount.plus(slice.amount)?,
            None => lines.push(slice),
        }
    }
    Ok(lines)
}
