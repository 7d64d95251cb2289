//! The files in a node's folder.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::plan::{Host, SERVICE_RANGES};

/// Writes all of them but certificates and kubeconfigs.
pub(super) fn write(host: &Host, nodes: &[Host], controlplane: &Path, dir: &Path) -> Result<()> {
    fs::write(dir.join("env"), environment(host, controlplane))?;
    fs::write(dir.join("routes"), routes(host, nodes))?;
    fs::write(dir.join("cni.conflist"), cni(host).to_string())?;
    fs::write(dir.join("kubelet.yaml"), kubelet().to_string())?;
    fs::write(
        dir.join("containerd.toml"),
        include_str!("../../guest/containerd.toml"),
    )?;
    fs::write(
        dir.join("containers"),
        include_str!("../../guest/containers"),
    )?;
    fs::write(dir.join("kubelet"), include_str!("../../guest/kubelet"))?;
    Ok(())
}

fn environment(host: &Host, controlplane: &Path) -> String {
    let router = Host::router();
    format!(
        "tb_name={}\ntb_ipv4={ipv4}/24\ntb_ipv6={ipv6}/64\ntb_node_ips={ipv4},{ipv6}\ntb_gateway4={}\ntb_gateway6={}\n\
         tb_controlplane={}\n",
        host.name,
        router.ipv4(),
        router.ipv6(),
        controlplane.display(),
        ipv4 = host.ipv4(),
        ipv6 = host.ipv6(),
    )
}

fn routes(host: &Host, nodes: &[Host]) -> String {
    let others: Vec<Host> = nodes.iter().filter(|node| *node != host).cloned().collect();
    crate::supervisor::pod_routes(&others)
}

fn cni(host: &Host) -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "testbed",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": host.pods_v4()}], [{"subnet": host.pods_v6()}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }],
    })
}

/// kubeadm's settings, less what a kernel without cpuset and a machine without a disk cannot have.
fn kubelet() -> serde_json::Value {
    let dns = SERVICE_RANGES.replace("0.0/16", "0.10");
    let dns: Vec<&str> = dns.split(',').take(1).collect();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": "/tb/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": dns,
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd.sock",
        "enforceNodeAllocatable": [],
        "evictionHard": {},
        "failSwapOn": false,
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": false,
    })
}
