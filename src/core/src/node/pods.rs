//! The Pods on a node that handle Services there, or may, and what they are told.

use std::collections::BTreeSet;

use crate::kube_proxy::snapshot::{
    ConfigMap, Container, KeyProjection, ObjectName, Pod, ProjectedSource, VolumeSource,
};
use crate::kube_proxy::{ConfigLocation, ProxyWorkload, Source, discover};
use crate::strict_arp::{self, ProxyConfig, Refusal};

/// Where kube-proxy's metrics are served unless it is told otherwise.
const METRICS_ADDRESS: &str = "127.0.0.1:10249";
/// Where its health is asked, as it listens on all addresses.
const HEALTHZ_ADDRESS: &str = "127.0.0.1:10256";

/// What a Pod may be to the Services of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// kube-proxy.
    KubeProxy,
    /// The agent of Antrea.
    Antrea,
    /// The agent of Cilium; GKE's Dataplane V2 is one as well.
    Cilium,
    /// The agent of Calico.
    Calico,
    /// kube-router.
    KubeRouter,
    /// The agent of OVN-Kubernetes.
    OvnKubernetes,
}

impl Role {
    /// What a Pod is; `None` if it has nothing to do with Services.
    pub fn of(pod: &Pod) -> Option<Self> {
        let runs = |name: &str| {
            pod.spec
                .containers
                .iter()
                .any(|container| container.name == name)
        };
        if proxy(pod).is_some() {
            Some(Self::KubeProxy)
        } else if runs("antrea-agent") {
            Some(Self::Antrea)
        } else if runs("cilium-agent") || pod.metadata.id.name.starts_with("anetd-") {
            Some(Self::Cilium)
        } else if runs("calico-node") {
            Some(Self::Calico)
        } else if runs("kube-router") {
            Some(Self::KubeRouter)
        } else if pod.metadata.id.name.starts_with("ovnkube-node") {
            Some(Self::OvnKubernetes)
        } else {
            None
        }
    }
}

/// Where to ask kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// For `/proxyMode`, `/configz` and `/metrics`.
    pub metrics: String,
    /// For `/healthz`.
    pub healthz: String,
}

/// The ConfigMaps to read for these Pods: those that kube-proxy and Antrea mount, and Cilium's, which it reads through the
/// API.
pub fn config_maps(pods: &[Pod]) -> BTreeSet<ObjectName> {
    let mut wanted = BTreeSet::new();
    for pod in pods {
        let namespace = &pod.metadata.id.namespace;
        match Role::of(pod) {
            Some(Role::KubeProxy | Role::Antrea) => wanted.extend(
                projections(pod)
                    .filter(|projection| projection.name != "kube-root-ca.crt")
                    .map(|projection| ObjectName::new(namespace, &projection.name)),
            ),
            Some(Role::Cilium) => {
                wanted.insert(ObjectName::new(namespace, "cilium-config"));
            }
            _ => {}
        }
    }
    wanted
}

/// Where to ask the kube-proxy of a node: as its Pod is configured, or where kube-proxy listens by default.
pub fn addresses(node: &str, pods: &[Pod], config_maps: &[ConfigMap]) -> Addresses {
    let proxy = proxy_of(node, pods);
    let (metrics, healthz) = match &proxy {
        None => (None, None),
        Some(proxy) => match proxy.config(config_maps) {
            Mounted::Read(_, config) => (
                Some(config.metrics_bind_address),
                Some(config.healthz_bind_address),
            ),
            _ => (
                proxy.flag("metrics-bind-address"),
                proxy.flag("healthz-bind-address"),
            ),
        },
    };
    let ask = |bound: Option<String>, default: &str| {
        let port = default.rsplit(':').next().unwrap_or_default();
        match bound.as_deref().map(str::trim) {
            None | Some("") => default.to_owned(),
            Some(bound) => reachable(bound, port),
        }
    };
    Addresses {
        metrics: ask(metrics, METRICS_ADDRESS),
        healthz: ask(healthz, HEALTHZ_ADDRESS),
    }
}

