//! From the addresses that are on uplinks to what stays open on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ipam::pool::{Ping, Ports};
use crate::ipam::service::ServicePort;

use super::wanted::Wanted;

/// What stays open on an address where not all does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The ports of its Services.
    pub ports: BTreeSet<ServicePort>,
    /// Whether it answers echo requests.
    pub ping: Ping,
}

/// What has to be closed, so that an address on an uplink does not open what else can be reached on every address of the node
/// (its own listeners, `NodePorts`, `hostPorts`): each of the addresses `bound` with what stays open on it, the ports of its
/// Services and, if its pool says so, ICMP echo. Addresses whose pool says [`Ports::All`] are left out. One that nobody wants
/// any more is about to go, and closed until then.
pub fn open_ports<'a>(
    bound: impl IntoIterator<Item = IpAddr>,
    wanted: impl IntoIterator<Item = &'a Wanted>,
) -> BTreeMap<IpAddr, Open> {
    let mut open: BTreeMap<IpAddr, Open> = bound
        .into_iter()
        .map(|address| (address, Open::nothing()))
        .collect();
    for wanted in wanted {
        match wanted.ports {
            Ports::All => {
                open.remove(&wanted.address);
            }
            Ports::ServiceOnly => {
                if let Some(open) = open.get_mut(&wanted.address) {
                    open.ports.extend(wanted.ports());
                    open.ping = wanted.ping;
                }
            }
        }
    }
    open
}

// === impl Open ===

impl Open {
    const fn nothing() -> Self {
        Self {
            ports: BTreeSet::new(),
            ping: Ping::Deny,
        }
    }
}

#[cfg(test)]
mod tests;
