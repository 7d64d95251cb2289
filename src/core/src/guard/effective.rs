//! What the kernels do now: who keeps quiet about addresses that he does not own.

use std::fmt;

use crate::condition::{Condition, EffectiveReason};
use crate::node::{NodeReport, NodeView, is_quiet};
use crate::proxy_mode::LiveMode;

use super::verdict::Counts;

/// What each message names at most.
pub(super) const SHOWN: usize = 5;

/// A sysctl of an uplink that is too low.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disquiet {
    /// The uplink.
    pub interface: String,
    /// `arp_ignore` or `arp_announce`.
    pub sysctl: &'static str,
    /// Its effective value.
    pub value: i32,
    /// What it should be.
    pub wanted: i32,
}

impl fmt::Display for Disquiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} is {} instead of {}",
            self.interface, self.sysctl, self.value, self.wanted
        )
    }
}

/// What makes a node answer, or ask, in the name of addresses that it does not own, given its mode and what is left of an
/// earlier one. Empty if nothing does.
pub fn disquiet(report: &NodeReport) -> Vec<Disquiet> {
    let holds = matches!(report.mode, LiveMode::Ipvs | LiveMode::KubeRouter);
    if !holds && report.leftovers.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for uplink in &report.uplinks {
        let mut low = |sysctl, value, wanted| {
            found.push(Disquiet {
                interface: uplink.name.clone(),
                sysctl,
                value,
                wanted,
            });
        };
        if !is_quiet(uplink.arp_ignore) {
            low("arp_ignore", uplink.arp_ignore, 1);
        }
        if holds && uplink.arp_announce < 2 {
            low("arp_announce", uplink.arp_announce, 2);
        }
    }
    found
}

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Quietness {
    /// Its mode keeps no addresses.
    NotNeeded,
    /// It keeps quiet.
    Quiet,
    /// It does not.
    Loud(Vec<Disquiet>),
    /// It is in an earlier mode's state and answers for its addresses.
    LeftBehind(Vec<Disquiet>),
    /// It is not Ready.
    NotReady,
    /// It is Ready, and its agent does not report.
    NotReporting,
    /// Nothing tells its mode, and it would not be quiet in every one.
    ModeUnknown,
    /// Its sysctls could not be read.
    Unreadable,
}

pub(super) fn quietness(node: &NodeView) -> Quietness {
    let Some(report) = node.report.as_ref().filter(|_| node.reporting) else {
        return if node.ready {
            Quietness::NotReporting
        } else {
            Quietness::NotReady
        };
    };
    let unread = report.uplinks.is_empty()
        || report
            .conditions
            .iter()
            .any(|one| one.is(EffectiveReason::SysctlsUnreadable));
    match report.mode {
        LiveMode::Ipvs | LiveMode::KubeRouter if unread => Quietness::Unreadable,
        LiveMode::Ipvs | LiveMode::KubeRouter => match disquiet(report) {
            none if none.is_empty() => Quietness::Quiet,
            found => Quietness::Loud(found),
        },
        LiveMode::Unknown => {
            let as_ipvs = NodeReport {
                mode: LiveMode::Ipvs,
                ..report.clone()
            };
            if !unread && disquiet(&as_ipvs).is_empty() {
                Quietness::Quiet
            } else {
                Quietness::ModeUnknown
            }
        }
        _ => match disquiet(report) {
            none if none.is_empty() => Quietness::NotNeeded,
            found => Quietness::LeftBehind(found),
        },
    }
}

/// Every node, with what is known of it.
pub(super) struct Nodes<'a> {
    pub(super) each: Vec<(&'a NodeView, Quietness)>,
}

impl<'a> Nodes<'a> {
    pub(super) fn of(nodes: &'a [NodeView]) -> Self {
        let mut each: Vec<(&NodeView, Quietness)> =
            nodes.iter().map(|node| (node, quietness(node))).collect();
        each.sort_by_key(|(node, _)| &node.name);
        Self { each }
    }

    pub(super) fn which(&self, test: impl Fn(&Quietness) -> bool) -> Vec<&'a str> {
        self.each
            .iter()
            .filter(|(_, state)| test(state))
            .map(|(node, _)| node.name.as_str())
            .collect()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, state) in &self.each {
            let count = match state {
                Quietness::NotNeeded | Quietness::Quiet => &mut counts.effective,
                Quietness::Loud(_) | Quietness::LeftBehind(_) => &mut counts.not_effective,
                _ => &mut counts.unknown,
            };
            *count += 1;
        }
        counts
    }

    /// What is loud, node by node.
    pub(super) fn loud(&self) -> Vec<(&'a NodeView, &Disquiet)> {
        self.each
            .iter()
            .filter_map(|(node, state)| match state {
                Quietness::Loud(found) | Quietness::LeftBehind(found) => Some((*node, found)),
                _ => None,
            })
            .flat_map(|(node, found)| found.iter().map(move |one| (node, one)))
            .collect()
    }
}

