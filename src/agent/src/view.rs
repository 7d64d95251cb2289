//! What the API server has said so far, and what follows for the agent from it. It reads and writes nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mooring_api::ServiceProxy;
use mooring_api::node_proxy_state::from_status;
use mooring_api::service_proxy::Leftovers;
use mooring_core::kube_proxy::snapshot::{ConfigMap, ObjectName, Pod};
use mooring_core::node::sysctls::Wish;
use mooring_core::node::{self, RaisedSysctl, Role};
use mooring_core::peer::Keys;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::{Address, Heard, Kept, NodeLinks, Pool, Source, Trouble};
use crate::enforce;
use crate::memory::Known;

/// How long a report is held back at the start until the Pods and their ConfigMaps are known: without them it would say
/// less than what the agent before this one said.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has been heard.
pub(crate) struct View {
    started: Instant,
    pods: Option<Vec<Pod>>,
    config_maps: BTreeMap<ObjectName, Option<ConfigMap>>,
    service_proxy: Option<Option<Box<ServiceProxy>>>,
    kept: Option<Option<Kept>>,
    remembered: Option<Vec<RaisedSysctl>>,
    addresses: Option<Vec<Arc<Address>>>,
    pools: Option<Vec<Pool>>,
    nodes: Option<Vec<Arc<NodeLinks>>>,
    keys: Option<Keys>,
    troubles: BTreeMap<Source, Trouble>,
}

/// Which processes of kube-proxy the Pods show: while it is the same, so are they.
pub(crate) type Processes = Vec<(String, Vec<(Option<i64>, i32)>)>;

// === impl View ===

