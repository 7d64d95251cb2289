//! What a bed is asked to be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most nodes a bed has room for in its address plan.
pub const MAX_NODES: u8 = 64;

/// Everything that distinguishes one bed from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Name of the bed, unique on the machine.
    pub name: Name,
    /// Number of nodes, 0 to [`MAX_NODES`]; none means that the control plane runs alone.
    pub nodes: u8,
    /// Which parts of Kubernetes run.
    pub depth: Depth,
    /// kube-proxy's `mode`.
    pub proxy: Proxy,
    /// kube-proxy's `ipvs.strictARP`.
    pub strict_arp: StrictArp,
    /// The kernel of the nodes.
    pub kernel: Kernel,
    /// Memory of each node in MiB.
    pub memory: u32,
}

impl Spec {
    /// A full bed of three nodes with kube-proxy in IPVS mode and `strictARP: false`: the problem Mooring is for.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            nodes: 3,
            depth: Depth::Full,
            proxy: Proxy::Ipvs,
            strict_arp: StrictArp::False,
            kernel: Kernel::Own,
            memory: 1024,
        }
    }
}

/// The name of a bed: 1 to 32 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text cannot name a bed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot name a bed: use 1 to 32 characters of a-z, 0-9 and -")]
pub struct BadName(String);

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let fits = (1..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// Which parts of Kubernetes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// containerd and the kubelet in each node, kube-proxy as a DaemonSet, Pods with addresses from CNI.
    Full,
    /// No kubelet: node objects made by hand, kube-proxy a plain process in each node.
    Light,
}

/// kube-proxy's mode on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Proxy {
    /// `mode: ipvs`.
    Ipvs,
    /// `mode: iptables`.
    Iptables,
    /// `mode: nftables` (needs the own kernel).
    Nftables,
}

impl Proxy {
    /// The mode as kube-proxy spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipvs => "ipvs",
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

/// What the configuration says about `ipvs.strictARP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum StrictArp {
    /// `strictARP: false`, kubeadm's default.
    False,
    /// `strictARP: true`.
    True,
    /// No such line, as with EKS.
    Absent,
}

/// The kernel that nodes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Kernel {
    /// Built from Debian's kernel source with e2e/kernel/uml.config: nf_tables, Open vSwitch, faster boot.
    Own,
    /// The same with nf_tables left out at boot: only the older iptables works, as on kernels that were built without.
    OwnWithoutNftables,
    /// Debian's packaged `linux.uml`: nothing to build, no nftables mode.
    Debian,
}

// === impl Kernel ===

impl Kernel {
    /// Whether kube-proxy can run in mode nftables, and iptables on top of nf_tables.
    pub fn has_nftables(self) -> bool {
        self == Self::Own
    }

    /// What it is told at boot besides what all are told.
    pub fn arguments(self) -> &'static str {
        match self {
            Self::Own | Self::Debian => "",
            // Whoever asks nfnetlink for it hears what a kernel without it says.
            Self::OwnWithoutNftables => "initcall_blacklist=nf_tables_module_init",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "demo", "two-beds-2"] {
            assert_eq!(
                good.parse::<Name>().map(|n| n.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "Demo", "a b", "a/b", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken");
        }
    }
}
