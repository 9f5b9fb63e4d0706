//! Pages by keyset. A token is opaque: it holds the key of the last item, and a digest of the
//! filter it belongs to, so that it is refused with another one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Datelike as _;
use prost::Message;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::fields::Fields;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::limits;

const DIGEST_BYTES: usize = 8;

/// What a page begins behind.
pub(super) trait Key: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl Key for i64 {
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Key for String {
    fn write(&self) -> String {
        self.clone()
    }
    fn read(text: &str) -> Option<Self> {
        EventId::parse(text).is_ok().then(|| text.to_owned())
    }
}

impl Key for (Timestamp, String) {
    fn write(&self) -> String {
        format!("{}:{}", self.0.timestamp_micros(), self.1)
    }
    fn read(text: &str) -> Option<Self> {
        // Only what was sealed here is whole: a token that was meddled with may hold anything.
        let (micros, id) = text.split_once(':')?;
        let at = Timestamp::from_timestamp_micros(micros.parse().ok()?)?;
        let sound = (1..=9999).contains(&at.year()) && EventId::parse(id).is_ok();
        sound.then(|| (at, id.to_owned()))
    }
}

impl Key for (Timestamp, Uuid) {
    fn write(&self) -> String {
        format!("{}:{}", self.0.timestamp_micros(), self.1)
    }
    fn read(text: &str) -> Option<Self> {
        let (at, id) = <(Timestamp, String)>::read(text)?;
        Some((at, Uuid::try_parse(&id).ok()?))
    }
}

/// Which page of which list is wanted.
pub(super) struct Page {
    digest: [u8; DIGEST_BYTES],
    /// Items at most.
    pub size: usize,
}

impl Page {
    /// Reads `page_size` and `page_token` of the list of this name, whose filter is the request with
    /// both left out. Two lists' filters may be the same bytes, so that the name counts, too.
    pub(super) fn read<K: Key>(
        list: &str,
        fields: &mut Fields,
        filter: &impl Message,
        size: i32,
        token: &str,
    ) -> (Self, Option<K>) {
        let mut digest = [0; DIGEST_BYTES];
        let filter = [list.as_bytes(), b"\0", &filter.encode_to_vec()].concat();
        digest.copy_from_slice(&Sha256::digest(filter)[..DIGEST_BYTES]);
        let size = match u32::try_from(size) {
            Ok(0) => limits::PAGE_SIZE_DEFAULT,
            Ok(size) => size.min(limits::PAGE_SIZE_MAX),
            Err(_) => {
                fields.fault("page_size", "must not be negative");
                limits::PAGE_SIZE_DEFAULT
            }
        };
        let page = Self { digest, size: usize::try_from(size).unwrap_or(usize::MAX) };
        let after = if token.is_empty() { None } else { page.open(token) };
        if after.is_none() && !token.is_empty() {
            fields.fault("page_token", "must be a next_page_token of the same list and filter");
        }
        (page, after)
    }

    /// How many items to ask for: one more than the page holds, to see whether there is another.
    pub(super) fn ask(&self) -> i64 {
        i64::try_from(self.size + 1).unwrap_or(i64::MAX)
    }

    /// The items that fit on the page, and where the next one begins; empty at the end. A page
    /// ends early where its items are so large that some clients would refuse the message.
    pub(super) fn cut<M: Message, K: Key>(
        &self,
        items: impl IntoIterator<Item = (K, M)>,
    ) -> (Vec<M>, String) {
        let mut kept = Vec::new();
        let mut bytes = 0;
        let mut last = None;
        for (key, item) in items {
            bytes += item.encoded_len();
            let full = kept.len() == self.size || bytes > limits::PAGE_BYTES_MAX;
            if full && let Some(last) = last {
                return (kept, self.seal(&K::write(&last)));
            }
            kept.push(item);
            last = Some(key);
        }
        (kept, String::new())
    }

    fn seal(&self, key: &str) -> String {
        let mut bytes = self.digest.to_vec();
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open<K: Key>(&self, token: &str) -> Option<K> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let key = bytes.strip_prefix(&self.digest)?;
        K::read(std::str::from_utf8(key).ok()?)
    }
}
