//! Asks restarted kube-proxies, through the API server, whether they work.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mooring_core::remediation::{Observation, Rollout, healthz_port};

use crate::cluster::{Cluster, ClusterError};
use crate::output::Output;

/// From the start of kube-proxy to its first answer it is a few seconds; API servers that cannot reach the nodes' ports
/// never get one.
const PATIENCE: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(500);

/// Waits until every restarted kube-proxy answers that it is healthy, or says which ones could not be asked.
pub(crate) async fn wait(
    cluster: &Cluster,
    seen: &Observation,
    rollouts: &[Rollout],
    out: &mut Output,
) -> anyhow::Result<()> {
    let mut waiting: BTreeMap<String, u16> = BTreeMap::new();
    for rollout in rollouts {
        if let Some(port) = healthz_port(seen, &rollout.daemon_set) {
            waiting.extend(rollout.pods.iter().map(|pod| (pod.node.clone(), port)));
        }
    }
    if waiting.is_empty() {
        return Ok(());
    }
    out.line("Asking each kube-proxy whether it works")?;
    let begin = Instant::now();
    loop {
        let mut last = String::new();
        for (node, port) in waiting.clone() {
            match cluster.healthz(&node, port).await {
                Ok(()) => {
                    out.line(&format!("  node {node}: kube-proxy is healthy"))?;
                    waiting.remove(&node);
                }
                Err(error @ ClusterError::Forbidden { .. }) => {
                    out.warning(&format!(
                        "kube-proxy's health could not be asked for: {error}"
                    ));
                    return Ok(());
                }
                Err(error) => last = error.to_string(),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        if begin.elapsed() >= PATIENCE {
            let nodes: Vec<String> = waiting.into_keys().collect();
            out.warning(&format!(
                "no kube-proxy said within {} seconds that it is healthy on: {}; either it is not (see the log of its pod), or \
                 the API server cannot reach the port ({last})",
                PATIENCE.as_secs(),
                nodes.join(", ")
            ));
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}
