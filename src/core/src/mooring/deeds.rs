//! From the addresses that shall be on uplinks, and those that are, to what has to be done about it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long an address stays on an uplink without being renewed: what an agent that is gone leaves behind. Long enough for
/// the next one to start.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// It is renewed when so much of it is left.
const RENEW: Duration = Duration::from_secs(40);

/// An address that stands on a link, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingAddress {
    /// The link's name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix, in bits.
    pub prefix: u8,
    /// How long it stays there; `None` for ever.
    pub valid: Option<Duration>,
    /// It is not chosen as a source (its preferred lifetime is over).
    pub deprecated: bool,
    /// Duplicate address detection says no, or is not over (IPv6): the kernel does not answer for it.
    pub idle: bool,
}

/// Something to do about an address on an uplink.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// It has to go.
    Remove {
        /// Where it is.
        interface: String,
        /// The address.
        address: IpAddr,
    },
    /// It has to be put there, or renewed.
    Put {
        /// Where.
        interface: String,
        /// The address.
        address: IpAddr,
        /// It is not there yet, or not in working order.
        new: bool,
    },
}

/// Whether an address on a link is one that an agent of ours put there: alone in its prefix, never chosen as a source, and
/// with an end that is no further away than ours are. Nobody else has a use for such an address, and if one were taken for
/// ours by mistake, it would be for less than a minute of its life.
pub fn is_ours(standing: &StandingAddress) -> bool {
    let alone = match standing.address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    standing.prefix == alone
        && standing.deprecated
        && standing.valid.is_some_and(|valid| valid <= LIFETIME)
}

/// What has to be done so that exactly the wanted addresses of ours are where they shall be: what goes comes first.
/// Whatever else is there is left alone, also where it is one of the wanted.
pub fn deeds(wanted: &BTreeMap<IpAddr, String>, standing: &[StandingAddress]) -> Vec<Deed> {
    let wanted_here = |found: &StandingAddress| {
        wanted
            .get(&found.address)
            .is_some_and(|interface| *interface == found.interface)
    };
    let mut deeds: Vec<Deed> = standing
        .iter()
        .filter(|found| is_ours(found) && !wanted_here(found))
        .map(|found| Deed::Remove {
            interface: found.interface.clone(),
            address: found.address,
        })
        .collect();
    for (address, interface) in wanted {
        let here = standing
            .iter()
            .find(|found| found.address == *address && found.interface == *interface);
        let new = here.is_none_or(|found| found.idle);
        let fresh = here.is_some_and(|found| found.valid.is_none_or(|valid| valid > RENEW));
        if new || !fresh {
            deeds.push(Deed::Put {
                interface: interface.clone(),
                address: *address,
                new,
            });
        }
    }
    deeds
}

#[cfg(test)]
mod tests;
