//! Replacements of kube-proxy, by two signals each: a Pod with its settings in the API, and a link on the node.
//!
//! Either signal alone can be left over or ahead of its time: Cilium's link is there without `kube-proxy-replacement`, too,
//! and a Pod that says it replaces kube-proxy may not have come up yet.

use crate::kube_proxy::Replacement;
use crate::kube_proxy::snapshot::{ConfigMap, Pod};
use crate::proxy_mode::antrea::image_version;
use crate::proxy_mode::{KernelSeen, LiveMode, Observed};

use super::Witness;
use super::pods::{self, Role};
use super::traces::KUBE_ROUTER_LINK;

/// A replacement of which at least one signal is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplacementSeen {
    pub(super) what: Replacement,
    pub(super) mode: LiveMode,
    /// What the API shows; `None` if it shows no sign.
    pub(super) api: Option<Claim>,
    /// The link on the node.
    pub(super) link: Option<&'static str>,
}

/// What a replacement's settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) replaces: bool,
    pub(super) message: String,
}

impl ReplacementSeen {
    /// Both signals are there.
    pub(super) fn is_complete(&self) -> bool {
        self.claims() && self.link.is_some()
    }

    /// Its settings say that it replaces kube-proxy.
    pub(super) fn claims(&self) -> bool {
        self.api.as_ref().is_some_and(|claim| claim.replaces)
    }

    /// Nothing says that it does not replace kube-proxy.
    pub(super) fn may_replace(&self) -> bool {
        self.api.as_ref().is_none_or(|claim| claim.replaces)
    }
}

/// Everything on the node that may replace kube-proxy. Antrea has a module of its own.
pub(super) fn seen(observed: &Observed) -> Vec<ReplacementSeen> {
    let pods = observed.pods.as_deref().unwrap_or_default();
    let node = &observed.node;
    let first = |role| pods::with_role(node, pods, role).next();
    let cilium = first(Role::Cilium);
    let v2 = cilium.is_some_and(|pod| pod.metadata.id.name.starts_with("anetd-"));
    [
        (
            if v2 {
                Replacement::DataplaneV2
            } else {
                Replacement::Cilium
            },
            LiveMode::Ebpf,
            cilium.map(|pod| cilium_claim(pod, &observed.config_maps)),
            "cilium_host",
        ),
        (
            Replacement::CalicoEbpf,
            LiveMode::Ebpf,
            first(Role::Calico).and_then(|pod| calico_claim(pod, &observed.kernel)),
            "bpfin.cali",
        ),
        (
            Replacement::OvnKubernetes,
            LiveMode::Ebpf,
            first(Role::OvnKubernetes).map(|pod| Claim {
                replaces: true,
                message: format!("Pod {}", pod.metadata.id),
            }),
            "ovn-k8s-mp0",
        ),
        (
            Replacement::KubeRouter,
            LiveMode::KubeRouter,
            first(Role::KubeRouter).map(kube_router_claim),
            KUBE_ROUTER_LINK,
        ),
    ]
    .into_iter()
    .map(|(what, mode, api, link)| ReplacementSeen {
        what,
        mode,
        api,
        link: observed.kernel.links.contains_key(link).then_some(link),
    })
    .filter(|seen| seen.api.is_some() || seen.link.is_some())
    .collect()
}

/// The evidence of all of them: one entry, as there is one witness.
pub(super) fn evidence(seen: &[ReplacementSeen]) -> Option<(Witness, Option<LiveMode>, String)> {
    let parts: Vec<String> = seen
        .iter()
        .map(|seen| {
            let api = match &seen.api {
                Some(claim) => claim.message.clone(),
                None => "no Pod of it is known on this node".to_owned(),
            };
            let link = match seen.link {
                Some(link) => format!("link {link} is there"),
                None => "its link is not there".to_owned(),
            };
            format!("{}: {api}, and {link}", seen.what)
        })
        .collect();
    let mut modes = seen
        .iter()
        .filter(|seen| seen.is_complete())
        .map(|seen| seen.mode);
    let first = modes.next();
    let mode = first.filter(|mode| modes.all(|other| other == *mode));
    (!parts.is_empty()).then(|| (Witness::Replacement, mode, parts.join("; ")))
}

/// `kube-proxy-replacement` is true or false since 1.14; before, it could be strict, partial or disabled. 1.15 and later
/// take strict for false (cilium#32711).
fn cilium_claim(pod: &Pod, config_maps: &[ConfigMap]) -> Claim {
    if pod.metadata.id.name.starts_with("anetd-") {
        return Claim {
            replaces: true,
            message: format!("Pod {}", pod.metadata.id),
        };
    }
    let value = config_maps
        .iter()
        .find(|map| {
            map.metadata.id.name == "cilium-config"
                && map.metadata.id.namespace == pod.metadata.id.namespace
        })
        .and_then(|map| map.data.get("kube-proxy-replacement"));
    let version = pod
        .spec
        .containers
        .iter()
        .find(|container| container.name == "cilium-agent")
        .and_then(|container| image_version(&container.image));
    let replaces = match value.map(String::as_str) {
        Some("true") => true,
        Some("strict") => version.is_none_or(|version| version < (1, 15)),
        _ => false,
    };
    let message = match value {
        Some(value) => format!("cilium-config says kube-proxy-replacement {value}"),
        None => "no cilium-config with kube-proxy-replacement is known".to_owned(),
    };
    Claim { replaces, message }
}

/// Calico's agent runs on every node that has Calico: only with the eBPF data plane it is a sign. Where that is set in a
/// FelixConfiguration, the link alone shows it.
fn calico_claim(pod: &Pod, kernel: &KernelSeen) -> Option<Claim> {
    let setting = pod
        .spec
        .containers
        .iter()
        .find(|container| container.name == "calico-node")
        .and_then(|container| container.env.get("FELIX_BPFENABLED"))
        .and_then(Option::as_deref);
    match setting {
        Some(value) => {
            let replaces = value.eq_ignore_ascii_case("true");
            let link = kernel.links.contains_key("bpfin.cali");
            (replaces || link).then(|| Claim {
                replaces,
                message: format!("Pod {} has FELIX_BPFENABLED={value}", pod.metadata.id),
            })
        }
        None => kernel.links.contains_key("bpfin.cali").then(|| Claim {
            replaces: true,
            message: format!("Pod {}", pod.metadata.id),
        }),
    }
}

/// `--run-service-proxy` is true unless it is said to be false.
fn kube_router_claim(pod: &Pod) -> Claim {
    let off = pod
        .spec
        .containers
        .iter()
        .flat_map(|container| container.command.iter().chain(&container.args))
        .any(|word| word == "--run-service-proxy=false");
    Claim {
        replaces: !off,
        message: format!(
            "Pod {} runs {} the service proxy",
            pod.metadata.id,
            if off { "without" } else { "with" }
        ),
    }
}
