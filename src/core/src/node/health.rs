//! Whether a node's kube-proxy works.

use crate::condition::{Condition, KubeProxyHealthyReason as Reason};
use crate::kube_proxy::snapshot::ContainerStatus;
use crate::proxy_mode::endpoints::{self, Health};
use crate::proxy_mode::{Answer, LiveMode};

use super::RunningKubeProxy;
use super::findings::{Findings, live_mode};
use super::pods::Mounted;

/// The kube-proxy that answers on the node; `None` if none does.
pub(super) fn running(findings: &Findings<'_>) -> Option<RunningKubeProxy> {
    findings.answers().then(|| RunningKubeProxy {
        version: findings.process.version.clone(),
        strict_arp: findings
            .configz
            .as_ref()
            .and_then(|config| config.strict_arp),
        started: findings.process.started,
        healthy: match health(findings) {
            Some(Health::UpToDate | Health::NodeLeaving) => Some(true),
            Some(Health::Stale { .. }) => Some(false),
            Some(Health::Foreign(_)) | None => None,
        },
    })
}

/// What the health port says. Antrea with proxyAll serves its own health on the same port, so this counts only where
/// there is a kube-proxy.
fn health(findings: &Findings<'_>) -> Option<Health> {
    match &findings.observed.endpoints.healthz {
        Answer::Http { status, body } => Some(endpoints::healthz(*status, body)),
        Answer::Refused | Answer::Failed(_) => None,
    }
}

/// Decides `KubeProxyHealthy`.
pub(super) fn condition(findings: &Findings<'_>, mode: LiveMode) -> Condition {
    let node = &findings.observed.node;
    let (reason, message) = decide(findings, mode);
    Condition::new(reason, format!("node {node}: {message}"))
}

fn decide(findings: &Findings<'_>, mode: LiveMode) -> (Reason, String) {
    let replaced = matches!(
        mode,
        LiveMode::AntreaProxyAll | LiveMode::Ebpf | LiveMode::KubeRouter
    );
    let here = findings.answers() || findings.proxy.is_some();
    if replaced && !here {
        return (
            Reason::NotNeeded,
            format!("there is no kube-proxy, and none is needed: mode {mode}"),
        );
    }
    let metrics = &findings.observed.endpoints.metrics_address;
    let healthz = &findings.observed.endpoints.healthz_address;
    if let Some(trouble) = crash_looping(findings) {
        return (Reason::CrashLooping, trouble);
    }
    if !findings.answers() {
        if let Some(trouble) = not_running(findings) {
            return (Reason::NotRunning, trouble);
        }
        if findings.proxy.is_none() {
            return (
                Reason::NoAnswer,
                format!(
                    "{}, and {}; if kube-proxy should run here, see why its DaemonSet has no Pod on this node",
                    silence(&findings.observed.endpoints.proxy_mode, metrics),
                    match findings.observed.pods {
                        None => "the API server has not been heard yet",
                        Some(_) => "no Pod of kube-proxy is here",
                    }
                ),
            );
        }
    }
    match health(findings) {
        Some(Health::Stale { last_updated }) => {
            let since = match last_updated {
                Some(time) => format!(" since {time} (UTC unless the node's zone is another)"),
                None => String::new(),
            };
            return (
                Reason::Unhealthy,
                format!(
                    "{healthz}/healthz answers 503: kube-proxy's rules have not been brought up to date{since}, so \
                     Services that changed since then are not reached through this node; see {}",
                    log(findings)
                ),
            );
        }
        Some(Health::Foreign(status)) => {
            return (
                Reason::NoAnswer,
                format!(
                    "{healthz}/healthz answers HTTP {status}, as kube-proxy never does; see what else listens there"
                ),
            );
        }
        Some(Health::UpToDate | Health::NodeLeaving) | None => {}
    }
    if let Some(difference) = older_than_configuration(findings) {
        return (Reason::OlderThanConfiguration, difference);
    }
    match health(findings) {
        Some(Health::NodeLeaving) => (
            Reason::Healthy,
            format!(
                "{healthz}/healthz answers 503 as the node is about to be deleted; its rules are up to date"
            ),
        ),
        Some(_) => (
            Reason::Healthy,
            format!("{healthz}/healthz says that its rules are up to date"),
        ),
        None if findings.answers() => (
            Reason::NoAnswer,
            format!(
                "{}, though {metrics} answers; let kube-proxy serve its health there (healthzBindAddress), so that it is \
                 seen when it stops to keep up",
                silence(&findings.observed.endpoints.healthz, healthz)
            ),
        ),
        None => (
            Reason::NoAnswer,
            format!(
                "kube-proxy's Pod runs, and {}, and {}; see {}",
                silence(&findings.observed.endpoints.proxy_mode, metrics),
                silence(&findings.observed.endpoints.healthz, healthz),
                log(findings)
            ),
        ),
    }
}

