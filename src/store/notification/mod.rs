//! Notifications: who is told of what, and what is on its way to them.

mod change;
mod claims;
mod deliveries;
mod endpoints;
mod interests;
mod payload;
mod pending;
mod removal;
mod renewal;
mod rows;
mod settings;

pub use self::change::{Changed, NotChanged};
pub use self::claims::{Attempted, Claim, Claimed, Next, Waiting};
pub use self::deliveries::{Delivery, DeliveryFilter, DeliveryStatus, NotSent};
pub(super) use self::interests::{read_interests, read_thresholds, thresholds_json};
pub(super) use self::payload::body;
