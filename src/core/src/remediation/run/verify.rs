//! Is a new kube-proxy as it should be?

use crate::guard::disquiet;
use crate::proxy_mode::LiveMode;
use crate::remediation::progress::trouble;

use super::phase::{Phase, Why};
use super::state::Run;
use super::step::Decided;
use super::view::{ProxyPod, View};
use super::{AGENT_SECONDS, PATIENCE_SECONDS, RETRY, UNWITNESSED_SECONDS, batch};

/// How long an agent may not get an answer from a new kube-proxy until its Pod's word is taken, in seconds: some are set up
/// to answer nobody.
const UNANSWERED_SECONDS: i64 = 30;

/// How far the kube-proxy in a Pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// It is as it should be.
    Verified,
    /// Not yet.
    Waiting(String),
    /// It was started without strictARP: the kubelet had mounted an older copy of the ConfigMap.
    OldCopy,
    /// It does not start.
    Trouble { why: String, hopeless: bool },
}

/// Looks at a Pod that was made after the edit.
pub(super) fn check(view: &View<'_>, run: &Run, pod: &ProxyPod<'_>) -> Check {
    let name = &pod.pod.metadata.id.name;
    if let Some((why, hopeless)) = trouble(pod.pod, &pod.workload.container) {
        let why = format!("Pod {name}: {why}");
        return Check::Trouble { why, hopeless };
    }
    if !pod.pod.ready {
        return Check::Waiting(format!("Pod {name} is not Ready"));
    }
    let since = run.batch_since.unwrap_or(run.since);
    let Some(report) = pod.report else {
        let patience = if view.has_agents() {
            AGENT_SECONDS
        } else {
            UNWITNESSED_SECONDS
        };
        return if view.passed(since, patience) {
            Check::Verified
        } else {
            Check::Waiting(format!("Pod {name} is Ready, and no agent confirms it yet"))
        };
    };
    match &report.kube_proxy {
        None if !view.passed(since, UNANSWERED_SECONDS) => {
            return Check::Waiting(format!(
                "kube-proxy in Pod {name} does not answer its node's agent"
            ));
        }
        None => {}
        Some(proxy) => {
            let own = pod.is_process(proxy);
            if own == Some(false) {
                return Check::Waiting(format!(
                    "the agent has not seen the kube-proxy in Pod {name} yet"
                ));
            }
            match (proxy.strict_arp, own) {
                (Some(false), Some(true)) => return Check::OldCopy,
                (Some(false), _) => {
                    return Check::Waiting(
                        "its kube-proxy says that it was started without strictARP".to_owned(),
                    );
                }
                _ => {}
            }
            if proxy.healthy == Some(false) {
                return Check::Waiting(format!("kube-proxy in Pod {name} is not healthy"));
            }
        }
    }
    if report.mode != LiveMode::Ipvs {
        return Check::Waiting(format!("its live mode is {}, not ipvs", report.mode));
    }
    match disquiet(report).first() {
        Some(loud) => Check::Waiting(format!("{loud}, although kube-proxy has strictARP")),
        None => Check::Verified,
    }
}

/// [`Phase::Verifying`]: everybody at once.
pub(super) fn verifying(view: &View<'_>, mut run: Run) -> Decided {
    if !view.candidates(Some(&run)).is_empty() {
        return batch::start(view, run);
    }
    let left = |pod: &&ProxyPod<'_>| {
        pod.reachable && (pod.pod.ready || !run.lost.iter().any(|node| node == pod.node))
    };
    let mut open: Vec<String> = Vec::new();
    let mut verified = 0;
    let mut unwitnessed: Vec<&str> = Vec::new();
    for pod in view.pods.iter().filter(left) {
        if pod.pod.metadata.terminating {
            open.push(format!("node {}: the old Pod is stopping", pod.node));
            continue;
        }
        let state = if pod.report.is_none() && pod.pod.ready {
            unwitnessed.push(pod.node);
            Check::Verified
        } else {
            check(view, &run, pod)
        };
        match state {
            Check::Verified => verified += 1,
            Check::Waiting(why) | Check::Trouble { why, .. } => {
                open.push(format!("node {}: {why}", pod.node));
            }
            Check::OldCopy => open.push(format!(
                "node {}: its kube-proxy was started without strictARP",
                pod.node
            )),
        }
    }
    if open.is_empty() {
        let message = done(view, &run, verified, &unwitnessed);
        run.end_batch();
        run.enter(Phase::Done, view.now(), message);
        run.verified = run.verified.or(Some(view.now()));
        run.trigger = view.trigger();
        return Decided::rest(Some(run));
    }
    let told = open.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    if run.why == Some(Why::NotVerified) {
        return Decided::wait(run, 30);
    }
    if run.phase != Phase::Verifying {
        run.end_batch();
        run.enter(
            Phase::Verifying,
            view.now(),
            "kube-proxy is restarted everywhere; every node is looked at once more",
        );
    }
    if view.passed(run.since, PATIENCE_SECONDS) {
        run.trigger = view.trigger();
        let message = format!(
            "strictARP is set and kube-proxy is restarted, but not every node is as it should be: {told}. Nothing is taken back, \
             as other nodes run with it; see the NodeProxyState of these nodes. Mooring goes on by itself when they are right"
        );
        run.stop(Phase::Paused, Why::NotVerified, view.now(), message);
        return Decided::wait(run, 30);
    }
    Decided::wait(run, 3)
}

fn done(view: &View<'_>, run: &Run, verified: usize, unwitnessed: &[&str]) -> String {
    let plural = if verified == 1 { "node" } else { "nodes" };
    let mut message = format!("kube-proxy runs with strictARP on {verified} {plural}");
    if !unwitnessed.is_empty() {
        message.push_str(&format!(
            "; sysctls were not verified on {}, as no agent reports there",
            super::begin::nodes_in_words(unwitnessed)
        ));
    }
    let behind = view.left_behind(Some(run));
    if !behind.is_empty() {
        let nodes: Vec<&str> = behind.iter().map(|pod| pod.node).collect();
        message.push_str(&format!(
            "; {} could not be reached, and kube-proxy is restarted there when the kubelet is back",
            super::begin::nodes_in_words(&nodes)
        ));
    }
    let down: Vec<&str> = view
        .pods
        .iter()
        .filter(|pod| pod.reachable && !pod.pod.ready)
        .map(|pod| pod.node)
        .collect();
    if !down.is_empty() {
        message.push_str(&format!(
            "; kube-proxy did not run on {} before, and still does not",
            super::begin::nodes_in_words(&down)
        ));
    }
    if let Some(cni) = &view.input.surroundings.unnumbered_cni {
        message.push_str(&format!(
            "; watch new Pods, as {cni} connects them by links without an address, which may not work with strictARP (to go \
             back, set ipvs.strictARP: false, policy: Warn, and change {RETRY})"
        ));
    }
    message
}
