//! The verdict as a whole.

use std::net::IpAddr;

use crate::condition::{Condition, ConditionStatus, ConditionType};
use crate::kube_proxy::snapshot::ObjectName;
use crate::node::NodeView;
use crate::proxy_mode::LiveMode;
use crate::remediation::note::Note;
use crate::remediation::run::{Run, Wanted};
use crate::remediation::{Assessment, Observation};

use super::effective::{self, Nodes};
use super::{configured, mode, notes, rolled_out, safe};

/// Everything that the verdict is made from.
#[derive(Debug, Clone, Copy)]
pub struct GuardInput<'a> {
    /// What the administrator wants.
    pub wanted: &'a Wanted,
    /// The cluster.
    pub seen: &'a Observation,
    /// The same look, judged by [`crate::remediation::run::assess_for`].
    pub assessment: &'a Assessment,
    /// Every Linux node with its agent's report.
    pub nodes: &'a [NodeView],
    /// The run that the step just returned.
    pub run: Option<&'a Run>,
    /// Every external IP that a Service has, whoever handed it out.
    pub external_ips: &'a [ExternalAddress],
    /// The conditions as they are persisted.
    pub former: &'a [PastCondition],
}

/// An external IP in use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalAddress {
    /// The address.
    pub address: IpAddr,
    /// The Service whose status has it.
    pub service: ObjectName,
}

/// A condition as it was persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCondition {
    /// What it is about.
    pub kind: ConditionType,
    /// Whether it was so.
    pub status: ConditionStatus,
    /// The reason's name; an older or newer operator may have had others.
    pub reason: String,
}

/// What is true of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterVerdict {
    /// In the order of [`ConditionType::OF_GUARD`].
    pub conditions: [Condition; 5],
    /// The live modes of the reporting nodes, separated by commas; `None` if nothing reports.
    pub mode: Option<String>,
    /// How many reporting nodes run in each mode.
    pub live_modes: Vec<(LiveMode, u32)>,
    /// The nodes, counted.
    pub nodes: Counts,
    /// What is configured.
    pub configuration: Option<ConfigurationFound>,
    /// What is new since the persisted conditions.
    pub notes: Vec<Note>,
}

/// Nodes, counted by whether they keep quiet about addresses that they do not own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// They do.
    pub effective: u32,
    /// They do not.
    pub not_effective: u32,
    /// Nobody knows: no report, or a node that is not Ready.
    pub unknown: u32,
}

/// What kube-proxy's configuration says, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigurationFound {
    /// Kind and name of the workload that runs kube-proxy.
    pub workload: Option<(String, ObjectName)>,
    /// The ConfigMap and the key.
    pub source: Option<(ObjectName, String)>,
    /// The configured mode; `None` if unset.
    pub mode: Option<String>,
    /// The configured `ipvs.strictARP`.
    pub strict_arp: Option<bool>,
}

// === judge ===

/// Judges one look at the cluster.
pub fn judge(input: &GuardInput<'_>) -> ClusterVerdict {
    let nodes = Nodes::of(input.nodes);
    let modes = mode::by_mode(input.nodes);
    let configured = configured::strict_arp_configured(input);
    let conditions = [
        mode::mode_detected(input.nodes, &modes),
        configured.clone(),
        rolled_out::rolled_out(input, &configured),
        effective::effective(&nodes),
        safe::safe_to_announce(input, &nodes, &configured),
    ];
    ClusterVerdict {
        notes: notes::between(input, &conditions, &nodes),
        mode: mode::text(&modes),
        live_modes: modes
            .iter()
            .map(|(mode, names)| (*mode, u32::try_from(names.len()).unwrap_or(u32::MAX)))
            .collect(),
        nodes: nodes.counts(),
        configuration: configured::found(input.assessment),
        conditions,
    }
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
