//! The cluster as a run sees it: the Pods of kube-proxy that read a key where strictARP matters, with their reports.

use std::collections::BTreeMap;

use crate::kube_proxy::discovery::WorkloadKind;
use crate::kube_proxy::snapshot::{ConfigMap, Pod, Timestamp, UpdateStrategy};
use crate::kube_proxy::{ConfigLocation, ProxyWorkload, Source};
use crate::node::{NodeReport, NodeView, RunningKubeProxy};
use crate::proxy_mode::LiveMode;
use crate::remediation::finding::{Assessment, ConfigMapFinding, PodFinding};
use crate::remediation::freshness::Freshness;
use crate::remediation::observation::Observation;
use crate::remediation::plan::{Patch, PodRef};
use crate::remediation::reason::Reason;
use crate::strict_arp::Verdict;

use super::FIELD_MANAGER;
use super::input::{MaxUnavailable, StepInput};
use super::state::{Edit, Run, Target, Trigger};
use super::undo::sha256;

/// Between the start of a container and that of its process, as both are told in whole seconds and one of them by the
/// kernel's ticks.
const SAME_PROCESS_SECONDS: i64 = 2;
/// The runtime may note the start of a container so much later than its process started: 3 s were seen on a slow node. The
/// process of a Pod before that lived shorter than this looks the same.
const MAYBE_SAME_PROCESS_SECONDS: i64 = 20;

/// One look, ready to be asked.
pub(super) struct View<'a> {
    pub(super) input: StepInput<'a>,
    /// By node.
    pub(super) pods: Vec<ProxyPod<'a>>,
}

/// A Pod of kube-proxy whose text has, or had until lately, mode ipvs.
#[derive(Clone, Copy)]
pub(crate) struct ProxyPod<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) finding: &'a PodFinding,
    pub(crate) workload: &'a ProxyWorkload,
    pub(crate) location: &'a ConfigLocation,
    pub(crate) node: &'a str,
    /// Its node exists and is Ready.
    pub(crate) reachable: bool,
    /// What its node's agent says now.
    pub(crate) report: Option<&'a NodeReport>,
}

/// The state of the edited keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Texts {
    /// strictARP is true in all of them.
    Intact,
    /// A look that is older than the edit.
    OldLook,
    /// An edit was taken back: when, and by whom.
    Reverted(Timestamp, String),
    /// strictARP is off in a key that was not edited by this run.
    NewNeed,
    /// The configured mode does not look at strictARP any more.
    Moot,
    /// A key cannot be read, or kube-proxy would not start with it.
    Unclear,
}

impl<'a> View<'a> {
    pub(super) fn of(input: &StepInput<'a>) -> Self {
        let mut view = Self {
            input: *input,
            pods: Vec::new(),
        };
        let found = proxy_pods(input.seen, input.assessment, input.nodes, |location| {
            view.matters(location)
        });
        view.pods = found;
        view
    }

    /// The key's text is in mode ipvs, or the run edited it.
    fn matters(&self, location: &ConfigLocation) -> bool {
        let configured = self
            .finding(location)
            .and_then(|finding| finding.edit)
            .is_some_and(|edit| matches!(edit, Verdict::Patched | Verdict::Already));
        configured
            || self
                .input
                .run
                .is_some_and(|run| run.edit(location).is_some())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.input.now
    }

    /// So many seconds have passed since, in which somebody looked.
    pub(super) fn passed(&self, since: Timestamp, seconds: i64) -> bool {
        since.max(self.input.observing_since).plus_seconds(seconds) <= self.input.now
    }

    // --- texts ---

