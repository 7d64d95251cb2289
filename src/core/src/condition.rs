//! Conditions: the steps from "kube-proxy's mode is known" to "addresses can be announced".
//!
//! A [`Reason`] knows its condition and status, so a condition cannot contradict its reason. The lists of reasons are part
//! of the API: they are documented in the CRDs, where `kubectl explain` shows them.

use std::fmt;

mod reason;

pub(crate) use reason::reasons;
pub use reason::{
    EffectiveReason, ForeignResponderReason, KubeProxyHealthyReason, ModeDetectedReason,
    RolledOutReason, SafeToAnnounceReason, StrictArpConfiguredReason, UplinksAnswerReason,
};

/// The `type` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// It is known what handles Service traffic.
    ModeDetected,
    /// kube-proxy's configuration is as its mode needs it.
    StrictArpConfigured,
    /// The kube-proxies that run were started with that configuration.
    RolledOut,
    /// Nodes do not answer ARP for addresses that they do not own.
    Effective,
    /// External IPs can be announced: no second node will answer for them.
    SafeToAnnounce,
    /// One host answers for each external IP that somebody else than Mooring handed out.
    ForeignSingleResponder,
    /// Of a node: its kube-proxy works.
    KubeProxyHealthy,
    /// Of a node: its uplinks answer ARP for the addresses that they have.
    UplinksAnswer,
    /// Of a pool: addresses are handed out of it.
    Ready,
    /// Of a pool: nobody else has any of its addresses.
    RangesUsable,
    /// Of a pool: a node can have its addresses.
    NodesEligible,
    /// Of an external IP: the Services that have it have what they ask for.
    RequestMet,
    /// Of an external IP: a node answers for it.
    Announced,
    /// Of an external IP: exactly that node answers for it.
    SingleResponder,
    /// Of an external IP: somebody else has it. True is bad.
    Conflict,
}

impl ConditionType {
    /// Those of a ServiceProxy that say whether it is safe to announce, in the order in which they are reached.
    pub const OF_GUARD: [Self; 5] = [
        Self::ModeDetected,
        Self::StrictArpConfigured,
        Self::RolledOut,
        Self::Effective,
        Self::SafeToAnnounce,
    ];

    /// Those of a ServiceProxy: what is to be, and what is seen on the wire.
    pub const OF_CLUSTER: [Self; 6] = [
        Self::ModeDetected,
        Self::StrictArpConfigured,
        Self::RolledOut,
        Self::Effective,
        Self::SafeToAnnounce,
        Self::ForeignSingleResponder,
    ];

    /// Those of a NodeProxyState.
    pub const OF_NODE: [Self; 4] = [
        Self::ModeDetected,
        Self::KubeProxyHealthy,
        Self::Effective,
        Self::UplinksAnswer,
    ];

    /// Those of an ExternalIPPool.
    pub const OF_POOL: [Self; 3] = [Self::Ready, Self::RangesUsable, Self::NodesEligible];

    /// Those of an ExternalIP.
    pub const OF_ADDRESS: [Self; 4] = [
        Self::RequestMet,
        Self::Announced,
        Self::SingleResponder,
        Self::Conflict,
    ];

    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ModeDetected => "ModeDetected",
            Self::StrictArpConfigured => "StrictARPConfigured",
            Self::RolledOut => "RolledOut",
            Self::Effective => "Effective",
            Self::SafeToAnnounce => "SafeToAnnounce",
            Self::KubeProxyHealthy => "KubeProxyHealthy",
            Self::UplinksAnswer => "UplinksAnswer",
            Self::Ready => "Ready",
            Self::RangesUsable => "RangesUsable",
            Self::NodesEligible => "NodesEligible",
            Self::RequestMet => "RequestMet",
            Self::Announced => "Announced",
            // Of a ServiceProxy the same is said about all addresses of others together.
            Self::SingleResponder | Self::ForeignSingleResponder => "SingleResponder",
            Self::Conflict => "Conflict",
        }
    }

    /// What it says when it is True.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ModeDetected => "it is known what handles Service traffic",
            Self::StrictArpConfigured => "kube-proxy's configuration is as its mode needs it",
            Self::RolledOut => {
                "every kube-proxy was started after its configuration last changed, and is ready"
            }
            Self::Effective => "nodes do not answer ARP for addresses that they do not own",
            Self::SafeToAnnounce => {
                "external IPs can be announced, as no second node will answer for them"
            }
            Self::ForeignSingleResponder => {
                "for each external IP that somebody else handed out (MetalLB, Antrea, ...) one host was seen to answer"
            }
            Self::KubeProxyHealthy => "the node's kube-proxy runs, and keeps its rules up to date",
            Self::UplinksAnswer => "the node's uplinks answer ARP for the addresses that they have",
            Self::Ready => "addresses are handed out of the pool",
            Self::RangesUsable => "none of the pool's addresses belongs to somebody else",
            Self::NodesEligible => "a node can have addresses of the pool",
            Self::RequestMet => "the Services that have the address have all that they ask for",
            Self::Announced => {
                "a node answers for the address, and its Services are reachable there"
            }
            Self::SingleResponder => {
                "that node is the only one that was seen to answer for the address"
            }
            Self::Conflict => "another host has the address (here True is bad)",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl ConditionStatus {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The `reason` of a condition: why its status is what it is.
pub trait Reason: Copy + 'static {
    /// The condition whose reason it is.
    const CONDITION: ConditionType;
    /// All reasons of that condition.
    const ALL: &'static [Self];

    /// As in the API.
    fn as_str(self) -> &'static str;

    /// The one of this name; `None` if there is none, as what stands in a status may be another version's.
    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|reason| reason.as_str() == name)
    }

    /// The status that it stands for.
    fn status(self) -> ConditionStatus;

    /// What it means, for the documentation in the CRD.
    fn meaning(self) -> &'static str;
}

/// One condition, as decided: what is, why it matters and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What it is about.
    pub kind: ConditionType,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// The reason's name, as in the API.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Condition {
    /// The condition and its status follow from the reason.
    pub fn new<R: Reason>(reason: R, message: impl Into<String>) -> Self {
        Self {
            kind: R::CONDITION,
            status: reason.status(),
            reason: reason.as_str(),
            message: message.into(),
        }
    }

    /// Whether the reason is `reason`.
    pub fn is<R: Reason>(&self, reason: R) -> bool {
        self.kind == R::CONDITION && self.reason == reason.as_str()
    }
}
