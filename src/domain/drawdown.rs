//! How usage, or what an invoice has due, is spread over grants. Pure: it plans, [`super::account`]
//! books.

use super::amount::{Amount, AmountError};
use super::currency::Currency;
use super::grant::{Grant, Scope};
use super::ids::Metric;
use super::time::{Timestamp, Windows};

/// What is to be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Usage of this metric.
    Usage(&'a Metric),
    /// An invoice in this currency.
    Invoice(Currency),
}

/// What a decision about a usage event or an invoice depends on, besides the grants.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// What for.
    pub purpose: Purpose<'a>,
    /// How much the event used, or the invoice has due.
    pub quantity: Amount,
    /// The event's timestamp, or when the credits count as applied: grants must have been live then.
    pub at: Timestamp,
    /// The instant of the decision.
    pub now: Timestamp,
    /// How late an event may come.
    pub windows: &'a Windows,
}

/// What one grant gives to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Where the grant stands in the list that was planned on.
    pub index: usize,
    /// What is taken from it.
    pub take: Amount,
    /// Whether it must be reclaimed first, the grant having expired since.
    pub reclaim: bool,
}

/// The plan for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order of consumption; none is zero.
    pub slices: Vec<Slice>,
    /// What grants pay.
    pub covered: Amount,
    /// What they do not.
    pub uncovered: Amount,
}

/// What a grant says to an event. The first that applies, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It pays for something else than this: invoices, usage, or another currency.
    OtherType,
    /// It is tied to other metrics.
    OtherMetric,
    /// It was voided.
    Voided,
    /// Nothing remains, and nothing has expired.
    Exhausted,
    /// It had ended by the event's timestamp, or has ended too long ago for a late event.
    Expired,
    /// It was not yet effective at the event's timestamp.
    Pending,
    /// All that remains is set aside by holds.
    Held,
    /// It can pay this much.
    Eligible(Amount),
}

impl Draw<'_> {
    /// What `grant`, with its expiry booked, says to this event.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn verdict(&self, grant: &Grant) -> Result<Verdict, AmountError> {
        match (self.purpose, &grant.scope) {
            (Purpose::Usage(metric), Scope::Units(_)) if grant.scope.covers(metric) => {}
            (Purpose::Usage(_), Scope::Units(_)) => return Ok(Verdict::OtherMetric),
            (Purpose::Invoice(currency), Scope::Money(of)) if currency == *of => {}
            (Purpose::Usage(_), Scope::Money(_)) | (Purpose::Invoice(_), _) => {
                return Ok(Verdict::OtherType);
            }
        }
        if grant.voided.is_some() {
            return Ok(Verdict::Voided);
        }
        if grant.figures.remaining.is_zero() && grant.figures.expired.is_zero() {
            return Ok(Verdict::Exhausted);
        }
        let closed = grant.is_past(self.now)
            && grant.closes_at(self.windows).is_none_or(|end| end <= self.now);
        if grant.is_past(self.at) || closed {
            return Ok(Verdict::Expired);
        }
        if self.at < grant.effective_at {
            return Ok(Verdict::Pending);
        }
        if grant.is_past(self.now) {
            // Live at the event's timestamp, expired since: a late event may reclaim.
            let reclaimable = grant.figures.expired;
            let held = reclaimable.is_zero();
            return Ok(if held { Verdict::Held } else { Verdict::Eligible(reclaimable) });
        }
        let free = grant.figures.free()?;
        Ok(if free.is_positive() { Verdict::Eligible(free) } else { Verdict::Held })
    }

    /// Spreads the quantity over `grants`, which are in the order of consumption, each with its
    /// expiry booked.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn plan<'g>(&self, grants: impl Iterator<Item = &'g Grant>) -> Result<Plan, AmountError> {
        let mut slices = Vec::new();
        let mut uncovered = self.quantity;
        for (index, grant) in grants.enumerate() {
            if uncovered.is_zero() {
                break;
            }
            if let Verdict::Eligible(available) = self.verdict(grant)? {
                let take = available.min(uncovered);
                uncovered = uncovered.less(take)?;
                slices.push(Slice { index, take, reclaim: grant.is_past(self.now) });
            }
        }
        let covered = self.quantity.less(uncovered)?;
        Ok(Plan { slices, covered, uncovered })
    }
}
