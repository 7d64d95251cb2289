use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::{IpFamily, IpvsProtocol};

/// Where a service proxy takes traffic for a Service: one port of one of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceTarget {
    /// A ClusterIP, an external IP or an address of a load balancer.
    pub ip: IpAddr,
    /// The transport.
    pub protocol: IpvsProtocol,
    /// The port of the Service.
    pub port: u16,
}

// === impl ServiceTarget ===

impl ServiceTarget {
    /// Of which version of IP.
    #[must_use]
    pub fn family(&self) -> IpFamily {
        match self.ip {
            IpAddr::V4(_) => IpFamily::V4,
            IpAddr::V6(_) => IpFamily::V6,
        }
    }
}

impl fmt::Display for ServiceTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.protocol,
            SocketAddr::new(self.ip, self.port)
        )
    }
}
