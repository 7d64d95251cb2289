//! The mode of a node, from what its witnesses say.
//!
//! A running process is believed before what it was told, that before what is left in the kernel, and all of it is shown.
//! Lesser witnesses that disagree are explained and named; where witnesses of the same rank disagree, the mode is unknown
//! until somebody looks: nothing is averaged.
//!
//! | who handles Services | beside it | mode | `ModeDetected` |
//! |---|---|---|---|
//! | kube-proxy answers with one mode | anything lesser | that mode | `Detected` |
//! | `/proxyMode` iptables, `/configz` ipvs, kube-proxy up to 1.25 (it fell back) | | iptables | `Detected` |
//! | `/proxyMode` and `/configz` differ otherwise | | unknown | `Contradiction` |
//! | a Pod of kube-proxy that does not answer, with a mode in its settings | | that mode | `Detected` |
//! | Antrea, proxyAll | kube-proxy absent | antreaProxyAll | `Detected` |
//! | Antrea from 2.1, proxyAll with LoadBalancer addresses | kube-proxy in iptables | antreaProxyAll | `Detected` |
//! | Antrea before 2.1, proxyAll | kube-proxy in iptables | iptables: its rules go first | `Detected` |
//! | Antrea of unknown version, proxyAll with LoadBalancer addresses | kube-proxy in iptables | unknown | `Contradiction` |
//! | Antrea, proxyAll with LoadBalancer addresses | kube-proxy in another mode, which Antrea does not support | unknown | `Contradiction` |
//! | Antrea, without proxyAll or without LoadBalancer addresses | kube-proxy | kube-proxy's | `Detected` |
//! | a replacement with both signals, or with one and kube-proxy absent | | the replacement's | `Detected` |
//! | the same | kube-proxy answers, or its Pod is on the node | unknown | `Contradiction` |
//! | several replacements | | unknown | `Contradiction` |
//! | kube-proxy neither answers nor tells its mode | traces of one mode in the kernel | that mode | `Detected` |
//! | the same | traces of several modes | unknown | `Contradiction` |
//! | kube-proxy absent | no traces, and no Antrea whose configuration could not be read | none | `Detected` |
//! | anything else | | unknown | `NoEvidence` |
//!
//! kube-proxy is absent if nothing listens where it would and no Pod of it is on the node; one of them is not enough, as
//! k3s and microk8s run it without a Pod.

use crate::condition::{Condition, ModeDetectedReason};
use crate::proxy_mode::LiveMode;
use crate::proxy_mode::antrea::AntreaVersion;

use super::Witness;
use super::findings::{AntreaSeen, Findings};

/// A mode, and what to say about it.
pub(super) struct Verdict {
    pub(super) mode: LiveMode,
    reason: ModeDetectedReason,
    message: String,
}

impl Verdict {
    fn detected(mode: LiveMode, message: String) -> Self {
        Self {
            mode,
            reason: ModeDetectedReason::Detected,
            message,
        }
    }

    fn contradiction(message: String) -> Self {
        Self {
            mode: LiveMode::Unknown,
            reason: ModeDetectedReason::Contradiction,
            message,
        }
    }

    fn no_evidence(message: String) -> Self {
        Self {
            mode: LiveMode::Unknown,
            reason: ModeDetectedReason::NoEvidence,
            message,
        }
    }

    /// The condition, with the witnesses that disagree.
    pub(super) fn condition(&self, findings: &Findings<'_>) -> Condition {
        let mut message = format!("node {}: {}", findings.observed.node, self.message);
        if self.reason == ModeDetectedReason::Detected {
            for explained in lesser(self.mode, findings) {
                message.push_str("; ");
                message.push_str(&explained);
            }
        }
        Condition::new(self.reason, message)
    }
}

// === decide ===

