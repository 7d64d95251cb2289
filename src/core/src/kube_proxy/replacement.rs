//! What may handle Service traffic instead of kube-proxy, as far as the API shows it.

use std::fmt;

use serde::Serialize;

use super::snapshot::{ConfigMap, DaemonSet};

/// A replacement of kube-proxy, seen through an object of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Replacement {
    /// Cilium with `kube-proxy-replacement`.
    Cilium,
    /// GKE Dataplane V2 (DaemonSet `anetd`).
    DataplaneV2,
    /// Calico, whose eBPF data plane parks kube-proxy's DaemonSet on no node.
    CalicoEbpf,
    /// OVN-Kubernetes.
    OvnKubernetes,
    /// kube-router with `--run-service-proxy`: IPVS as well, with all addresses on `kube-dummy-if`.
    KubeRouter,
}

impl Replacement {
    /// The replacements that show in these objects. `config_maps` are those that a caller could read of `cilium-config`.
    pub fn of(daemon_sets: &[DaemonSet], config_maps: &[ConfigMap]) -> Vec<Self> {
        let named = |name: &str| {
            daemon_sets
                .iter()
                .any(|set| set.metadata.id.name == name && set.desired > 0)
        };
        let cilium = config_maps
            .iter()
            .filter(|map| map.metadata.id.name == "cilium-config")
            .filter_map(|map| map.data.get("kube-proxy-replacement"))
            .any(|value| matches!(value.as_str(), "true" | "strict"));
        let kube_router = daemon_sets
            .iter()
            .filter(|set| set.desired > 0)
            .flat_map(|set| &set.template.containers)
            .flat_map(|container| container.command.iter().chain(&container.args))
            .any(|word| word == "--run-service-proxy" || word == "--run-service-proxy=true");
        let parked = daemon_sets
            .iter()
            .any(|set| set.desired == 0 && set.template.node_selector.contains_key("non-calico"));
        [
            (cilium, Self::Cilium),
            (named("anetd"), Self::DataplaneV2),
            (parked && named("calico-node"), Self::CalicoEbpf),
            (named("ovnkube-node"), Self::OvnKubernetes),
            (kube_router, Self::KubeRouter),
        ]
        .into_iter()
        .filter_map(|(seen, replacement)| seen.then_some(replacement))
        .collect()
    }

    /// It keeps addresses on a dummy link as kube-proxy's ipvs mode does, so every node answers ARP for them as well.
    pub fn needs_arp_sysctls(self) -> bool {
        self == Self::KubeRouter
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cilium => "Cilium (kube-proxy-replacement)",
            Self::DataplaneV2 => "GKE Dataplane V2 (anetd)",
            Self::CalicoEbpf => "Calico's eBPF data plane",
            Self::OvnKubernetes => "OVN-Kubernetes",
            Self::KubeRouter => "kube-router (--run-service-proxy)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube_proxy::snapshot::{Container, Metadata, ObjectName, PodSpec};

    fn set(name: &str, desired: i32, template: PodSpec) -> DaemonSet {
        DaemonSet {
            metadata: Metadata {
                id: ObjectName::new("kube-system", name),
                ..Metadata::default()
            },
            desired,
            template,
            ..DaemonSet::default()
        }
    }

    #[test]
    fn replacements_are_seen_through_their_own_objects() {
        let plain = PodSpec::default;
        let parked = PodSpec {
            node_selector: [("non-calico".to_owned(), "true".to_owned())].into(),
            ..plain()
        };
        let router = PodSpec {
            containers: vec![Container {
                args: vec![
                    "--run-router=true".to_owned(),
                    "--run-service-proxy=true".to_owned(),
                ],
                ..Container::default()
            }],
            ..plain()
        };
        let cases = [
            (vec![set("kube-proxy", 3, plain())], vec![]),
            (
                vec![set("anetd", 3, plain())],
                vec![Replacement::DataplaneV2],
            ),
            (vec![set("anetd", 0, plain())], vec![]),
            (
                vec![set("calico-node", 3, plain()), set("kube-proxy", 0, parked)],
                vec![Replacement::CalicoEbpf],
            ),
            (
                vec![
                    set("calico-node", 3, plain()),
                    set("kube-proxy", 3, plain()),
                ],
                vec![],
            ),
            (
                vec![set("kube-router", 3, router)],
                vec![Replacement::KubeRouter],
            ),
        ];
        for (sets, expected) in cases {
            assert_eq!(Replacement::of(&sets, &[]), expected);
        }
    }

    #[test]
    fn cilium_replaces_kube_proxy_only_where_its_config_says_so() {
        for (value, expected) in [
            ("true", vec![Replacement::Cilium]),
            ("strict", vec![Replacement::Cilium]),
            ("false", vec![]),
            ("partial", vec![]),
            ("disabled", vec![]),
        ] {
            let map = ConfigMap {
                metadata: Metadata {
                    id: ObjectName::new("kube-system", "cilium-config"),
                    ..Metadata::default()
                },
                data: [("kube-proxy-replacement".to_owned(), value.to_owned())].into(),
                ..ConfigMap::default()
            };
            assert_eq!(Replacement::of(&[], &[map]), expected, "{value}");
        }
    }
}
