//! What installed the cluster, as far as it decides where kube-proxy's settings live.

use std::fmt;

use serde::Serialize;

use super::snapshot::Node;

/// Distributions and managed services that set kube-proxy up in a way of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Installer {
    /// kubeadm and what builds on it (kubespray, kind, minikube, Cluster API, sealos, kubekey).
    Kubeadm,
    /// kOps: a static pod with flags.
    Kops,
    /// Amazon EKS: an add-on.
    Eks,
    /// Azure AKS: a managed DaemonSet.
    Aks,
    /// Google GKE: a static pod or a DaemonSet with flags.
    Gke,
    /// k3s: inside the k3s agent, no pod.
    K3s,
    /// RKE2: a static pod with flags, written by the agent.
    Rke2,
    /// RKE1: a plain container with flags.
    Rke1,
    /// Talos Linux: a DaemonSet from the machine config.
    Talos,
    /// MicroK8s: inside kubelite, no pod.
    MicroK8s,
    /// OpenShift: an operator's DaemonSet, or none with OVN-Kubernetes.
    OpenShift,
    /// k0s: a DaemonSet that its applier keeps in shape.
    K0s,
    /// Gardener: a DaemonSet per worker pool, kept by its resource manager.
    Gardener,
    /// Kubermatic.
    Kubermatic,
}

impl Installer {
    /// Recognises the installer by what it leaves on nodes. The most telling marks come first: RKE2 and k3s nodes
    /// carry labels of other tools as well, and kubeadm's annotation is on the nodes of everything built on it.
    pub fn of_nodes(nodes: &[Node]) -> Option<Self> {
        let version = |mark: &str| nodes.iter().any(|node| node.kubelet_version.contains(mark));
        let label = |key: &str| nodes.iter().any(|node| node.labels.contains_key(key));
        let annotation = |key: &str| nodes.iter().any(|node| node.annotations.contains_key(key));
        let image = |name: &str| nodes.iter().any(|node| node.os_image.starts_with(name));
        let marks = [
            (version("+rke2"), Self::Rke2),
            (version("+k3s"), Self::K3s),
            (version("+k0s"), Self::K0s),
            (version("-eks-"), Self::Eks),
            (version("-gke."), Self::Gke),
            (label("kubernetes.azure.com/cluster"), Self::Aks),
            (image("Talos"), Self::Talos),
            (label("microk8s.io/cluster"), Self::MicroK8s),
            (label("node.openshift.io/os_id"), Self::OpenShift),
            (label("worker.gardener.cloud/pool"), Self::Gardener),
            (label("kops.k8s.io/instancegroup"), Self::Kops),
            (annotation("rke.cattle.io/internal-ip"), Self::Rke1),
            (
                annotation("kubeadm.alpha.kubernetes.io/cri-socket"),
                Self::Kubeadm,
            ),
        ];
        marks
            .into_iter()
            .find_map(|(seen, installer)| seen.then_some(installer))
    }

    /// kube-proxy runs without a pod: nothing about it is visible in the API, and no pod does not mean no kube-proxy.
    pub fn hides_kube_proxy(self) -> bool {
        matches!(self, Self::K3s | Self::MicroK8s | Self::Rke1)
    }

    /// What to set, and where, so that kube-proxy gets strictARP and keeps it.
    pub fn knob(self) -> &'static str {
        match self {
            Self::Kubeadm => {
                "set ipvs.strictARP: true in kube-proxy's ConfigMap; in kubespray set the inventory variable \
                 kube_proxy_strict_arp: true as well, so that the next run keeps it"
            }
            Self::Kops => {
                "kOps has no strictARP setting: in the Cluster (kops edit cluster) add to spec.sysctlParameters \
                 net.ipv4.conf.all.arp_ignore=1 and net.ipv4.conf.all.arp_announce=2, then \
                 kops update cluster --yes and kops rolling-update cluster --yes"
            }
            Self::Eks => {
                "the EKS add-on has no strictARP setting: make the kube-proxy add-on self-managed (aws eks delete-addon \
                 --addon-name kube-proxy --preserve), then run kubectl mooring fix again; or leave ipvs mode, which EKS is \
                 going to remove (add-on configuration {\"mode\":\"iptables\"})"
            }
            Self::Aks => {
                "AKS has no strictARP setting: set networkProfile.kubeProxyConfig.mode to IPTABLES or NFTABLES (az aks \
                 update --kube-proxy-config FILE), which do not need it"
            }
            Self::Gke => {
                "GKE writes kube-proxy's flags itself and has no strictARP setting: use its default mode (iptables) or \
                 Dataplane V2, which do not need it"
            }
            Self::K3s => {
                "in /etc/rancher/k3s/config.yaml of every node add, under kube-proxy-arg:, the item \
                 \"ipvs-strict-arp=true\" beside \"proxy-mode=ipvs\", then restart the service (systemctl restart k3s, or \
                 k3s-agent on agents)"
            }
            Self::Rke2 => {
                "in /etc/rancher/rke2/config.yaml of every node add, under kube-proxy-arg:, the item \
                 \"ipvs-strict-arp=true\" beside \"proxy-mode=ipvs\", then restart the service (systemctl restart \
                 rke2-server, or rke2-agent on agents), one node at a time"
            }
            Self::Rke1 => {
                "in cluster.yml set services.kubeproxy.extra_args: {proxy-mode: ipvs, ipvs-strict-arp: \"true\"}, then run \
                 rke up"
            }
            Self::Talos => {
                "in the machine config set cluster.proxy.extraArgs: {ipvs-strict-arp: \"true\"} (and cluster.proxy.mode: \
                 ipvs), apply it with talosctl apply-config and roll it out with talosctl upgrade-k8s; or set \
                 machine.sysctls net.ipv4.conf.all.arp_ignore: \"1\" and net.ipv4.conf.all.arp_announce: \"2\""
            }
            Self::MicroK8s => {
                "on every node add the line --ipvs-strict-arp to /var/snap/microk8s/current/args/kube-proxy, then run \
                 snap restart microk8s.daemon-kubelite"
            }
            Self::OpenShift => {
                "in the Network operator's object (oc edit network.operator cluster) set \
                 spec.kubeProxyConfig.proxyArguments: {ipvs-strict-arp: [\"true\"]}"
            }
            Self::K0s => {
                "in the k0s configuration (ClusterConfig) set spec.network.kubeProxy.ipvs.strictARP: true; k0s then rolls \
                 kube-proxy out by itself"
            }
            Self::Gardener => {
                "kube-proxy is made from the Shoot: change spec.kubernetes.kubeProxy there; it has no strictARP setting, so \
                 mode: IPTables is the safe choice"
            }
            Self::Kubermatic => {
                "in the Cluster object set spec.clusterNetwork.ipvs.strictArp: true"
            }
        }
    }
}

