//! What is known of a customer besides the credits: a name, and the segments it is in.

use super::ids::{Customer, Segment};
use super::time::Timestamp;

/// A customer's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Whose.
    pub customer: Customer,
    /// For people.
    pub name: String,
    /// A sorted set.
    pub segments: Vec<Segment>,
}

impl Profile {
    /// A profile; its segments are a set.
    #[must_use]
    pub fn new(customer: Customer, name: String, mut segments: Vec<Segment>) -> Self {
        segments.sort_unstable();
        segments.dedup();
        Self { customer, name, segments }
    }
}

/// A profile, and since when it is as it is.
#[derive(Debug, Clone)]
pub struct KeptProfile {
    /// The profile.
    pub profile: Profile,
    /// When there first was one.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What became of a profile that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was none.
    Created,
    /// There was another.
    Updated,
    /// It was like this already.
    Unchanged,
}
