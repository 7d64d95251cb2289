//! The kernel's load balancer, as far as kube-proxy's `ipvs` mode programs it.

pub(crate) mod wire;

use std::fmt;
use std::net::IpAddr;

use crate::IpFamily;

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpvsService {
    /// What traffic it takes.
    pub matches: IpvsMatch,
    /// How it picks a destination, such as `rr`; the kernel says `none` for no scheduler.
    pub scheduler: String,
}

/// What traffic a virtual service takes; no two services of a namespace have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpvsMatch {
    /// What goes to this address and port.
    Address {
        /// The virtual address.
        ip: IpAddr,
        /// The transport.
        protocol: IpvsProtocol,
        /// The port; 0 stands for every port.
        port: u16,
    },
    /// What the packet filter marked. kube-proxy makes none of these.
    Mark {
        /// Of which version of IP.
        family: IpFamily,
        /// The mark.
        mark: u32,
    },
}

/// The transport of a virtual service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpvsProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// Another number of IANA's.
    Other(u16),
}

/// A real server behind a virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpvsDestination {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share; 0 while it drains.
    pub weight: u32,
    /// Connections that are open.
    pub active: u32,
    /// Connections that are closing.
    pub inactive: u32,
}

/// How packets reach a destination (`IP_VS_CONN_F_FWD_MASK`, linux/ip_vs.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    /// With the destination's address put in; the only one kube-proxy uses.
    Masquerade,
    /// To this very host.
    Local,
    /// In a tunnel.
    Tunnel,
    /// By its Ethernet address alone.
    DirectRoute,
    /// Past IPVS.
    Bypass,
    /// A number without a name.
    Other(u32),
}

// === impl IpvsMatch ===

impl IpvsMatch {
    /// Of which version of IP.
    #[must_use]
    pub fn family(&self) -> IpFamily {
        match self {
            Self::Address {
                ip: IpAddr::V4(_), ..
            } => IpFamily::V4,
            Self::Address {
                ip: IpAddr::V6(_), ..
            } => IpFamily::V6,
            Self::Mark { family, .. } => *family,
        }
    }
}

impl fmt::Display for IpvsMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                ip: IpAddr::V4(ip),
                protocol,
                port,
            } => write!(f, "{protocol} {ip}:{port}"),
            Self::Address {
                ip: IpAddr::V6(ip),
                protocol,
                port,
            } => write!(f, "{protocol} [{ip}]:{port}"),
            Self::Mark { mark, .. } => write!(f, "mark {mark}"),
        }
    }
}

// === impl IpvsProtocol ===

impl IpvsProtocol {
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Other(number) => number,
        }
    }

    /// Whether Services have ports of it. Of a protocol without ports a set of ipset ignores them (`hash_ipport4_uadt`).
    pub(crate) fn has_ports(self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl From<u16> for IpvsProtocol {
    fn from(number: u16) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            132 => Self::Sctp,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for IpvsProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("TCP"),
            Self::Udp => f.write_str("UDP"),
            Self::Sctp => f.write_str("SCTP"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

// === impl Forwarding ===

impl From<u32> for Forwarding {
    fn from(flags: u32) -> Self {
        match flags & 0x7 {
            0 => Self::Masquerade,
            1 => Self::Local,
            2 => Self::Tunnel,
            3 => Self::DirectRoute,
            4 => Self::Bypass,
            other => Self::Other(other),
        }
    }
}
