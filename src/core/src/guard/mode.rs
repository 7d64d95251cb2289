//! What handles Service traffic on the nodes.

use std::collections::BTreeMap;

use crate::condition::{Condition, ModeDetectedReason};
use crate::node::NodeView;
use crate::proxy_mode::LiveMode;

use super::effective::{not_reporting, some_of};

/// The reporting nodes by their live mode.
pub(super) fn by_mode(nodes: &[NodeView]) -> BTreeMap<LiveMode, Vec<&str>> {
    let mut modes: BTreeMap<LiveMode, Vec<&str>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.reporting) {
        if let Some(report) = &node.report {
            modes.entry(report.mode).or_default().push(&node.name);
        }
    }
    modes
}

/// The modes as one text.
pub(super) fn text(modes: &BTreeMap<LiveMode, Vec<&str>>) -> Option<String> {
    let names: Vec<&str> = modes.keys().map(|mode| mode.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

pub(super) fn mode_detected(
    nodes: &[NodeView],
    modes: &BTreeMap<LiveMode, Vec<&str>>,
) -> Condition {
    if let Some(unknown) = modes.get(&LiveMode::Unknown) {
        let torn: Vec<&str> = nodes
            .iter()
            .filter(|node| unknown.contains(&node.name.as_str()))
            .filter(|node| {
                let conditions = node.report.iter().flat_map(|report| &report.conditions);
                let mut torn = conditions.filter(|one| one.is(ModeDetectedReason::Contradiction));
                torn.next().is_some()
            })
            .map(|node| node.name.as_str())
            .collect();
        return if torn.is_empty() {
            Condition::new(
                ModeDetectedReason::NoEvidence,
                format!(
                    "nothing on {} tells what handles Service traffic there; the evidence is in the NodeProxyState \
                     (kubectl describe nodeproxystate {})",
                    some_of(unknown),
                    unknown[0]
                ),
            )
        } else {
            Condition::new(
                ModeDetectedReason::Contradiction,
                format!(
                    "what was found on {} speaks for more than one mode, so addresses there are treated with the most care; the \
                     evidence is in the NodeProxyState (kubectl describe nodeproxystate {})",
                    some_of(&torn),
                    torn[0]
                ),
            )
        };
    }
    let silent: Vec<&str> = nodes
        .iter()
        .filter(|node| node.ready && !(node.reporting && node.report.is_some()))
        .map(|node| node.name.as_str())
        .collect();
    if !silent.is_empty() || modes.is_empty() {
        let message = if silent.is_empty() {
            "no node is Ready, so it is not known what handles Service traffic".to_owned()
        } else {
            not_reporting(&silent, "what handles Service traffic there")
        };
        return Condition::new(ModeDetectedReason::NodesNotReporting, message);
    }
    if modes.len() == 1 {
        let (mode, names) = modes.iter().next().expect("invariant: one mode");
        let what = match names.len() {
            1 => "its one node".to_owned(),
            count => format!("all {count} nodes"),
        };
        return Condition::new(
            ModeDetectedReason::Detected,
            format!("{} on {what}", in_words(*mode)),
        );
    }
    let each: Vec<String> = modes
        .iter()
        .map(|(mode, names)| format!("{mode} on {}", some_of(names)))
        .collect();
    Condition::new(
        ModeDetectedReason::MixedModes,
        format!("{}; each node is treated by its own mode", each.join("; ")),
    )
}

pub(super) fn in_words(mode: LiveMode) -> &'static str {
    match mode {
        LiveMode::Iptables => "kube-proxy runs in mode iptables",
        LiveMode::Ipvs => "kube-proxy runs in mode ipvs",
        LiveMode::Nftables => "kube-proxy runs in mode nftables",
        LiveMode::AntreaProxyAll => "AntreaProxy with proxyAll handles Service traffic",
        LiveMode::Ebpf => "an eBPF program handles Service traffic",
        LiveMode::KubeRouter => "kube-router handles Service traffic",
        LiveMode::None => "nothing handles Service traffic",
        LiveMode::Unknown => "it is not known what handles Service traffic",
    }
}
