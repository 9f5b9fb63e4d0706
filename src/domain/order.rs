//! The order in which grants are consumed: published, total, the same everywhere.

use std::cmp::Ordering;

use super::grant::Grant;

/// Compares two grants of one customer by the order of consumption (product.md, "The order in
/// which grants are consumed"):
///
/// 1. priority, lower first
/// 2. `expires_at`, earlier first, never-expiring last
/// 3. grants tied to metrics before grants open to any
/// 4. `effective_at`, earlier first
/// 5. `created_at`, then the sequence of their first ledger entry
#[must_use]
pub fn by_consumption(a: &Grant, b: &Grant) -> Ordering {
    a.priority
        .cmp(&b.priority)
        .then_with(|| match (a.expires_at, b.expires_at) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        })
        .then_with(|| b.scope.is_tied().cmp(&a.scope.is_tied()))
        .then_with(|| a.effective_at.cmp(&b.effective_at))
        .then_with(|| a.created_at.cmp(&b.created_at))
        .then_with(|| a.sequence.cmp(&b.sequence))
}
