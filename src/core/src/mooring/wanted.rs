//! What is wanted of a node, and what the node is like.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ipam::pool::{Bind, Ownership, Ping, Ports};
use crate::ipam::range::AddressRange;
use crate::ipam::service::{Protocol, ServicePort};
use crate::kube_proxy::snapshot::ObjectName;
use crate::proxy_mode::LiveMode;
use crate::wire::Mac;

/// Within that time a service proxy has programmed what it knows of and can: kube-proxy syncs every 30 seconds at the latest,
/// unless it is told to take longer (`syncPeriod`).
pub const SYNCED: Duration = Duration::from_secs(40);

/// An address that this node shall answer for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The address.
    pub address: IpAddr,
    /// The Services that have it. Shared, as much passes from thread to thread.
    pub services: Arc<[Served]>,
    /// `bind` of its pool.
    pub bind: Bind,
    /// `interfaces` of its pool.
    pub interfaces: Vec<String>,
    /// `ports` of its pool.
    pub ports: Ports,
    /// `ping` of its pool.
    pub ping: Ping,
    /// `ownership` of its pool. One that is [`Ownership::Fenced`] is held only while [permitted](super::Moorings::permit).
    pub ownership: Ownership,
    /// How it comes to this node.
    pub arrival: Arrival,
    /// An address of the node that hands it over, of the same family and on a segment of this one's, if that has one:
    /// connections that began there go on there.
    pub former: Option<IpAddr>,
}

/// A Service that has an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Namespace and name.
    pub service: ObjectName,
    /// Its ports on the address.
    pub ports: Vec<ServicePort>,
    /// `spec.healthCheckNodePort`, which it has with `externalTrafficPolicy: Local`.
    pub health_port: Option<u16>,
    /// Its label `service.kubernetes.io/service-proxy-name`, with which kube-proxy leaves it to another service proxy.
    #[serde(default)]
    pub service_proxy: Option<String>,
}

/// How an address comes to a node, and so whether and for how long the wire is asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Arrival {
    /// As planned: whoever had it may only be about to let go, and a busy host may be slow to answer.
    #[default]
    Planned,
    /// It is taken over: whoever had it has been asked for on the wire already, and clients wait.
    TakenOver,
    /// It is taken over from a node whose agent has ended: that one's kernel answers for a moment at most, or, if the address is on
    /// an uplink, for as long as it likes, and late while the next agent starts there: a node with one processor was seen not to
    /// answer for 45 ms then. So each time after the address it is asked for one of that node's own, [`Wanted::former`]. As soon as
    /// it answers for that, it would have answered for the other one before, as frames are taken in turn; while it does not, it
    /// is waited for as if [planned](Self::Planned).
    AgentGone,
    /// Another node goes on to answer for it until this one is [ready](super::Moorings::ready).
    Awaited,
    /// That node has let go of it, and says so: the wire need not be asked.
    Released,
    /// This node stood still, and nothing that it hears is known to be new: that nobody answers would tell nothing, so that the wire
    /// is asked when that is over, as if [planned](Self::Planned).
    Deaf,
}

/// What the node is like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What handles Service traffic on it.
    pub mode: LiveMode,
    /// What is wrong with that, if something is.
    pub proxy_trouble: Option<String>,
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

/// What is known of how a node's service proxy serves what it shall.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyState {
    /// What it forwards.
    pub programmed: Programmed,
    /// The health check ports on which it says that the Service cannot be reached on this node (HTTP status 503, as
    /// `pkg/proxy/healthcheck/service_health.go` has it without ready endpoints). Nothing is made of one on which it says
    /// nothing: a proxy that is being restarted goes on forwarding.
    pub unhealthy: BTreeSet<u16>,
}

/// What is missing before a node can serve an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lack<'a> {
    /// A port is not forwarded.
    Forwarding(&'a Served, ServicePort),
    /// The proxy says on this port that it cannot be reached.
    Health(&'a ObjectName, u16),
}

impl Wanted {
    /// Whether it may be answered for only while its Lease is held.
    pub(super) fn is_fenced(&self) -> bool {
        self.ownership == Ownership::Fenced
    }

    /// The ports of all its Services.
    pub fn ports(&self) -> impl Iterator<Item = ServicePort> {
        self.services.iter().flat_map(|of| of.ports.iter().copied())
    }

    /// Everything that the service proxy has to forward for it.
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        let address = self.address;
        self.ports().map(move |port| Target {
            address,
            protocol: port.protocol,
            port: port.port,
        })
    }

    /// What the Service lacks that lacks least; `None` if one lacks nothing. A Service without endpoints, of which no rules are
    /// made, must not keep those away that share the address. Of what cannot be read, nothing is lacking.
    pub(super) fn lack(&self, proxy: &ProxyState) -> Option<Lack<'_>> {
        let lacks = self.services.iter().map(|of| of.lacks(self.address, proxy));
        lacks.min_by_key(Vec::len)?.into_iter().next()
    }
}

impl Served {
    /// All that keeps a node from serving it at the address.
    fn lacks(&self, address: IpAddr, proxy: &ProxyState) -> Vec<Lack<'_>> {
        let forwarded = |port: &ServicePort| match &proxy.programmed {
            Programmed::Targets(targets) => targets.contains(&Target {
                address,
                protocol: port.protocol,
                port: port.port,
            }),
            _ => true,
        };
        let missing = self.ports.iter().filter(|port| !forwarded(port));
        let unhealthy = self
            .health_port
            .filter(|port| proxy.unhealthy.contains(port));
        missing
            .map(|port| Lack::Forwarding(self, *port))
            .chain(unhealthy.map(|port| Lack::Health(&self.service, port)))
            .collect()
    }
}
