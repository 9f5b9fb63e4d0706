//! Usage: what grants pay for, in which order, at which instants; repetitions; previews.

mod exact;
mod keys;
mod late;
mod order;
mod preview;
mod reject;
mod summary;

use creditd::pb;
use prost_types::Timestamp;

use crate::harness::say;

/// Usage at an instant.
fn at(timestamp: Option<Timestamp>, event: &str, quantity: &str) -> pb::RecordUsageRequest {
    pb::RecordUsageRequest { timestamp, ..say::usage("acme", event, "m", quantity) }
}

/// The same under REJECT.
fn or_reject(event: pb::RecordUsageRequest) -> pb::RecordUsageRequest {
    let insufficient_credits = pb::InsufficientCredits::Reject.into();
    pb::RecordUsageRequest { insufficient_credits, ..event }
}
