//! Nodes for tests: one that runs kube-proxy in mode ipvs as kubeadm sets it up, to be changed.

use crate::kube_proxy::snapshot::{
    ConfigMap, Container, ContainerStatus, KeyProjection, Metadata, Mount, ObjectName, Owner, Pod,
    PodSpec, Timestamp, Volume, VolumeSource,
};
use crate::proxy_mode::{Answer, ArpSeen, Endpoints, KernelSeen, LinkSeen, Observed};

pub(super) const NODE: &str = "n1";

pub(super) fn http(body: &str) -> Answer {
    Answer::Http {
        status: 200,
        body: body.to_owned(),
    }
}

pub(super) fn configz(mode: &str, strict_arp: bool) -> Answer {
    http(&format!(
        r#"{{"kubeproxy.config.k8s.io":{{"Mode":"{mode}","IPVS":{{"StrictARP":{strict_arp}}}}}}}"#
    ))
}

pub(super) fn metrics(version: &str) -> Answer {
    http(&format!(
        "kubernetes_build_info{{git_version=\"{version}\"}} 1\nprocess_start_time_seconds 1.7e+09\n"
    ))
}

pub(super) fn link(kind: Option<&str>, address: &str, arp: (i32, i32)) -> LinkSeen {
    LinkSeen {
        kind: kind.map(str::to_owned),
        mac: Some("52:54:00:77:00:0b".to_owned()),
        up: true,
        loopback: false,
        no_arp: false,
        controller: None,
        gateways: Vec::new(),
        addresses: address
            .split_once('/')
            .map(|(address, length)| {
                (
                    address.parse().expect("an address"),
                    length.parse().expect("a length"),
                )
            })
            .into_iter()
            .collect(),
        arp: Ok(ArpSeen {
            all: (0, 0),
            own: arp,
        }),
    }
}

pub(super) fn dummy(address: &str) -> LinkSeen {
    LinkSeen {
        up: false,
        no_arp: true,
        ..link(Some("dummy"), address, (0, 0))
    }
}

fn map(namespace: &str, name: &str, key: &str, text: &str) -> ConfigMap {
    ConfigMap {
        metadata: Metadata {
            id: ObjectName::new(namespace, name),
            ..Metadata::default()
        },
        data: [(key.to_owned(), text.to_owned())].into(),
        ..ConfigMap::default()
    }
}

fn pod(name: &str, container: Container, config_map: Option<&str>) -> Pod {
    Pod {
        metadata: Metadata {
            id: ObjectName::new("kube-system", name),
            owners: vec![Owner {
                kind: "DaemonSet".to_owned(),
                ..Owner::default()
            }],
            ..Metadata::default()
        },
        node: Some(NODE.to_owned()),
        phase: "Running".to_owned(),
        ready: true,
        containers: vec![ContainerStatus {
            name: container.name.clone(),
            started: Some(Timestamp::from_unix_seconds(5)),
            ..ContainerStatus::default()
        }],
        spec: PodSpec {
            containers: vec![container],
            volumes: config_map
                .map(|name| Volume {
                    name: "config".to_owned(),
                    source: VolumeSource::ConfigMap(KeyProjection {
                        name: name.to_owned(),
                        items: Vec::new(),
                    }),
                })
                .into_iter()
                .collect(),
            ..PodSpec::default()
        },
    }
}

/// A node whose kube-proxy runs in mode ipvs, with everything as that leaves it and `arp_ignore` 0.
pub(super) fn ipvs() -> Observed {
    let eth0 = link(None, "192.0.2.11/24", (0, 0));
    let lo = LinkSeen {
        loopback: true,
        mac: None,
        ..link(None, "127.0.0.1/8", (0, 0))
    };
    let mut observed = Observed {
        node: NODE.to_owned(),
        now: Timestamp::from_unix_seconds(1_795_371_068),
        endpoints: Endpoints {
            metrics_address: "127.0.0.1:10249".to_owned(),
            healthz_address: "127.0.0.1:10256".to_owned(),
            proxy_mode: http("ipvs"),
            configz: configz("ipvs", false),
            metrics: metrics("v1.35.4"),
            healthz: http("{}"),
        },
        pods: Some(Vec::new()),
        config_maps: Vec::new(),
        kernel: KernelSeen {
            links: [("lo".to_owned(), lo), ("eth0".to_owned(), eth0)].into(),
            default_routes: vec!["eth0".to_owned()],
            ipvs_services: Some(3),
            ..KernelSeen::default()
        },
    };
    observed
        .kernel
        .links
        .insert("kube-ipvs0".to_owned(), dummy("198.51.100.1/32"));
    observed.with_proxy("mode: ipvs\nipvs:\n  strictARP: false\n")
}

