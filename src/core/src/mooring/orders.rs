//! What the shell is to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What the shell is to do, in the order of the fields: who falls silent does so before anybody speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    /// All that the responders answer for, by interface.
    pub answer: BTreeMap<String, BTreeSet<IpAddr>>,
    /// All that has to be on an uplink, by address; what else of ours is on one goes.
    pub bind: BTreeMap<IpAddr, String>,
    /// All that has to be on `kube-ipvs0`: kube-proxy puts it there, too, and takes it away.
    pub ensure: BTreeSet<IpAddr>,
    /// Where packets of connections have to be sent on to that began at another node, by address: to one of that node's own.
    /// Before the address is answered for, or they would be taken for new ones.
    pub onward: BTreeMap<IpAddr, IpAddr>,
    /// What is to be said, once. What is said about an address that could not be bound is left out.
    pub send: Vec<Sending>,
}

/// Something to be said on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// The interface.
    pub interface: String,
    /// The address that it is about.
    pub address: IpAddr,
    /// What.
    pub words: Words,
}

/// What is said about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Words {
    /// Who has it? An ARP probe (RFC 5227 section 2.1.1), or a Neighbor Solicitation as in Duplicate Address Detection (RFC
    /// 4862 section 5.4.2).
    Ask,
    /// I have it. Gratuitous ARP in both forms, or an unsolicited Neighbor Advertisement (RFC 4861 section 7.2.6).
    Announce,
}
