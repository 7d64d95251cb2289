//! The judgement of what has no ConfigMap: flags alone, and clusters without a pod of kube-proxy.

use crate::kube_proxy::discovery::WorkloadKind;
use crate::kube_proxy::{Flags, Installer, ProxyWorkload};
use crate::proxy_mode::ProxyMode;

use super::config::{Judgement, enumerate, nodes_with};
use super::finding::PodFinding;
use super::freshness::Freshness;
use super::observation::Observation;
use super::reason::Reason;

/// The installer's own setting, or what to do where it has none of its own.
pub(super) fn knob(installer: Option<Installer>, otherwise: &str) -> String {
    match installer {
        Some(installer) if installer != Installer::Kubeadm => {
            format!("this is {installer}: {}", installer.knob())
        }
        _ => otherwise.to_owned(),
    }
}

/// The judgement of a workload that has flags and no file.
pub(super) fn by_flags(
    workload: &ProxyWorkload,
    flags: &Flags,
    pods: &[PodFinding],
    installer: Option<Installer>,
) -> Judgement {
    let (mode, strict_arp) = match (&flags.mode, &flags.strict_arp) {
        (Ok(mode), Ok(strict_arp)) => (*mode, *strict_arp),
        (Err(error), _) => return invalid(workload, "--proxy-mode", &error.to_string()),
        (_, Err(text)) => {
            return invalid(
                workload,
                "--ipvs-strict-arp",
                &format!("{text:?} is no boolean"),
            );
        }
    };
    let old = nodes_with(pods, |pod| pod.freshness == Freshness::BeforeChange);
    if !old.is_empty() {
        return Judgement::new(
            Reason::RestartPending,
            format!(
                "{workload}: the pods on {} still run with other flags than its template",
                enumerate(&old)
            ),
            Some("finish the rollout of its template (kubectl rollout status)".to_owned()),
        );
    }
    match mode {
        Some(ProxyMode::Ipvs) if !strict_arp => {
            let set = match workload.kind {
                WorkloadKind::DaemonSet { .. } => {
                    "add the flag --ipvs-strict-arp to the container's command in the DaemonSet"
                }
                WorkloadKind::StaticPod | WorkloadKind::BarePod => {
                    "add the flag --ipvs-strict-arp where the static pod's manifest is made (usually \
                     /etc/kubernetes/manifests on every node)"
                }
            };
            Judgement::new(
                Reason::StrictArpOffByFlags,
                format!(
                    "{workload} runs with flags alone, mode ipvs and no --ipvs-strict-arp: every node answers ARP for every \
                     external IP of every Service; there is no ConfigMap to edit"
                ),
                Some(knob(installer, set)),
            )
        }
        Some(ProxyMode::Ipvs) => match pods.iter().find(|pod| !pod.ready && pod.node_ready) {
            Some(pod) => Judgement::new(
                Reason::PodsNotReady,
                format!(
                    "{workload} has --ipvs-strict-arp, but kube-proxy does not run on node {}: pod {} is {}",
                    pod.node,
                    pod.pod,
                    pod.trouble.as_deref().unwrap_or("not Ready")
                ),
                Some(format!("kubectl -n {} logs {}", pod.namespace, pod.pod)),
            ),
            None => Judgement::new(
                Reason::Applied,
                format!("{workload} runs in mode ipvs with --ipvs-strict-arp"),
                None,
            ),
        },
        Some(mode) => Judgement::new(
            Reason::NotNeeded,
            format!(
                "{workload} runs in mode {mode} (by its flags), which does not look at strictARP"
            ),
            None,
        ),
        None => Judgement::new(
            Reason::NotNeeded,
            format!(
                "{workload} runs with flags that leave the mode to its default (iptables; nftables from Kubernetes 1.40), \
                 neither of which looks at strictARP"
            ),
            None,
        ),
    }
}

fn invalid(workload: &ProxyWorkload, flag: &str, error: &str) -> Judgement {
    Judgement::new(
        Reason::InvalidFlags,
        format!("{workload}: kube-proxy does not start with its flag {flag}: {error}"),
        Some(format!("correct {flag} in its command")),
    )
}

/// What it means that no pod of kube-proxy is there.
pub(super) fn without_kube_proxy(seen: &Observation, installer: Option<Installer>) -> Judgement {
    if let Some(router) = seen
        .replacements
        .iter()
        .find(|replacement| replacement.needs_arp_sysctls())
    {
        return Judgement::new(
            Reason::KubeRouter,
            format!(
                "{router} handles Services in place of kube-proxy. It keeps every external IP on kube-dummy-if of every node, \
                 so every node answers ARP for it unless the sysctls forbid that; its configuration does not show them"
            ),
            Some(
                "on every node set net.ipv4.conf.all.arp_ignore=1 and net.ipv4.conf.all.arp_announce=2 (sysctl.d), or run it \
                 with --run-service-proxy=false"
                    .to_owned(),
            ),
        );
    }
    if let Some(replacement) = seen.replacements.first() {
        return Judgement::new(
            Reason::Replaced,
            format!(
                "{replacement} handles Services in place of kube-proxy, of which no pod runs: strictARP is not needed. A \
                 kube-proxy that ran in mode ipvs before may have left addresses on kube-ipvs0 until the node is rebooted"
            ),
            None,
        );
    }
    match installer {
        Some(installer) if installer.hides_kube_proxy() => Judgement::new(
            Reason::EmbeddedKubeProxy,
            format!(
                "this is {installer}, which runs kube-proxy without a pod and without a ConfigMap: nothing of its settings \
                 shows in the API"
            ),
            Some(format!(
                "ask a node for its mode: curl -s 127.0.0.1:10249/proxyMode; if it says ipvs, {}",
                installer.knob()
            )),
        ),
        _ => Judgement::new(
            Reason::NoKubeProxy,
            "no kube-proxy was found, neither by label (k8s-app, app or component = kube-proxy) nor by name nor by program, and \
             nothing that is known to replace it"
                .to_owned(),
            Some(knob(
                installer,
                "ask a node: curl -s 127.0.0.1:10249/proxyMode answers where kube-proxy runs outside of pods",
            )),
        ),
    }
}