/// Weighs the witnesses.
pub(super) fn decide(findings: &Findings<'_>) -> Verdict {
    let live = match live(findings) {
        Ok(live) => live,
        Err(torn) => return torn,
    };
    let proxy = live.or_else(|| findings.told());
    let complete: Vec<_> = findings
        .replacements
        .iter()
        .filter(|seen| seen.is_complete() || (findings.is_absent() && seen.may_replace()))
        .collect();
    let proxy_all = findings.antrea.as_ref().filter(|antrea| {
        antrea
            .config
            .as_ref()
            .is_some_and(|config| config.proxy_all)
    });

    if let Some(first) = complete.first() {
        let here = findings.answers() || findings.proxy.is_some();
        if complete.len() > 1 || proxy_all.is_some() || here {
            let mut names: Vec<String> =
                complete.iter().map(|seen| seen.what.to_string()).collect();
            names.extend(proxy_all.map(|_| "AntreaProxy with proxyAll".to_owned()));
            names.extend(here.then(|| kube_proxy(proxy, findings)));
            return Verdict::contradiction(format!(
                "{} are set up to handle Services at the same time, and which of them does cannot be told; remove all \
                 but one (the signs of each are in status.evidence)",
                names.join(" and ")
            ));
        }
        let second = if first.is_complete() {
            "by its settings and its link"
        } else {
            "by one sign of it, and as kube-proxy is absent: nothing listens on its port, and no Pod of it is here"
        };
        return Verdict::detected(
            first.mode,
            format!("{} handles Services, {second}", first.what),
        );
    }
    if let Some(antrea) = proxy_all {
        return beside_antrea(antrea, proxy, findings);
    }
    // Not known to be without proxyAll, and its rules are there: an address bound here would break them.
    let antrea_unread = findings
        .antrea
        .as_ref()
        .map_or(findings.observed.pods.is_none(), |antrea| {
            antrea.config.is_none()
        });
    if antrea_unread && findings.traces.contains(&LiveMode::AntreaProxyAll) {
        return Verdict::no_evidence(
            "rules of Antrea's proxyAll are in the kernel, and Antrea's configuration could not be read, so it is not \
             known whether they still count; look at the Pod antrea-agent of this node and its ConfigMap"
                .to_owned(),
        );
    }
    if let Some(mode) = live {
        return Verdict::detected(
            mode,
            format!("{} answers on this node", kube_proxy(live, findings)),
        );
    }
    if let Some(mode) = proxy {
        return Verdict::detected(
            mode,
            format!(
                "kube-proxy does not answer, and its Pod is configured for mode {mode}; {}",
                silence(findings)
            ),
        );
    }
    by_traces(findings)
}

/// The mode that a running kube-proxy tells.
fn live(findings: &Findings<'_>) -> Result<Option<LiveMode>, Verdict> {
    let configured = findings
        .evidence
        .iter()
        .find(|evidence| evidence.witness == Witness::Configz)
        .and_then(|evidence| evidence.mode);
    match (findings.proxy_mode, configured) {
        (Some(runs), Some(started)) if runs != started => {
            if fell_back(runs, started, findings) {
                return Ok(Some(runs));
            }
            let address = &findings.observed.endpoints.metrics_address;
            Err(Verdict::contradiction(format!(
                "on {address}, /proxyMode says {runs} and /configz says {started}, though both speak for the same \
                 process; restart the kube-proxy of this node, and see what else listens there"
            )))
        }
        (Some(mode), _) | (None, Some(mode)) => Ok(Some(mode)),
        (None, None) => Ok(None),
    }
}

/// Up to 1.25, kube-proxy ran in mode iptables where the kernel modules for ipvs were missing (kubernetes#111806).
fn fell_back(runs: LiveMode, started: LiveMode, findings: &Findings<'_>) -> bool {
    runs == LiveMode::Iptables
        && started == LiveMode::Ipvs
        && findings.version().is_some_and(|version| version < (1, 26))
}

fn beside_antrea(antrea: &AntreaSeen, proxy: Option<LiveMode>, findings: &Findings<'_>) -> Verdict {
    let serves = antrea
        .config
        .as_ref()
        .is_some_and(|config| config.load_balancer_ips);
    let own = "AntreaProxy with proxyAll";
    match proxy {
        None if findings.is_absent() => {
            let others = if serves {
                ""
            } else {
                "; proxyLoadBalancerIPs is false, so LoadBalancer addresses work only with something else that handles \
                 them"
            };
            Verdict::detected(
                LiveMode::AntreaProxyAll,
                format!(
                    "{own} handles Services, and kube-proxy is absent: nothing listens on its port, and no Pod of it is \
                     here{others}"
                ),
            )
        }
        None => Verdict::no_evidence(format!(
            "{own} runs, and what a kube-proxy does beside it is not known; {}",
            silence(findings)
        )),
        Some(mode) if !serves => Verdict::detected(
            mode,
            format!(
                "{} handles LoadBalancer addresses, as {own} leaves them alone (proxyLoadBalancerIPs is false)",
                kube_proxy(proxy, findings)
            ),
        ),
        Some(LiveMode::Iptables) => match antrea.version {
            Some(version) if version >= AntreaVersion::GOES_FIRST => Verdict::detected(
                LiveMode::AntreaProxyAll,
                format!(
                    "{own} handles LoadBalancer addresses: from Antrea 2.1 on, it goes before a kube-proxy in mode \
                     iptables"
                ),
            ),
            Some(_) => Verdict::detected(
                LiveMode::Iptables,
                format!(
                    "{} handles LoadBalancer addresses, as its rules go before those of {own} up to Antrea 2.0",
                    kube_proxy(proxy, findings)
                ),
            ),
            None => Verdict::contradiction(format!(
                "{own} and {} both handle LoadBalancer addresses, and which goes first depends on Antrea's version, which \
                 the image {:?} does not name; use an image with a version in its tag",
                kube_proxy(proxy, findings),
                antrea.image
            )),
        },
        Some(_) => Verdict::contradiction(format!(
            "{own} and {} both handle LoadBalancer addresses; Antrea supports proxyAll beside a kube-proxy in mode \
             iptables alone: remove kube-proxy, or set its mode to iptables",
            kube_proxy(proxy, findings)
        )),
    }
}

