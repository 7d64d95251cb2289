//! `check`.

use mooring_core::guard::confirm;
use mooring_core::node::NodeView;
use mooring_core::proxy_mode::{LiveMode, ProxyMode};
use mooring_core::remediation::{Policy, assess};

use crate::args::{CheckArguments, Connection};
use crate::cluster::Cluster;
use crate::output::Output;
use crate::{render, survey};

/// Reads, judges, prints.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &CheckArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let cluster = Cluster::connect(connection).await?;
    let seen = survey::observe(&cluster, connection.namespace.as_deref()).await?;
    let nodes = cluster.node_views(seen.nodes.as_deref()).await?;
    let found = confirm(assess(&seen, &policy(&nodes)), &nodes);
    let text = render::assessment(&found, arguments.output, out.style)?;
    out.bytes(text.as_bytes())?;
    Ok(found.verdict.exit_code())
}

/// What is known beyond the API: the mode that all reporting nodes run in, if it is one of kube-proxy's.
fn policy(nodes: &[NodeView]) -> Policy {
    let mut modes = nodes
        .iter()
        .filter(|node| node.reporting)
        .filter_map(|node| node.report.as_ref())
        .map(|report| report.mode);
    let first = modes.next();
    let live_mode = match first.filter(|first| modes.all(|mode| mode == *first)) {
        Some(LiveMode::Iptables) => Some(ProxyMode::Iptables),
        Some(LiveMode::Ipvs) => Some(ProxyMode::Ipvs),
        Some(LiveMode::Nftables) => Some(ProxyMode::Nftables),
        _ => None,
    };
    Policy {
        live_mode,
        ..Policy::default()
    }
}