fn silence(answer: &Answer, address: &str) -> String {
    match answer {
        Answer::Http { status, .. } => format!("{address} answers HTTP {status}"),
        Answer::Refused => format!("nothing listens on {address}"),
        Answer::Failed(how) => format!("{address} does not answer ({how})"),
    }
}

/// Where to read more.
fn log(findings: &Findings<'_>) -> String {
    match &findings.proxy {
        Some(proxy) => format!(
            "kubectl -n {} logs {}",
            proxy.pod.metadata.id.namespace, proxy.pod.metadata.id.name
        ),
        None => "kube-proxy's log on the node".to_owned(),
    }
}

// === the Pod ===

fn status<'a>(findings: &'a Findings<'_>) -> Option<&'a ContainerStatus> {
    let proxy = findings.proxy.as_ref()?;
    proxy.pod.container(&proxy.workload.container)
}

fn crash_looping(findings: &Findings<'_>) -> Option<String> {
    let proxy = findings.proxy.as_ref()?;
    let status = status(findings)?;
    let (reason, _) = status.waiting.as_ref()?;
    (reason == "CrashLoopBackOff").then(|| {
        let last = match &status.last_exit {
            Some((code, why)) => format!(", last with exit code {code} ({why})"),
            None => String::new(),
        };
        format!(
            "kube-proxy ends again and again{last}, so Services are as they were when it last ran; see kubectl -n {} \
             logs --previous {}",
            proxy.pod.metadata.id.namespace, proxy.pod.metadata.id.name
        )
    })
}

fn not_running(findings: &Findings<'_>) -> Option<String> {
    let proxy = findings.proxy.as_ref()?;
    let id = &proxy.pod.metadata.id;
    let why = match status(findings) {
        Some(status) => match (&status.waiting, status.started) {
            (Some((reason, message)), _) if message.is_empty() => reason.clone(),
            (Some((reason, message)), _) => format!("{reason}: {message}"),
            (None, Some(_)) => return None,
            (None, None) => match &status.last_exit {
                Some((code, why)) => format!("it ended with exit code {code} ({why})"),
                None => format!("phase {}", proxy.pod.phase),
            },
        },
        None if proxy.pod.phase == "Running" => return None,
        None => format!("phase {}", proxy.pod.phase),
    };
    Some(format!(
        "Pod {id} does not run ({why}), so Services are as they were when kube-proxy last ran; see kubectl -n {} \
         describe pod {}",
        id.namespace, id.name
    ))
}

// === older than its configuration ===

/// What kube-proxy runs with and what its configuration says now, if that differs in the mode, or in strictARP in mode
/// ipvs. An edited ConfigMap never restarts kube-proxy.
fn older_than_configuration(findings: &Findings<'_>) -> Option<String> {
    let Mounted::Read(location, config) = &findings.mounted else {
        return None;
    };
    let live = findings.configz.as_ref()?;
    let started = live.mode.and_then(live_mode).or(findings.proxy_mode)?;
    let told = findings.told()?;
    let difference = if started != told {
        format!("mode {started}, and {location} now says {told}")
    } else if started == LiveMode::Ipvs && live.strict_arp != Some(config.strict_arp) {
        let was = live.strict_arp?;
        format!(
            "ipvs.strictARP {was}, and {location} now says {}",
            config.strict_arp
        )
    } else {
        return None;
    };
    Some(format!(
        "kube-proxy was started with {difference}: it reads its configuration only when it starts; restart it (kubectl \
         rollout restart), or correct the ConfigMap"
    ))
}
