//! kube-proxy's mode, its rollouts, and a cluster without it.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Cluster, wait_for};

impl Cluster {
    /// Writes another mode into kube-proxy's ConfigMap.
    #[track_caller]
    pub(crate) fn set_mode(&self, from: &str, to: &str) {
        let text = self.text();
        let changed = text.replace(&format!("\nmode: {from}\n"), &format!("\nmode: {to}\n"));
        assert_ne!(text, changed, "kube-proxy's mode is not {from}");
        self.set_text(&changed);
    }

    /// Starts to replace kube-proxy on all nodes.
    #[track_caller]
    pub(crate) fn begin_rollout(&self) {
        let restart = ["-n", "kube-system", "rollout", "restart", "ds/kube-proxy"];
        self.bed.kubectl(&restart).unwrap();
    }

    /// Waits until kube-proxy is replaced on all nodes and answers in `mode` on each.
    #[track_caller]
    pub(crate) fn end_rollout(&self, mode: &str) {
        let status = ["rollout", "status", "ds/kube-proxy", "--timeout=180s"];
        let arguments = [&["-n", "kube-system"][..], &status].concat();
        self.bed.kubectl(&arguments).unwrap();
        for node in self.nodes() {
            self.wait_for_live(&node, mode);
        }
    }

    /// Restarts kube-proxy on all nodes and waits until each answers in `mode`.
    #[track_caller]
    pub(crate) fn restart_kube_proxy(&self, mode: &str) {
        self.begin_rollout();
        self.end_rollout(mode);
    }

    /// Waits until kube-proxy on a node says that it runs in this mode; the moment at which it was seen.
    #[track_caller]
    pub(crate) fn wait_for_live(&self, node: &str, mode: &str) -> Instant {
        wait_for(&format!("{node} runs kube-proxy in {mode} mode"), || {
            self.live_mode(node) == mode
        });
        Instant::now()
    }

    /// The mode that kube-proxy says it runs in; empty while it does not answer.
    pub(crate) fn live_mode(&self, node: &str) -> String {
        let ask = "busybox wget -qO- http://127.0.0.1:10249/proxyMode";
        self.bed
            .run_on(node, ask)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Takes kube-proxy off all nodes, as Antrea's guide asks with proxyAll.
    #[track_caller]
    pub(crate) fn park_kube_proxy(&self) {
        self.select_nodes(&json!({"none": "here"}));
    }

    /// Lets it run on all nodes again.
    #[track_caller]
    pub(crate) fn unpark_kube_proxy(&self) {
        self.select_nodes(&json!({"none": null}));
    }

    #[track_caller]
    fn select_nodes(&self, labels: &Value) {
        let patch = json!({"spec": {"template": {"spec": {"nodeSelector": labels}}}}).to_string();
        let words = ["patch", "daemonset", "kube-proxy", "--type=merge", "-p"];
        let arguments = [&["-n", "kube-system"][..], &words, &[patch.as_str()]].concat();
        self.bed.kubectl(&arguments).unwrap();
    }
}
