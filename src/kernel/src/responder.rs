use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::{InterfaceName, MacAddress};

/// What the kernel answers on links in place of a process: it makes an answer of the question, in the same memory, and sends it
/// back, before anything else on the node sees it but for sockets that hear everything (`ETH_P_ALL`). A [`PacketSocket`]
/// hears what is left.
///
/// Answered are, if they are not from the link itself and not for another host:
///
/// - ARP requests for Ethernet and IPv4, also probes. One whose sender says that it has an address of the link itself is
///   left: that is a claim;
/// - Neighbor Solicitations that have nothing but the source link-layer address as an option, and a sender. Those of
///   duplicate address detection are left. Their checksum is not looked at: with a wrong one the answer has a wrong one, too.
///
/// Frames with a VLAN tag are left, too. What follows the question in its frame (padding) follows the answer.
///
/// [`PacketSocket`]: crate::PacketSocket
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Responder {
    /// By the index of the link.
    pub links: BTreeMap<u32, Answering>,
    /// For how long it answers after it was renewed; the kernel counts in jiffies, of up to 10 ms. At least 1 ms.
    pub lasts: Duration,
}

/// What is answered on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answering {
    /// The name of the link.
    pub name: InterfaceName,
    /// Where its addresses are said to be: the MAC address of the link.
    pub mac: MacAddress,
    /// The addresses to answer for. Unspecified ones, and groups, are passed over.
    pub addresses: BTreeSet<IpAddr>,
    /// Other addresses whose claims are left.
    pub claimable: BTreeSet<IpAddr>,
}