    pub(super) fn finding(&self, location: &ConfigLocation) -> Option<&'a ConfigMapFinding> {
        self.input.assessment.config_maps.iter().find(|finding| {
            finding.namespace == location.config_map.namespace
                && finding.name == location.config_map.name
                && finding.key == location.key
        })
    }

    /// The text means mode ipvs without strictARP, whether it can be edited or not.
    fn is_off(&self, location: &ConfigLocation) -> bool {
        let reason = self.finding(location).map(|found| found.reason);
        reason == Some(Reason::EditRefused)
    }

    pub(super) fn map(&self, location: &ConfigLocation) -> Option<&'a ConfigMap> {
        self.input.seen.config_map(&location.config_map)
    }

    pub(super) fn text(&self, location: &ConfigLocation) -> Option<&'a str> {
        let map = self.map(location)?;
        map.data.get(&location.key).map(String::as_str)
    }

    pub(super) fn patches(&self) -> &'a [Patch] {
        &self.input.assessment.plan.patches
    }

    /// When the key last changed, as far as the object tells.
    pub(super) fn changed(&self, location: &ConfigLocation) -> Option<Timestamp> {
        Some(self.map(location)?.changed(&location.key)?.0)
    }

    /// Who but us changed the key last.
    pub(super) fn changed_by(&self, location: &ConfigLocation) -> String {
        let managers = self.map(location).map(|map| &map.metadata.field_managers);
        managers
            .into_iter()
            .flatten()
            .filter(|manager| manager.data_keys.contains(&location.key))
            .filter(|manager| manager.name != FIELD_MANAGER)
            .max_by_key(|manager| manager.time)
            .map_or_else(
                || "somebody without a name".to_owned(),
                |manager| manager.name.clone(),
            )
    }

    /// When this operator made the edit, if it did.
    pub(super) fn made(&self, edit: &Edit) -> Option<Timestamp> {
        let mut made = self.input.made.iter();
        made.find(|made| made.location == edit.location && made.planned_on == edit.planned_on)
            .map(|made| made.time)
    }

    /// The object is not older than the edit that was already seen in it.
    pub(super) fn is_old_look(&self, edit: &Edit) -> bool {
        let Some((map, patched)) = self.map(&edit.location).zip(edit.patched) else {
            return false;
        };
        map.metadata.resource_version == edit.planned_on
            || map
                .changed(&edit.location.key)
                .is_some_and(|(time, _)| time < patched)
    }

    /// Whether the texts still are as the run needs them.
    pub(super) fn texts(&self, run: &Run) -> Texts {
        let edited = run.edits.iter().filter(|edit| edit.patched.is_some());
        for edit in edited {
            let verdict = self.finding(&edit.location).and_then(|found| found.edit);
            if verdict == Some(Verdict::Already) {
                continue;
            }
            if self.is_old_look(edit) {
                return Texts::OldLook;
            }
            return match verdict {
                Some(Verdict::NotNeeded) => Texts::Moot,
                None => Texts::Unclear,
                Some(Verdict::Refused) if !self.is_off(&edit.location) => Texts::Unclear,
                _ => Texts::Reverted(
                    self.changed(&edit.location).unwrap_or(self.input.now),
                    self.changed_by(&edit.location),
                ),
            };
        }
        if self.patches().is_empty() {
            Texts::Intact
        } else {
            Texts::NewNeed
        }
    }

    /// What a run that ends now is decided on.
    pub(super) fn trigger(&self) -> Trigger {
        let mut texts: Vec<String> = self
            .input
            .assessment
            .config_maps
            .iter()
            .map(|finding| {
                let map = self.input.seen.config_maps.iter().find(|map| {
                    map.metadata.id.namespace == finding.namespace
                        && map.metadata.id.name == finding.name
                });
                let text = map.and_then(|map| map.data.get(&finding.key));
                format!(
                    "{}/{} {} {}",
                    finding.namespace,
                    finding.name,
                    finding.key,
                    text.map(|text| sha256(text)).unwrap_or_default()
                )
            })
            .collect();
        texts.sort_unstable();
        Trigger {
            generation: self.input.wanted.generation,
            retry: self.input.wanted.retry.clone(),
            texts: sha256(&texts.join("\n")),
        }
    }

    /// The administrator asked for another try.
    pub(super) fn asked_again(&self, run: &Run) -> bool {
        let wanted = self.input.wanted;
        (run.trigger.generation, &run.trigger.retry) != (wanted.generation, &wanted.retry)
    }

    // --- Pods ---

    /// Some agent reports.
    pub(super) fn has_agents(&self) -> bool {
        self.input.nodes.iter().any(|node| node.reporting)
    }

    /// The Pods that are to be restarted and can be, those that run first.
    pub(super) fn candidates(&self, run: Option<&Run>) -> Vec<ProxyPod<'a>> {
        let mut found: Vec<ProxyPod<'a>> = self
            .pods
            .iter()
            .filter(|pod| pod.reachable && pod.is_restartable() && !pod.pod.metadata.terminating)
            .filter(|pod| pod.is_stale(run))
            .filter(|pod| {
                let lost = run.is_some_and(|run| run.lost.iter().any(|node| node == pod.node));
                !lost || pod.pod.ready
            })
            .copied()
            .collect();
        found.sort_by_key(|pod| !pod.pod.ready);
        found
    }

    /// Pods with the old text that cannot be restarted now, as their nodes are down.
    pub(super) fn left_behind(&self, run: Option<&Run>) -> Vec<ProxyPod<'a>> {
        let stale = self
            .pods
            .iter()
            .filter(|pod| !pod.reachable && pod.is_stale(run));
        stale.copied().collect()
    }

    /// Pods that do not run although their nodes do, apart from those that were given up and those of the batch.
    pub(super) fn down(&self, run: &Run) -> Vec<ProxyPod<'a>> {
        let down = self
            .pods
            .iter()
            .filter(|pod| pod.reachable && !pod.pod.ready);
        down.filter(|pod| !run.lost.iter().any(|node| node == pod.node))
            .filter(|pod| !run.batch.iter().any(|target| target.node == pod.node))
            .copied()
            .collect()
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<ProxyPod<'a>> {
        let found = self.pods.iter().find(|pod| pod.pod.metadata.uid == uid);
        found.copied()
    }

    /// The Pod that took the place of another on its node.
    pub(super) fn successor(&self, target: &Target) -> Option<ProxyPod<'a>> {
        let mut others = self.pods.iter().filter(|pod| {
            pod.node == target.node
                && pod.pod.metadata.uid != target.uid
                && !pod.pod.metadata.terminating
        });
        others.next().copied()
    }

    /// The node exists and is Ready.
    pub(super) fn is_reachable(&self, node: &str) -> bool {
        self.input.seen.node(node).is_some_and(|node| node.ready)
    }

    /// On how many nodes kube-proxy may be down at once.
    pub(super) fn at_once(&self) -> usize {
        let own = |pod: &ProxyPod<'_>| match &pod.workload.kind {
            WorkloadKind::DaemonSet {
                update: UpdateStrategy::RollingUpdate { max_unavailable },
                ..
            } => max_unavailable.parse().unwrap_or(MaxUnavailable::Nodes(1)),
            _ => MaxUnavailable::Nodes(1),
        };
        let nodes = self.pods.len();
        match self.input.wanted.max_unavailable {
            Some(wanted) => wanted.of(nodes),
            None => {
                let each = self.pods.iter().map(|pod| own(pod).of(nodes));
                each.min().unwrap_or(1)
            }
        }
    }
}

