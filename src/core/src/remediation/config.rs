//! The judgement of one ConfigMap key with the workloads that mount it.

use crate::kube_proxy::discovery::WorkloadKind;
use crate::kube_proxy::snapshot::{ConfigMap, UpdateStrategy};
use crate::kube_proxy::{ConfigLocation, Manager, ProxyWorkload};
use crate::proxy_mode::ProxyMode;
use crate::strict_arp::{self, Context, Decision, ProxyConfig, Verdict};

use super::finding::{ConfigMapFinding, Notice, PodFinding};
use super::freshness::Freshness;
use super::observation::Policy;
use super::plan::{Patch, PodRef, Restart, Rollout};
use super::reason::{NoticeReason, Reason};

/// A reason with its words, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) next_step: Option<String>,
}

/// A judged ConfigMap key, with what the plan has to do.
pub(super) struct Judged {
    pub(super) judgement: Judgement,
    pub(super) finding: ConfigMapFinding,
    pub(super) notices: Vec<Notice>,
    pub(super) patch: Option<Patch>,
    pub(super) restart: RestartScope,
}

/// Whose pods are to be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartScope {
    /// Nobody's.
    None,
    /// Of workloads with a pod older than the last change.
    Pending,
    /// Of all workloads that mount the key.
    All,
}

pub(super) const FIX: &str = "kubectl mooring fix";

impl Judgement {
    pub(super) fn new(reason: Reason, message: String, next_step: Option<String>) -> Self {
        Self {
            reason,
            message,
            next_step,
        }
    }
}

/// Judges a key that may or may not exist, for the pods that mount it.
pub(super) fn judge(
    location: &ConfigLocation,
    map: Option<&ConfigMap>,
    pods: &[PodFinding],
    policy: &Policy,
) -> Judged {
    let mut finding = ConfigMapFinding {
        namespace: location.config_map.namespace.clone(),
        name: location.config_map.name.clone(),
        key: location.key.clone(),
        mode: None,
        strict_arp: None,
        managed_by: None,
        changed_at: None,
        changed_by: None,
        edit: None,
        reason: Reason::ConfigMapMissing,
        message: String::new(),
        line: None,
    };
    let (map, text) = match text(location, map) {
        Ok(found) => found,
        Err(judgement) => {
            finding.reason = judgement.reason;
            finding.message.clone_from(&judgement.message);
            return Judged {
                judgement,
                finding,
                notices: Vec::new(),
                patch: None,
                restart: RestartScope::None,
            };
        }
    };
    let key = &location.key;
    let manager = Manager::of(&map.metadata, Some(key));
    if let Some((time, who)) = map.changed(key) {
        finding.changed_at = Some(time);
        finding.changed_by = Some(who.to_owned());
    }
    finding.managed_by = manager.as_ref().map(ToString::to_string);
    let context = |force_mode| Context {
        live_mode: policy.live_mode,
        force_mode,
    };
    let decision = strict_arp::decide(text.as_bytes(), &context(false));
    let config = strict_arp::read(text.as_bytes()).ok();
    if let Some(config) = &config {
        finding.mode = config.mode.known();
        finding.strict_arp = Some(config.strict_arp);
    }
    finding.line = decision.line();
    finding.edit = Some(decision.verdict());

    let mut notices: Vec<Notice> = decision
        .warnings()
        .iter()
        .map(|warning| Notice {
            reason: NoticeReason::Config,
            message: format!("{location}: {}", warning.message),
        })
        .collect();
    let judgement = match decision.verdict() {
        Verdict::NotNeeded => not_needed(location, &decision, pods),
        Verdict::Already => already(location, map, pods),
        Verdict::Patched => off(location, map, manager.as_ref(), policy),
        Verdict::Refused => refused(location, &decision, config.as_ref(), policy.live_mode),
    };
    finding.reason = judgement.reason;
    finding.message.clone_from(&judgement.message);

    let forced = policy.force_mode && decision.verdict() == Verdict::NotNeeded;
    let edit = if forced {
        strict_arp::decide(text.as_bytes(), &context(true))
    } else {
        decision
    };
    let may_write = !map.immutable && (manager.is_none() || policy.force_managed);
    let patch = (edit.verdict() == Verdict::Patched && may_write)
        .then(|| edit.text())
        .flatten()
        .map(|after| Patch {
            location: location.clone(),
            resource_version: map.metadata.resource_version.clone(),
            before: text.to_owned(),
            after: after.to_owned(),
        });
    if let (Some(manager), Some(_)) = (&manager, &patch) {
        notices.push(Notice {
            reason: NoticeReason::ForcedManaged,
            message: format!(
                "{location} is kept in shape by {manager}, which may undo the edit at any time; to make it last, {}",
                manager.knob()
            ),
        });
    }
    let restart = match (&patch, judgement.reason) {
        (Some(_), _) => RestartScope::All,
        (None, Reason::RestartPending) => RestartScope::Pending,
        (None, _) => RestartScope::None,
    };
    Judged {
        judgement,
        finding,
        notices,
        patch,
        restart,
    }
}