/// `n1, n2 and 7 more`.
pub(super) fn some_of<T: AsRef<str>>(all: &[T]) -> String {
    let shown: Vec<&str> = all.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

pub(super) fn effective(nodes: &Nodes<'_>) -> Condition {
    let loud = nodes.loud();
    if !loud.is_empty() {
        return not_effective(nodes, &loud);
    }
    let silent = nodes.which(|state| *state == Quietness::NotReporting);
    if !silent.is_empty() || nodes.each.is_empty() {
        return Condition::new(
            EffectiveReason::NodesNotReporting,
            not_reporting(&silent, "what their kernels answer ARP for"),
        );
    }
    let unread =
        nodes.which(|state| matches!(state, Quietness::Unreadable | Quietness::ModeUnknown));
    if !unread.is_empty() {
        return Condition::new(
            EffectiveReason::SysctlsUnreadable,
            format!(
                "on {} it could not be read, or not be told from the mode, what the kernel answers ARP for; their NodeProxyState \
                 has the evidence",
                some_of(&unread)
            ),
        );
    }
    let down = nodes.which(|state| *state == Quietness::NotReady);
    let beside = match down.len() {
        0 => String::new(),
        1 => format!("; {} is not Ready and was not asked", down[0]),
        _ => format!("; {} are not Ready and were not asked", some_of(&down)),
    };
    let quiet = nodes.which(|state| *state == Quietness::Quiet).len();
    let not_needed = nodes.which(|state| *state == Quietness::NotNeeded).len();
    if quiet == 0 && not_needed > 0 {
        return Condition::new(
            EffectiveReason::NotNeeded,
            format!(
                "no node keeps addresses that it does not own, so none answers for them{beside}"
            ),
        );
    }
    if quiet == 0 {
        return Condition::new(
            EffectiveReason::NodesNotReporting,
            format!("no node is Ready, so nothing is known{beside}"),
        );
    }
    Condition::new(
        EffectiveReason::Quiet,
        format!(
            "arp_ignore and arp_announce keep {} quiet about addresses that they do not own{beside}",
            match (quiet, not_needed) {
                (quiet, 0) => format!("all {quiet} nodes"),
                (quiet, other) => format!("all {quiet} nodes that need it ({other} do not)"),
            }
        ),
    )
}

pub(super) fn not_reporting(silent: &[&str], what: &str) -> String {
    if silent.is_empty() {
        return format!("there is no node, so it is not known {what}");
    }
    let (verb, agent) = match silent.len() {
        1 => ("has", "it runs a Mooring agent"),
        _ => ("have", "they run a Mooring agent"),
    };
    format!(
        "{} {verb} no agent that reports, so it is not known {what}; see whether {agent} that is Ready (kubectl get pods -A -o \
         wide -l app.kubernetes.io/name=mooring-agent)",
        some_of(silent)
    )
}

fn not_effective(nodes: &Nodes<'_>, loud: &[(&NodeView, &Disquiet)]) -> Condition {
    let left = nodes.which(|state| matches!(state, Quietness::LeftBehind(_)));
    let each: Vec<String> = loud
        .iter()
        .map(|(node, one)| format!("node {}: {one}", node.name))
        .collect();
    let each = some_of(&each);
    let in_ipvs = nodes.which(|state| matches!(state, Quietness::Loud(_)));
    if in_ipvs.is_empty() {
        let count: usize = nodes
            .each
            .iter()
            .filter_map(|(node, _)| node.report.as_ref())
            .map(|report| report.leftovers.len())
            .sum();
        return Condition::new(
            EffectiveReason::AddressesLeftBehind,
            format!(
                "{} of an earlier mode ipvs left on kube-ipvs0 of {}, which answers ARP for what it does not own ({each}): restart \
                 such nodes one by one, or run kube-proxy --cleanup there",
                match count {
                    1 => "1 address is".to_owned(),
                    count => format!("{count} addresses are"),
                },
                some_of(&left)
            ),
        );
    }
    let reason = if loud.iter().any(|(_, one)| one.sysctl == "arp_ignore") {
        EffectiveReason::ArpIgnoreTooLow
    } else {
        EffectiveReason::ArpAnnounceTooLow
    };
    let matters = match reason {
        EffectiveReason::ArpIgnoreTooLow => {
            "these nodes answer ARP for every external IP of every Service"
        }
        _ => {
            "these nodes may ask ARP in the name of an external IP, which moves its traffic to them"
        }
    };
    let set_back: Vec<&str> = loud
        .iter()
        .filter(|(node, _)| {
            let proxy = node
                .report
                .as_ref()
                .and_then(|report| report.kube_proxy.as_ref());
            proxy.and_then(|proxy| proxy.strict_arp) == Some(true)
        })
        .map(|(node, _)| node.name.as_str())
        .collect();
    let next = match set_back.first() {
        Some(node) => format!(
            "kube-proxy on {node} was started with strictARP, so something set the sysctl back since: look in /etc/sysctl.d and \
             /run/sysctl.d there, then restart kube-proxy on it, or let the agents hold the sysctls \
             (spec.strictARP.sysctls: Enforce)"
        ),
        None => "StrictARPConfigured and RolledOut say what is being done about it".to_owned(),
    };
    Condition::new(reason, format!("{each}: {matters}; {next}"))
}
