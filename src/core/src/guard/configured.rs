//! What kube-proxy's configuration says.

use crate::condition::{Condition, StrictArpConfiguredReason as Configured};
use crate::remediation::run::{Enforcement, Phase, Run, Why};
use crate::remediation::{Assessment, Reason};
use crate::strict_arp::Verdict;

use super::effective::some_of;
use super::mode;
use super::verdict::{ConfigurationFound, GuardInput};
use crate::kube_proxy::snapshot::ObjectName;
use crate::proxy_mode::LiveMode;

pub(super) fn strict_arp_configured(input: &GuardInput<'_>) -> Condition {
    let assessment = input.assessment;
    if let Some(condition) = replaced(input) {
        return condition;
    }
    let reason = configured(assessment);
    if let Some(run) = input.run
        && let Some(condition) = by_run(run, reason)
    {
        return condition;
    }
    let next = match (reason, input.wanted.enforcement) {
        (Configured::StrictArpOff, Enforcement::Enforce) => Some(match input.run {
            Some(run) if !run.message.is_empty() => format!("{}: {}", run.phase, run.message),
            _ => "Mooring is about to set it".to_owned(),
        }),
        (Configured::StrictArpOff, Enforcement::Warn) => Some(
            "the policy is Warn, so nothing is written: run kubectl mooring fix, or set spec.strictARP.policy to Enforce"
                .to_owned(),
        ),
        (Configured::StrictArpOff, Enforcement::Ignore) => Some(
            "the policy is Ignore, so nothing is written; set spec.strictARP.policy to Enforce to have it set".to_owned(),
        ),
        // What is to be restarted, and whether Pods run, is the matter of RolledOut.
        (Configured::StrictArpOn | Configured::NotNeeded, _) => None,
        _ => assessment.next_step.clone(),
    };
    let message = match reason {
        Configured::StrictArpOn => on(assessment),
        _ => assessment.message.clone(),
    };
    let next = next
        .map(|next| format!("; next: {next}"))
        .unwrap_or_default();
    Condition::new(reason, format!("{message}{next}"))
}

/// No kube-proxy runs, and the agents of all nodes see the same thing in its place. What it is does not always show in the
/// API: AntreaProxy's `proxyAll` is a line in a text.
fn replaced(input: &GuardInput<'_>) -> Option<Condition> {
    if !input.assessment.pods.is_empty() {
        return None;
    }
    let modes = mode::by_mode(input.nodes);
    let (live, nodes) = modes.iter().next().filter(|_| modes.len() == 1)?;
    let silent = input
        .nodes
        .iter()
        .any(|node| node.ready && !(node.reporting && node.report.is_some()));
    let replaces = matches!(live, LiveMode::AntreaProxyAll | LiveMode::Ebpf);
    (replaces && !silent).then(|| {
        Condition::new(
            Configured::Replaced,
            format!(
                "{} on {} in place of kube-proxy, of which no Pod runs: strictARP is not needed",
                mode::in_words(*live),
                some_of(nodes)
            ),
        )
    })
}

fn on(assessment: &Assessment) -> String {
    let places: Vec<String> = assessment
        .config_maps
        .iter()
        .filter(|map| map.edit == Some(Verdict::Already))
        .map(|map| format!("{}/{} key {}", map.namespace, map.name, map.key))
        .collect();
    if places.is_empty() {
        return assessment.message.clone();
    }
    format!(
        "ipvs.strictARP is true in ConfigMap {}",
        places.join(" and ")
    )
}

/// What a run knows beyond the assessment. A text that is right by now is right, whatever came of the run.
fn by_run(run: &Run, reason: Configured) -> Option<Condition> {
    let off = reason == Configured::StrictArpOff;
    let reason = match (run.phase, run.why) {
        (Phase::Paused, Some(Why::Fighting)) => Configured::Fighting,
        (Phase::RolledBack, _) if off => Configured::RolledBack,
        (Phase::Refused, Some(Why::BreaksEgress)) => Configured::BreaksEgress,
        (Phase::Refused, Some(Why::SharedConfigMap)) if off => Configured::SharedConfigMap,
        _ => return None,
    };
    Some(Condition::new(reason, run.message.clone()))
}

/// The condition's reason for an assessment.
fn configured(assessment: &Assessment) -> Configured {
    let edits = || assessment.config_maps.iter().filter_map(|map| map.edit);
    match assessment.reason {
        Reason::NotNeeded | Reason::NotNeededAfterRestart => Configured::NotNeeded,
        Reason::Replaced => Configured::Replaced,
        Reason::Applied | Reason::PodsNotReady | Reason::NodesNotQuiet => Configured::StrictArpOn,
        Reason::NodesQuiet => Configured::ConfigElsewhere,
        Reason::RestartPending | Reason::NoPods | Reason::ChangeTimeUnknown => {
            if edits().any(|edit| edit == Verdict::Already) {
                Configured::StrictArpOn
            } else if edits().any(|edit| edit == Verdict::NotNeeded) {
                Configured::NotNeeded
            } else {
                Configured::ConfigElsewhere
            }
        }
        Reason::NoKubeProxy => Configured::NoKubeProxy,
        Reason::EmbeddedKubeProxy => Configured::EmbeddedKubeProxy,
        Reason::KubeRouter => Configured::KubeRouter,
        Reason::ConfigElsewhere => Configured::ConfigElsewhere,
        Reason::CommandHidden => Configured::CommandHidden,
        Reason::InvalidFlags => Configured::InvalidFlags,
        Reason::ConfigMapMissing => Configured::ConfigMapMissing,
        Reason::KeyMissing => Configured::KeyMissing,
        Reason::KeyIsBinary => Configured::KeyIsBinary,
        Reason::ConfigUnclear => Configured::ConfigUnclear,
        Reason::EditRefused => Configured::EditRefused,
        Reason::ConfigMapImmutable => Configured::ConfigMapImmutable,
        Reason::StrictArpOffByFlags => Configured::StrictArpOffByFlags,
        Reason::StrictArpOffManaged => Configured::StrictArpOffManaged,
        Reason::StrictArpOff => Configured::StrictArpOff,
    }
}

/// What was found, for the status: the key that decides, or the workload if there is none.
pub(super) fn found(assessment: &Assessment) -> Option<ConfigurationFound> {
    let map = assessment
        .config_maps
        .iter()
        .max_by_key(|map| (map.reason, std::cmp::Reverse((&map.namespace, &map.name))));
    let source = map.map(|map| format!("{}/{}", map.namespace, map.name));
    let workload = assessment
        .workloads
        .iter()
        .filter(|workload| workload.skipped.is_none())
        .max_by_key(|workload| {
            let reads = source
                .as_ref()
                .is_some_and(|source| workload.source.contains(source.as_str()));
            (reads, workload.pods)
        });
    if map.is_none() && workload.is_none() {
        return None;
    }
    Some(ConfigurationFound {
        workload: workload.map(|workload| {
            let name = ObjectName::new(&workload.namespace, &workload.name);
            (workload.kind.to_owned(), name)
        }),
        source: map.map(|map| (ObjectName::new(&map.namespace, &map.name), map.key.clone())),
        mode: map.and_then(|map| map.mode).map(|mode| mode.to_string()),
        strict_arp: map.and_then(|map| map.strict_arp),
    })
}
