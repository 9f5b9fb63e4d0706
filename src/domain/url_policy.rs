//! Where webhooks may go. creditd stands inside a network; whoever names a URL does not, and must
//! not reach through creditd what is only reachable from there.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, SyntaxViolation, Url};

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

/// From where an address can be reached; the last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// From everywhere.
    Global,
    /// From one's own machine or networks.
    Local,
    /// It is no destination of a connection, or nobody's.
    Nowhere,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

// The IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), where "globally reachable"
// is false, and multicast. Local are those that are valid as destinations.

const LOCAL_V4: [Ipv4Net; 7] = [
    v4(10, 0, 0, 0, 8),     // private (RFC 1918)
    v4(100, 64, 0, 0, 10),  // shared with a carrier's NAT (RFC 6598)
    v4(127, 0, 0, 0, 8),    // loopback
    v4(169, 254, 0, 0, 16), // link-local (RFC 3927), where clouds keep their metadata
    v4(172, 16, 0, 0, 12),  // private
    v4(192, 168, 0, 0, 16), // private
    v4(198, 18, 0, 0, 15),  // benchmarks (RFC 2544)
];

const NOWHERE_V4: [Ipv4Net; 8] = [
    v4(0, 0, 0, 0, 8),       // this network; connecting to 0.0.0.0 reaches loopback
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation (RFC 5737)
    v4(192, 88, 99, 0, 24),  // 6to4 relays, deprecated (RFC 7526)
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, and broadcast
];

const LOCAL_V6: [Ipv6Net; 5] = [
    Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
    v6(0x64, 0xff9b, 1, 48), // NAT64 within one's own network (RFC 8215)
    v6(0xfc00, 0, 0, 7),     // unique local (RFC 4193)
    v6(0xfe80, 0, 0, 10),    // link-local
    v6(0xfec0, 0, 0, 10),    // site-local, deprecated (RFC 3879)
];

const NOWHERE_V6: [Ipv6Net; 3] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments, benchmarks, ORCHIDs
    v6(0x2001, 0xdb8, 0, 32), // documentation (RFC 3849)
    v6(0x3fff, 0, 0, 20),     // documentation (RFC 9637)
];

/// All of IPv6 that is assigned for global unicast; besides, only translations reach anything.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
/// A host behind an IPv4 NAT (RFC 4380).
const TEREDO: Ipv6Net = v6(0x2001, 0, 0, 32);
/// A network behind an IPv4 address (RFC 3056).
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    if LOCAL_V4.iter().any(|net| net.contains(&address)) {
        Reach::Local
    } else if NOWHERE_V4.iter().any(|net| net.contains(&address)) {
        Reach::Nowhere
    } else {
        Reach::Global
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    // An address that stands for others is worth what the worst of them is.
    if let Some(worst) = embedded(address).into_iter().flatten().map(reach_v4).max() {
        return worst;
    }
    if LOCAL_V6.iter().any(|net| net.contains(&address)) {
        Reach::Local
    } else if NOWHERE_V6.iter().any(|net| net.contains(&address)) || !GLOBAL_V6.contains(&address) {
        Reach::Nowhere
    } else {
        Reach::Global
    }
}

/// The IPv4 addresses that packets to this address would go to.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let of = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        // Mapped (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => [of(high, low), None],
        [_, high, low, ..] if SIX_TO_FOUR.contains(&address) => [of(high, low), None],
        // The server, and the client, whose bits are inverted.
        [_, _, high, low, _, _, client_high, client_low] if TEREDO.contains(&address) => {
            [of(high, low), of(!client_high, !client_low)]
        }
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: UrlPolicy = UrlPolicy { allow_http: false, allow_private: false };
    const INTRANET: UrlPolicy = UrlPolicy { allow_http: true, allow_private: true };

    fn reach(text: &str) -> Reach {
        super::reach(text.parse().expect("an address"))
    }

    #[test]
    fn addresses_of_the_internet_are_global() {
        for global in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "3ffe::1",
            "::ffff:1.1.1.1",
            "::ffff:0:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
            "2001:0:101:101:0:0:fefe:fefe",
        ] {
            assert_eq!(reach(global), Reach::Global, "{global}");
        }
    }

    #[test]
    fn addresses_of_ones_own_networks_are_local() {
        for local in [
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "2002:7f00:1::1",
            "2001:0:7f00:1:0:0:fefe:fefe",
            "2001:0:101:101:0:0:80ff:fffe",
        ] {
            assert_eq!(reach(local), Reach::Local, "{local}");
        }
    }

    #[test]
    fn some_addresses_are_no_destination() {
        for nowhere in [
            "0.0.0.0",
            "0.255.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::127.0.0.1",
            "::ffff:0.0.0.0",
            "100::1",
            "2001:2::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:e000:1::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "ff02::1",
        ] {
            assert_eq!(reach(nowhere), Reach::Nowhere, "{nowhere}");
        }
    }

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
