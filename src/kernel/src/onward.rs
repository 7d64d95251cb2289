use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Where packets go on to that come too late: an address has moved to this node, and its clients go on with TCP connections
/// that began at the node that had it before. Only that one knows to which endpoint each of them leads; here they would be
/// taken for new ones, led to another endpoint, and reset.
///
/// What is sent on is what connection tracking knows no connection of, and what begins none, as it lacks SYN: it goes to the
/// former node as it is, with one hop less to go. Its answers come from there. All other transports have no beginning that
/// shows in a packet, and stay here.
///
/// The former node needs no address for that: a service proxy heeds the destination before the kernel looks whether it is
/// local, and IPVS has it on `kube-ipvs0`. Where connections are not tracked, or `net.netfilter.nf_conntrack_tcp_loose` is 0
/// (they are invalid then, as others are that had better stay), nothing is sent on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Onward {
    /// The addresses, and for each one of the former node's own on a segment of this one. Two of different families stand for
    /// nothing.
    pub to: BTreeMap<IpAddr, IpAddr>,
    /// After which time this ends by itself, in milliseconds at the finest.
    pub lasts: Duration,
}
