//! Why a command was refused. A refusal touches only its own command.

use super::amount::{Amount, AmountError};

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
    /// The event id was used with another payload.
    #[error("the event id was used before, with another payload")]
    EventIdReused,
    /// Not enough credit, where overage is refused.
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
