//! NodeProxyState: what one node's agent sees of service proxying there.
//!
//! The doc comments of the fields are the text of `kubectl explain`: they speak to administrators.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "two printer columns have the same type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use mooring_core::node::Witness;
pub use mooring_core::proxy_mode::LiveMode;

use crate::condition;
use crate::external_ip::Responder;

mod report;

pub use report::{from_status, report, to_status};

/// Nothing: a NodeProxyState is all status.
#[derive(
    CustomResource, JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default,
)]
#[kube(
    group = "mooring.dev",
    version = "v1alpha1",
    kind = "NodeProxyState",
    shortname = "nps",
    category = "mooring",
    no_spec,
    status = "NodeProxyStateStatus",
    derive = "PartialEq",
    doc = "What handles Service traffic on one node, and what its kernel would answer ARP for. Each node's Mooring agent \
           keeps the object that has the node's name; it is deleted with the node. There is nothing to set here.",
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".status.mode",
        description = "What handles Service traffic on the node now"
    ),
    printcolumn(
        name = "StrictARP",
        type_ = "boolean",
        json_path = ".status.kubeProxy.strictARP",
        description = "ipvs.strictARP as the running kube-proxy was started"
    ),
    printcolumn(
        name = "arp_ignore",
        type_ = "integer",
        json_path = ".status.arpIgnore",
        description = "The lowest effective arp_ignore of the uplinks; mode ipvs needs 1"
    ),
    printcolumn(
        name = "arp_announce",
        type_ = "integer",
        json_path = ".status.arpAnnounce",
        description = "The lowest effective arp_announce of the uplinks; mode ipvs needs 2"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct NodeProxyStateSpec {}

/// What the node's agent sees. It is written only when it changes.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct NodeProxyStateStatus {
    /// What handles Service traffic on the node now. `iptables`, `ipvs` and `nftables` are kube-proxy's;
    /// `antreaProxyAll`, `ebpf` and `kubeRouter` replace kube-proxy; `none` means that nothing does, and `unknown` that the
    /// evidence does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LiveMode")]
    pub mode: Option<LiveMode>,
    /// What the mode was concluded from, the most trusted first. Contradictions stay visible here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["witness".into()]))]
    pub evidence: Vec<Evidence>,
    /// The kube-proxy that runs on the node. Absent if none answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_proxy: Option<RunningKubeProxy>,
    /// The lowest effective `arp_ignore` of the uplinks: the one that decides whether the node is quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arp_ignore: Option<i32>,
    /// The lowest effective `arp_announce` of the uplinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arp_announce: Option<i32>,
    /// The interfaces that connect the node to others, with their own values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub uplinks: Vec<Uplink>,
    /// Addresses that an earlier kube-proxy in mode ipvs left on `kube-ipvs0`. Absent if there are none, or if the mode
    /// is still ipvs. With `arp_ignore` 0 the node answers for each of them; restart the node, or run
    /// `kube-proxy --cleanup` there, to be rid of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leftovers: Option<Leftovers>,
    /// How Antrea is set up on the node. Absent if it does not run there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub antrea: Option<Antrea>,
    /// The ARP sysctls that the agent raised, as `spec.strictARP.sysctls: Enforce` of the ServiceProxy asks it to, and what
    /// stood there before. They are put back when that is no longer asked for. The list is written before the sysctls are:
    /// do not edit it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub raised_sysctls: Vec<RaisedSysctl>,
    /// What the node saw on the wire when it asked for external IPs that somebody else than Mooring handed out, such as MetalLB
    /// or Antrea. Two nodes look at each, as `status.foreignAddresses` of the ServiceProxy says, which has what follows from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["address".into()]))]
    pub witnessed: Vec<Witnessed>,
    /// Whether the node is as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::node_schema")]
    pub conditions: Vec<Condition>,
}

impl NodeProxyStateStatus {
    /// The uplinks, together with the lowest values among them.
    pub fn set_uplinks(&mut self, uplinks: Vec<Uplink>) {
        self.arp_ignore = uplinks.iter().map(|uplink| uplink.arp_ignore).min();
        self.arp_announce = uplinks.iter().map(|uplink| uplink.arp_announce).min();
        self.uplinks = uplinks;
    }
}

/// One thing that speaks for a mode.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was asked or read.
    pub witness: Witness,
    /// The mode that it speaks for. Absent if it did not answer, or does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LiveMode")]
    pub mode: Option<LiveMode>,
    /// What it said, or why it said nothing.
    pub message: String,
}

/// A running kube-proxy.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct RunningKubeProxy {
    /// Its version, such as `v1.35.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `ipvs.strictARP` as it was started, whatever the ConfigMap says now.
    #[serde(rename = "strictARP", default, skip_serializing_if = "Option::is_none")]
    pub strict_arp: Option<bool>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Its health port says that it keeps up. Absent if that could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
}

/// An interface that connects the node to others.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Uplink {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its MAC address, in lower case with colons: the one seen in ARP replies.
    pub mac: String,
    /// The subnets of its addresses, such as `192.0.2.0/24`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub subnets: Vec<String>,
    /// Its addresses in these subnets. They are never handed out as external IPs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub addresses: Vec<String>,
    /// The routers that default routes over it lead to. They are never handed out as external IPs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub gateways: Vec<String>,
    /// The effective `arp_ignore`: the higher one of `net.ipv4.conf.all` and this interface. 0 answers ARP for every
    /// address of the node, 1 only for addresses of this interface.
    pub arp_ignore: i32,
    /// The effective `arp_announce`: the higher one of `net.ipv4.conf.all` and this interface. With 2 the node never asks
    /// ARP in the name of an external IP.
    pub arp_announce: i32,
}

/// Addresses that an earlier kube-proxy left behind.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Leftovers {
    /// The number of addresses.
    pub count: u32,
    /// Some of them.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub addresses: Vec<String>,
}

/// How Antrea is set up on a node.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Antrea {
    /// AntreaProxy serves Pods' traffic to Services.
    pub antrea_proxy: bool,
    /// AntreaProxy serves traffic from outside as well, in place of kube-proxy.
    pub proxy_all: bool,
    /// With `proxyAll`: AntreaProxy serves LoadBalancer addresses, too.
    #[serde(rename = "proxyLoadBalancerIPs")]
    pub proxy_load_balancer_ips: bool,
}

/// What the node saw on the wire when it asked for an address.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Witnessed {
    /// The address.
    #[schemars(length(min = 1, max = 45))]
    pub address: String,
    /// Since when this is what it sees. It looks every minute, and writes nothing while it sees the same.
    pub since: Time,
    /// Who answered. A node does not hear itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mac".into()]))]
    pub responders: Vec<Responder>,
}

/// An ARP sysctl that the agent raised.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RaisedSysctl {
    /// Its name as sysctl(8) has it, such as `net.ipv4.conf.eth0.arp_ignore`.
    pub name: String,
    /// What it was before.
    pub before: i32,
    /// What it was raised to.
    pub value: i32,
}

#[cfg(test)]
mod tests;