/// The address to ask where a server is bound to `bound`: the loopback if it is bound to all addresses.
fn reachable(bound: &str, default_port: &str) -> String {
    let with_port = match bound.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(v6)) => format!("[{v6}]:{default_port}"),
        Ok(std::net::IpAddr::V4(v4)) => format!("{v4}:{default_port}"),
        Err(_) => bound.to_owned(),
    };
    match with_port.rsplit_once(':') {
        Some(("0.0.0.0" | "", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => with_port,
    }
}

// === kube-proxy ===

/// A Pod of kube-proxy, and how it is told what to do.
#[derive(Debug, Clone)]
pub(super) struct ProxyPod<'a> {
    pub(super) pod: &'a Pod,
    pub(super) workload: ProxyWorkload,
}

/// What is in the file that kube-proxy mounts.
#[derive(Debug)]
pub(super) enum Mounted {
    /// Its settings are flags, or in a file that the API does not show.
    NotInConfigMap,
    /// The ConfigMap, or the key in it, is not there.
    Missing(ConfigLocation),
    /// kube-proxy would not start with the text, or it cannot be understood beyond doubt.
    Refused(ConfigLocation, Refusal),
    /// The configuration.
    Read(ConfigLocation, ProxyConfig),
}

impl ProxyPod<'_> {
    /// The configuration that it mounts.
    pub(super) fn config(&self, config_maps: &[ConfigMap]) -> Mounted {
        let Source::ConfigMap(location) = &self.workload.source else {
            return Mounted::NotInConfigMap;
        };
        let text = config_maps
            .iter()
            .find(|map| map.metadata.id == location.config_map)
            .and_then(|map| map.data.get(&location.key));
        match text.map(|text| strict_arp::read(text.as_bytes())) {
            None => Mounted::Missing(location.clone()),
            Some(Err(refusal)) => Mounted::Refused(location.clone(), refusal),
            Some(Ok(config)) => Mounted::Read(location.clone(), config),
        }
    }

    fn flag(&self, name: &str) -> Option<String> {
        let container = self.container()?;
        let flag = format!("--{name}");
        let mut words = container.command.iter().chain(&container.args);
        let mut found = None;
        while let Some(word) = words.next() {
            match word.strip_prefix(&flag) {
                Some("") => found = words.next().cloned(),
                Some(rest) if rest.starts_with('=') => found = Some(rest[1..].to_owned()),
                _ => {}
            }
        }
        found
    }

    fn container(&self) -> Option<&Container> {
        self.pod
            .spec
            .containers
            .iter()
            .find(|container| container.name == self.workload.container)
    }
}

/// The Pod of kube-proxy on a node. While one follows another, it is the one that stays, the latest.
pub(super) fn proxy_of<'a>(node: &str, pods: &'a [Pod]) -> Option<ProxyPod<'a>> {
    on(node, pods)
        .filter_map(|pod| {
            let workload = proxy(pod)?;
            Some(ProxyPod { pod, workload })
        })
        .max_by_key(|proxy| {
            let metadata = &proxy.pod.metadata;
            (
                !metadata.terminating,
                metadata.created,
                metadata.uid.clone(),
            )
        })
}

/// The Pods of a role on a node.
pub(super) fn with_role<'a>(
    node: &str,
    pods: &'a [Pod],
    role: Role,
) -> impl Iterator<Item = &'a Pod> {
    on(node, pods).filter(move |pod| Role::of(pod) == Some(role))
}

/// The Pods on a node that have not ended.
fn on<'a>(node: &str, pods: &'a [Pod]) -> impl Iterator<Item = &'a Pod> {
    pods.iter().filter(move |pod| {
        pod.node.as_deref().is_none_or(|name| name == node)
            && !matches!(pod.phase.as_str(), "Succeeded" | "Failed")
    })
}

/// How this Pod's kube-proxy is told what to do, whoever made the Pod.
fn proxy(pod: &Pod) -> Option<ProxyWorkload> {
    let mut alone = pod.clone();
    alone.metadata.owners.clear();
    discover(&[], std::slice::from_ref(&alone)).workloads.pop()
}

/// The ConfigMaps that a Pod mounts.
pub(super) fn projections(pod: &Pod) -> impl Iterator<Item = &KeyProjection> {
    pod.spec.volumes.iter().flat_map(|volume| {
        let found: Vec<&KeyProjection> = match &volume.source {
            VolumeSource::ConfigMap(projection) => vec![projection],
            VolumeSource::Projected(sources) => sources
                .iter()
                .filter_map(|source| match source {
                    ProjectedSource::ConfigMap(projection) => Some(projection),
                    ProjectedSource::Other(_) => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        found
    })
}

#[cfg(test)]
mod tests;
