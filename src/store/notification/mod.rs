//! Notifications: who is told of what, and what is on its way to them.

mod interests;
mod payload;
mod removal;
mod renewal;

pub(super) use self::interests::{read_interests, read_thresholds, thresholds_json};
pub(super) use self::payload::body;
