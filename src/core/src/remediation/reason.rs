//! The words of an assessment.

use std::fmt;

use serde::{Serialize, Serializer};

/// May external IPs be announced without every node answering for them?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Safety {
    /// Nothing in kube-proxy's configuration makes other nodes answer.
    Safe,
    /// The API does not show enough to tell.
    Unknown,
    /// Nodes answer ARP for addresses that they do not own, or will after the next restart.
    NotSafe,
}

impl Safety {
    /// As printed and serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unknown => "unknown",
            Self::NotSafe => "notSafe",
        }
    }

    /// The exit status of `check` and `fix`: 0 safe, 1 not safe, 2 could not tell.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Safe => 0,
            Self::NotSafe => 1,
            Self::Unknown => 2,
        }
    }
}

impl fmt::Display for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Safety {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why the verdict is what it is. Prints and serialises as the variant's name. The order is the order of precedence
/// where several workloads differ: the last one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reason {
    /// Safe: kube-proxy is configured for a mode that does not look at strictARP.
    NotNeeded,
    /// Safe: something else than kube-proxy handles Services, and it keeps no addresses on the nodes.
    Replaced,
    /// Safe: mode ipvs with strictARP, and every pod started after that was set.
    Applied,
    /// Safe: the API does not show the configuration, but the agents of all nodes see that these keep quiet.
    NodesQuiet,

    /// Unknown: no kube-proxy was found, and nothing that replaces it.
    NoKubeProxy,
    /// Unknown: this distribution runs kube-proxy without a pod.
    EmbeddedKubeProxy,
    /// Unknown: kube-router serves Services by IPVS and has the same need, with settings of its own.
    KubeRouter,
    /// Unknown: a DaemonSet is there, but no pod of it.
    NoPods,
    /// Unknown: the configuration is not in a ConfigMap.
    ConfigElsewhere,
    /// Unknown: the command line is not in the pod's spec.
    CommandHidden,
    /// Unknown: the flags are such that kube-proxy does not start.
    InvalidFlags,
    /// Unknown: the mounted ConfigMap does not exist.
    ConfigMapMissing,
    /// Unknown: the mounted key does not exist.
    KeyMissing,
    /// Unknown: the mounted key is in `binaryData`.
    KeyIsBinary,
    /// Unknown: the object does not tell when it last changed.
    ChangeTimeUnknown,
    /// Unknown: the configured mode needs nothing, but pods still run with what was configured before.
    NotNeededAfterRestart,
    /// Unknown: the text could not be understood beyond doubt.
    ConfigUnclear,

    /// Not safe: the configuration is right, but agents see that nodes answer for addresses that they do not own.
    NodesNotQuiet,
    /// Not safe: strictARP is set, and a pod of kube-proxy does not run or is not Ready.
    PodsNotReady,
    /// Not safe: strictARP is set, but pods started before that.
    RestartPending,
    /// Not safe: mode ipvs without strictARP, and the text cannot be edited with proof.
    EditRefused,
    /// Not safe: mode ipvs without strictARP, in an immutable ConfigMap.
    ConfigMapImmutable,
    /// Not safe: mode ipvs without strictARP, set by flags.
    StrictArpOffByFlags,
    /// Not safe: mode ipvs without strictARP, in a ConfigMap that something keeps in shape.
    StrictArpOffManaged,
    /// Not safe: mode ipvs without strictARP; `fix` sets it.
    StrictArpOff,
}

impl Reason {
    /// What the reason means for the verdict.
    pub fn safety(self) -> Safety {
        match self {
            Self::NotNeeded | Self::Replaced | Self::Applied | Self::NodesQuiet => Safety::Safe,
            Self::NoKubeProxy
            | Self::EmbeddedKubeProxy
            | Self::KubeRouter
            | Self::NoPods
            | Self::ConfigElsewhere
            | Self::CommandHidden
            | Self::InvalidFlags
            | Self::ConfigMapMissing
            | Self::KeyMissing
            | Self::KeyIsBinary
            | Self::ChangeTimeUnknown
            | Self::NotNeededAfterRestart
            | Self::ConfigUnclear => Safety::Unknown,
            Self::NodesNotQuiet
            | Self::PodsNotReady
            | Self::RestartPending
            | Self::EditRefused
            | Self::ConfigMapImmutable
            | Self::StrictArpOffByFlags
            | Self::StrictArpOffManaged
            | Self::StrictArpOff => Safety::NotSafe,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// What a notice is about. Prints and serialises as the variant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum NoticeReason {
    /// From reading the configuration text.
    Config,
    /// Flags beside `--config` have no effect.
    IgnoredFlags,
    /// A workload was left alone.
    Skipped,
    /// Windows nodes read the same ConfigMap.
    SharedWithWindows,
    /// The file never changes while the pod lives.
    SubPath,
    /// Linux nodes without a pod of kube-proxy.
    NodesWithoutKubeProxy,
    /// Nodes that are not Ready hold a rollout up.
    NodesNotReady,
    /// kube-proxy runs beside a replacement.
    BesideReplacement,
    /// The ConfigMap is edited although something keeps it in shape.
    ForcedManaged,
    /// Nodes could not be listed.
    NodesUnreadable,
    /// Workloads differ in their mode.
    MixedModes,
    /// What the agents see on the nodes.
    Live,
    /// Somebody has to restart a pod by hand.
    RestartByHand,
}

impl fmt::Display for NoticeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}
