//! Reads everything that decides about external IPs, and takes the decision that the operator would take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Service as ServiceObject;
use mooring_api::{ExternalIP, external_ip, network, node_proxy_state, service_proxy};
use mooring_core::external_ip::{ClusterNode, Known, Networks, Snapshot, decide};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::pool::PoolObject;
use mooring_core::ipam::service::{Service, TrafficPolicy};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::placement::Endpoint;

use crate::cluster::{Cluster, ClusterError, gap};
use crate::explanation::{Look, Operator};

mod antrea;

/// All Services, and the rest of the cluster as far as it matters for addresses.
pub(crate) struct Seen {
    /// The decision, and what it was taken on.
    pub look: Look,
    /// Every Service, also those that addresses are nothing to.
    pub services: Vec<Arc<Service>>,
}

/// Reads and decides. Services, pools and ExternalIPs have to be readable; what else is not leaves a gap.
pub(crate) async fn read(cluster: &Cluster, now: Timestamp) -> anyhow::Result<Seen> {
    let mut gaps = Vec::new();
    let objects = cluster.services().await?;
    let claims = cluster.external_ips().await?;
    let pools = pools(cluster, &mut gaps).await?;
    let services: Vec<Arc<Service>> = objects.iter().map(of_object).collect();
    let addresses = known(&claims, &mut gaps);
    let relevant = relevant(&services, &addresses);
    let before = gaps.len();
    let endpoints = endpoints(cluster, &relevant, &mut gaps).await?;
    let nodes = nodes(cluster, &mut gaps).await?;
    let nodes_seen = gaps.len() == before;
    let networks = networks(cluster, &mut gaps).await?;
    // Nothing else asks for the labels of namespaces.
    let by_labels = |pool: &PoolObject| pool.spec.namespace_selector.is_some();
    let namespaces = if pools.iter().any(by_labels) {
        or_gap(
            cluster.namespace_labels().await,
            "no pool is taken to select a namespace by its labels",
            &mut gaps,
        )?
    } else {
        None
    };
    let (gate, foreign) = match cluster.service_proxy().await {
        Ok(proxy) => {
            let status = proxy.as_ref().and_then(|proxy| proxy.status.as_ref());
            let foreign = status.map(service_proxy::foreign_addresses);
            let gate = service_proxy::gate(proxy.as_ref());
            (gate, foreign.unwrap_or_default())
        }
        Err(error) => {
            gaps.push(gap("whether addresses may be published is not known", &error).ok_or(error)?);
            let message = "whether it is safe could not be read".to_owned();
            (Gate::Closed { message }, Vec::new())
        }
    };
    let others = or_gap(
        antrea::others(cluster).await,
        "whether Antrea serves Services itself is not known, so it is taken not to",
        &mut gaps,
    )?;
    let snapshot = Snapshot {
        pools,
        services: relevant,
        namespaces: namespaces.unwrap_or_default(),
        addresses,
        nodes,
        endpoints,
        networks,
        others: others.unwrap_or_default(),
        gate,
        now,
    };
    let decision = decide(&snapshot);
    let operator = operator(cluster).await?;
    Ok(Seen {
        look: Look {
            snapshot,
            decision,
            operator,
            nodes_seen,
            foreign,
            gaps,
        },
        services,
    })
}

fn of_object(object: &ServiceObject) -> Arc<Service> {
    Arc::new(mooring_api::service(object))
}

async fn pools(cluster: &Cluster, gaps: &mut Vec<String>) -> anyhow::Result<Vec<PoolObject>> {
    let mooring = cluster.pools().await?;
    let mut pools: Vec<PoolObject> = mooring
        .iter()
        .map(mooring_api::external_ip_pool::object)
        .collect();
    let antrea = or_gap(
        cluster.antrea_pools().await,
        "Antrea's pools are left out",
        gaps,
    )?;
    for pool in antrea.unwrap_or_default() {
        match mooring_api::antrea_pool::object(&pool) {
            Ok(object) => pools.push(object),
            Err(error) => gaps.push(format!(
                "Antrea's pool {} is left out, as it cannot be read: {error}",
                pool.metadata.name.unwrap_or_default()
            )),
        }
    }
    Ok(pools)
}

fn known(claims: &[ExternalIP], gaps: &mut Vec<String>) -> Vec<Arc<Known>> {
    let mut known = Vec::with_capacity(claims.len());
    for claim in claims {
        match external_ip::known(claim) {
            Ok(found) => known.push(Arc::new(found)),
            Err(error) => gaps.push(error.to_string()),
        }
    }
    known
}

