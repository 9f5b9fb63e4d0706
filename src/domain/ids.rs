//! Ids: those that callers give and those that creditd makes.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::limits;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty.
    #[error("is required")]
    Missing,
    /// More than 255 bytes.
    #[error("must be at most {} bytes of UTF-8", limits::ID_BYTES_MAX)]
    TooLong,
    /// A control character.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// White space at either end.
    #[error("must not begin or end with a space")]
    SpaceAtEnd,
    /// An id that creditd makes that is no UUID.
    #[error("must be a UUID")]
    NotAUuid,
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Missing);
    }
    if text.len() > limits::ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    if text.trim().len() != text.len() {
        return Err(IdError::SpaceAtEnd);
    }
    Ok(())
}

macro_rules! caller_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads an id: 1 to 255 bytes of UTF-8, no control characters, no space at either
            /// end.
            ///
            /// # Errors
            /// The first rule of [`IdError`] that the text breaks.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// Takes a text that was parsed before, from the database.
            #[must_use]
            pub fn stored(text: String) -> Self {
                Self(text.into())
            }

            /// The text as the caller gave it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

caller_ids! {
    /// A usage event's id, unique per customer.
    EventId;
    /// A mutation's idempotency key, unique per customer across RPCs.
    RequestId;
    /// A metric's name.
    Metric;
    /// An import's key, unique among all customers.
    ImportId;
    /// An invoice's id, unique per customer.
    InvoiceId;
    /// A hold's id, unique per customer.
    HoldId;
    /// A campaign's key, unique among all campaigns.
    CampaignId;
    /// A segment's name.
    Segment;
}

impl From<HoldId> for EventId {
    /// The event that settles a hold is called as the hold, unless it is given a name of its own.
    fn from(id: HoldId) -> Self {
        Self(id.0)
    }
}

impl ImportId {
    /// Namespace of the imports' keys (UUIDv5, RFC 9562). Never to be changed.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6372_6564_6974_6400_8000_696d_706f_7274);

    /// What the rows of the import are kept under: short, whatever the id is.
    #[must_use]
    pub fn key(&self) -> Uuid {
        Uuid::new_v5(&Self::NAMESPACE, self.0.as_bytes())
    }
}

impl CampaignId {
    /// Namespace of the campaigns' keys (UUIDv5, RFC 9562). Never to be changed.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6372_6564_6974_6400_8000_6361_6d70_6169);

    /// What the campaign's grants are kept under: short, whatever the id is.
    #[must_use]
    pub fn key(&self) -> Uuid {
        Uuid::new_v5(&Self::NAMESPACE, self.0.as_bytes())
    }
}

/// Whoever owns credits: the caller's id, and the key that rows carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Customer {
    /// UUIDv5 of the external id in [`Customer::NAMESPACE`]: no look-up is needed to know it,
    /// and it shards.
    pub key: Uuid,
    /// The id that callers use.
    pub external_id: Arc<str>,
}

impl Customer {
    /// Namespace of the customers' keys (UUIDv5, RFC 9562). Never to be changed.
    pub const NAMESPACE: Uuid = Uuid::from_u128(0x6372_6564_6974_6400_8000_6375_7374_6f6d);

    /// Reads a customer's id.
    ///
    /// # Errors
    /// The first rule of [`IdError`] that the text breaks.
    pub fn parse(external_id: &str) -> Result<Self, IdError> {
        check(external_id)?;
        Ok(Self::stored(external_id))
    }

    /// Takes an id that was parsed before, from the database.
    #[must_use]
    pub fn stored(external_id: &str) -> Self {
        let key = Uuid::new_v5(&Self::NAMESPACE, external_id.as_bytes());
        Self { key, external_id: external_id.into() }
    }
}

/// Defines an id that creditd makes: a UUID.
macro_rules! made_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUIDv7: they grow with time, so that index pages fill in order).
            #[must_use]
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            /// Reads an id.
            ///
            /// # Errors
            /// [`IdError::Missing`] or [`IdError::NotAUuid`].
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if text.is_empty() {
                    return Err(IdError::Missing);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotAUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

made_id!(
    /// A grant's id.
    GrantId
);
made_id!(
    /// A webhook endpoint's id.
    EndpointId
);
made_id!(
    /// The id of a delivery: one notification on its way to one endpoint.
    DeliveryId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_the_published_rules() {
        for good in ["a", "a b", "顧客-1", &"x".repeat(255)] {
            assert!(EventId::parse(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("", IdError::Missing),
            (" a", IdError::SpaceAtEnd),
            ("a\u{a0}", IdError::SpaceAtEnd),
            ("a\nb", IdError::ControlCharacter),
            ("a\0", IdError::ControlCharacter),
            ("a\u{85}b", IdError::ControlCharacter),
            (&"x".repeat(256), IdError::TooLong),
            (&"é".repeat(128), IdError::TooLong),
        ] {
            assert_eq!(EventId::parse(bad), Err(error), "{bad:?}");
        }
        assert_eq!(GrantId::parse("nope"), Err(IdError::NotAUuid));
    }
}
