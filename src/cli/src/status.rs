//! `status`: the ServiceProxy and the nodes in one screen.

use anyhow::bail;
use futures::future::try_join3;
use mooring_api::service_proxy::CLUSTER;
use mooring_api::{NodeProxyState, ServiceProxy};
use serde::Serialize;

use crate::args::{Connection, StatusArguments};
use crate::cluster::Cluster;
use crate::output::Output;
use crate::render;

/// What is shown, and the documented output of `-o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// The object `cluster`.
    pub service_proxy: ServiceProxy,
    /// One for each node that has a NodeProxyState.
    pub nodes: Vec<NodeShown>,
}

/// A node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeShown {
    /// Its agent is ready, so that its state is that of now.
    pub reporting: bool,
    /// What its agent wrote last.
    pub state: NodeProxyState,
}

/// Reads and prints.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &StatusArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let cluster = Cluster::connect(connection).await?;
    let (proxy, states, reporting) = try_join3(
        cluster.service_proxy(),
        cluster.node_proxy_states(),
        cluster.reporting_nodes(),
    )
    .await?;
    let Some(service_proxy) = proxy else {
        bail!(
            "this cluster has no ServiceProxy named {CLUSTER}, so nothing guards it. Install Mooring's operator \
             (kubectl apply -k manifests), or create the object if it was deleted (kubectl apply -f \
             manifests/samples/serviceproxy.yaml). Without them, ask: kubectl mooring check"
        );
    };
    let mut nodes: Vec<NodeShown> = states
        .into_iter()
        .map(|state| NodeShown {
            reporting: state
                .metadata
                .name
                .as_ref()
                .is_some_and(|name| reporting.contains(name)),
            state,
        })
        .collect();
    nodes.sort_by(|a, b| a.state.metadata.name.cmp(&b.state.metadata.name));
    let shown = Shown {
        service_proxy,
        nodes,
    };
    let text = render::status(&shown, arguments.output, jiff::Timestamp::now(), out.style)?;
    out.bytes(text.as_bytes())?;
    Ok(0)
}
