//! Everything that is known for addresses, and one look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mooring_api::service_proxy::{self, CLUSTER};
use mooring_core::external_ip::{ClusterNode, Networks, Snapshot};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::request::Others;
use mooring_core::ipam::service::{Service, TrafficPolicy};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::node::NodeReport;
use mooring_core::placement::Endpoint;
use mooring_core::proxy_mode::antrea::AntreaControllerConfig;

use super::copies::{Copies, Versioned};
use super::lapses::Lapses;
use super::source::{Address, AntreaAgent, AntreaPool, Change, OwnPool, Slice, Source, concerns};
use crate::cache::{Doubt, Effect, Store, Update};
use crate::survey;
use crate::world::{Agent, Missing};

/// Everything that is known for addresses.
#[derive(Debug, Default)]
pub(super) struct Stores {
    pub(super) pools: Copies<OwnPool>,
    pub(super) antrea_pools: Copies<AntreaPool>,
    pub(super) services: Copies<Arc<Service>>,
    pub(super) addresses: Copies<Address>,
    namespaces: Store<BTreeMap<String, String>>,
    slices: Store<Slice>,
    nodes: Store<ClusterNode>,
    reports: Store<NodeReport>,
    agents: Store<Agent>,
    gate: Copies<Gate>,
    service_cidrs: Store<Vec<String>>,
    antrea: Store<AntreaAgent>,
    antrea_config: BTreeMap<ObjectName, Store<Option<String>>>,
}

// === impl Stores ===

impl Stores {
    /// Takes in what a watch learned.
    pub(super) fn apply(&mut self, change: Change) -> Effect {
        match change {
            Change::Pools(update) => self.pools.apply(update),
            Change::AntreaPools(update) => self.antrea_pools.apply(update),
            Change::Services(update) => self.apply_service(update),
            Change::Namespaces(update) => self.namespaces.apply(update),
            Change::Slices(update) => self.apply_slice(update),
            Change::Addresses(update) => self.addresses.apply(update),
            Change::Nodes(update) => self.nodes.apply(update),
            Change::Reports(update) => self.reports.apply(update),
            Change::Agents(update) => self.agents.apply(update),
            Change::Gate(update) => self.gate.apply(update),
            Change::ServiceCidrs(update) => self.service_cidrs.apply(update),
            Change::Antrea(update) => self.antrea.apply(update),
            Change::AntreaConfig(id, update) => {
                self.antrea_config.entry(id).or_default().apply(update)
            }
        }
    }

    /// Services that never had to do with addresses come and go without a look.
    fn apply_service(&mut self, update: Update<Versioned<Arc<Service>>>) -> Effect {
        let (key, after) = match &update {
            Update::Set(key, service) => (key.clone(), concerns(&service.value)),
            Update::Gone(key) => (key.clone(), false),
            Update::All(_) | Update::Failed(_) => return self.services.apply(update),
        };
        let known = self.services.get(&key);
        let matters = after || known.is_some_and(|service| concerns(&service.value));
        downgrade(self.services.apply(update), matters)
    }

    /// Only what placing looks at matters.
    fn apply_slice(&mut self, update: Update<Slice>) -> Effect {
        let key = match &update {
            Update::Set(key, _) | Update::Gone(key) => key.clone(),
            Update::All(_) | Update::Failed(_) => return self.slices.apply(update),
        };
        let before = self.slices.get(&key).cloned();
        let effect = self.slices.apply(update);
        let mut touched = before.iter().chain(self.slices.get(&key));
        let matters = touched.any(|slice| !slice.addresses.is_empty() || self.is_local(slice));
        downgrade(effect, matters)
    }

    fn is_local(&self, slice: &Slice) -> bool {
        let service = self.services.get(&slice.service.to_string());
        service.is_some_and(|service| service.value.traffic_policy == TrafficPolicy::Local)
    }

    /// What has to be watched, by what is known so far.
    pub(super) fn wanted(&self) -> BTreeSet<Source> {
        let always = [
            Source::Pools,
            Source::AntreaPools,
            Source::Services,
            Source::Namespaces,
            Source::Slices,
            Source::Addresses,
            Source::Nodes,
            Source::Reports,
            Source::Agents,
            Source::Gate,
            Source::ServiceCidrs,
            Source::Antrea,
        ];
        let configs = self
            .antrea
            .values()
            .map(|agent| Source::AntreaConfig(agent.config.clone()));
        always.into_iter().chain(configs).collect()
    }

    /// Forgets what is not watched any more.
    pub(super) fn retain(&mut self, wanted: &BTreeSet<Source>) {
        self.antrea_config
            .retain(|id, _| wanted.contains(&Source::AntreaConfig(id.clone())));
    }

