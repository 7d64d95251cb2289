//! Addresses that belong to somebody else, and are never handed out.
//!
//! In mode ipvs an external IP becomes an address of every node. One that equals the address of a host cuts all nodes off
//! from that host: the API server, the gateway, another node.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use super::range::{AddressRange, HostBits, RangeProblem};

/// Who an address belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occupant {
    /// A node of this name.
    Node(String),
    /// The gateway of a node's default route.
    Gateway(String),
    /// The API server.
    ApiServer,
    /// The range of cluster IPs.
    Services,
    /// The range of Pods; that of the named node, if it is known.
    Pods(Option<String>),
    /// The network or broadcast address of a subnet that a node is in.
    SubnetEdge(AddressRange),
    /// A Service, `namespace/name`, that has it from somebody else than Mooring.
    ForeignService(String),
    /// What kube-proxy tries IPVS out with, on nodes in mode ipvs (since 1.27, kubernetes#114669).
    IpvsProbe,
    /// Not an address of a single host that others can reach: loopback, multicast, link-local of IPv6, ...
    NotUnicast(&'static str),
}

impl Occupant {
    /// What follows for a pool.
    pub fn consequence(&self) -> &'static str {
        match self {
            Self::Node(_) | Self::Gateway(_) | Self::ApiServer => {
                "it is not handed out, as a Service with this address would cut nodes off from that host; leave it out of \
                 the pool"
            }
            Self::Services | Self::Pods(_) => {
                "these are not handed out, as the cluster gives them to others; leave them out of the pool"
            }
            Self::SubnetEdge(_) => {
                "it is not handed out, as hosts do not take it for the address of one host; avoidEdges leaves it out"
            }
            Self::ForeignService(_) => {
                "it is not handed out, as two announcers would answer for it; give the ranges to one of them only"
            }
            Self::IpvsProbe => "these are not handed out; leave them out of the pool",
            Self::NotUnicast(_) => {
                "these are not handed out, as no other host could reach a Service there; leave them out of the pool"
            }
        }
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "an address of node {name}"),
            Self::Gateway(node) => write!(f, "the gateway of node {node}"),
            Self::ApiServer => f.write_str("the address of the API server"),
            Self::Services => f.write_str("in the range of cluster IPs of Services"),
            Self::Pods(Some(node)) => write!(f, "in the range of Pods on node {node}"),
            Self::Pods(None) => f.write_str("in the range of Pods"),
            Self::SubnetEdge(subnet) => {
                write!(
                    f,
                    "the network or broadcast address of the nodes' subnet {subnet}"
                )
            }
            Self::ForeignService(service) => {
                write!(
                    f,
                    "the address of Service {service}, which has it from another controller"
                )
            }
            Self::IpvsProbe => f.write_str("what kube-proxy tries mode ipvs out with"),
            Self::NotUnicast(what) => f.write_str(what),
        }
    }
}

/// Addresses that belong to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAddresses {
    entries: Vec<(Occupant, AddressRange)>,
    /// The same, to find them.
    known: HashSet<(Occupant, AddressRange)>,
}

/// What no pool can hand out, in any cluster.
const NOT_UNICAST: [(&str, &str); 8] = [
    ("0.0.0.0/8", "in this-network addresses (0.0.0.0/8)"),
    ("127.0.0.0/8", "in loopback addresses (127.0.0.0/8)"),
    ("224.0.0.0/4", "in multicast addresses (224.0.0.0/4)"),
    ("240.0.0.0/4", "in reserved addresses (240.0.0.0/4)"),
    ("::/127", "the unspecified or the loopback address of IPv6"),
    (
        "::ffff:0:0/96",
        "in IPv4 addresses written as IPv6 (::ffff:0:0/96)",
    ),
    ("fe80::/10", "in link-local addresses (fe80::/10)"),
    ("ff00::/8", "in multicast addresses (ff00::/8)"),
];

impl Default for ClusterAddresses {
    /// Those that no cluster can use.
    fn default() -> Self {
        let entries: Vec<_> = NOT_UNICAST
            .into_iter()
            .filter_map(|(cidr, what)| Some((Occupant::NotUnicast(what), network(cidr)?)))
            .collect();
        Self {
            known: entries.iter().cloned().collect(),
            entries,
        }
    }
}

/// A network that stands in the source above, where the one for mapped addresses is meant.
fn network(cidr: &str) -> Option<AddressRange> {
    let (address, length) = cidr.split_once('/')?;
    AddressRange::network(address.parse().ok()?, length.parse().ok()?)
}

impl ClusterAddresses {
    /// Adds one address.
    pub fn add(&mut self, occupant: Occupant, address: IpAddr) {
        self.add_range(occupant, AddressRange::single(address.to_canonical()));
    }

    /// Adds a range.
    pub fn add_range(&mut self, occupant: Occupant, range: AddressRange) {
        let entry = (occupant, range);
        if self.known.insert(entry.clone()) {
            self.entries.push(entry);
        }
    }

    /// Adds a CIDR as the cluster's own configuration has it.
    ///
    /// # Errors
    /// If it is none.
    pub fn add_cidr(&mut self, occupant: Occupant, cidr: &str) -> Result<(), RangeProblem> {
        let range = AddressRange::from_cidr(cidr, HostBits::Clear)?;
        self.add_range(occupant, range);
        Ok(())
    }

    /// Adds the network and the broadcast address of an IPv4 subnet that nodes are in. Hosts do not answer for them, or
    /// take them for everybody. IPv6 has no broadcast, and its first address belongs to the routers.
    ///
    /// # Errors
    /// If it is no CIDR.
    pub fn add_subnet_of_nodes(&mut self, cidr: &str) -> Result<(), RangeProblem> {
        let subnet = AddressRange::from_cidr(cidr, HostBits::Clear)?;
        if let Some(inner) = subnet.without(super::range::Edges::Avoid) {
            for edge in [subnet.first(), subnet.last()] {
                if !inner.contains(edge) {
                    self.add(Occupant::SubnetEdge(subnet), edge);
                }
            }
        }
        Ok(())
    }

    /// Adds what kube-proxy uses in mode ipvs.
    pub fn add_ipvs(&mut self) {
        if let Some(range) = network("198.51.100.0/24") {
            self.add_range(Occupant::IpvsProbe, range);
        }
    }

    /// Who has `address`.
    pub fn occupant(&self, address: IpAddr) -> Option<&Occupant> {
        self.entries
            .iter()
            .find(|(_, range)| range.contains(address))
            .map(|(occupant, _)| occupant)
    }

    /// Everything, in the order in which it was added.
    pub fn entries(&self) -> impl Iterator<Item = (&Occupant, &AddressRange)> {
        self.entries
            .iter()
            .map(|(occupant, range)| (occupant, range))
    }
}

#[cfg(test)]
mod tests;
