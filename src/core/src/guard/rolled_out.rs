//! What the kube-proxies that run were started with.

use crate::condition::{Condition, RolledOutReason as RolledOut, StrictArpConfiguredReason};
use crate::remediation::Reason;
use crate::remediation::freshness::Freshness;
use crate::remediation::run::view::{ProxyPod, proxy_pods};
use crate::remediation::run::{Enforcement, Phase, Why};
use crate::strict_arp::Verdict;

use super::effective::some_of;
use super::verdict::GuardInput;

pub(super) fn rolled_out(input: &GuardInput<'_>, configured: &Condition) -> Condition {
    let assessment = input.assessment;
    if let Some(run) = input.run {
        let reason = match (run.phase, run.why) {
            (Phase::Canary, _) => Some(RolledOut::Canary),
            (Phase::RollingOut | Phase::RollingBack, _) => Some(RolledOut::RollingOut),
            (
                Phase::Paused,
                Some(Why::RestartByHand | Why::ModeWouldChange | Why::UnnumberedLinks),
            ) => Some(RolledOut::RestartByHand),
            _ => None,
        };
        if let Some(reason) = reason {
            return Condition::new(reason, run.message.clone());
        }
    }
    if assessment.reason == Reason::NotNeededAfterRestart {
        let next = assessment.next_step.as_deref().unwrap_or_default();
        return Condition::new(
            RolledOut::RestartPending,
            format!("{}; next: {next}", assessment.message),
        );
    }
    let matters = |verdict| matches!(verdict, Some(Verdict::Patched | Verdict::Already));
    let maps: Vec<_> = assessment
        .config_maps
        .iter()
        .filter(|map| matters(map.edit))
        .collect();
    let pods = proxy_pods(input.seen, assessment, input.nodes, |location| {
        maps.iter().any(|map| {
            map.namespace == location.config_map.namespace
                && map.name == location.config_map.name
                && map.key == location.key
        })
    });
    if configured.is(StrictArpConfiguredReason::NotNeeded)
        || configured.is(StrictArpConfiguredReason::Replaced)
    {
        return Condition::new(
            RolledOut::NotNeeded,
            "no kube-proxy has to be restarted, as its mode does not look at strictARP",
        );
    }
    if pods.is_empty() {
        return without_pods(input);
    }
    judged(input, &pods)
}

/// Nothing that reads a key where strictARP matters.
fn without_pods(input: &GuardInput<'_>) -> Condition {
    let assessment = input.assessment;
    match assessment.reason {
        Reason::Applied => Condition::new(RolledOut::AllStarted, assessment.message.clone()),
        Reason::PodsNotReady => Condition::new(RolledOut::PodsNotReady, assessment.message.clone()),
        Reason::RestartPending => {
            Condition::new(RolledOut::RestartPending, assessment.message.clone())
        }
        _ if assessment.pods.is_empty() => Condition::new(
            RolledOut::NoPods,
            "there is no Pod of kube-proxy, so nothing reads its configuration",
        ),
        _ => Condition::new(
            RolledOut::ChangeTimeUnknown,
            "it does not show in the API what the running kube-proxies were started with, as StrictARPConfigured says",
        ),
    }
}

fn judged(input: &GuardInput<'_>, pods: &[ProxyPod<'_>]) -> Condition {
    let configured = |pod: &ProxyPod<'_>| {
        let found = input.assessment.config_maps.iter().find(|map| {
            map.namespace == pod.location.config_map.namespace
                && map.name == pod.location.config_map.name
                && map.key == pod.location.key
        });
        found.and_then(|map| map.strict_arp)
    };
    let nodes = |test: &dyn Fn(&ProxyPod<'_>) -> bool| -> Vec<&str> {
        let found = pods.iter().filter(|pod| pod.reachable && test(pod));
        found.map(|pod| pod.node).collect()
    };
    let old = nodes(&|pod| match (pod.started_with(), configured(pod)) {
        (Some(started), Some(configured)) => started != configured,
        _ => pod.finding.freshness == Freshness::BeforeChange,
    });
    if !old.is_empty() {
        let next = match (input.wanted.enforcement, input.run) {
            (Enforcement::Enforce, Some(run)) if !run.message.is_empty() => run.message.clone(),
            (Enforcement::Enforce, _) => "Mooring is about to restart it".to_owned(),
            _ => format!(
                "the policy is not Enforce, so nothing is restarted: kubectl -n {} rollout restart daemonset/{}",
                pods[0].workload.id.namespace, pods[0].workload.id.name
            ),
        };
        return Condition::new(
            RolledOut::RestartPending,
            format!(
                "kube-proxy on {} was started before its configuration last changed, and reads it only when it starts; {next}",
                some_of(&old)
            ),
        );
    }
    let down = nodes(&|pod| !pod.pod.ready);
    if let Some(first) = pods.iter().find(|pod| pod.reachable && !pod.pod.ready) {
        let why = first.finding.trouble.as_deref().unwrap_or("not Ready");
        let id = &first.pod.metadata.id;
        return Condition::new(
            RolledOut::PodsNotReady,
            format!(
                "kube-proxy does not run on {} (Pod {}: {why}): Services change without these nodes taking notice; see \
                 kubectl -n {} describe pod {}",
                some_of(&down),
                id.name,
                id.namespace,
                id.name
            ),
        );
    }
    let unknown =
        nodes(&|pod| pod.started_with().is_none() && pod.finding.freshness == Freshness::Unknown);
    if !unknown.is_empty() {
        return Condition::new(
            RolledOut::ChangeTimeUnknown,
            format!(
                "it is not known whether kube-proxy on {} was started before or after its configuration last changed: the \
                 ConfigMap has no managedFields, and no agent tells; restart kube-proxy to be sure",
                some_of(&unknown)
            ),
        );
    }
    let asked = pods.iter().filter(|pod| pod.reachable).count();
    let beside: Vec<&str> = pods
        .iter()
        .filter(|pod| !pod.reachable)
        .map(|pod| pod.node)
        .collect();
    let beside = match beside.as_slice() {
        [] => String::new(),
        nodes => format!("; {} could not be reached", some_of(nodes)),
    };
    Condition::new(
        RolledOut::AllStarted,
        format!("kube-proxy on {asked} nodes runs with the configuration as it is now{beside}"),
    )
}
