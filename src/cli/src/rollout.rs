//! Restarts kube-proxy and waits, node by node.

use std::time::{Duration, Instant};

use mooring_core::kube_proxy::snapshot::{Node, Pod};
use mooring_core::remediation::{Outcome, Progress, Restart, Rollout};

use crate::cluster::{Cluster, ClusterError};
use crate::output::Output;
use crate::survey;

const POLL: Duration = Duration::from_secs(1);

/// Why a rollout did not come to its end, in words.
#[derive(Debug)]
pub(crate) struct Failure(pub String);

/// Carries a rollout out. The inner error is one of the cluster, not of the connection.
pub(crate) async fn run(
    cluster: &Cluster,
    rollout: &Rollout,
    patience: Duration,
    out: &mut Output,
) -> anyhow::Result<Result<(), Failure>> {
    out.line(&format!(
        "Restarting DaemonSet {} on {} nodes",
        rollout.daemon_set,
        rollout.pods.len()
    ))?;
    let mut progress = Progress::new(rollout);
    match &rollout.restart {
        Restart::Template { .. } => {
            let now = jiff::Timestamp::now().to_string();
            cluster
                .patch_daemon_set(&rollout.daemon_set, &rollout.template_patch(&now))
                .await?;
            wait(cluster, rollout, &mut progress, None, patience, out).await
        }
        Restart::DeletePods => {
            for pod in &rollout.pods {
                cluster.delete_pod(pod).await?;
                let node = Some(pod.node.as_str());
                let done = wait(cluster, rollout, &mut progress, node, patience, out).await?;
                if done.is_err() {
                    return Ok(done);
                }
            }
            Ok(Ok(()))
        }
    }
}

/// Waits until a node is done, or all of them.
async fn wait(
    cluster: &Cluster,
    rollout: &Rollout,
    progress: &mut Progress,
    node: Option<&str>,
    patience: Duration,
    out: &mut Output,
) -> anyhow::Result<Result<(), Failure>> {
    let mut last = Instant::now();
    let mut unanswered = false;
    loop {
        match pods(cluster, rollout).await {
            Ok(pods) => {
                unanswered = false;
                for event in progress.observe(&pods) {
                    out.line(&format!("  {event}"))?;
                    last = Instant::now();
                }
            }
            Err(ClusterError::Unreachable { message, .. }) => {
                if !unanswered {
                    out.warning(&format!(
                        "the API server does not answer, still trying: {message}"
                    ));
                }
                unanswered = true;
            }
            Err(error) => return Err(error.into()),
        }
        let waiting = match progress.outcome() {
            Outcome::Done => return Ok(Ok(())),
            Outcome::Failed(trouble) => {
                return Ok(Err(Failure(format!(
                    "kube-proxy does not start on {trouble}"
                ))));
            }
            Outcome::Waiting(nodes) => nodes,
        };
        let waiting: Vec<String> = waiting
            .into_iter()
            .filter(|waiting| node.is_none_or(|node| node == waiting))
            .collect();
        if waiting.is_empty() {
            return Ok(Ok(()));
        }
        if last.elapsed() >= patience {
            let known = cluster.nodes().await.unwrap_or_default();
            return Ok(Err(stuck(&waiting, progress, &known, patience)));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The DaemonSet's own pods.
async fn pods(cluster: &Cluster, rollout: &Rollout) -> Result<Vec<Pod>, ClusterError> {
    let id = &rollout.daemon_set;
    let sets = cluster.daemon_sets(Some(&id.namespace)).await?;
    let Some(set) = sets.iter().find(|set| set.metadata.id == *id) else {
        return Ok(Vec::new());
    };
    let mut pods = cluster
        .pods(Some(&id.namespace), &survey::selector(set))
        .await?;
    pods.retain(|pod| {
        pod.metadata
            .owners
            .iter()
            .any(|owner| owner.uid == set.metadata.uid)
    });
    Ok(pods)
}

fn stuck(nodes: &[String], progress: &Progress, known: &[Node], patience: Duration) -> Failure {
    let each: Vec<String> = nodes
        .iter()
        .map(|name| {
            let down = known.iter().any(|node| node.name == *name && !node.ready);
            match (progress.trouble_on(name), down) {
                (Some(trouble), _) => format!("node {name}: {trouble}"),
                (None, true) => format!("node {name}: the node is not Ready"),
                (None, false) => format!("node {name}: no new pod is Ready"),
            }
        })
        .collect();
    Failure(format!(
        "no progress for {} seconds; not done: {}",
        patience.as_secs(),
        each.join("; ")
    ))
}