/// By what is in the kernel, where nothing better is known.
fn by_traces(findings: &Findings<'_>) -> Verdict {
    match findings.traces.as_slice() {
        [mode] => Verdict::detected(
            *mode,
            format!(
                "the kernel has the rules of mode {mode}, and nothing else tells; {}",
                silence(findings)
            ),
        ),
        [] if findings.is_absent()
            && findings.observed.kernel.unread.is_empty()
            && findings
                .antrea
                .as_ref()
                .is_none_or(|antrea| antrea.config.is_some()) =>
        {
            let antrea = if findings.antrea.is_some() {
                "; AntreaProxy without proxyAll serves Pods alone: turn on antreaProxy.proxyAll, or run kube-proxy, so that \
                 Services are reached from outside"
            } else {
                ""
            };
            Verdict::detected(
                LiveMode::None,
                format!(
                    "nothing handles traffic to Services from outside: nothing listens on kube-proxy's port, no Pod of it \
                     or of a replacement is here, and the kernel shows no rules of either{antrea}"
                ),
            )
        }
        [] => Verdict::no_evidence(format!(
            "what handles Services is not known; {}",
            silence(findings)
        )),
        several => {
            let modes: Vec<&str> = several.iter().map(|mode| mode.as_str()).collect();
            Verdict::contradiction(format!(
                "the kernel has the rules of several modes ({}), and nothing else tells which of them count; {}",
                modes.join(", "),
                silence(findings)
            ))
        }
    }
}

// === words ===

/// kube-proxy with its version and mode.
fn kube_proxy(mode: Option<LiveMode>, findings: &Findings<'_>) -> String {
    let mut text = "kube-proxy".to_owned();
    if let Some(version) = &findings.process.version {
        text.push(' ');
        text.push_str(version);
    }
    if let Some(mode) = mode {
        text.push_str(&format!(" in mode {mode}"));
    }
    text
}

/// Why kube-proxy's own word is missing, and what to do.
fn silence(findings: &Findings<'_>) -> String {
    let said = |witness| {
        findings
            .evidence
            .iter()
            .find(|evidence| evidence.witness == witness)
            .map(|evidence| evidence.message.clone())
            .unwrap_or_default()
    };
    let pod = match &findings.proxy {
        Some(proxy) => format!("see the log of Pod {}", proxy.pod.metadata.id),
        None => format!(
            "{}; if kube-proxy runs without a Pod here, let it serve its metrics on {}",
            said(Witness::CommandLine),
            findings.observed.endpoints.metrics_address
        ),
    };
    format!("{}; {pod}", said(Witness::ProxyModeEndpoint))
}

/// The witnesses that say something else than what was decided, and why that is so.
fn lesser(decided: LiveMode, findings: &Findings<'_>) -> Vec<String> {
    let mut explained = Vec::new();
    for evidence in &findings.evidence {
        let Some(mode) = evidence.mode.filter(|mode| *mode != decided) else {
            continue;
        };
        explained.extend(match evidence.witness {
            Witness::ProxyModeEndpoint if decided == LiveMode::AntreaProxyAll => Some(format!(
                "kube-proxy runs beside it in mode {mode} ({})",
                evidence.message
            )),
            Witness::Configz if fell_back(decided, mode, findings) => Some(
                "it was told to run in mode ipvs, and fell back as modules for that are missing: load ip_vs, ip_vs_rr and \
                 nf_conntrack, or configure mode iptables; kube-proxy 1.26 and later does not start like this"
                    .to_owned(),
            ),
            Witness::ProxyModeEndpoint | Witness::Configz => None,
            Witness::CommandLine | Witness::MountedConfiguration
                if decided == LiveMode::AntreaProxyAll || fell_back(decided, mode, findings) =>
            {
                None
            }
            Witness::CommandLine | Witness::MountedConfiguration => Some(format!(
                "{}, which it will do from its next restart on",
                evidence.message
            )),
            Witness::Antrea => None,
            Witness::Replacement => Some(format!("signs of another proxy: {}", evidence.message)),
            Witness::Kernel => None,
        });
    }
    // What runs has rules as well, even if it is not what decides.
    let runs = |mode: LiveMode| {
        mode == decided
            || findings.proxy_mode == Some(mode)
            || (mode == LiveMode::AntreaProxyAll && findings.antrea.is_some())
    };
    let left: Vec<&str> = findings
        .traces
        .iter()
        .filter(|mode| !runs(**mode))
        .map(|mode| mode.as_str())
        .collect();
    if !left.is_empty() {
        explained.push(format!(
            "the kernel also has rules of {}, which an earlier proxy left there",
            left.join(", ")
        ));
    }
    explained
}