impl View {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            pods: None,
            config_maps: BTreeMap::new(),
            service_proxy: None,
            kept: None,
            remembered: None,
            addresses: None,
            pools: None,
            nodes: None,
            keys: None,
            troubles: BTreeMap::new(),
        }
    }

    /// Takes in what an earlier process knew, where nothing newer was heard.
    pub(crate) fn recall(&mut self, known: Known) {
        self.addresses.get_or_insert(known.addresses);
        self.pools.get_or_insert(known.pools);
        self.nodes.get_or_insert(known.nodes);
        self.keys = self.keys.take().or(known.keys);
    }

    /// What a later process would have to know about addresses; `None` as long as it is not all known.
    pub(crate) fn known(&self) -> Option<Known> {
        Some(Known {
            addresses: self.addresses.clone()?,
            pools: self.pools.clone()?,
            nodes: self.nodes.clone()?,
            keys: self.keys.clone(),
        })
    }

    /// Takes in what a watch said, and tells whether a look at the node can come to something else now.
    pub(crate) fn take(&mut self, heard: Heard) -> bool {
        match heard {
            Heard::Pods(pods) => self.pods = Some(pods),
            Heard::ConfigMap(name, map) => {
                self.config_maps.insert(name, map.map(|map| *map));
            }
            Heard::ServiceProxy(object) => self.service_proxy = Some(object),
            Heard::State(object) => self.take_state(object.map(|object| Kept::from(*object))),
            // None of these is about the node itself.
            Heard::Addresses(addresses) => {
                self.addresses = Some(addresses);
                return false;
            }
            Heard::Pools(pools) => {
                self.pools = Some(pools);
                return false;
            }
            Heard::Nodes(nodes) => {
                self.nodes = Some(nodes);
                return false;
            }
            Heard::Keys(keys) => {
                // Without a Secret, those that are known are good for as long as all agents have them.
                self.keys = keys.or_else(|| self.keys.take());
                return false;
            }
            Heard::Trouble(source, trouble) => return self.take_trouble(source, trouble),
            Heard::Fine(source) => {
                let former = self.troubles.remove(&source);
                if former.is_some_and(|trouble| !trouble.is_unreachable()) {
                    info!(what = %source, "can be read now");
                }
                return false;
            }
        }
        true
    }

    fn take_state(&mut self, kept: Option<Kept>) {
        let known = self.kept.as_ref().and_then(Option::as_ref);
        if let (Some(known), Some(heard)) = (known, &kept)
            && is_older(&heard.resource_version, &known.resource_version)
        {
            return;
        }
        // What this process raised it knows better than the API does.
        let raised = || kept.as_ref().map(raised_of).unwrap_or_default();
        self.remembered.get_or_insert_with(raised);
        self.kept = Some(kept);
    }

    fn take_trouble(&mut self, source: Source, trouble: Trouble) -> bool {
        let untold = !self.tells_of_missing_kinds();
        let former = self.troubles.insert(source.clone(), trouble.clone());
        if former.as_ref() == Some(&trouble) {
            return false;
        }
        if source == Source::ServiceProxy && trouble == Trouble::NotFound {
            self.service_proxy = Some(None);
        }
        let of_node = !source.is_of_addresses();
        if trouble.is_unreachable() {
            return of_node;
        }
        match (&source, &trouble) {
            (source, Trouble::NotFound) if source.is_of_mooring() => {
                if untold {
                    warn!(
                        what = %source,
                        "Mooring's CustomResourceDefinitions are not installed: apply manifests/crds; trying again every 2 s"
                    );
                }
            }
            (Source::ConfigMap(_), Trouble::Denied(reason)) => warn!(
                what = %source,
                %reason,
                "a ConfigMap that a Pod mounts cannot be read, so what is said about its content is missing: grant the \
                 agent list and watch on it"
            ),
            (source, Trouble::Denied(reason)) if source.is_of_addresses() => warn!(
                what = %source,
                %reason,
                "cannot be read, so that this node takes no address up that it does not know of: grant the agent get, list \
                 and watch on them, as manifests/agent/rbac.yaml does"
            ),
            (_, trouble) => warn!(what = %source, reason = %trouble, "cannot be read"),
        }
        of_node
    }

    /// Whether a kind of Mooring's is missing already: they are installed together, so one line in the log will do.
    fn tells_of_missing_kinds(&self) -> bool {
        let mut troubles = self.troubles.iter();
        troubles.any(|(source, trouble)| source.is_of_mooring() && *trouble == Trouble::NotFound)
    }

    /// The object was written, and stands so.
    pub(crate) fn written(&mut self, kept: Kept) {
        self.remembered = Some(raised_of(&kept));
        self.kept = Some(Some(kept));
    }

    /// The ConfigMaps to follow. Those that are no longer among them are forgotten.
    pub(crate) fn wanted_config_maps(&mut self) -> Vec<ObjectName> {
        let wanted = node::config_maps(self.pods());
        self.config_maps.retain(|name, _| wanted.contains(name));
        self.troubles.retain(|source, _| match source {
            Source::ConfigMap(name) => wanted.contains(name),
            _ => true,
        });
        wanted.into_iter().collect()
    }

    /// The Pods of interest; none also while they are unknown.
    pub(crate) fn pods(&self) -> &[Pod] {
        self.pods.as_deref().unwrap_or_default()
    }

    /// The Pods, if they are known.
    pub(crate) fn known_pods(&self) -> Option<Vec<Pod>> {
        self.pods.clone()
    }

    /// The ConfigMaps that could be read.
    pub(crate) fn config_maps(&self) -> Vec<ConfigMap> {
        self.config_maps.values().flatten().cloned().collect()
    }

    pub(crate) fn processes(&self) -> Processes {
        let proxies = self
            .pods()
            .iter()
            .filter(|pod| Role::of(pod) == Some(Role::KubeProxy));
        let containers = |pod: &Pod| {
            let of = pod.containers.iter();
            of.map(|container| {
                let started = container.started.map(|started| started.unix_seconds());
                (started, container.restarts)
            })
            .collect()
        };
        proxies
            .map(|pod| (pod.metadata.uid.clone(), containers(pod)))
            .collect()
    }

    /// What is wanted of the sysctls; `None` while nobody has said.
    pub(crate) fn wish(&self) -> Option<Wish> {
        let service_proxy = self.service_proxy.as_ref()?;
        Some(enforce::wish(service_proxy.as_deref()))
    }

    /// What is to be done about addresses that a former mode ipvs left behind; nothing while nobody has said.
    pub(crate) fn leftovers(&self) -> Leftovers {
        let service_proxy = self.service_proxy.as_ref().and_then(Option::as_ref);
        service_proxy.map_or(Leftovers::Report, |object| object.spec.strict_arp.leftovers)
    }

    /// The addresses of others that this node is to ask the wire for; `None` while nobody has said.
    pub(crate) fn foreign(&self, node: &str) -> Option<BTreeSet<IpAddr>> {
        let service_proxy = self.service_proxy.as_ref()?;
        let status = service_proxy
            .as_ref()
            .and_then(|object| object.status.as_ref());
        let all = status
            .into_iter()
            .flat_map(|status| &status.foreign_addresses);
        let ours = all.filter(|one| one.witnesses.iter().any(|witness| witness == node));
        Some(ours.filter_map(|one| one.address.parse().ok()).collect())
    }

    /// What was raised, and is to be put back one day; `None` while it is not known.
    pub(crate) fn remembered(&self) -> Option<&[RaisedSysctl]> {
        self.remembered.as_deref()
    }

    /// What of it stands in the API.
    pub(crate) fn stored(&self) -> Vec<RaisedSysctl> {
        let kept = self.kept.as_ref().and_then(Option::as_ref);
        kept.map(raised_of).unwrap_or_default()
    }

    /// The object as it stands in the API: `None` while that is unknown, and then whether there is one.
    pub(crate) fn kept(&self) -> Option<Option<&Kept>> {
        self.kept.as_ref().map(Option::as_ref)
    }

    /// Whether enough is known for a first report.
    pub(crate) fn is_settled(&mut self) -> bool {
        let wanted = self.wanted_config_maps();
        let answered = |name: &ObjectName| {
            self.config_maps.contains_key(name)
                || self.troubles.contains_key(&Source::ConfigMap(name.clone()))
        };
        self.started.elapsed() >= PATIENCE || (self.pods.is_some() && wanted.iter().all(answered))
    }

    /// Why it is unknown what stands in the API.
    pub(crate) fn state_trouble(&self) -> Option<&Trouble> {
        self.troubles.get(&Source::State)
    }

    /// Why the API server cannot be reached, if it cannot. What is followed for the sake of addresses does not count: what
    /// the agent says about its node is true without it.
    pub(crate) fn unreachable(&self) -> Option<&Trouble> {
        self.troubles
            .iter()
            .filter(|(source, _)| !source.is_of_addresses())
            .map(|(_, trouble)| trouble)
            .find(|trouble| trouble.is_unreachable())
    }

    /// All addresses, by the names of their ExternalIPs; `None` while they are unknown. An outage changes nothing about them.
    pub(crate) fn addresses(&self) -> Option<&[Arc<Address>]> {
        self.addresses.as_deref()
    }

    /// All pools of Mooring's, by name; `None` while they are unknown.
    pub(crate) fn pools(&self) -> Option<&[Pool]> {
        self.pools.as_deref()
    }

    /// What datagrams of other agents are authenticated with; `None` while that is not known.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// What is known of the links of all nodes that report, by the names of the nodes; none also while it is unknown.
    pub(crate) fn nodes(&self) -> &[Arc<NodeLinks>] {
        self.nodes.as_deref().unwrap_or_default()
    }
}

fn raised_of(kept: &Kept) -> Vec<RaisedSysctl> {
    from_status(&kept.status).raised
}

/// Resource versions of one object can be compared, as numbers; those of a server that writes them otherwise are not.
fn is_older(version: &str, than: &str) -> bool {
    match (version.parse::<u64>(), than.parse::<u64>()) {
        (Ok(version), Ok(than)) => version < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