/// The Pods that read a key that matters, by node.
pub(crate) fn proxy_pods<'a>(
    seen: &'a Observation,
    assessment: &'a Assessment,
    nodes: &'a [NodeView],
    matters: impl Fn(&ConfigLocation) -> bool,
) -> Vec<ProxyPod<'a>> {
    let findings: BTreeMap<&str, &PodFinding> = assessment
        .pods
        .iter()
        .map(|finding| (finding.uid.as_str(), finding))
        .collect();
    let known: BTreeMap<&str, bool> = seen
        .nodes
        .iter()
        .flatten()
        .map(|node| (node.name.as_str(), node.ready))
        .collect();
    let views: BTreeMap<&str, &NodeView> = nodes
        .iter()
        .map(|view| (view.name.as_str(), view))
        .collect();
    let mut pods = Vec::new();
    for workload in &seen.discovery.workloads {
        let Source::ConfigMap(location) = &workload.source else {
            continue;
        };
        if !matters(location) {
            continue;
        }
        for pod in seen.pods_of(workload) {
            let Some(node) = pod.node.as_deref() else {
                continue;
            };
            let Some(finding) = findings.get(pod.metadata.uid.as_str()) else {
                continue;
            };
            let reachable = known.get(node) == Some(&true);
            let view = views.get(node).filter(|view| view.reporting && reachable);
            pods.push(ProxyPod {
                pod,
                finding,
                workload,
                location,
                node,
                reachable,
                report: view.and_then(|view| view.report.as_ref()),
            });
        }
    }
    pods.sort_by_key(|pod| (pod.node, &pod.pod.metadata.id));
    pods
}

