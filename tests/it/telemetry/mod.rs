//! What operators see: metrics, traces, logs. Asserted by content, after calls that are known.

mod collector;
mod logs;
mod metrics;
mod names;
mod port;
mod traces;

use std::collections::BTreeSet;

/// The figure at this name and these labels, as they are printed; 0 where there is none.
pub fn figure(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a whole number"))
}

/// The names of all metrics in this text.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
