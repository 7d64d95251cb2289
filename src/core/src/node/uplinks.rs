//! Which links connect a node to others: those on which a wrong ARP answer can be heard.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::proxy_mode::{ArpSeen, KernelSeen, LinkSeen};

use super::Uplink;

/// Kinds of links that can be uplinks, beside hardware: what administrators build from it.
const KINDS: [&str; 7] = ["bond", "team", "vlan", "macvlan", "ipvlan", "hsr", "netvsc"];

/// Names under which network plugins, container engines and kube-proxy keep links of their own.
const OTHERS: [&str; 18] = [
    "antrea-",
    "br-int",
    "cali",
    "cbr",
    "cilium_",
    "cni",
    "docker",
    "dummy",
    "flannel",
    "kube-",
    "lxc",
    "nodelocaldns",
    "ovn-k8s-",
    "podman",
    "tunl",
    "veth",
    "virbr",
    "vxlan",
];

/// A link that connects the node to others, with its ARP sysctls if they could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UplinkSeen<'a> {
    pub(super) name: &'a str,
    pub(super) link: &'a LinkSeen,
    pub(super) arp: Result<ArpSeen, &'a str>,
}

/// The uplinks by name. A link over which a default route leaves is one whatever its kind, as the `eth0` of a node that is
/// a container itself is a veth.
pub(super) fn uplinks(kernel: &KernelSeen) -> Vec<UplinkSeen<'_>> {
    kernel
        .links
        .iter()
        .filter(|(_, link)| link.mac.is_some() && !link.loopback && !link.no_arp)
        .filter(|(name, link)| {
            kernel.default_routes.iter().any(|route| route == *name)
                || (link.up && has_global_address(link) && connects(kernel, name, link))
        })
        .map(|(name, link)| UplinkSeen {
            name,
            link,
            arp: link.arp.as_ref().copied().map_err(String::as_str),
        })
        .collect()
}

impl UplinkSeen<'_> {
    /// As it is reported; `None` if its sysctls could not be read.
    pub(super) fn report(&self) -> Option<Uplink> {
        let arp = self.arp.ok()?;
        let (mut subnets, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for (address, length) in &self.link.addresses {
            if is_global(*address)
                && let Some(subnet) = subnet(*address, *length)
            {
                subnets.insert(subnet);
                addresses.insert(*address);
            }
        }
        Some(Uplink {
            name: self.name.to_owned(),
            mac: self.link.mac.clone()?,
            subnets: subnets.into_iter().collect(),
            addresses: addresses.into_iter().collect(),
            gateways: (self.link.gateways.iter().copied())
                .filter(|gateway| is_global(*gateway))
                .collect(),
            arp_ignore: arp.ignore(),
            arp_announce: arp.announce(),
        })
    }
}

fn connects(kernel: &KernelSeen, name: &str, link: &LinkSeen) -> bool {
    if link.controller.is_some() || OTHERS.iter().any(|other| name.starts_with(other)) {
        return false;
    }
    match kind(link) {
        "bridge" => kernel.links.iter().any(|(port_name, port)| {
            port.controller.as_deref() == Some(name) && carries_outside(port_name, port)
        }),
        _ => carries_outside(name, link),
    }
}

/// Hardware, or what is built from it.
fn carries_outside(name: &str, link: &LinkSeen) -> bool {
    let kind = kind(link);
    (kind.is_empty() || KINDS.contains(&kind))
        && !OTHERS.iter().any(|other| name.starts_with(other))
}

/// The driver's kind; empty for hardware.
fn kind(link: &LinkSeen) -> &str {
    match link.kind.as_deref() {
        None | Some("none") => "",
        Some(kind) => kind,
    }
}

fn has_global_address(link: &LinkSeen) -> bool {
    link.addresses
        .iter()
        .any(|(address, _)| is_global(*address))
}

/// Not link-local, loopback, multicast or unspecified.
pub(super) fn is_global(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(special || address.is_loopback() || address.is_multicast() || address.is_unspecified())
}

/// The subnet of an address, as in `192.0.2.0/24`; `None` if it has no other hosts.
fn subnet(address: IpAddr, length: u8) -> Option<String> {
    match address {
        IpAddr::V4(v4) if length < 32 => {
            let host_bits = 32 - u32::from(length);
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            let network = std::net::Ipv4Addr::from(u32::from(v4) & mask);
            Some(format!("{network}/{length}"))
        }
        IpAddr::V6(v6) if length < 128 => {
            let host_bits = 128 - u32::from(length);
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            let network = std::net::Ipv6Addr::from(u128::from(v6) & mask);
            Some(format!("{network}/{length}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
