//! From the addresses that are on uplinks to the ports that stay open on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ipam::pool::Ports;
use crate::ipam::service::ServicePort;

use super::wanted::Wanted;

/// What has to be closed, so that an address on an uplink does not open what can be reached on every address of the node (its
/// own listeners, `NodePorts`, `hostPorts`): each of the addresses `bound` with the ports that stay open on it, those of its
/// Services. Addresses whose pool says [`Ports::All`] are left out. One that nobody wants any more is about to go, and closed
/// until then.
pub fn open_ports<'a>(
    bound: impl IntoIterator<Item = IpAddr>,
    wanted: impl IntoIterator<Item = &'a Wanted>,
) -> BTreeMap<IpAddr, BTreeSet<ServicePort>> {
    let mut open: BTreeMap<IpAddr, BTreeSet<ServicePort>> = bound
        .into_iter()
        .map(|address| (address, BTreeSet::new()))
        .collect();
    for wanted in wanted {
        match wanted.ports {
            Ports::All => {
                open.remove(&wanted.address);
            }
            Ports::ServiceOnly => {
                if let Some(ports) = open.get_mut(&wanted.address) {
                    ports.extend(wanted.services.iter().flat_map(|(_, ports)| ports));
                }
            }
        }
    }
    open
}

#[cfg(test)]
mod tests;