/// The text under the key, or why there is none.
fn text<'a>(
    location: &ConfigLocation,
    map: Option<&'a ConfigMap>,
) -> Result<(&'a ConfigMap, &'a str), Judgement> {
    let problem = |reason, message: String, next_step: &str| {
        Err(Judgement::new(reason, message, Some(next_step.to_owned())))
    };
    let Some(map) = map else {
        return problem(
            Reason::ConfigMapMissing,
            format!(
                "kube-proxy mounts ConfigMap {}, which does not exist: its pods cannot start again",
                location.config_map
            ),
            "restore the ConfigMap, with the installer that made it (kubeadm: kubeadm init phase addon kube-proxy)",
        );
    };
    if let Some(text) = map.data.get(&location.key) {
        return Ok((map, text));
    }
    if map.binary_keys.contains(&location.key) {
        return problem(
            Reason::KeyIsBinary,
            format!("{location} is in binaryData, as bytes that are no text; it is not edited"),
            "recreate the ConfigMap with the configuration as text under data",
        );
    }
    let keys: Vec<&str> = map.data.keys().map(String::as_str).collect();
    problem(
        Reason::KeyMissing,
        format!(
            "kube-proxy reads {location}, but the ConfigMap has only the keys: {}; its pods cannot start again",
            keys.join(", ")
        ),
        "correct the key, or the volume's items and --config in the DaemonSet",
    )
}

fn not_needed(location: &ConfigLocation, decision: &Decision, pods: &[PodFinding]) -> Judgement {
    let old = nodes_with(pods, |pod| pod.freshness == Freshness::BeforeChange);
    let unclear = nodes_with(pods, |pod| pod.freshness == Freshness::Unknown);
    let base = format!("{location}: {}", decision.message());
    if !old.is_empty() {
        return Judgement::new(
            Reason::NotNeededAfterRestart,
            format!(
                "{base}; but the pods on {} started before that was written and may still run in another mode",
                enumerate(&old)
            ),
            Some(
                "restart kube-proxy when it suits (kubectl rollout restart), or ask each node: curl -s \
                 127.0.0.1:10249/proxyMode"
                    .to_owned(),
            ),
        );
    }
    if !unclear.is_empty() {
        return change_time_unknown(location, base);
    }
    Judgement::new(Reason::NotNeeded, base, None)
}

fn already(location: &ConfigLocation, map: &ConfigMap, pods: &[PodFinding]) -> Judgement {
    if pods.is_empty() {
        return Judgement::new(
            Reason::NoPods,
            format!("{location} has strictARP on, but no pod of kube-proxy reads it"),
            Some(
                "see why the DaemonSet has no pods: kubectl describe it, and check its nodeSelector"
                    .to_owned(),
            ),
        );
    }
    let old = nodes_with(pods, |pod| pod.freshness == Freshness::BeforeChange);
    let changed = map
        .changed(&location.key)
        .map(|(time, who)| format!(", last changed {time} by {who}"))
        .unwrap_or_default();
    if !old.is_empty() {
        return Judgement::new(
            Reason::RestartPending,
            format!(
                "{location} has strictARP on{changed}; but the pods on {} started before that: kube-proxy reads its \
                 configuration only when it starts, so these nodes may still answer ARP for every external IP",
                enumerate(&old)
            ),
            Some(format!("{FIX} (it only restarts kube-proxy)")),
        );
    }
    if pods.iter().any(|pod| pod.freshness == Freshness::Unknown) {
        return change_time_unknown(location, format!("{location} has strictARP on"));
    }
    let down: Vec<&PodFinding> = pods
        .iter()
        .filter(|pod| !pod.ready && pod.node_ready)
        .collect();
    if let Some(first) = down.first() {
        let why = first.trouble.as_deref().unwrap_or("not Ready");
        return Judgement::new(
            Reason::PodsNotReady,
            format!(
                "{location} has strictARP on, but kube-proxy does not run on {}: pod {} is {why}",
                enumerate(&nodes_with(pods, |pod| !pod.ready && pod.node_ready)),
                first.pod
            ),
            Some(format!("kubectl -n {} logs {}", first.namespace, first.pod)),
        );
    }
    Judgement::new(
        Reason::Applied,
        format!(
            "kube-proxy is in mode ipvs with strictARP on, and {} started after that was set ({location}{changed})",
            match pods.len() {
                1 => "its one pod".to_owned(),
                count => format!("all {count} pods"),
            }
        ),
        None,
    )
}

fn change_time_unknown(location: &ConfigLocation, base: String) -> Judgement {
    let id = &location.config_map;
    Judgement::new(
        Reason::ChangeTimeUnknown,
        format!(
            "{base}; but {id} carries no managedFields that tell when it last changed, so it is unknown whether the pods \
             run with it"
        ),
        Some(
            "restart kube-proxy (kubectl rollout restart), or ask each node what it runs with: curl -s \
             127.0.0.1:10249/configz"
                .to_owned(),
        ),
    )
}

