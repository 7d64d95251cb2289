//! `status`: the ServiceProxy, the nodes, the pools and the addresses in one screen.

use std::collections::BTreeMap;

use anyhow::bail;
use futures::future::join4;
use mooring_api::node_proxy_state::report;
use mooring_api::service_proxy::CLUSTER;
use mooring_api::{NodeProxyState, ServiceProxy};
use mooring_core::external_ip::ClusterNode;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::placement::Exit;
use serde::Serialize;

use crate::args::{Connection, StatusArguments};
use crate::cluster::{Cluster, ClusterError, gap};
use crate::output::Output;
use crate::render;

mod addresses;
mod pools;

pub(crate) use addresses::AddressShown;
#[cfg(test)]
pub(crate) use pools::ConditionShown;
pub(crate) use pools::PoolShown;

/// What is shown, and the documented output of `-o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// The object `cluster`.
    pub service_proxy: ServiceProxy,
    /// One for each node that has a NodeProxyState.
    pub nodes: Vec<NodeShown>,
    /// The pools of both kinds.
    pub pools: Vec<PoolShown>,
    /// The addresses that Services have, and those that rest.
    pub addresses: Vec<AddressShown>,
    /// What could not be read, with what to do about it.
    pub incomplete: Vec<String>,
}

/// A node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeShown {
    /// Its agent is ready, so that its state is that of now.
    pub reporting: bool,
    /// It is drained, so that it shall have no addresses.
    pub drained: bool,
    /// It is about to go, and why, so that it shall have none either.
    pub exit: Option<&'static str>,
    /// It died often lately, so that others get addresses before it, for a while.
    pub dies_often: Option<DiesOften>,
    /// Its addresses, counted.
    pub addresses: NodeAddresses,
    /// What its agent wrote last.
    pub state: NodeProxyState,
}

/// The deaths of a node for which it comes last.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiesOften {
    /// How many there were lately.
    pub deaths: u32,
    /// When the last one was.
    pub last: Timestamp,
    /// When the node counts as any other again.
    pub until: Timestamp,
}

/// How many addresses a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeAddresses {
    /// It answers for them.
    pub owned: usize,
    /// They belong to it.
    pub planned: usize,
}

/// Reads and prints.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &StatusArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let cluster = Cluster::connect(connection).await?;
    let (proxy, states, reporting, objects) = join4(
        cluster.service_proxy(),
        cluster.node_proxy_states(),
        cluster.reporting_nodes(),
        cluster.node_objects(),
    )
    .await;
    let (proxy, states, reporting) = (proxy?, states?, reporting?);
    let Some(service_proxy) = proxy else {
        bail!(
            "this cluster has no ServiceProxy named {CLUSTER}, so nothing guards it. Install Mooring's operator \
             (kubectl apply -k manifests), or create the object if it was deleted (kubectl apply -f \
             manifests/samples/serviceproxy.yaml). Without them, ask: kubectl mooring check"
        );
    };
    let mut incomplete = Vec::new();
    let mooring = or_gap(
        cluster.pools().await,
        "pools are not shown",
        &mut incomplete,
    )?;
    let antrea = or_gap(
        cluster.antrea_pools().await,
        "Antrea's pools are not shown",
        &mut incomplete,
    )?;
    let claims = or_gap(
        cluster.external_ips().await,
        "addresses are not shown",
        &mut incomplete,
    )?;
    let objects = or_gap(
        objects,
        "which nodes are drained is not shown",
        &mut incomplete,
    )?;
    let objects: Vec<ClusterNode> = objects
        .iter()
        .filter_map(mooring_api::cluster_node)
        .collect();
    let addresses = addresses::shown(&claims);
    let now = jiff::Timestamp::now();
    let shown = Shown {
        service_proxy,
        nodes: nodes(states, &reporting, &objects, &addresses, now),
        pools: pools::shown(&mooring, &antrea),
        addresses,
        incomplete,
    };
    let text = render::status(&shown, arguments, now, out.style)?;
    out.bytes(text.as_bytes())?;
    Ok(0)
}

/// What may not be read, or is not there, is left out and said; any other failure is one.
fn or_gap<T>(
    read: Result<Vec<T>, ClusterError>,
    what: &str,
    incomplete: &mut Vec<String>,
) -> anyhow::Result<Vec<T>> {
    match read {
        Ok(found) => Ok(found),
        Err(error) => match gap(what, &error) {
            Some(line) => {
                incomplete.push(line);
                Ok(Vec::new())
            }
            None => Err(error.into()),
        },
    }
}

fn nodes(
    states: Vec<NodeProxyState>,
    reporting: &[String],
    objects: &[ClusterNode],
    addresses: &[AddressShown],
    now: jiff::Timestamp,
) -> Vec<NodeShown> {
    let mut counts: BTreeMap<&str, NodeAddresses> = BTreeMap::new();
    for address in addresses {
        if let Some(node) = &address.answered_by {
            counts.entry(node).or_default().owned += 1;
        }
        if let Some(node) = &address.node {
            counts.entry(node).or_default().planned += 1;
        }
    }
    let mut nodes: Vec<NodeShown> = states
        .into_iter()
        .map(|state| {
            let name = state.metadata.name.as_deref().unwrap_or_default();
            let object = objects.iter().find(|node| node.view.name == name);
            NodeShown {
                reporting: reporting.iter().any(|node| node == name),
                drained: object.is_some_and(|node| node.draining),
                exit: object.and_then(|node| node.exit).map(Exit::as_str),
                dies_often: dies_often(&state, now),
                addresses: counts.get(name).copied().unwrap_or_default(),
                state,
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.state.metadata.name.cmp(&b.state.metadata.name));
    nodes
}

fn dies_often(state: &NodeProxyState, now: jiff::Timestamp) -> Option<DiesOften> {
    let now = Timestamp::from_unix_seconds(now.as_second());
    let restless = report(state)?.unrest?.restless(now)?;
    Some(DiesOften {
        deaths: restless.deaths,
        last: restless.last,
        until: restless.until,
    })
}

#[cfg(test)]
mod tests;
