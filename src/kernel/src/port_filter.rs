use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::IpvsProtocol;

/// What stays open on addresses of a node that are not its own, such as external IPs on an uplink: without a filter, they
/// open whatever can be reached on every address of the node, which are its listeners that are not bound to one address, and
/// what a service proxy or a CNI plugin sends on from any of them (`NodePorts`, `hostPorts`).
///
/// It looks at packets as they come in, and so at what their sender asked for, before anything sends them elsewhere: at
/// `prerouting`, after connections are tracked and before the first DNAT. Packets of the node to itself pass there, too,
/// unless something sent them elsewhere before.
///
/// Of what goes to an address of the filter, let through are:
///
/// - ICMP, for the sake of path MTUs and of neighbours, and echo requests if [`Open::ping`] says so;
/// - answers to connections that began with the address as their source, also one that SNAT gave them: whoever on the node
///   speaks to such an address has it as his own source, too;
/// - the ports that are named. What a service proxy, the kernel or its other filters make of them is their business.
///
/// All else is closed, also to connections that are open. To tell answers from questions, the kernel tracks connections,
/// which it does anyway where there is a service proxy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PortFilter {
    /// The addresses, and what stays open on each. An address that is not there is not looked at.
    pub addresses: BTreeMap<IpAddr, Open>,
}

/// What stays open on an address.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Open {
    /// The ports. A number of a protocol beyond 255 stands for nothing.
    pub ports: BTreeSet<(IpvsProtocol, u16)>,
    /// Whether ICMP echo requests are answered.
    pub ping: bool,
}

/// What became of a [`PortFilter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// There is no address to filter, and no table.
    Nothing,
    /// Closed ports are as ones that nobody listens to: a TCP reset, or ICMP port unreachable, within moments.
    Refusing,
    /// What goes to a closed port is lost, since this kernel has no `reject` in nftables, or none at `prerouting`, where Linux
    /// has it since 5.9: a client waits in vain.
    Dropping,
}
