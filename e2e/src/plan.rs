//! The address plan: who has which name, address and MAC on the segment.
//!
//! | range | who |
//! |---|---|
//! | 10.77.0.0/24, fd77::/64 | the segment: router .1, control plane .2, nodes from .11, clients from .101 |
//! | 10.77.0.200 to .254 | never used by the bed: for external IPs |
//! | 10.244.N.0/24, fd10:244:0:N::/64 | Pods of the node with host number N |
//! | 10.96.0.0/16, fd96::/112 | Services |

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::probe::Mac;

/// Service ranges, as the API server takes them.
pub const SERVICE_RANGES: &str = "10.96.0.0/16,fd96::/112";
/// All Pods, as kube-proxy's `clusterCIDR` takes it.
pub const POD_RANGES: &str = "10.244.0.0/16,fd10:244::/48";

const FIRST_NODE: u8 = 11;
const FIRST_CLIENT: u8 = 101;

/// One machine on the segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name of the node or network namespace.
    pub name: String,
    /// The last part of its addresses and of its MAC.
    pub number: u8,
}

impl Host {
    /// The namespace that routes off the segment; every node's default gateway.
    pub fn router() -> Self {
        Self {
            name: "router".to_owned(),
            number: 1,
        }
    }

    /// The namespace with etcd and the API server.
    pub fn control_plane() -> Self {
        Self {
            name: "cp".to_owned(),
            number: 2,
        }
    }

    /// Node `index`, from 0; its name is `n1` for the first.
    pub fn node(index: u8) -> Self {
        Self {
            name: format!("n{}", index + 1),
            number: FIRST_NODE + index,
        }
    }

    /// Client `index`, from 0.
    pub fn client(name: &str, index: u8) -> Self {
        Self {
            name: name.to_owned(),
            number: FIRST_CLIENT + index,
        }
    }

    /// Its IPv4 address; the prefix is /24.
    pub fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.number)
    }

    /// Its IPv6 address; the prefix is /64. The last group reads like the IPv4 octet.
    pub fn ipv6(&self) -> Ipv6Addr {
        format!("fd77::{}", self.number)
            .parse()
            .expect("invariant: three decimal digits are a valid group")
    }

    /// Its MAC address on the segment.
    pub fn mac(&self) -> Mac {
        Mac([0x52, 0x54, 0x00, 0x77, 0x00, self.number])
    }

    /// The range of its Pods (nodes only).
    pub fn pods_v4(&self) -> String {
        format!("10.244.{}.0/24", self.number)
    }

    /// The IPv6 range of its Pods (nodes only).
    pub fn pods_v6(&self) -> String {
        format!("fd10:244:0:{}::/64", self.number)
    }
}

/// The URL of the API server, as nodes and namespaces reach it.
pub fn api_server() -> String {
    format!("https://{}:6443", Host::control_plane().ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MAX_NODES;

    #[test]
    fn no_two_hosts_share_a_number_and_none_takes_an_external_ip() {
        let mut numbers: Vec<u8> = (0..MAX_NODES).map(|i| Host::node(i).number).collect();
        numbers.extend([
            Host::router().number,
            Host::control_plane().number,
            Host::client("c", 0).number,
        ]);
        let total = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), total);
        assert!(numbers.iter().all(|n| *n < 200));
    }

    #[test]
    fn ipv6_reads_like_ipv4() {
        assert_eq!(Host::node(0).ipv6().to_string(), "fd77::11");
        assert_eq!(Host::node(0).ipv4().to_string(), "10.77.0.11");
    }
}