    /// What is not known, or not for certain; empty if everything is.
    pub(super) fn doubts(&self, wanted: &BTreeSet<Source>) -> Vec<Missing> {
        let doubts = wanted.iter().filter_map(|source| {
            let doubt = match source {
                Source::Pools => self.pools.doubt(),
                Source::AntreaPools => self.antrea_pools.doubt(),
                Source::Services => self.services.doubt(),
                Source::Namespaces => self.namespaces.doubt(),
                Source::Slices => self.slices.doubt(),
                Source::Addresses => self.addresses.doubt(),
                Source::Nodes => self.nodes.doubt(),
                Source::Reports => self.reports.doubt(),
                Source::Agents => self.agents.doubt(),
                Source::Gate => self.gate.doubt(),
                Source::ServiceCidrs => self.service_cidrs.doubt(),
                Source::Antrea => self.antrea.doubt(),
                Source::AntreaConfig(id) => match self.antrea_config.get(id) {
                    Some(store) => store.doubt(),
                    None => Some(Doubt::NotYet),
                },
            };
            doubt.map(|doubt| Missing {
                failed: doubt != Doubt::NotYet,
                text: source.missing(doubt),
            })
        });
        doubts.collect()
    }

    /// Antrea runs here. Its controller counts the use of its pools.
    pub(super) fn has_antrea(&self) -> bool {
        self.antrea.values().next().is_some()
    }

    /// One look at everything.
    pub(super) fn snapshot(&self, lapses: &mut Lapses, now: Timestamp) -> Snapshot {
        let own = self.pools.values().map(|pool| pool.object.clone());
        let antrea = self.antrea_pools.values().map(|pool| pool.object.clone());
        Snapshot {
            pools: own.chain(antrea).collect(),
            services: self.concerned(),
            namespaces: self
                .namespaces
                .iter()
                .map(|(name, labels)| (name.to_owned(), labels.clone()))
                .collect(),
            addresses: self
                .addresses
                .values()
                .map(|address| Arc::clone(&address.known))
                .collect(),
            nodes: self.nodes(lapses, now),
            endpoints: self.endpoints(),
            networks: Networks {
                service_cidrs: self.service_cidrs.values().flatten().cloned().collect(),
                api_servers: self
                    .slices
                    .values()
                    .flat_map(|slice| slice.addresses.iter().copied())
                    .collect(),
            },
            others: Others {
                antrea_serves: self.antrea.values().any(|agent| self.serves(agent)),
            },
            gate: match self.gate.get(CLUSTER) {
                Some(gate) => gate.value.clone(),
                None => service_proxy::gate(None),
            },
            now,
        }
    }

    /// Antrea serves external IPs itself, or it cannot be told.
    fn serves(&self, agent: &AntreaAgent) -> bool {
        let store = self.antrea_config.get(&agent.config);
        let text = store
            .and_then(|store| store.get(&agent.config.to_string()))
            .and_then(Option::as_deref);
        let config = AntreaControllerConfig::parse(text.unwrap_or_default());
        config.map_or(true, |config| config.serves(agent.version))
    }

    /// The uid of the ServiceProxy, for Events.
    pub(super) fn service_proxy_uid(&self) -> Option<String> {
        self.gate.get(CLUSTER).map(|gate| gate.uid.clone())
    }

    /// The Services that have or may get addresses, and those that an ExternalIP names.
    fn concerned(&self) -> Vec<Arc<Service>> {
        let holders = self
            .addresses
            .values()
            .flat_map(|address| &address.claim.holders);
        let named: BTreeSet<&str> = holders.map(|holder| holder.uid.as_str()).collect();
        self.services
            .values()
            .filter(|service| concerns(service) || named.contains(service.uid.as_str()))
            .map(Arc::clone)
            .collect()
    }

    /// All nodes with what their agents say. `lapses` remembers since when nodes lack something.
    fn nodes(&self, lapses: &mut Lapses, now: Timestamp) -> Vec<ClusterNode> {
        let reporting = survey::reporting(&self.agents);
        let with_report = |node: &ClusterNode| ClusterNode {
            view: survey::view(&node.view.name, node.view.ready, &self.reports, &reporting),
            ..node.clone()
        };
        let mut nodes: Vec<ClusterNode> = self.nodes.values().map(with_report).collect();
        lapses.note(&mut nodes, now);
        nodes
    }

    /// Of the Services whose traffic must not leave the node that it arrives on.
    fn endpoints(&self) -> BTreeMap<ObjectName, Vec<Endpoint>> {
        let mut endpoints: BTreeMap<ObjectName, Vec<Endpoint>> = BTreeMap::new();
        for slice in self.slices.values().filter(|slice| self.is_local(slice)) {
            let of_service = endpoints.entry(slice.service.clone()).or_default();
            of_service.extend(slice.endpoints.iter().cloned());
        }
        endpoints
    }
}

/// A change of the objects that decides nothing is none.
fn downgrade(effect: Effect, matters: bool) -> Effect {
    match effect {
        Effect::Objects if !matters => Effect::None,
        other => other,
    }
}

#[cfg(test)]
#[path = "stores/tests.rs"]
mod tests;
