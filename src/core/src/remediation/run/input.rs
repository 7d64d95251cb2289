//! What a step of a remediation is decided on.

use std::fmt;
use std::str::FromStr;

use crate::kube_proxy::snapshot::{DaemonSet, Timestamp};
use crate::node::NodeView;
use crate::proxy_mode::antrea::AntreaVersion;
use crate::remediation::finding::Assessment;
use crate::remediation::observation::Observation;

use super::state::{Made, Run};

/// One look at everything that decides.
#[derive(Debug, Clone, Copy)]
pub struct StepInput<'a> {
    /// What the administrator wants.
    pub wanted: &'a Wanted,
    /// The cluster. Make none, and take no step, while parts of it cannot be read.
    pub seen: &'a Observation,
    /// The same look, judged by [`super::assess_for`].
    pub assessment: &'a Assessment,
    /// Every Linux node with its agent's report.
    pub nodes: &'a [NodeView],
    /// What else runs in the cluster and would suffer.
    pub surroundings: &'a Surroundings,
    /// The run as it is persisted.
    pub run: Option<&'a Run>,
    /// The edits that this operator made, the last one of each key.
    pub made: &'a [Made],
    /// Now, by the operator's clock.
    pub now: Timestamp,
    /// Since when this operator has seen the cluster without a gap: its start, or the end of the last outage of the API
    /// server. Nothing times out for what happened while nobody looked.
    pub observing_since: Timestamp,
}

/// What the administrator wants: the spec of the ServiceProxy, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// What may be done.
    pub enforcement: Enforcement,
    /// In which order kube-proxy is restarted.
    pub strategy: Strategy,
    /// On how many nodes at once; `None`: as the DaemonSet itself says.
    pub max_unavailable: Option<MaxUnavailable>,
    /// The agents hold the sysctls up themselves (`spec.strictARP.sysctls: Enforce`).
    pub holds_sysctls: bool,
    /// Edit also a ConfigMap that something else keeps in shape.
    pub edit_managed: bool,
    /// `metadata.generation` of the ServiceProxy.
    pub generation: Option<i64>,
    /// Its annotation [`super::RETRY`]. A run that ended is tried again when it changes.
    pub retry: Option<String>,
}

/// What may be done where strictARP is needed and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Enforcement {
    /// Edit, roll out, verify.
    #[default]
    Enforce,
    /// Say so, and write nothing.
    Warn,
    /// Write nothing, and let addresses be announced all the same.
    Ignore,
}

/// In which order kube-proxy is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// One node, verified, then the rest.
    #[default]
    Canary,
    /// All nodes, in batches that are verified.
    Rolling,
    /// By hand.
    Manual,
}

/// On how many nodes kube-proxy may be down at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaxUnavailable {
    /// A number of nodes.
    Nodes(u32),
    /// A percentage of them.
    Percent(u32),
}

impl MaxUnavailable {
    /// Of so many nodes: percentages are rounded up, and it is one at least.
    pub fn of(self, nodes: usize) -> usize {
        let allowed = match self {
            Self::Nodes(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => {
                let percent = usize::try_from(percent).unwrap_or(100);
                nodes.saturating_mul(percent).div_ceil(100)
            }
        };
        allowed.max(1)
    }
}

/// The text is neither a number nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a number of nodes nor a percentage")]
pub struct NotANumberOfNodes(pub String);

impl FromStr for MaxUnavailable {
    type Err = NotANumberOfNodes;

    fn from_str(text: &str) -> Result<Self, NotANumberOfNodes> {
        let error = |_| NotANumberOfNodes(text.to_owned());
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().map(Self::Percent).map_err(error),
            None => text.parse().map(Self::Nodes).map_err(error),
        }
    }
}

impl fmt::Display for MaxUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nodes(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// What else runs in the cluster and would suffer from strictARP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Antrea, if it runs.
    pub antrea: Option<AntreaSeen>,
    /// A CNI whose Pods hang on point-to-point links without an address of their own; see [`unnumbered_cni`].
    pub unnumbered_cni: Option<String>,
}

/// Antrea, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AntreaSeen {
    /// The version of its agent; `None` if the image does not tell.
    pub version: Option<AntreaVersion>,
    /// There are Egress objects.
    pub egress_in_use: bool,
}

/// The CNI among these DaemonSets whose Pods reach their node over an unnumbered point-to-point veth: with `arp_ignore` 1,
/// which new network namespaces inherit, neither end answers ARP for an address that is on another link, and Pods lose
/// their node and the Services (kubernetes/kubernetes issue 71555, reported for Lyft's cni-ipvlan-vpc-k8s).
///
/// Others with unnumbered veths are not among them: Calico's answer by `proxy_arp`, which `arp_ignore` does not touch, and
/// the bridge of kube-router or flannel has an address.
pub fn unnumbered_cni(daemon_sets: &[DaemonSet]) -> Option<String> {
    const KNOWN: &str = "cni-ipvlan-vpc-k8s";
    daemon_sets
        .iter()
        .filter(|set| {
            let containers = set.template.containers.iter();
            let mut all = containers.chain(&set.template.init_containers);
            set.metadata.id.name.contains(KNOWN)
                || all.any(|container| container.image.contains(KNOWN))
        })
        .map(|set| format!("{KNOWN} (DaemonSet {})", set.metadata.id))
        .next()
}
