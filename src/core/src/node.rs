//! One node, as its agent reports it. The operator and `kubectl mooring` decide on these reports; the agent makes them.
//!
//! ```text
//! sources ─▶ what to read ─▶ Observed ─ report ─▶ NodeReport: mode, evidence, uplinks, conditions
//!                                          └─ sysctls::plan ─▶ what to remember, then what to write
//! ```

mod arp;
mod findings;
#[cfg(test)]
mod fixture;
mod health;
mod pods;
mod quiet;
mod replacements;
mod report;
pub mod sysctl_files;
pub mod sysctls;
mod traces;
mod uplinks;
mod verdict;

pub use arp::ArpSetting;
pub(crate) use arp::is_quiet;
pub use pods::{Addresses, Role, addresses, config_maps};
pub use report::report;
pub use sysctl_files::SysctlFile;
pub use sysctls::{Change, Plan, Wish};

use serde::{Deserialize, Serialize};

use crate::kube_proxy::snapshot::Timestamp;
use crate::proxy_mode::LiveMode;
use crate::wire::Mac;

/// A node, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// The kubelet says so.
    pub ready: bool,
    /// Its agent runs and is ready: the report is about now. A report without this is about the past.
    pub reporting: bool,
    /// What its agent said last.
    pub report: Option<NodeReport>,
}

/// What the agent of a node sees there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeReport {
    /// What handles Service traffic on the node now.
    pub mode: LiveMode,
    /// What the mode was concluded from, the most trusted first.
    pub evidence: Vec<Evidence>,
    /// The kube-proxy that answers on the node.
    pub kube_proxy: Option<RunningKubeProxy>,
    /// The interfaces that connect the node to others.
    pub uplinks: Vec<Uplink>,
    /// Addresses on `kube-ipvs0` although the mode is not ipvs.
    pub leftovers: Vec<std::net::IpAddr>,
    /// How Antrea is set up there, if it runs there.
    pub antrea: Option<Antrea>,
    /// Sysctls that the agent raised, and what they were.
    pub raised: Vec<RaisedSysctl>,
    /// What it saw on the wire of addresses that somebody else than Mooring handed out, as far as it is their witness.
    pub witnessed: Vec<Witnessed>,
    /// The node's conditions, decided by its agent.
    pub conditions: Vec<crate::condition::Condition>,
    /// What the operator recorded of the node's deaths; agents neither make nor need it.
    pub unrest: Option<crate::placement::Unrest>,
}

/// What a node saw when it asked on the wire for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The address.
    pub address: std::net::IpAddr,
    /// Since when this is what it sees.
    pub since: Timestamp,
    /// Who answered, by MAC address. A node does not hear itself.
    pub responders: Vec<Responder>,
}

/// Somebody who answered for an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Responder {
    /// The MAC address in the answer.
    pub mac: Mac,
    /// The node that has it; `None` if none has.
    pub node: Option<String>,
}

/// One thing that speaks for a mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was asked or read.
    pub witness: Witness,
    /// The mode that it speaks for; `None` if it did not answer, or does not tell.
    pub mode: Option<LiveMode>,
    /// What it said, or why it said nothing.
    pub message: String,
}

/// What can speak for a mode, the most trusted first.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Witness {
    /// kube-proxy's endpoint `/proxyMode`.
    ProxyModeEndpoint,
    /// kube-proxy's endpoint `/configz`, its whole live configuration.
    Configz,
    /// The command line of the node's kube-proxy.
    CommandLine,
    /// The configuration that the node's kube-proxy mounts.
    MountedConfiguration,
    /// Antrea's configuration and interfaces.
    Antrea,
    /// The signs of another replacement of kube-proxy.
    Replacement,
    /// Interfaces, IPVS services and tables in the kernel. They outlive the proxy that made them.
    Kernel,
}

/// A running kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunningKubeProxy {
    /// Its version, such as `v1.35.4`.
    pub version: Option<String>,
    /// `ipvs.strictARP` as it was started.
    pub strict_arp: Option<bool>,
    /// When its process started, by the node's clock.
    pub started: Option<Timestamp>,
    /// Its health port says that it keeps up; `None` if it could not be asked.
    pub healthy: Option<bool>,
}

/// An interface that connects the node to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Its name.
    pub name: String,
    /// Its MAC address, in lower case with colons.
    pub mac: String,
    /// The subnets of its addresses, as in `192.0.2.0/24`.
    pub subnets: Vec<String>,
    /// Its addresses in these subnets.
    pub addresses: Vec<std::net::IpAddr>,
    /// The routers that default routes over it lead to, without link-local addresses.
    pub gateways: Vec<std::net::IpAddr>,
    /// The effective `arp_ignore`: the higher one of `all` and this interface.
    pub arp_ignore: i32,
    /// The effective `arp_announce`.
    pub arp_announce: i32,
}

/// How Antrea is set up on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Antrea {
    /// AntreaProxy serves Pods' traffic to Services.
    pub antrea_proxy: bool,
    /// AntreaProxy serves traffic from outside as well.
    pub proxy_all: bool,
    /// With `proxy_all`: AntreaProxy serves LoadBalancer addresses, too.
    pub proxy_load_balancer_ips: bool,
}

/// A sysctl of `net.ipv4.conf.INTERFACE` that the agent raised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RaisedSysctl {
    /// Its whole name, as in `net.ipv4.conf.eth0.arp_ignore`; a dot in the interface's own name is a slash here, as
    /// sysctl(8) has it.
    pub name: String,
    /// What it was.
    pub before: i32,
    /// What it was raised to.
    pub value: i32,
}
