//! The assessment of a whole cluster.

use crate::kube_proxy::snapshot::Pod;
use crate::kube_proxy::{ConfigLocation, Installer, ProxyWorkload, SkipReason, Source};
use crate::proxy_mode::ProxyMode;

use super::config::{Judgement, RestartScope, enumerate, judge, nodes_with, rollout};
use super::elsewhere::{by_flags, knob, without_kube_proxy};
use super::finding::{Assessment, ConfigMapFinding, Notice, PodFinding, WorkloadFinding};
use super::freshness::{Freshness, freshness};
use super::observation::{Observation, Policy};
use super::plan::{Plan, Restart};
use super::progress::trouble;
use super::reason::{NoticeReason, Reason, Safety};

// === assess ===

/// Judges a snapshot of the cluster.
pub fn assess(seen: &Observation, policy: &Policy) -> Assessment {
    let installer = Installer::of_nodes(seen.nodes.as_deref().unwrap_or_default());
    let mut found = Findings::default();
    let discovery = &seen.discovery;
    for location in discovery.locations() {
        found.config_map(location, seen, policy);
    }
    for workload in &discovery.workloads {
        if !matches!(workload.source, Source::ConfigMap(_)) {
            found.without_config_map(workload, installer, seen);
        }
        if !workload.ignored_flags.is_empty() {
            found.notice(
                NoticeReason::IgnoredFlags,
                format!(
                    "{workload}: kube-proxy ignores {}, as it stands next to --config",
                    workload.ignored_flags.join(" ")
                ),
            );
        }
    }
    found.skipped(seen);
    found.surroundings(seen);
    found.conclude(seen, installer)
}

/// What is collected on the way.
#[derive(Default)]
struct Findings {
    /// Each judged source, and the number of its pods.
    judged: Vec<(Judgement, usize)>,
    config_maps: Vec<ConfigMapFinding>,
    workloads: Vec<WorkloadFinding>,
    pods: Vec<PodFinding>,
    notices: Vec<Notice>,
    plan: Plan,
}

