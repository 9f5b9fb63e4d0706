//! Which customers a batch changed, as its notification names them.
//!
//! A payload ends below 8,000 bytes, and a batch may change thousands of customers: so each is named
//! by the beginning of its key alone, in four characters. Keys are hashes, so that hardly two
//! customers share a name; where they do, one of them is looked at in vain.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::error::{Error, Result};

/// The channel of the notifications.
macro_rules! channel {
    () => {
        "creditd_changes"
    };
}
pub(super) use channel;
/// Names in one payload: four characters each, fewer than 8,000 together, which PostgreSQL refuses.
const NAMES_PER_PAYLOAD: usize = 1_999;

/// The first 24 bits of a customer's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPrefix([u8; 3]);

impl KeyPrefix {
    /// The one of this key.
    #[must_use]
    pub fn of(key: Uuid) -> Self {
        let [a, b, c, ..] = *key.as_bytes();
        Self([a, b, c])
    }

    /// The keys that begin with it.
    #[must_use]
    pub fn keys(self) -> RangeInclusive<Uuid> {
        let key = |rest| {
            let mut bytes = [rest; 16];
            bytes[..3].copy_from_slice(&self.0);
            Uuid::from_bytes(bytes)
        };
        key(0x00)..=key(0xff)
    }
}

/// The payloads that name these customers, whose keys are sorted.
pub(super) fn payloads(keys: impl Iterator<Item = Uuid>) -> Vec<String> {
    let mut names: Vec<KeyPrefix> = keys.map(KeyPrefix::of).collect();
    names.dedup();
    let payloads = names.chunks(NAMES_PER_PAYLOAD).map(|names| {
        let bytes: Vec<u8> = names.iter().flat_map(|name| name.0).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    });
    payloads.collect()
}

/// Whom a payload names.
pub(super) fn read(payload: &str) -> Result<Vec<KeyPrefix>> {
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok();
    let names = bytes.as_deref().map(<[u8]>::as_chunks);
    match names {
        Some((names, [])) => Ok(names.iter().copied().map(KeyPrefix).collect()),
        _ => Err(Error::corrupt("a notification")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u128) -> Vec<Uuid> {
        let spread = u128::MAX / count;
        (0..count).map(|number| Uuid::from_u128(number * spread)).collect()
    }

    #[test]
    fn payloads_name_every_customer_and_fit() {
        for count in [1, 2, 1_999, 2_000, 10_000] {
            let keys = keys(count);
            let payloads = payloads(keys.iter().copied());
            assert!(payloads.iter().all(|payload| payload.len() < 8_000), "{count}");
            assert_eq!(payloads.len(), keys.len().div_ceil(NAMES_PER_PAYLOAD), "{count}");
            let read: Vec<KeyPrefix> =
                payloads.iter().flat_map(|payload| read(payload).expect("names")).collect();
            assert_eq!(read.len(), keys.len());
            for (name, key) in read.into_iter().zip(keys) {
                assert!(name.keys().contains(&key), "{name:?} {key}");
            }
        }
        assert!(payloads(std::iter::empty()).is_empty());
    }

    #[test]
    fn neighbours_share_a_name() {
        let twins = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert_eq!(payloads(twins.into_iter()), ["AAAA"]);
        assert_eq!(read("AAAA").expect("names"), [KeyPrefix([0; 3])]);
    }

    #[test]
    fn what_nobody_of_us_has_sent_does_not_read() {
        for bad in ["A", "AAAAA", "AAA!", "AA=="] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("").expect("nobody"), []);
    }
}