impl Observed {
    /// The node's kube-proxy mounts this text, with kind and apiVersion before it.
    pub(super) fn with_proxy(mut self, text: &str) -> Self {
        let container = Container {
            name: "kube-proxy".to_owned(),
            image: "registry.k8s.io/kube-proxy:v1.35.4".to_owned(),
            command: vec![
                "/usr/local/bin/kube-proxy".to_owned(),
                "--config=/var/lib/kube-proxy/config.conf".to_owned(),
            ],
            mounts: vec![Mount {
                volume: "config".to_owned(),
                path: "/var/lib/kube-proxy".to_owned(),
                ..Mount::default()
            }],
            ..Container::default()
        };
        let text = format!(
            "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n{text}"
        );
        self.config_maps
            .retain(|map| map.metadata.id.name != "kube-proxy");
        self.config_maps
            .push(map("kube-system", "kube-proxy", "config.conf", &text));
        let pods = self.pods.get_or_insert_default();
        pods.retain(|pod| pod.metadata.id.name != "kube-proxy-x");
        pods.push(pod("kube-proxy-x", container, Some("kube-proxy")));
        self
    }

    /// kube-proxy runs in a mode, as configured.
    pub(super) fn running(mut self, mode: &str) -> Self {
        self.endpoints.proxy_mode = http(mode);
        self.endpoints.configz = configz(mode, false);
        self.endpoints.metrics = metrics("v1.35.4");
        self.endpoints.healthz = http("{}");
        self.with_proxy(&format!("mode: {mode}\n"))
    }

    /// kube-proxy does not answer, and its Pod is still there.
    pub(super) fn silent(mut self) -> Self {
        self.endpoints.proxy_mode = Answer::Refused;
        self.endpoints.configz = Answer::Refused;
        self.endpoints.metrics = Answer::Refused;
        self.endpoints.healthz = Answer::Refused;
        self
    }

    /// kube-proxy is not there, and has left no traces.
    pub(super) fn without_proxy(self) -> Self {
        let mut observed = self.silent();
        observed
            .pods
            .get_or_insert_default()
            .retain(|pod| !pod.metadata.id.name.starts_with("kube-proxy"));
        observed.kernel.links.remove("kube-ipvs0");
        observed.kernel.ipvs_services = None;
        observed
    }

    pub(super) fn with_antrea(mut self, tag: &str, text: &str) -> Self {
        let container = Container {
            name: "antrea-agent".to_owned(),
            image: format!("antrea/antrea-agent-ubuntu{tag}"),
            ..Container::default()
        };
        let name = "antrea-config-hkhbh5gf99";
        self.config_maps
            .push(map("kube-system", name, "antrea-agent.conf", text));
        self.pods
            .get_or_insert_default()
            .push(pod("antrea-agent-x", container, Some(name)));
        self
    }

    pub(super) fn with_cilium(mut self, replacement: &str) -> Self {
        let container = Container {
            name: "cilium-agent".to_owned(),
            image: "quay.io/cilium/cilium:v1.16.1".to_owned(),
            ..Container::default()
        };
        self.config_maps.push(map(
            "kube-system",
            "cilium-config",
            "kube-proxy-replacement",
            replacement,
        ));
        self.pods
            .get_or_insert_default()
            .push(pod("cilium-x", container, None));
        self.with_link("cilium_host", link(Some("veth"), "", (0, 0)))
    }

    pub(super) fn with_kube_router(mut self) -> Self {
        let container = Container {
            name: "kube-router".to_owned(),
            args: vec!["--run-service-proxy=true".to_owned()],
            ..Container::default()
        };
        self.pods
            .get_or_insert_default()
            .push(pod("kube-router-x", container, None));
        self.with_link("kube-dummy-if", dummy("198.51.100.1/32"))
    }

    pub(super) fn with_link(mut self, name: &str, link: LinkSeen) -> Self {
        self.kernel.links.insert(name.to_owned(), link);
        self
    }

    /// Sets the ARP sysctls of `all` and of eth0.
    pub(super) fn with_arp(mut self, all: (i32, i32), own: (i32, i32)) -> Self {
        let eth0 = self.kernel.links.get_mut("eth0").expect("eth0");
        eth0.arp = Ok(ArpSeen { all, own });
        self
    }

    /// Chains of a nat table.
    pub(super) fn with_chains(mut self, chains: &[&str]) -> Self {
        self.kernel.nft.insert(
            ("ip".to_owned(), "nat".to_owned()),
            chains.iter().map(|chain| (*chain).to_owned()).collect(),
        );
        self
    }
}
