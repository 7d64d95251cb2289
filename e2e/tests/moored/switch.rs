//! kube-proxy's mode, switched while everything runs.

use crate::plugin::{Cluster, wait_for};

/// Writes another mode into kube-proxy's ConfigMap.
#[track_caller]
fn configure(cluster: &Cluster, from: &str, to: &str) {
    let text = cluster.text();
    let changed = text.replace(&format!("\nmode: {from}\n"), &format!("\nmode: {to}\n"));
    assert_ne!(text, changed, "kube-proxy's mode is not {from}");
    cluster.set_text(&changed);
}

/// Starts to replace kube-proxy on all nodes.
fn begin_rollout(cluster: &Cluster) {
    let restart = ["-n", "kube-system", "rollout", "restart", "ds/kube-proxy"];
    cluster.bed.kubectl(&restart).unwrap();
}

/// Waits until kube-proxy on a node says that it runs in this mode.
#[track_caller]
fn wait_for_live(cluster: &Cluster, node: &str, mode: &str) {
    wait_for(&format!("{node} runs kube-proxy in {mode} mode"), || {
        cluster.live_mode(node) == mode
    });
}

/// Waits until kube-proxy is replaced on all nodes.
#[track_caller]
fn end_rollout(cluster: &Cluster, mode: &str) {
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

/// Switches the mode and waits until every node runs in it.
#[track_caller]
pub(crate) fn switch(cluster: &Cluster, from: &str, to: &str) {
    configure(cluster, from, to);
    begin_rollout(cluster);
    end_rollout(cluster, to);
}
