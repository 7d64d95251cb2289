//! What handles Service traffic on a node.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What handles Service traffic on a node. kube-proxy's modes are spelt as kube-proxy spells them. A value that a newer
/// agent wrote reads as [`LiveMode::Unknown`].
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
)]
#[serde(rename_all = "camelCase")]
pub enum LiveMode {
    /// kube-proxy, with iptables rules.
    Iptables,
    /// kube-proxy, with virtual services in the kernel: the mode that needs strictARP.
    Ipvs,
    /// kube-proxy, with nftables rules.
    Nftables,
    /// AntreaProxy with `proxyAll`.
    AntreaProxyAll,
    /// A data plane that keeps no addresses of Services on the node: an eBPF program such as Cilium's or Calico's, or the
    /// Open vSwitch of OVN-Kubernetes.
    Ebpf,
    /// kube-router, with virtual services in the kernel as in mode ipvs.
    KubeRouter,
    /// Nothing.
    None,
    /// The evidence does not tell.
    #[default]
    #[serde(other)]
    Unknown,
}

impl LiveMode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Iptables,
        Self::Ipvs,
        Self::Nftables,
        Self::AntreaProxyAll,
        Self::Ebpf,
        Self::KubeRouter,
        Self::None,
        Self::Unknown,
    ];

    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Ipvs => "ipvs",
            Self::Nftables => "nftables",
            Self::AntreaProxyAll => "antreaProxyAll",
            Self::Ebpf => "ebpf",
            Self::KubeRouter => "kubeRouter",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for LiveMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
