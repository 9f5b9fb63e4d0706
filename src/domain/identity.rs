//! Who calls, and what they may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::time::Timestamp;
use crate::limits;

/// What a caller may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Reader,
    /// Records usage, and makes and ends holds.
    Meter,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Meter, Self::Admin];

    /// As it is written in settings and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Meter => "meter",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a role.
    #[error("must be reader, meter or admin")]
    Role,
    /// Not a name that a key may have.
    #[error(
        "must be 1 to {} letters, digits, or any of . _ - / @, and neither anonymous nor creditd",
        limits::KEY_NAME_CHARS_MAX
    )]
    Name,
    /// Not a rule for certificates.
    #[error(
        "must be URI:name=role, DNS:name=role or CN:name=role; the name may begin or end with a *"
    )]
    Rule,
    /// Not the id of a key.
    #[error("must be the id of a key, as `creditd keys list` shows it")]
    Id,
}

impl FromStr for Role {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(Malformed::Role)
    }
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The actor that ledger entries name.
    pub actor: Arc<str>,
    /// What they may do.
    pub role: Role,
}

/// The name of a key: the actor that ledger entries name. It holds no colon, so that it is never
/// taken for a certificate's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(Arc<str>);

impl KeyName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/@".contains(&byte);
        let taken = [super::entry::ACTOR_ANONYMOUS, super::entry::ACTOR_TIME];
        let sound = (1..=limits::KEY_NAME_CHARS_MAX).contains(&text.len())
            && text.bytes().all(allowed)
            && !taken.contains(&text);
        if sound { Ok(Self(text.into())) } else { Err(Malformed::Name) }
    }
}

/// What a key is found by. No secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub Uuid);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Uuid::try_parse(text).map(Self).map_err(|_| Malformed::Id)
    }
}

/// What is kept of a key's text: its SHA-256. A key is 256 random bits, so there is nothing to guess
/// that a slow hash would have to make dear.
#[derive(Clone, Copy)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether they are the same, in a time that does not tell how far they are.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A key as its owner sends it: `creditd_<id>_<secret>`. It is shown once and kept nowhere; it does
/// not print itself.
pub struct KeyText {
    /// What it is found by.
    pub id: KeyId,
    text: String,
}

/// What keys begin with, so that who finds one in a log or a repository knows what it opens.
const PREFIX: &str = "creditd_";
/// Random bytes in a key.
const SECRET_BYTES: usize = 32;

impl KeyText {
    /// A new one.
    ///
    /// # Errors
    /// Where the operating system has no random bytes.
    pub fn fresh() -> Result<Self, SysError> {
        let mut secret = [0; SECRET_BYTES];
        SysRng.try_fill_bytes(&mut secret)?;
        let id = KeyId(Uuid::now_v7());
        Ok(Self { id, text: format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret)) })
    }

    /// Reads what a caller sent; None where it is no key, whatever it opens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
        let id = id.parse().ok().filter(|known: &KeyId| known.to_string() == id)?;
        (secret.len() == SECRET_BYTES).then(|| Self { id, text: text.to_owned() })
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.text)
    }

    /// The text, for its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id)
    }
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is found by.
    pub id: KeyId,
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is not taken any more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Which certificates have which role: those of which a name is like this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    pattern: Pattern,
    role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Is(String),
    /// A kind, and what the name ends with.
    Ends(String, String),
    Begins(String),
}

impl Pattern {
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Is(whole) => name == whole,
            Self::Begins(beginning) => name.starts_with(beginning),
            Self::Ends(kind, end) => {
                name.strip_prefix(kind.as_str()).is_some_and(|name| name.ends_with(end))
            }
        }
    }
}

impl FromStr for CertificateRule {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        // The last one: names of certificates may hold an equals sign.
        let (name, role) = text.rsplit_once('=').ok_or(Malformed::Rule)?;
        let kind = ["URI:", "DNS:", "CN:"].into_iter().find(|kind| name.starts_with(kind));
        let kind = kind.ok_or(Malformed::Rule)?;
        let value = &name[kind.len()..];
        let pattern = match (value.strip_prefix('*'), value.strip_suffix('*')) {
            (Some(end), None) => Pattern::Ends(kind.to_owned(), end.to_owned()),
            (None, Some(beginning)) => Pattern::Begins(format!("{kind}{beginning}")),
            (None, None) => Pattern::Is(name.to_owned()),
            (Some(_), Some(_)) => return Err(Malformed::Rule),
        };
        let bare = value.trim_matches('*');
        if bare.is_empty() || bare.contains('*') {
            return Err(Malformed::Rule);
        }
        Ok(Self { pattern, role: role.parse()? })
    }
}

/// Who a certificate with these names ("URI:…", "DNS:…", "CN:…") is: the first rule that fits one of
/// them says what they may do, and that name is the actor.
#[must_use]
pub fn of_certificate(rules: &[CertificateRule], names: &[String]) -> Option<Caller> {
    rules.iter().find_map(|rule| {
        let name = names.iter().find(|name| rule.pattern.fits(name))?;
        Some(Caller { actor: name.as_str().into(), role: rule.role })
    })
}
