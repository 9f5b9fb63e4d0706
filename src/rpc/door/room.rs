//! How many may be inside: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The room behind a door.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    most_of_one: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place inside, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("as many connections as there may be are open")]
    All,
    #[error("as many connections as there may be from one address are open")]
    Address,
}

impl Room {
    pub(super) fn new(most: usize, of_one: Option<usize>) -> Self {
        let most_of_one = of_one.unwrap_or(usize::MAX);
        Self { most, most_of_one, inside: Mutex::default() }
    }

    /// How many may be inside.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many are inside.
    pub(super) fn taken(&self) -> usize {
        self.inside().all
    }

    /// A place for who comes from this address.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Result<Place, Full> {
        let address = host(from);
        let mut inside = self.inside();
        if inside.all >= self.most {
            return Err(Full::All);
        }
        let of = inside.of.entry(address).or_default();
        if *of >= self.most_of_one {
            return Err(Full::Address);
        }
        *of += 1;
        inside.all += 1;
        Ok(Place { room: Arc::clone(self), address })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.room.inside();
        inside.all -= 1;
        if let Some(of) = inside.of.get_mut(&self.address) {
            *of -= 1;
            if *of == 0 {
                inside.of.remove(&self.address);
            }
        }
    }
}

/// What one host has to itself: an address, or a /64 of IPv6.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::{IpAddr, host};

    #[test]
    fn a_host_of_ipv6_is_a_network() {
        let is = |address: &str, of: &str| {
            let [address, of]: [IpAddr; 2] = [address, of].map(|text| text.parse().expect("one"));
            assert_eq!(host(address), of);
        };
        is("192.0.2.1", "192.0.2.1");
        is("::ffff:192.0.2.1", "192.0.2.1");
        is("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        is("2001:db8:1:3::1", "2001:db8:1:3::");
    }
}
