//! Where webhooks may go. creditd stands inside a network; whoever names a URL does not, and must
//! not reach through creditd what is only reachable from there.

use std::cell::Cell;
use std::net::IpAddr;

use url::{Host, SyntaxViolation, Url};

use super::reach::{Reach, reach};
use crate::limits;

/// What is allowed besides https to addresses of the public Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UrlPolicy {
    /// http, too.
    pub allow_http: bool,
    /// Addresses of one's own networks, too: loopback, private, link-local.
    pub allow_private: bool,
}

/// Why a webhook may not go to a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Empty.
    #[error("is required")]
    Missing,
    /// Longer than [`limits::URL_BYTES_MAX`].
    #[error("must be at most {} bytes", limits::URL_BYTES_MAX)]
    TooLong,
    /// No URL, or one that only a lenient reader would take for one.
    #[error("must be a URL such as https://example.com/webhooks")]
    NotAUrl,
    /// Neither https nor http where it is allowed.
    #[error("must begin with https://")]
    NotHttps,
    /// `user:password@`: it would be shown to everyone who lists endpoints.
    #[error("must not contain a user or password")]
    Credentials,
    /// `#…`: it is never sent.
    #[error("must not contain a fragment")]
    Fragment,
    /// An address, or a name of one, that is not allowed.
    #[error("must not point to a loopback, private, link-local or reserved address")]
    Address,
}

impl UrlPolicy {
    /// Reads a URL, and checks what its text tells; what its host resolves to is seen only when it
    /// is resolved, each time anew ([`UrlPolicy::allows`]).
    ///
    /// # Errors
    /// The first rule of [`UrlError`] that the text breaks.
    pub fn read(self, text: &str) -> Result<Url, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Missing);
        }
        if text.len() > limits::URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let url = parse(text)?;
        self.check(&url)?;
        Ok(url)
    }

    /// Checks a URL that was read before, maybe under another policy.
    ///
    /// # Errors
    /// The first rule of [`UrlError`] that it breaks.
    pub fn check(self, url: &Url) -> Result<(), UrlError> {
        if url.scheme() != "https" && !(self.allow_http && url.scheme() == "http") {
            return Err(UrlError::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let allowed = match url.host() {
            None => return Err(UrlError::NotAUrl),
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(name)) => self.allow_private || !is_localhost(name),
        };
        if allowed { Ok(()) } else { Err(UrlError::Address) }
    }

    /// Whether a connection may be made to this address.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match reach(address) {
            Reach::Global => true,
            Reach::Local => self.allow_private,
            Reach::Nowhere => false,
        }
    }
}

/// Reads strictly: what the WHATWG's rules would mend (spaces, backslashes, missing slashes) is
/// refused, because another reader may mend it otherwise.
fn parse(text: &str) -> Result<Url, UrlError> {
    let violation = Cell::new(None);
    let note = |what| violation.set(Some(what));
    let url = Url::options().syntax_violation_callback(Some(&note)).parse(text);
    match violation.get() {
        Some(SyntaxViolation::EmbeddedCredentials) => Err(UrlError::Credentials),
        Some(_) => Err(UrlError::NotAUrl),
        None => url.map_err(|_| UrlError::NotAUrl),
    }
}

/// Names that mean loopback whatever a resolver says (RFC 6761).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: UrlPolicy = UrlPolicy { allow_http: false, allow_private: false };
    const INTRANET: UrlPolicy = UrlPolicy { allow_http: true, allow_private: true };

    #[test]
    fn only_local_addresses_can_be_allowed() {
        let [global, local, nowhere] =
            ["1.1.1.1", "127.0.0.1", "0.0.0.0"].map(|text| text.parse().expect("an address"));
        assert!(STRICT.allows(global) && INTRANET.allows(global));
        assert!(!STRICT.allows(local) && INTRANET.allows(local));
        assert!(!STRICT.allows(nowhere) && !INTRANET.allows(nowhere));
    }

    #[test]
    fn urls_that_are_fine() {
        for fine in [
            "https://example.com",
            "https://example.com:8443/hooks?key=a%20b",
            "https://1.1.1.1/",
            "https://[2606:4700:4700::1111]/",
            "https://ex-ample.co.uk./",
            "https://b\u{fc}cher.example/",
            "HTTPS://EXAMPLE.COM/",
            "https://localhost.example.com/",
        ] {
            assert_eq!(STRICT.read(fine).err(), None, "{fine}");
        }
        for fine in ["http://localhost:8080/", "http://127.0.0.1:1/", "https://[::1]/"] {
            assert_eq!(INTRANET.read(fine).err(), None, "{fine}");
        }
    }

    #[test]
    fn urls_that_are_refused() {
        for (bad, error) in [
            ("", UrlError::Missing),
            (&format!("https://example.com/{}", "x".repeat(2_000)), UrlError::TooLong),
            ("example.com", UrlError::NotAUrl),
            ("https://", UrlError::NotAUrl),
            ("https:example.com", UrlError::NotAUrl),
            ("https:\\\\example.com", UrlError::NotAUrl),
            (" https://example.com", UrlError::NotAUrl),
            ("https://exa\nmple.com", UrlError::NotAUrl),
            ("https://example.com/a b", UrlError::NotAUrl),
            ("https://example.com:99999/", UrlError::NotAUrl),
            ("https://1.1.1.256/", UrlError::NotAUrl),
            ("http://example.com", UrlError::NotHttps),
            ("ftp://example.com", UrlError::NotHttps),
            ("data:text/plain,x", UrlError::NotHttps),
            ("https://user@example.com", UrlError::Credentials),
            ("https://user:secret@example.com", UrlError::Credentials),
            ("https://example.com/#top", UrlError::Fragment),
            ("https://127.0.0.1/", UrlError::Address),
            ("https://127.1/", UrlError::Address),
            ("https://2130706433/", UrlError::Address),
            ("https://0x7f.0.0.1/", UrlError::Address),
            ("https://[::ffff:7f00:1]/", UrlError::Address),
            ("https://localhost/", UrlError::Address),
            ("https://LOCALHOST./", UrlError::Address),
            ("https://a.localhost/", UrlError::Address),
        ] {
            assert_eq!(STRICT.read(bad).err(), Some(error), "{bad:?}");
        }
        for (bad, error) in [
            ("ftp://example.com", UrlError::NotHttps),
            ("http://user@localhost/", UrlError::Credentials),
            ("http://0.0.0.0/", UrlError::Address),
            ("http://224.0.0.1/", UrlError::Address),
        ] {
            assert_eq!(INTRANET.read(bad).err(), Some(error), "{bad:?}");
        }
    }
}