impl Findings {
    fn notice(&mut self, reason: NoticeReason, message: String) {
        let notice = Notice { reason, message };
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    fn config_map(&mut self, location: &ConfigLocation, seen: &Observation, policy: &Policy) {
        let mounts = |workload: &&ProxyWorkload| match &workload.source {
            Source::ConfigMap(other) => {
                other.config_map == location.config_map && other.key == location.key
            }
            _ => false,
        };
        let workloads: Vec<&ProxyWorkload> =
            seen.discovery.workloads.iter().filter(mounts).collect();
        let map = seen.config_map(&location.config_map);
        let mut pods = Vec::new();
        let mut counts = Vec::new();
        for workload in &workloads {
            let Source::ConfigMap(location) = &workload.source else {
                continue;
            };
            let of_workload = seen.pods_of(workload);
            counts.push(of_workload.len());
            for pod in of_workload {
                let mut finding = pod_finding(pod, workload, seen);
                if let Some(map) = map {
                    finding.config_changed_at = map.changed(&location.key).map(|(time, _)| time);
                    finding.freshness = if workload.is_source_of(pod) {
                        freshness(pod, &workload.container, map, location)
                    } else {
                        Freshness::BeforeChange
                    };
                }
                pods.push(finding);
            }
            if location.sub_path {
                self.notice(
                    NoticeReason::SubPath,
                    format!(
                        "{workload} mounts the file by subPath, which is never updated while a pod lives: only new pods see \
                         a change"
                    ),
                );
            }
        }
        let judged = judge(location, map, &pods, policy);
        for notice in judged.notices {
            self.notice(notice.reason, notice.message);
        }
        for (workload, count) in workloads.iter().zip(counts) {
            self.workload(workload, count, judged.judgement.reason);
            match rollout(workload, &pods, judged.restart) {
                Some(Ok(rollout)) => {
                    self.warn_of_stall(&rollout.restart, &pods, &rollout.daemon_set.to_string());
                    self.plan.rollouts.push(rollout);
                }
                Some(Err(notice)) => self.notice(notice.reason, notice.message),
                None => {}
            }
        }
        if judged.restart != RestartScope::None {
            for skipped in &seen.discovery.skipped {
                if skipped
                    .config
                    .as_ref()
                    .is_some_and(|config| config.config_map == location.config_map)
                {
                    self.notice(
                        NoticeReason::SharedWithWindows,
                        format!(
                            "DaemonSet {} on Windows nodes reads the same ConfigMap; it is not restarted, and strictARP means \
                             nothing to it",
                            skipped.id
                        ),
                    );
                }
            }
        }
        self.plan.patches.extend(judged.patch);
        self.judged.push((judged.judgement, pods.len()));
        self.config_maps.push(judged.finding);
        self.pods.extend(pods);
    }

    fn without_config_map(
        &mut self,
        workload: &ProxyWorkload,
        installer: Option<Installer>,
        seen: &Observation,
    ) {
        let pods: Vec<PodFinding> = seen
            .pods_of(workload)
            .into_iter()
            .map(|pod| {
                let mut finding = pod_finding(pod, workload, seen);
                finding.freshness = if workload.is_source_of(pod) {
                    Freshness::AfterChange
                } else {
                    Freshness::BeforeChange
                };
                finding
            })
            .collect();
        let judgement = match &workload.source {
            Source::Flags(flags) => by_flags(workload, flags, &pods, installer),
            Source::Elsewhere(problem) => Judgement::new(
                Reason::ConfigElsewhere,
                format!("{workload}: {}", problem.message),
                Some(knob(
                    installer,
                    "see what each node runs with: curl -s 127.0.0.1:10249/configz",
                )),
            ),
            Source::Hidden | Source::ConfigMap(_) => Judgement::new(
                Reason::CommandHidden,
                format!(
                    "{workload}: its command line is not in the pod's spec (a script or an entry point of the image), so it \
                     cannot be told what kube-proxy is started with"
                ),
                Some(knob(
                    installer,
                    "see what each node runs with: curl -s 127.0.0.1:10249/configz",
                )),
            ),
        };
        self.workload(workload, pods.len(), judgement.reason);
        self.judged.push((judgement, pods.len()));
        self.pods.extend(pods);
    }

    fn workload(&mut self, workload: &ProxyWorkload, pods: usize, reason: Reason) {
        self.workloads.push(WorkloadFinding {
            kind: workload.kind.name(),
            namespace: workload.id.namespace.clone(),
            name: workload.id.name.clone(),
            matched_by: Some(workload.matched_by),
            source: match &workload.source {
                Source::ConfigMap(location) => location.to_string(),
                Source::Flags(_) => "flags".to_owned(),
                Source::Elsewhere(problem) => problem.reason.to_string(),
                Source::Hidden => "unknown".to_owned(),
            },
            pods,
            reason: Some(reason),
            skipped: None,
        });
    }

    fn skipped(&mut self, seen: &Observation) {
        for skipped in &seen.discovery.skipped {
            let why = match skipped.reason {
                SkipReason::Windows => "it runs on Windows nodes, where strictARP means nothing",
                SkipReason::NotKubeProxy => {
                    "it looks like kube-proxy by its label or name, but runs something else"
                }
            };
            self.notice(
                NoticeReason::Skipped,
                format!("{} is left alone: {why}", skipped.id),
            );
            self.workloads.push(WorkloadFinding {
                kind: "DaemonSet",
                namespace: skipped.id.namespace.clone(),
                name: skipped.id.name.clone(),
                matched_by: None,
                source: skipped
                    .config
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                pods: 0,
                reason: None,
                skipped: Some(skipped.reason),
            });
        }
    }

    /// A DaemonSet's controller counts pods of dead nodes as unavailable.
    fn warn_of_stall(&mut self, restart: &Restart, pods: &[PodFinding], daemon_set: &str) {
        let down = nodes_with(pods, |pod| !pod.node_ready);
        let Restart::Template { max_unavailable } = restart else {
            return;
        };
        let allowed = max_unavailable.parse::<usize>().unwrap_or(usize::MAX);
        if !down.is_empty() && down.len() >= allowed {
            self.notice(
                NoticeReason::NodesNotReady,
                format!(
                    "{} not Ready, and DaemonSet {daemon_set} allows {max_unavailable} unavailable: the rollout will wait \
                     for it; bring the node back, remove it from the cluster, or raise maxUnavailable",
                    match down.len() {
                        1 => format!("{} is", enumerate(&down)),
                        _ => format!("{} are", enumerate(&down)),
                    }
                ),
            );
        }
    }

    fn surroundings(&mut self, seen: &Observation) {
        if let Some(nodes) = &seen.nodes {
            let bare: Vec<String> = nodes
                .iter()
                .filter(|node| node.os != "windows" && node.ready)
                .filter(|node| !self.pods.iter().any(|pod| pod.node == node.name))
                .map(|node| node.name.clone())
                .collect();
            if !bare.is_empty() && !self.pods.is_empty() {
                self.notice(
                    NoticeReason::NodesWithoutKubeProxy,
                    format!(
                        "no pod of kube-proxy on {}: what handles Services there is not known",
                        enumerate(&bare)
                    ),
                );
            }
        } else {
            self.notice(
                NoticeReason::NodesUnreadable,
                "nodes may not be listed (grant the verb list on nodes): the distribution is unknown, and so is whether a \
                 node lacks kube-proxy"
                    .to_owned(),
            );
        }
        if !self.pods.is_empty() {
            for replacement in &seen.replacements {
                self.notice(
                    NoticeReason::BesideReplacement,
                    format!(
                        "{replacement} handles Services as well; its kernel state and kube-proxy's are both on the nodes"
                    ),
                );
            }
        }
        let mut modes: Vec<&str> = self
            .config_maps
            .iter()
            .map(|map| map.mode.map_or("unset", ProxyMode::as_str))
            .collect();
        modes.sort_unstable();
        modes.dedup();
        if modes.len() > 1 {
            self.notice(
                NoticeReason::MixedModes,
                format!(
                    "the kube-proxies of this cluster are configured for different modes: {}",
                    modes.join(", ")
                ),
            );
        }
    }

    fn conclude(self, seen: &Observation, installer: Option<Installer>) -> Assessment {
        let running = self.judged.iter().any(|(_, pods)| *pods > 0);
        let replaced = (!running).then(|| without_kube_proxy(seen, installer));
        let judgement = match replaced {
            Some(judgement) if self.judged.is_empty() || judgement.reason == Reason::Replaced => {
                judgement
            }
            _ => worst(self.judged, running),
        };
        Assessment {
            verdict: judgement.reason.safety(),
            reason: judgement.reason,
            message: judgement.message,
            next_step: judgement.next_step,
            config_maps: self.config_maps,
            workloads: self.workloads,
            pods: self.pods,
            nodes: Vec::new(),
            warnings: self.notices,
            plan: self.plan,
        }
    }
}

/// The judgement that decides among several; those of parked DaemonSets do not count beside ones with pods.
fn worst(judged: Vec<(Judgement, usize)>, running: bool) -> Judgement {
    let mut counted: Vec<Judgement> = judged
        .into_iter()
        .filter(|(_, pods)| *pods > 0 || !running)
        .map(|(judgement, _)| judgement)
        .collect();
    counted.sort_by_key(|judgement| std::cmp::Reverse(judgement.reason));
    let total = counted.len();
    let safe = counted
        .iter()
        .filter(|judgement| judgement.reason.safety() == Safety::Safe)
        .count();
    let mut worst = counted.swap_remove(0);
    if total > 1 && safe < total {
        worst.message = format!(
            "{} of {total} kube-proxy configurations are not known to be safe; the most urgent: {}",
            total - safe,
            worst.message
        );
    }
    worst
}

fn pod_finding(pod: &Pod, workload: &ProxyWorkload, seen: &Observation) -> PodFinding {
    let node = pod.node.clone().unwrap_or_else(|| "(none)".to_owned());
    PodFinding {
        node_ready: seen.node(&node).is_none_or(|node| node.ready),
        node,
        namespace: pod.metadata.id.namespace.clone(),
        pod: pod.metadata.id.name.clone(),
        workload: workload.id.name.clone(),
        created_at: pod.metadata.created,
        started_at: pod
            .container(&workload.container)
            .and_then(|container| container.started),
        config_changed_at: None,
        freshness: Freshness::Unknown,
        ready: pod.ready,
        trouble: trouble(pod, &workload.container).map(|(why, _)| why),
        uid: pod.metadata.uid.clone(),
    }
}

#[cfg(test)]
#[path = "assessment/tests.rs"]
mod tests;
