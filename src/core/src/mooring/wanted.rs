//! What is wanted of a node, and what the node is like.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::ipam::pool::{Bind, Ping, Ports};
use crate::ipam::range::AddressRange;
use crate::ipam::service::{Protocol, ServicePort};
use crate::kube_proxy::snapshot::ObjectName;
use crate::proxy_mode::LiveMode;
use crate::wire::Mac;

/// An address that this node shall answer for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The address.
    pub address: IpAddr,
    /// The Services that have it, with their ports.
    pub services: Vec<(ObjectName, Vec<ServicePort>)>,
    /// `bind` of its pool.
    pub bind: Bind,
    /// `interfaces` of its pool.
    pub interfaces: Vec<String>,
    /// `ports` of its pool.
    pub ports: Ports,
    /// `ping` of its pool.
    pub ping: Ping,
    /// How it comes to this node.
    pub haste: Haste,
}

/// How an address comes to a node, and so for how long the wire is asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Haste {
    /// As planned: whoever had it may only be about to let go, and a busy host may be slow to answer.
    #[default]
    None,
    /// It is taken over: whoever had it has been asked for on the wire already, and clients wait.
    TakeOver,
}

/// What the node is like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What handles Service traffic on it.
    pub mode: LiveMode,
    /// What connects it to others, by name.
    pub uplinks: Vec<Uplink>,
    /// The interfaces that default routes leave by, the preferred first.
    pub default_routes: Vec<String>,
}

/// An interface that connects the node to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Its name.
    pub name: String,
    /// Its MAC address.
    pub mac: Mac,
    /// Administratively up.
    pub up: bool,
    /// How its frames get to the segment.
    pub path: Path,
    /// The subnets of the node's own addresses on it.
    pub subnets: Vec<AddressRange>,
    /// The node's own addresses in them, by which routers reach it.
    pub addresses: Vec<IpAddr>,
    /// The effective `arp_ignore`: the higher one of `all` and the interface's own.
    pub arp_ignore: i32,
}

/// How frames get from an uplink to its segment. Whenever this changes, switches may have to learn anew where the node is,
/// also if the uplink was down for so short a time that nobody saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path {
    /// The kernel's number of the interface: a new one is another interface, even under the same name.
    pub link: u32,
    /// The kernel's number of the port by which a bond sends that is the interface, or that it is built on.
    pub port: Option<u32>,
    /// How often the carrier of the interface came or went.
    pub carrier_changes: u32,
}

/// Something that a service proxy forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The address.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
}

/// What the node's service proxy forwards, as far as it can be read from the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Programmed {
    /// Nobody has looked yet.
    #[default]
    NotRead,
    /// It keeps its rules where they cannot be read, as eBPF programs do; the text says where.
    Hidden(String),
    /// It could not be read, and why.
    Failed(String),
    /// These, of the addresses that were asked for.
    Targets(BTreeSet<Target>),
}

impl Wanted {
    /// Everything that the service proxy has to forward for it.
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        let address = self.address;
        let ports = self.services.iter().flat_map(|(_, ports)| ports);
        ports.map(move |port| Target {
            address,
            protocol: port.protocol,
            port: port.port,
        })
    }

    /// The first port that is missing of the Service of which the fewest are; `None` if at least one Service is forwarded
    /// wholly. A Service without endpoints, of which no rules are made, must not keep those away that share the address.
    pub(super) fn missing(
        &self,
        programmed: &BTreeSet<Target>,
    ) -> Option<(&ObjectName, ServicePort)> {
        let missing = |ports: &[ServicePort]| -> Vec<ServicePort> {
            let is_missing = |port: &&ServicePort| {
                !programmed.contains(&Target {
                    address: self.address,
                    protocol: port.protocol,
                    port: port.port,
                })
            };
            ports.iter().filter(is_missing).copied().collect()
        };
        let (service, missing) = self
            .services
            .iter()
            .map(|(service, ports)| (service, missing(ports)))
            .min_by_key(|(_, missing)| missing.len())?;
        Some((service, *missing.first()?))
    }
}
