//! Usage added up, for a biller.

use super::amount::{Amount, AmountError};
use super::ids::Metric;
use super::time::Timestamp;

/// What usage is added up by, besides the metric. Hours and days are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// By hour.
    Hour,
    /// By day.
    Day,
    /// By nothing else.
    All,
}

/// The usage of one metric in one window. `quantity = covered + uncovered + reversed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSummary {
    /// The metric.
    pub metric: Metric,
    /// The first instant of the hour or day, or of the range.
    pub window_start: Timestamp,
    /// How many events there are.
    pub events: i64,
    /// What they used.
    pub quantity: Amount,
    /// What no grant pays of it, net of what was reversed.
    pub uncovered: Amount,
    /// What was reversed of it.
    pub reversed: Amount,
}

impl UsageSummary {
    /// What grants pay, net of what was given back.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`], never for sound figures.
    pub fn covered(&self) -> Result<Amount, AmountError> {
        self.quantity.less(self.uncovered)?.less(self.reversed)
    }
}
