//! A node as far as it matters for owning addresses.

use std::collections::BTreeMap;

use crate::condition::{Condition, ConditionStatus, ConditionType, KubeProxyHealthyReason};
use crate::ipam::range::{AddressRange, HostBits};
use crate::node::{NodeView, Uplink};

use super::exit::Exit;
use super::unrest::Restless;

/// The label by which Kubernetes keeps load balancers away from a node, with whatever value.
pub const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The annotation of a node whose addresses are to move away; its value says since when.
pub const DRAIN_ANNOTATION: &str = "mooring.dev/drain";

/// For how many seconds a node may lack its agent, or its kube-proxy, before its addresses move to another one. That is what a
/// restart takes, also of a busy node. Less than the lifetime of what an agent that is gone has left on an uplink
/// ([`LIFETIME`](crate::mooring::LIFETIME)).
pub const GRACE: u32 = 45;

/// A node that may come to own addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The kubelet reports it as ready.
    pub ready: bool,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// Somebody asked to move its addresses away ([`DRAIN_ANNOTATION`]).
    pub draining: bool,
    /// It is about to go.
    pub exit: Option<Exit>,
    /// It died often lately.
    pub restless: Option<Restless>,
    /// Mooring's agent reports from there.
    pub reporting: bool,
    /// If it does not: it did until a moment ago.
    pub briefly_silent: bool,
    /// What connects it to others.
    pub uplinks: Vec<CandidateUplink>,
    /// What is wrong with its kube-proxy, if something is.
    pub kube_proxy_problem: Option<String>,
    /// If something is: it was not until a moment ago.
    pub briefly_unserved: bool,
    /// Why nothing may be announced from there, if so.
    pub gate: Option<String>,
}

/// An interface that connects a node to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateUplink {
    /// Its name.
    pub interface: String,
    /// The subnets of its addresses.
    pub subnets: Vec<AddressRange>,
}

// === impl Candidate ===

impl Candidate {
    /// From what is known about a node. What its agent said last is used although the agent may be away: that it is away
    /// is an obstacle of its own.
    pub fn of(view: &NodeView, labels: BTreeMap<String, String>, cordoned: bool) -> Self {
        let report = view.report.as_ref();
        let conditions = report.map_or(&[][..], |report| &report.conditions);
        let message = |wanted: fn(&Condition) -> bool| {
            conditions
                .iter()
                .find(|condition| wanted(condition))
                .map(|condition| condition.message.clone())
        };
        Self {
            name: view.name.clone(),
            labels,
            ready: view.ready,
            cordoned,
            draining: false,
            exit: None,
            restless: None,
            reporting: view.reporting,
            briefly_silent: false,
            briefly_unserved: false,
            uplinks: report.map_or_else(Vec::new, |report| {
                report.uplinks.iter().map(CandidateUplink::of).collect()
            }),
            kube_proxy_problem: message(does_not_serve),
            gate: message(does_not_answer),
        }
    }
}

/// Whether something is wrong with the kube-proxy of a node.
pub fn is_unserved(view: &NodeView) -> bool {
    let conditions = view.report.iter().flat_map(|report| &report.conditions);
    conditions.into_iter().any(does_not_serve)
}

/// A kube-proxy that is only older than its configuration still serves.
fn does_not_serve(condition: &Condition) -> bool {
    condition.is(KubeProxyHealthyReason::Unhealthy)
        || condition.is(KubeProxyHealthyReason::CrashLooping)
        || condition.is(KubeProxyHealthyReason::NotRunning)
}

/// A node that answers for too much is no worse an owner than others; one that answers for too little is.
fn does_not_answer(condition: &Condition) -> bool {
    condition.kind == ConditionType::UplinksAnswer && condition.status == ConditionStatus::False
}

// === impl CandidateUplink ===

impl CandidateUplink {
    /// A subnet that cannot be read is none.
    pub fn of(uplink: &Uplink) -> Self {
        Self {
            interface: uplink.name.clone(),
            subnets: uplink
                .subnets
                .iter()
                .filter_map(|subnet| AddressRange::from_cidr(subnet, HostBits::Clear).ok())
                .collect(),
        }
    }
}
