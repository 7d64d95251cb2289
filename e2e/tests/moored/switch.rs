//! kube-proxy's mode, switched while everything runs.

use std::time::{Duration, Instant};

use crate::plugin::{Cluster, wait_for};

/// Writes another mode into kube-proxy's ConfigMap.
#[track_caller]
pub(crate) fn configure(cluster: &Cluster, from: &str, to: &str) {
    let text = cluster.text();
    let changed = text.replace(&format!("\nmode: {from}\n"), &format!("\nmode: {to}\n"));
    assert_ne!(text, changed, "kube-proxy's mode is not {from}");
    cluster.set_text(&changed);
}

/// Starts to replace kube-proxy on all nodes.
pub(crate) fn begin_rollout(cluster: &Cluster) {
    let restart = ["-n", "kube-system", "rollout", "restart", "ds/kube-proxy"];
    cluster.bed.kubectl(&restart).unwrap();
}

/// Waits until kube-proxy on a node says that it runs in this mode; the moment at which it was seen.
#[track_caller]
pub(crate) fn wait_for_live(cluster: &Cluster, node: &str, mode: &str) -> Instant {
    wait_for(&format!("{node} runs kube-proxy in {mode} mode"), || {
        cluster.live_mode(node) == mode
    });
    Instant::now()
}

/// Waits until kube-proxy is replaced on all nodes.
#[track_caller]
pub(crate) fn end_rollout(cluster: &Cluster, mode: &str) {
    let status = [
        "-n",
        "kube-system",
        "rollout",
        "status",
        "ds/kube-proxy",
        "--timeout=180s",
    ];
    cluster.bed.kubectl(&status).unwrap();
    for node in cluster.nodes() {
        wait_for_live(cluster, &node, mode);
    }
}

/// How long a node may take to give an address the shape that a new mode needs.
pub(crate) const RESHAPED: Duration = Duration::from_secs(10);
