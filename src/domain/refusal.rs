//! Why a command was refused. A refusal touches only its own command.

use super::amount::{Amount, AmountError};
use super::hold::Ending;
use super::ids::{EventId, HoldId, InvoiceId};

/// Why a command was not carried out; nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field that is wrong only at this instant (an expiry that has passed).
    #[error("{field} {rule}")]
    InvalidField {
        /// The field's path.
        field: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// No such grant.
    #[error("no such grant")]
    GrantNotFound,
    /// The request id was used with another payload.
    #[error("the request id was used before, with another payload")]
    RequestIdReused,
    /// The row of the import made another grant.
    #[error("this row of the import was created before, with other content")]
    ImportRowReused,
    /// The campaign's id was used with another payload.
    #[error("the campaign id was used before, with another payload")]
    CampaignIdReused,
    /// The event id was used with another payload.
    #[error("the event id was used before, with another payload")]
    EventIdReused,
    /// No such usage event.
    #[error("no such usage event")]
    EventNotFound(EventId),
    /// Nothing was applied to the invoice.
    #[error("no credits were applied to this invoice")]
    ApplicationNotFound(InvoiceId),
    /// The invoice's credits were applied with another payload.
    #[error("credits were applied to this invoice before, with another payload")]
    InvoiceAlreadyApplied,
    /// No such hold.
    #[error("no such hold")]
    HoldNotFound(HoldId),
    /// The hold's id was used with another payload.
    #[error("the hold id was used before, with another payload")]
    HoldIdReused,
    /// The hold has ended.
    #[error("the hold is no longer open: it {0}")]
    HoldNotOpen(Ending),
    /// The customer has as many open holds as one may have.
    #[error("a customer has at most {limit} open holds")]
    TooManyOpenHolds {
        /// The limit.
        limit: usize,
    },
    /// More was to be reversed than is left.
    #[error("{requested} requested, {left} left to reverse")]
    ReversalExceeds {
        /// What was asked for, as it is printed.
        requested: String,
        /// What is left, as it is printed.
        left: String,
    },
    /// Not enough credit, where that is refused.
    #[error("{requested} requested, {available} available")]
    InsufficientCredits {
        /// What the event wants.
        requested: Amount,
        /// What grants could pay of it.
        available: Amount,
    },
    /// The grant has ended.
    #[error("the grant has ended")]
    GrantNotActive,
    /// The customer has as many open grants as one may have.
    #[error("a customer has at most {limit} open grants")]
    TooManyOpenGrants {
        /// The limit.
        limit: usize,
    },
    /// The event's timestamp is too old or too far ahead.
    #[error("the timestamp is too old or too far ahead")]
    TimestampOutOfWindow,
    /// A sum left the exact range: a bug, or figures that are not sound.
    #[error(transparent)]
    Arithmetic(#[from] AmountError),
}
