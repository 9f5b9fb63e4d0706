//! From where an address of the Internet's protocols can be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// From where an address can be reached; the last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
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

/// From where this address can be reached.
pub(super) fn reach(address: IpAddr) -> Reach {
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
}
