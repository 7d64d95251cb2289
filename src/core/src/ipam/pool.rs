//! Pools: what their owners wrote, and what can be handed out of them.
//!
//! ```text
//! PoolObject (texts) ─ checked against each other and the cluster's own addresses ─▶ Pool: declared, assignable, problems
//! ```
//!
//! A problem stops new allocations only. An address that a Service has stays declared, and stays with the Service.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::range::{AddressRange, Addresses, RangeText};
use super::selector::LabelSelector;
use crate::kube_proxy::snapshot::Timestamp;

mod check;
mod conditions;
mod problem;

pub use check::{Pool, check, declaring};
pub use conditions::Usage;
pub use problem::{PoolProblem, Severity};

/// Whose kind of pool it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// `ExternalIPPool` of `mooring.dev`.
    Mooring,
    /// `ExternalIPPool` of `crd.antrea.io`.
    Antrea,
}

/// What a pool is called. The two kinds have names of their own, so a name alone can stand for two pools.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolId {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub source: Source,
}

impl PoolId {
    /// Of Mooring's own kind.
    pub fn mooring(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            source: Source::Mooring,
        }
    }

    /// Of Antrea's kind.
    pub fn antrea(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            source: Source::Antrea,
        }
    }
}

impl fmt::Display for PoolId {
    /// As `kubectl get externalippools` has it: the name, and for Antrea's kind where it is from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Mooring => f.pad(&self.name),
            Source::Antrea => f.pad(&format!("{} (crd.antrea.io)", self.name)),
        }
    }
}

impl std::str::FromStr for PoolId {
    type Err = std::convert::Infallible;

    /// Reads what is printed. A name has no blanks, so the two kinds cannot be mixed up.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_suffix(" (crd.antrea.io)") {
            Some(name) => Self::antrea(name),
            None => Self::mooring(text),
        })
    }
}

/// A pool as it stands in the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolObject {
    /// Its name and kind.
    pub id: PoolId,
    /// Unique for the life of the cluster.
    pub uid: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Being deleted.
    pub terminating: bool,
    /// What its owner wants.
    pub spec: PoolSpec,
}

/// What the owner of a pool wants. Antrea's kind has ranges and a node selector; the rest is as by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSpec {
    /// `ipRanges`, as written.
    pub ranges: Vec<RangeText>,
    /// The nodes that may have addresses of the pool.
    pub node_selector: LabelSelector,
    /// Whether Services that do not name the pool get addresses from it.
    pub auto_assign: bool,
    /// The pool with the lower number is asked first, 0 being the default.
    pub priority: i32,
    /// The namespaces whose Services may use it. Empty: see `namespace_selector`.
    pub namespaces: Vec<String>,
    /// More of them, by their labels. With neither of the two, all namespaces may.
    pub namespace_selector: Option<LabelSelector>,
    /// The Services that may use it; `None`: all.
    pub service_selector: Option<LabelSelector>,
    /// The interfaces that carry its addresses, the first one that a node has; empty: the one whose subnet has the address.
    pub interfaces: Vec<String>,
    /// Leave out the addresses at the edges of a CIDR.
    pub avoid_edges: bool,
    /// Where the addresses live on their node.
    pub bind: Bind,
    /// What is reachable on an address.
    pub ports: Ports,
    /// Whether an address answers echo requests, where `ports` closes it.
    pub ping: Ping,
    /// What counts more while the network is split.
    pub ownership: Ownership,
    /// Addresses go back to a node that returns.
    pub revertive: bool,
    /// What a cordon means for the addresses on a node.
    pub on_cordon: OnCordon,
    /// How long a released address rests before somebody else gets it, in seconds. Neighbours may send traffic for the
    /// former Service to it for as long as they remember.
    pub reuse_after: u32,
    /// What happens to addresses in use when they are taken out of the pool, or it is deleted.
    pub on_removal: OnRemoval,
}

/// The default of [`PoolSpec::reuse_after`], in seconds.
pub const REUSE_AFTER: u32 = 60;

impl Default for PoolSpec {
    fn default() -> Self {
        Self {
            ranges: Vec::new(),
            node_selector: LabelSelector::default(),
            auto_assign: false,
            priority: 0,
            namespaces: Vec::new(),
            namespace_selector: None,
            service_selector: None,
            interfaces: Vec::new(),
            avoid_edges: false,
            bind: Bind::default(),
            ports: Ports::default(),
            ping: Ping::default(),
            ownership: Ownership::default(),
            revertive: false,
            on_cordon: OnCordon::default(),
            reuse_after: REUSE_AFTER,
            on_removal: OnRemoval::default(),
        }
    }
}

/// Where the addresses of a pool live on their node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Bind {
    /// As the live mode of the node needs it.
    #[default]
    Auto,
    /// On no uplink: a responder answers for them.
    Responder,
    /// On the uplink: the kernel answers for them.
    Uplink,
}

/// What is reachable on an address of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Ports {
    /// The ports of its Services.
    #[default]
    ServiceOnly,
    /// Whatever can be reached on every address of the node as well.
    All,
}

/// Whether an address of a pool answers ICMP echo requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Ping {
    /// It does.
    #[default]
    Allow,
    /// It does not.
    Deny,
}

/// What counts more while the network is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Ownership {
    /// That each side can reach the address.
    #[default]
    Available,
    /// That never two nodes have it: its holder needs a Lease.
    Fenced,
}

/// What becomes of the addresses of a pool on a node that is cordoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnCordon {
    /// They stay; the node only takes no more.
    #[default]
    Stay,
    /// They go to other nodes, as if it were drained.
    Move,
}

/// What happens to addresses in use when they are taken out of a pool, or it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnRemoval {
    /// Services keep them until they release them; nobody else gets them.
    #[default]
    Drain,
    /// They are taken from their Services at once, which get others if they can.
    Release,
}

/// Who asks for an address of a pool.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The namespace of the Service.
    pub namespace: &'a str,
    /// The labels of that namespace.
    pub namespace_labels: &'a std::collections::BTreeMap<String, String>,
    /// The labels of the Service.
    pub labels: &'a std::collections::BTreeMap<String, String>,
}

/// Why a Service may not use a pool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotAllowed {
    /// By `namespaces` and `namespaceSelector`.
    #[error(
        "namespace {0} is neither in spec.namespaces of the pool nor selected by its spec.namespaceSelector"
    )]
    Namespace(String),
    /// By `serviceSelector`.
    #[error("spec.serviceSelector of the pool does not select the Service: {0}")]
    Service(super::selector::Mismatch),
}

impl PoolSpec {
    /// Whether the Service of `asker` may use the pool.
    ///
    /// # Errors
    /// Why not.
    pub fn allows(&self, asker: &Asker<'_>) -> Result<(), NotAllowed> {
        let restricted = !self.namespaces.is_empty() || self.namespace_selector.is_some();
        let listed = self.namespaces.iter().any(|name| name == asker.namespace);
        let selected = self
            .namespace_selector
            .as_ref()
            .is_some_and(|selector| selector.selects(asker.namespace_labels));
        if restricted && !listed && !selected {
            return Err(NotAllowed::Namespace(asker.namespace.to_owned()));
        }
        match self
            .service_selector
            .as_ref()
            .and_then(|selector| selector.first_mismatch(asker.labels))
        {
            Some(mismatch) => Err(NotAllowed::Service(mismatch)),
            None => Ok(()),
        }
    }
}

/// The addresses of some ranges.
fn addresses<'a>(ranges: impl IntoIterator<Item = &'a AddressRange>) -> Addresses {
    ranges.into_iter().collect()
}

#[cfg(test)]
mod tests;
