//! From what was seen to what decisions are made on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mooring_core::guard::ExternalAddress;
use mooring_core::ipam::object_name;
use mooring_core::kube_proxy::snapshot::{ConfigMap, DaemonSet, ObjectName, Pod};
use mooring_core::kube_proxy::{Discovery, Replacement, discover};
use mooring_core::node::{NodeReport, NodeView};
use mooring_core::proxy_mode::antrea::AntreaVersion;
use mooring_core::remediation::Observation;
use mooring_core::remediation::run::AntreaSeen;

use crate::cache::Store;
use crate::location;
use crate::world::{Agent, World, cilium_config};

/// Where kube-proxy is: found, unless the ServiceProxy says it.
pub(crate) fn discovery(world: &World) -> Discovery {
    let sets: Vec<DaemonSet> = world.daemon_sets.values().cloned().collect();
    let said = world
        .service_proxy()
        .and_then(|proxy| proxy.spec.kube_proxy.as_ref());
    // Pods that a DaemonSet made are found through it.
    let pods: Vec<Pod> = pods(world)
        .filter(|pod| pod.is_mirror() || pod.metadata.owners.is_empty())
        .cloned()
        .collect();
    match said {
        Some(said) => location::discover_at(said, &sets, &pods),
        None => discover(&sets, &pods),
    }
}

/// The cluster, as assessments see it.
pub(crate) fn observation(world: &World) -> Observation {
    let discovery = discovery(world);
    let mounted: BTreeSet<&ObjectName> = discovery
        .locations()
        .into_iter()
        .map(|location| &location.config_map)
        .collect();
    let map = |id: &ObjectName| {
        let store = world.config_maps.get(id)?;
        store.get(&id.to_string()).cloned()
    };
    let sets: Vec<DaemonSet> = world.daemon_sets.values().cloned().collect();
    let cilium: Vec<ConfigMap> = sets
        .iter()
        .filter(|set| set.metadata.id.name == "cilium")
        .filter_map(|set| map(&cilium_config(set)))
        .collect();
    Observation {
        config_maps: mounted.into_iter().filter_map(map).collect(),
        pods: pods(world).cloned().collect(),
        nodes: Some(world.nodes.values().cloned().collect()),
        replacements: Replacement::of(&sets, &cilium),
        discovery,
    }
}

/// The Pods that may be kube-proxy's, each once.
fn pods(world: &World) -> impl Iterator<Item = &Pod> {
    let mut seen = BTreeSet::new();
    let all = world.pods.values().flat_map(|store| store.values());
    all.filter(move |pod| seen.insert(pod.metadata.uid.as_str()))
}

/// Every Linux node with its agent's report.
pub(crate) fn nodes(world: &World) -> Vec<NodeView> {
    let reporting = reporting(&world.agents);
    world
        .nodes
        .values()
        .filter(|node| node.os != "windows")
        .map(|node| view(&node.name, node.ready, &world.reports, &reporting))
        .collect()
}

/// The nodes whose agents are ready.
pub(crate) fn reporting(agents: &Store<Agent>) -> BTreeSet<&str> {
    agents
        .values()
        .filter(|agent| agent.ready)
        .map(|agent| agent.node.as_str())
        .collect()
}

/// One node with its agent's report.
pub(crate) fn view(
    name: &str,
    ready: bool,
    reports: &Store<NodeReport>,
    reporting: &BTreeSet<&str>,
) -> NodeView {
    let report = reports.get(name).cloned();
    NodeView {
        name: name.to_owned(),
        ready,
        reporting: report.is_some() && reporting.contains(name),
        report,
    }
}

/// Every external IP that a Service has.
pub(crate) fn external_ips(world: &World) -> Vec<ExternalAddress> {
    let mut found = Vec::new();
    for (key, ingress) in world.services.iter() {
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        let service = ObjectName::new(namespace, name);
        found.extend(ingress.addresses.iter().map(|address| ExternalAddress {
            address: *address,
            service: service.clone(),
        }));
    }
    found
}

/// Those of them that Mooring did not hand out; `None` while it is not known which it did.
pub(crate) fn foreign(world: &World) -> Option<Vec<ExternalAddress>> {
    if world.claims.doubt().is_some() {
        return None;
    }
    let claims = world.claims.iter();
    let ours: BTreeSet<IpAddr> = claims
        .filter_map(|(name, ())| object_name::address(name))
        .collect();
    let mut all = external_ips(world);
    all.retain(|one| !ours.contains(&one.address));
    Some(all)
}

/// Antrea's agent among the DaemonSets: whether it runs, and which version. Whether it uses Egress is not told here.
pub(crate) fn antrea(world: &World) -> Option<AntreaSeen> {
    let set = world
        .daemon_sets
        .values()
        .find(|set| set.metadata.id.name == "antrea-agent" && set.desired > 0)?;
    Some(AntreaSeen {
        version: antrea_version(set),
        egress_in_use: false,
    })
}

/// The version of Antrea's agent, by its image.
pub(crate) fn antrea_version(set: &DaemonSet) -> Option<AntreaVersion> {
    let containers = &set.template.containers;
    let agent = containers
        .iter()
        .find(|container| container.name == "antrea-agent")
        .or_else(|| containers.first());
    agent.and_then(|container| AntreaVersion::of_image(&container.image))
}

#[cfg(test)]
#[path = "survey/tests.rs"]
mod tests;
