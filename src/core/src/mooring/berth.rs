//! On which interface of the node an address is answered for, and how.

use std::fmt;
use std::net::IpAddr;

use crate::ipam::pool::Bind;
use crate::proxy_mode::LiveMode;

use super::wanted::{Node, Uplink, Wanted};

/// Where and how an address is answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Berth {
    /// The interface.
    pub interface: String,
    /// Who answers.
    pub method: Method,
    /// Where the address has to be for its traffic to be forwarded.
    pub place: Place,
    /// No uplink's subnet has the address: a router has to send its traffic to the node.
    pub outside: bool,
}

/// Who answers for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The agent, with frames of its own.
    Responder,
    /// The kernel, as the address is on the interface.
    Uplink,
}

/// Where an address has to be on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// On no interface: the service proxy takes its packets before, and a local address may beat it.
    Nowhere,
    /// On `kube-ipvs0`, where kube-proxy puts it: IPVS forwards what is local.
    IpvsLink,
    /// On the uplink.
    Uplink,
}

/// Why the node cannot answer for an address at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// It has none of the interfaces that the pool names.
    NoSuchInterface {
        /// Those that the pool names.
        interfaces: Vec<String>,
    },
    /// No uplink has the address in its subnet, and there is no default route whose interface could carry it.
    NoUplink,
    /// The interface is down.
    UplinkDown {
        /// The interface.
        interface: String,
    },
}

/// The `arp_ignore` values with which the kernel answers for a /32 on the interface whoever asks: with 2 only within the
/// subnet of that address, which is nobody; with 3 and more by scope, or never (ip-sysctl.rst, `arp_ignore`).
const KERNEL_ANSWERS: std::ops::RangeInclusive<i32> = 0..=1;

/// Decides where and how the node answers for the address.
///
/// # Errors
/// If it cannot.
pub fn berth(wanted: &Wanted, node: &Node) -> Result<Berth, Hindrance> {
    let uplink = uplink(wanted, node)?;
    if !uplink.up {
        return Err(Hindrance::UplinkDown {
            interface: uplink.name.clone(),
        });
    }
    let (method, place) = shape(wanted, node.mode, uplink);
    Ok(Berth {
        interface: uplink.name.clone(),
        method,
        place,
        outside: !has(uplink, wanted.address),
    })
}

fn has(uplink: &Uplink, address: IpAddr) -> bool {
    uplink.subnets.iter().any(|subnet| subnet.contains(address))
}

/// The uplink whose subnet has the address, else that of the default route: where it can be asked for.
pub fn segment(address: IpAddr, node: &Node) -> Option<&Uplink> {
    let named = |name: &String| node.uplinks.iter().find(|uplink| uplink.name == *name);
    let mut uplinks = node.uplinks.iter();
    uplinks
        .find(|uplink| has(uplink, address))
        .or_else(|| node.default_routes.iter().find_map(named))
}

/// The first interface that the pool names, else the one that has the address on its segment.
fn uplink<'a>(wanted: &Wanted, node: &'a Node) -> Result<&'a Uplink, Hindrance> {
    if !wanted.interfaces.is_empty() {
        let named = |name: &String| node.uplinks.iter().find(|uplink| uplink.name == *name);
        return wanted.interfaces.iter().find_map(named).ok_or_else(|| {
            Hindrance::NoSuchInterface {
                interfaces: wanted.interfaces.clone(),
            }
        });
    }
    segment(wanted.address, node).ok_or(Hindrance::NoUplink)
}

/// Whether the kernel can answer for the address for a while, on the interface of its berth.
pub(super) fn may_stand_in(berth: &Berth, node: &Node, address: IpAddr) -> bool {
    let mut uplinks = node.uplinks.iter();
    let uplink = uplinks.find(|uplink| uplink.name == berth.interface);
    let may_be_local = matches!(
        node.mode,
        LiveMode::Ipvs | LiveMode::Iptables | LiveMode::Nftables
    );
    may_be_local && uplink.is_some_and(|uplink| kernel_answers(uplink, address))
}

fn kernel_answers(uplink: &Uplink, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => KERNEL_ANSWERS.contains(&uplink.arp_ignore),
        IpAddr::V6(_) => true,
    }
}

fn shape(wanted: &Wanted, mode: LiveMode, uplink: &Uplink) -> (Method, Place) {
    // A kernel would go on to answer when the time is over.
    let kernel_answers = !wanted.is_fenced() && kernel_answers(uplink, wanted.address);
    match mode {
        LiveMode::Ipvs if wanted.bind == Bind::Uplink && kernel_answers => {
            (Method::Uplink, Place::Uplink)
        }
        LiveMode::Ipvs => (Method::Responder, Place::IpvsLink),
        LiveMode::Iptables | LiveMode::Nftables
            if wanted.bind != Bind::Responder && kernel_answers =>
        {
            (Method::Uplink, Place::Uplink)
        }
        // Of the rest, each either forwards before the kernel looks whether an address is local, or is not known to need it
        // there; and a local address beats the route by which Open vSwitch gets the packets.
        LiveMode::Iptables
        | LiveMode::Nftables
        | LiveMode::AntreaProxyAll
        | LiveMode::Ebpf
        | LiveMode::KubeRouter
        | LiveMode::None
        | LiveMode::Unknown => (Method::Responder, Place::Nowhere),
    }
}

impl Method {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Responder => "Responder",
            Self::Uplink => "Uplink",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Hindrance {
    /// A sentence about the node, with what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchInterface { interfaces } => write!(
                f,
                "it has none of the interfaces that the pool names ({}), or they connect it to nobody: change the pool's \
                 interfaces or its nodeSelector",
                interfaces.join(", ")
            ),
            Self::NoUplink => f.write_str(
                "none of its interfaces has the address in its subnet, and it has no default route whose interface could \
                 carry it: name an interface in the pool, or take addresses of the nodes' subnet",
            ),
            Self::UplinkDown { interface } => {
                write!(f, "its interface {interface} is down: bring it up")
            }
        }
    }
}

#[cfg(test)]
mod tests;