/// Those of type LoadBalancer, those that an ExternalIP names, and those whose status has an address.
fn relevant(services: &[Arc<Service>], addresses: &[Arc<Known>]) -> Vec<Arc<Service>> {
    let held: BTreeSet<&ObjectName> = addresses
        .iter()
        .flat_map(|known| &known.claim.holders)
        .map(|holder| &holder.service)
        .collect();
    services
        .iter()
        .filter(|service| {
            service.load_balancer || !service.ingress.is_empty() || held.contains(&service.id)
        })
        .cloned()
        .collect()
}

async fn nodes(cluster: &Cluster, gaps: &mut Vec<String>) -> anyhow::Result<Vec<ClusterNode>> {
    let objects = or_gap(
        cluster.node_objects().await,
        "where addresses belong cannot be explained",
        gaps,
    )?;
    let states = or_gap(
        cluster.node_proxy_states().await,
        "where addresses belong cannot be explained",
        gaps,
    )?;
    let reporting = or_gap(
        cluster.reporting_nodes().await,
        "where addresses belong cannot be explained",
        gaps,
    )?;
    let states = states.unwrap_or_default();
    let reporting: BTreeSet<String> = reporting.unwrap_or_default().into_iter().collect();
    let reports: BTreeMap<&str, _> = states
        .iter()
        .filter_map(|state| Some((state.metadata.name.as_deref()?, state)))
        .collect();
    let nodes = objects.unwrap_or_default();
    let nodes = nodes.iter().filter_map(mooring_api::cluster_node);
    Ok(nodes
        .map(|mut node| {
            let name = node.view.name.as_str();
            node.view.reporting = reporting.contains(name);
            node.view.report = reports
                .get(name)
                .and_then(|state| node_proxy_state::report(state));
            node
        })
        .collect())
}

/// Only Services with `externalTrafficPolicy: Local` depend on them, so only their namespaces are asked.
async fn endpoints(
    cluster: &Cluster,
    services: &[Arc<Service>],
    gaps: &mut Vec<String>,
) -> anyhow::Result<BTreeMap<ObjectName, Vec<Endpoint>>> {
    let namespaces: BTreeSet<&str> = services
        .iter()
        .filter(|service| service.load_balancer && service.traffic_policy == TrafficPolicy::Local)
        .map(|service| service.id.namespace.as_str())
        .collect();
    let asked = namespaces
        .iter()
        .map(|namespace| cluster.endpoint_slices(namespace, ""));
    let slices = or_gap(
        try_join_all(asked).await,
        "where addresses of Services with externalTrafficPolicy Local belong cannot be explained",
        gaps,
    )?;
    let mut endpoints: BTreeMap<ObjectName, Vec<Endpoint>> = BTreeMap::new();
    for slice in slices.unwrap_or_default().iter().flatten() {
        if let Some((service, found)) = network::endpoints(slice) {
            endpoints.entry(service).or_default().extend(found);
        }
    }
    Ok(endpoints)
}

async fn networks(cluster: &Cluster, gaps: &mut Vec<String>) -> anyhow::Result<Networks> {
    let cidrs = match cluster.service_cidrs().await {
        // Kubernetes before 1.33 does not have them.
        Err(ClusterError::NotFound { .. }) => None,
        other => or_gap(other, "the range of cluster IPs is not known", gaps)?,
    };
    let slices = or_gap(
        cluster
            .endpoint_slices("default", "kubernetes.io/service-name=kubernetes")
            .await,
        "the addresses of the API server are not known",
        gaps,
    )?;
    Ok(Networks {
        service_cidrs: cidrs
            .iter()
            .flatten()
            .flat_map(network::service_cidrs)
            .collect(),
        api_servers: slices
            .iter()
            .flatten()
            .flat_map(network::api_servers)
            .collect(),
    })
}

async fn operator(cluster: &Cluster) -> anyhow::Result<Operator> {
    match cluster.operator_is_ready().await {
        Ok(true) => Ok(Operator::Runs),
        Ok(false) => Ok(Operator::Stopped),
        Err(ClusterError::Forbidden { .. }) => Ok(Operator::Unseen),
        Err(error) => Err(error.into()),
    }
}

/// What may not be read, or is not there, leaves a gap; any other failure is one.
fn or_gap<T>(
    read: Result<T, ClusterError>,
    what: &str,
    gaps: &mut Vec<String>,
) -> anyhow::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) => match gap(what, &error) {
            Some(line) => {
                gaps.push(line);
                Ok(None)
            }
            None => Err(error.into()),
        },
    }
}
