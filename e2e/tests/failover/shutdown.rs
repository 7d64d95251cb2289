//! A node that its administrator shuts down.

use std::net::IpAddr;

use serde_json::json;
use testbed::protocol::Request;

use crate::mooring::Mooring;

impl Mooring<'_> {
    /// Shuts a node down, as systemd and its kubelet do where `shutdownGracePeriod` is set, until it is off: the kubelet says
    /// so in the Node, the addresses leave, the agent is told to end, and the power goes.
    ///
    /// The nodes of a bed have no systemd that could tell the kubelet, so it is stopped, and what it would write is written in
    /// its place (`setNodeReadyCondition` of Kubernetes' `pkg/kubelet/nodestatus`, with the error of
    /// `pkg/kubelet/nodeshutdown`).
    #[track_caller]
    pub(crate) fn shut_down(&self, node: &str, addresses: &[IpAddr]) {
        self.on(node, "kill -STOP $(pgrep -f 'controlplane[^ ]* kubelet ')");
        let condition = json!({
            "type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "node is shutting down"
        });
        let patch = json!({"status": {"conditions": [condition]}}).to_string();
        let arguments = ["patch", "node", node, "--subresource=status", "-p", &patch];
        self.bed.kubectl(&arguments).unwrap();
        for address in addresses {
            self.wait_until_held_by(*address, |holder| holder.node != node);
        }
        self.on(
            node,
            "agent=$(busybox pidof mooring-agent) && kill $agent && while kill -0 $agent; do sleep 0.1; done",
        );
        self.bed.order(&Request::Kill(node.to_owned())).unwrap();
    }

    fn on(&self, node: &str, script: &str) {
        self.bed.run_on(node, script).unwrap();
    }
}