impl fmt::Display for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubeadm => "kubeadm",
            Self::Kops => "kOps",
            Self::Eks => "Amazon EKS",
            Self::Aks => "Azure AKS",
            Self::Gke => "Google GKE",
            Self::K3s => "k3s",
            Self::Rke2 => "RKE2",
            Self::Rke1 => "RKE1",
            Self::Talos => "Talos",
            Self::MicroK8s => "MicroK8s",
            Self::OpenShift => "OpenShift",
            Self::K0s => "k0s",
            Self::Gardener => "Gardener",
            Self::Kubermatic => "Kubermatic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(version: &str, image: &str, labels: &[&str], annotations: &[&str]) -> Node {
        let pairs = |keys: &[&str]| {
            keys.iter()
                .map(|key| ((*key).to_owned(), "x".to_owned()))
                .collect()
        };
        Node {
            kubelet_version: version.to_owned(),
            os_image: image.to_owned(),
            labels: pairs(labels),
            annotations: pairs(annotations),
            ..Node::default()
        }
    }

    #[test]
    fn installers_are_recognised_by_what_they_leave_on_nodes() {
        let cri = "kubeadm.alpha.kubernetes.io/cri-socket";
        let cases = [
            (
                node("v1.33.1", "Debian 12", &[], &[cri]),
                Some(Installer::Kubeadm),
            ),
            (
                node("v1.33.1+rke2r1", "Ubuntu", &["microk8s.io/cluster"], &[]),
                Some(Installer::Rke2),
            ),
            (node("v1.33.1+k3s1", "", &[], &[]), Some(Installer::K3s)),
            (node("v1.33.1+k0s", "", &[], &[]), Some(Installer::K0s)),
            (
                node("v1.33.1-eks-1a2b3c", "", &[], &[]),
                Some(Installer::Eks),
            ),
            (node("v1.33.1-gke.1000", "", &[], &[]), Some(Installer::Gke)),
            (
                node("v1.33.1", "Talos (v1.11.0)", &[], &[]),
                Some(Installer::Talos),
            ),
            (
                node("v1.33.1", "", &["kubernetes.azure.com/cluster"], &[]),
                Some(Installer::Aks),
            ),
            (
                node("v1.33.1", "", &["microk8s.io/cluster"], &[]),
                Some(Installer::MicroK8s),
            ),
            (
                node("v1.33.1", "", &["node.openshift.io/os_id"], &[]),
                Some(Installer::OpenShift),
            ),
            (
                node("v1.33.1", "", &["worker.gardener.cloud/pool"], &[]),
                Some(Installer::Gardener),
            ),
            (
                node("v1.33.1", "", &["kops.k8s.io/instancegroup"], &[]),
                Some(Installer::Kops),
            ),
            (
                node("v1.30.1", "", &[], &["rke.cattle.io/internal-ip"]),
                Some(Installer::Rke1),
            ),
            (node("v1.33.1", "Debian 12", &[], &[]), None),
        ];
        for (node, expected) in cases {
            assert_eq!(
                Installer::of_nodes(std::slice::from_ref(&node)),
                expected,
                "{node:?}"
            );
        }
        assert_eq!(Installer::of_nodes(&[]), None);
    }
}