fn off(
    location: &ConfigLocation,
    map: &ConfigMap,
    manager: Option<&Manager>,
    policy: &Policy,
) -> Judgement {
    let base = format!(
        "kube-proxy is in mode ipvs without strictARP ({location}): every node answers ARP for every external IP of every \
         Service"
    );
    if map.immutable {
        return Judgement::new(
            Reason::ConfigMapImmutable,
            format!("{base}; and the ConfigMap is immutable, so nobody can edit it"),
            Some(
                "create a ConfigMap under another name with ipvs.strictARP: true (kubectl mooring strict-arp edit makes \
                 the text), and mount that in the DaemonSet"
                    .to_owned(),
            ),
        );
    }
    match manager {
        Some(manager) if !policy.force_managed => Judgement::new(
            Reason::StrictArpOffManaged,
            format!(
                "{base}; the ConfigMap is kept in shape by {manager}, which would undo an edit"
            ),
            Some(format!(
                "{}; or {FIX} --force, knowing that {manager} may undo it",
                manager.knob()
            )),
        ),
        _ => Judgement::new(Reason::StrictArpOff, base, Some(FIX.to_owned())),
    }
}

fn refused(
    location: &ConfigLocation,
    decision: &Decision,
    config: Option<&ProxyConfig>,
    live_mode: Option<ProxyMode>,
) -> Judgement {
    let id = &location.config_map;
    let next = Some(format!(
        "correct the text by hand: kubectl -n {} edit configmap {}",
        id.namespace, id.name
    ));
    let off = config.is_some_and(|config| {
        !config.strict_arp
            && (config.mode.known() == Some(ProxyMode::Ipvs) || live_mode == Some(ProxyMode::Ipvs))
    });
    let (reason, what) = if off {
        (
            Reason::EditRefused,
            "kube-proxy is in mode ipvs without strictARP, and the text is not edited",
        )
    } else {
        (
            Reason::ConfigUnclear,
            "the configuration is refused, so nothing is written",
        )
    };
    Judgement::new(
        reason,
        format!(
            "{location}: {what} ({}): {}",
            decision.reason(),
            decision.message()
        ),
        next,
    )
}

// === rollouts ===

/// The restart of a DaemonSet's pods, or what a person has to do where nothing would recreate them.
pub(super) fn rollout(
    workload: &ProxyWorkload,
    pods: &[PodFinding],
    scope: RestartScope,
) -> Option<Result<Rollout, Notice>> {
    let pending = |pod: &&PodFinding| pod.freshness != Freshness::AfterChange;
    let of_workload = pods
        .iter()
        .filter(|pod| pod.workload == workload.id.name && pod.namespace == workload.id.namespace);
    let pods: Vec<&PodFinding> = match scope {
        RestartScope::None => return None,
        RestartScope::All => of_workload.collect(),
        RestartScope::Pending => {
            let pods: Vec<&PodFinding> = of_workload.collect();
            if !pods.iter().any(pending) {
                return None;
            }
            pods
        }
    };
    if pods.is_empty() {
        return None;
    }
    let (restart, pods) = match &workload.kind {
        WorkloadKind::DaemonSet {
            update: UpdateStrategy::RollingUpdate { max_unavailable },
            ..
        } => (
            Restart::Template {
                max_unavailable: max_unavailable.clone(),
            },
            pods,
        ),
        WorkloadKind::DaemonSet {
            update: UpdateStrategy::OnDelete,
            ..
        } => {
            let stale = pods
                .into_iter()
                .filter(|pod| scope == RestartScope::All || pending(pod));
            (Restart::DeletePods, stale.collect())
        }
        WorkloadKind::StaticPod | WorkloadKind::BarePod => {
            return Some(Err(Notice {
                reason: NoticeReason::RestartByHand,
                message: format!(
                    "{workload} is recreated by nobody: delete it and create it again, so that it reads the new \
                     configuration"
                ),
            }));
        }
    };
    Some(Ok(Rollout {
        daemon_set: workload.id.clone(),
        container: workload.container.clone(),
        restart,
        pods: pods
            .into_iter()
            .map(|pod| PodRef {
                id: crate::kube_proxy::snapshot::ObjectName::new(&pod.namespace, &pod.pod),
                uid: pod.uid.clone(),
                node: pod.node.clone(),
            })
            .collect(),
    }))
}

/// The nodes of the pods that pass a test.
pub(super) fn nodes_with(pods: &[PodFinding], test: impl Fn(&PodFinding) -> bool) -> Vec<String> {
    pods.iter()
        .filter(|pod| test(pod))
        .map(|pod| pod.node.clone())
        .collect()
}

/// `node n1`, or `nodes n1, n2, n3 and 7 more`.
pub(super) fn enumerate(nodes: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = nodes[..nodes.len().min(SHOWN)].join(", ");
    match nodes.len() {
        1 => format!("node {shown}"),
        count if count > SHOWN => format!("nodes {shown} and {} more", count - SHOWN),
        _ => format!("nodes {shown}"),
    }
}
