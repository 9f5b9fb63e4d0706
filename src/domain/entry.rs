//! Ledger entries: one append-only line for everything that changes a figure or a rule of a grant.

use std::sync::Arc;

use super::amount::Amount;
use super::grant::Priority;
use super::ids::{EventId, GrantId, HoldId, InvoiceId};
use super::time::Timestamp;

/// The actor of what time alone brings.
pub const ACTOR_TIME: &str = "creditd";
/// The actor of calls without identity.
pub const ACTOR_ANONYMOUS: &str = "anonymous";

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryType {
    /// The grant was made: + its amount.
    Granted,
    /// A rule of it changed: 0.
    Updated,
    /// Usage took: -; of what was held, too, as far as a hold had set it aside.
    Consumed,
    /// An invoice took: -.
    Applied,
    /// A hold set aside: 0, but + of what is held.
    Held,
    /// A hold gave back: 0, but - of what is held.
    HoldReleased,
    /// Time took: -.
    Expired,
    /// It was voided: -, or 0 where all that remained was held.
    Voided,
    /// Usage was reversed: +.
    UsageReversed,
    /// An application was reversed: +.
    ApplicationReversed,
    /// Time gave back for a late event or application: +, always followed by a Consumed or Applied of
    /// the same amount.
    ExpirationReclaimed,
}

impl EntryType {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Granted,
        Self::Updated,
        Self::Consumed,
        Self::Applied,
        Self::Held,
        Self::HoldReleased,
        Self::Expired,
        Self::Voided,
        Self::UsageReversed,
        Self::ApplicationReversed,
        Self::ExpirationReclaimed,
    ];
}

/// Old and new of what an update changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleChange {
    /// Old and new priority, where it changed.
    pub priority: Option<(Priority, Priority)>,
    /// Old and new expiry (none = never), where it changed.
    pub expires_at: Option<(Option<Timestamp>, Option<Timestamp>)>,
}

/// One line of a customer's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Gapless per customer, from 1.
    pub sequence: i64,
    /// On which grant.
    pub grant_id: GrantId,
    /// What moved.
    pub kind: EntryType,
    /// By how much `remaining` changed, signed.
    pub amount: Amount,
    /// The grant's `remaining` afterwards.
    pub balance_after: Amount,
    /// By how much `held` changed, signed.
    pub held_amount: Amount,
    /// The grant's `held` afterwards.
    pub held_after: Amount,
    /// The usage event that caused it, by being recorded or reversed.
    pub event_id: Option<EventId>,
    /// The invoice that caused it, by credits being applied to it or reversed.
    pub invoice_id: Option<InvoiceId>,
    /// The hold that caused it.
    pub hold_id: Option<HoldId>,
    /// Why, where somebody said so.
    pub reason: Option<Arc<str>>,
    /// What changed, for [`EntryType::Updated`].
    pub change: Option<RuleChange>,
    /// By whom.
    pub actor: Arc<str>,
    /// When it happened for the business.
    pub occurred_at: Timestamp,
    /// When creditd took it in; for what time brings, the instant at which it fell due, so that
    /// the ledger does not depend on when somebody came to book it.
    pub recorded_at: Timestamp,
}