impl ProxyPod<'_> {
    /// Something makes it anew when it is deleted.
    pub(crate) fn is_restartable(&self) -> bool {
        matches!(self.workload.kind, WorkloadKind::DaemonSet { .. })
    }

    pub(super) fn target(&self) -> Target {
        Target {
            node: self.node.to_owned(),
            uid: self.pod.metadata.uid.clone(),
            again: false,
            was_ready: self.pod.ready,
        }
    }

    pub(super) fn reference(&self) -> PodRef {
        PodRef {
            id: self.pod.metadata.id.clone(),
            uid: self.pod.metadata.uid.clone(),
            node: self.node.to_owned(),
        }
    }

    /// The report is about the process in this Pod, and not about the one before it; `None` if the times do not tell. Both
    /// times are the node's own.
    pub(super) fn is_process(&self, proxy: &RunningKubeProxy) -> Option<bool> {
        let started = proxy.started?;
        let container = self.pod.container(&self.workload.container);
        let container = container.and_then(|container| container.started);
        let Some(container) = container else {
            return Some(false);
        };
        let not_before = |seconds: i64| started >= container.plus_seconds(-seconds);
        match (
            not_before(SAME_PROCESS_SECONDS),
            not_before(MAYBE_SAME_PROCESS_SECONDS),
        ) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }

    /// `ipvs.strictARP` as its process was started, if its agent knows.
    pub(crate) fn started_with(&self) -> Option<bool> {
        let proxy = self.report?.kube_proxy.as_ref()?;
        let strict_arp = proxy.strict_arp?;
        match self.is_process(proxy) {
            Some(true) => Some(strict_arp),
            Some(false) => None,
            // Whose it is does not matter if it is as it should be: the one before had it as well.
            None => strict_arp.then_some(true),
        }
    }

    /// It runs without strictARP, as far as that can be told: by its process, else by the times of the Pod and of the edit.
    pub(super) fn is_stale(&self, run: Option<&Run>) -> bool {
        if let Some(strict_arp) = self.started_with() {
            return !strict_arp;
        }
        !self.is_made_after(run) && self.finding.freshness == Freshness::BeforeChange
    }

    /// It was made after the run's edit. Later changes of the same text do not count: they kept strictARP.
    fn is_made_after(&self, run: Option<&Run>) -> bool {
        let patched = run
            .and_then(|run| run.edit(self.location))
            .and_then(|edit| edit.patched);
        patched
            .zip(self.pod.metadata.created)
            .is_some_and(|(patched, created)| created > patched)
    }

    /// Its node runs kube-proxy in another mode than the one that a restart leads to.
    pub(super) fn would_switch(&self) -> Option<LiveMode> {
        let mode = self.report?.mode;
        matches!(mode, LiveMode::Iptables | LiveMode::Nftables).then_some(mode)
    }
}
