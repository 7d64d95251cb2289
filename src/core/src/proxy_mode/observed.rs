//! Everything that an agent read on its node, before anything is concluded from it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::kube_proxy::snapshot::{ConfigMap, Pod, Timestamp};

/// One look at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The node's name.
    pub node: String,
    /// When it was taken, by the node's clock.
    pub now: Timestamp,
    /// What kube-proxy's endpoints answered.
    pub endpoints: Endpoints,
    /// The Pods on this node that handle Services, or may: those of kube-proxy and of what replaces it. `None` while the
    /// API server has not been heard yet.
    pub pods: Option<Vec<Pod>>,
    /// The ConfigMaps that those Pods mount, and Cilium's own.
    pub config_maps: Vec<ConfigMap>,
    /// What the kernel shows.
    pub kernel: KernelSeen,
}

/// What kube-proxy's endpoints on the node's loopback answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the metrics endpoints were asked, as in `127.0.0.1:10249`.
    pub metrics_address: String,
    /// Where the health was asked, as in `127.0.0.1:10256`.
    pub healthz_address: String,
    /// `/proxyMode` of the metrics address.
    pub proxy_mode: Answer,
    /// `/configz` there.
    pub configz: Answer,
    /// `/metrics` there; asked again only when the process may be another one.
    pub metrics: Answer,
    /// `/healthz` of the health address.
    pub healthz: Answer,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP answer.
    Http {
        /// Its status.
        status: u16,
        /// Its body, cut at 4 MiB.
        body: String,
    },
    /// Nothing listens there.
    Refused,
    /// It did not answer in time, or not in HTTP; the text says how.
    Failed(String),
}

/// What the kernel shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelSeen {
    /// Every link, by name.
    pub links: BTreeMap<String, LinkSeen>,
    /// The interfaces that default routes leave by, the preferred first.
    pub default_routes: Vec<String>,
    /// The number of virtual services of IPVS; `None` if the kernel has no IPVS.
    pub ipvs_services: Option<usize>,
    /// The tables of nftables with their chains, by family (`ip`, `ip6`, `inet`, ...) and name. Tables of iptables-nft are
    /// among them.
    pub nft: BTreeMap<(String, String), Vec<String>>,
    /// The tables of legacy iptables that are in use, as in `nat`.
    pub legacy_tables: Vec<String>,
    /// What could not be read, in words; empty if all was.
    pub unread: Vec<String>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSeen {
    /// The driver's kind, such as `dummy`, `veth`, `bridge`, `vlan`, `bond`; `None` for hardware.
    pub kind: Option<String>,
    /// Its hardware address, in lower case with colons; `None` without one.
    pub mac: Option<String>,
    /// It is administratively up.
    pub up: bool,
    /// It is the loopback.
    pub loopback: bool,
    /// It does no ARP.
    pub no_arp: bool,
    /// The bridge or bond that it is a port of.
    pub controller: Option<String>,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The routers that default routes over it lead to.
    pub gateways: Vec<IpAddr>,
    /// Its ARP sysctls, or why they could not be read.
    pub arp: Result<ArpSeen, String>,
}

/// `(arp_ignore, arp_announce)` of `net.ipv4.conf.all` and of the interface's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpSeen {
    /// Of `all`.
    pub all: (i32, i32),
    /// Of the interface.
    pub own: (i32, i32),
}

impl ArpSeen {
    /// The higher one counts (`IN_DEV_MAXCONF` in the kernel).
    pub fn ignore(&self) -> i32 {
        self.all.0.max(self.own.0)
    }

    /// The higher one counts.
    pub fn announce(&self) -> i32 {
        self.all.1.max(self.own.1)
    }
}
