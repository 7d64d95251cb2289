use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::IpvsProtocol;

/// What stays open on addresses of a node that are not its own, such as external IPs on an uplink: without a filter, they
/// open every listener of the node that is not bound to one address.
///
/// It speaks of packets to the node itself, when they have passed what else is done to packets that come in. What a service
/// proxy or a CNI plugin sends elsewhere before (Services in the modes `iptables` and `nftables`, `NodePorts`, `hostPorts`)
/// never gets here, and what IPVS takes gets here first.
///
/// Of what goes to an address of the filter, let through are:
///
/// - ICMP, for the sake of path MTUs and of neighbours, and echo requests if [`Self::ping`] says so;
/// - answers to connections that began here: whoever on the node speaks to such an address has it as his own source, too;
/// - the ports that are named. What the kernel or its other filters make of them is their business.
///
/// All else is closed, also to connections that are open. To tell answers from questions, the kernel tracks connections,
/// which it does anyway where there is a service proxy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PortFilter {
    /// The addresses, and the ports that stay open on each. An address that is not there is not looked at. A number of a
    /// protocol beyond 255 stands for nothing.
    pub addresses: BTreeMap<IpAddr, BTreeSet<(IpvsProtocol, u16)>>,
    /// Whether ICMP echo requests to the addresses are answered.
    pub ping: bool,
}

/// What became of a [`PortFilter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// There is no address to filter, and no table.
    Nothing,
    /// Closed ports are as ones that nobody listens to: a TCP reset, or ICMP port unreachable, within moments.
    Refusing,
    /// What goes to a closed port is lost, since this kernel has no `reject` in nftables: a client waits in vain.
    Dropping,
}
