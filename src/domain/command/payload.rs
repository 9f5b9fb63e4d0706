//! Fingerprints of payloads: what was sent under a key, by value.

use uuid::Uuid;

use crate::domain::amount::Amount;

/// Namespace of payloads' fingerprints (UUIDv5, RFC 9562). Never to be changed.
const PAYLOADS: Uuid = Uuid::from_u128(0x6372_6564_6974_6400_8000_7061_796c_6f61);

/// Fields written so that no two payloads read the same: each with its length before it.
#[derive(Default)]
pub(in crate::domain) struct Canon(String);

impl Canon {
    pub(in crate::domain) fn field(&mut self, text: &str) {
        self.0.push_str(&text.len().to_string());
        self.0.push(':');
        self.0.push_str(text);
    }
}

impl Canon {
    /// The fingerprint of what was written.
    pub(in crate::domain) fn fingerprint(&self) -> Uuid {
        Uuid::new_v5(&PAYLOADS, self.0.as_bytes())
    }
}

/// Of a reversal: of what, how much, and why.
pub(super) fn reversal_payload(of: &str, id: &str, amount: Option<Amount>, reason: &str) -> Uuid {
    let mut text = Canon::default();
    text.field(of);
    text.field(id);
    text.field(&amount.map_or_else(|| "all".to_owned(), |amount| amount.to_string()));
    text.field(reason);
    text.fingerprint()
}
