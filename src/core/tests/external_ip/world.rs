//! A cluster in memory with nodes, and an operator that carries decisions out.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test programs"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mooring_core::condition::Condition;
use mooring_core::external_ip::{
    Berthed, ClusterNode, Decision, Known, Move, Networks, Said, Snapshot, decide,
};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::pool::{PoolId, PoolObject, PoolSpec};
use mooring_core::ipam::range::{Family, RangeText};
use mooring_core::ipam::request::Others;
use mooring_core::ipam::service::{Ingress, Protocol, Service, ServicePort};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::node::{NodeReport, NodeView, Uplink};
use mooring_core::peer::Term;
use mooring_core::placement::{Endpoint, Life};

/// Objects with their versions, as an API server keeps them.
#[derive(Debug, Clone)]
pub struct World {
    pub snapshot: Snapshot,
    pub version: u64,
    pub service_versions: BTreeMap<ObjectName, u64>,
    pub address_versions: BTreeMap<IpAddr, u64>,
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn id(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}

pub fn node(name: &str, subnets: &[&str]) -> ClusterNode {
    ClusterNode {
        view: NodeView {
            name: name.to_owned(),
            ready: true,
            reporting: true,
            report: Some(NodeReport {
                uplinks: vec![Uplink {
                    name: "eth0".to_owned(),
                    mac: "02:00:00:00:00:01".to_owned(),
                    subnets: subnets.iter().map(|subnet| (*subnet).to_owned()).collect(),
                    addresses: Vec::new(),
                    gateways: Vec::new(),
                    arp_ignore: 1,
                    arp_announce: 2,
                }],
                ..NodeReport::default()
            }),
        },
        labels: BTreeMap::new(),
        cordoned: false,
        draining: false,
        exit: None,
        life: Life::default(),
        silent_since: None,
        unserved_since: None,
        addresses: Vec::new(),
        pod_cidrs: Vec::new(),
    }
}

pub fn ingress(addresses: &[&str]) -> Vec<Ingress> {
    addresses
        .iter()
        .map(|address| Ingress {
            ip: Some((*address).to_owned()),
            ip_mode: Some("VIP".to_owned()),
            ..Ingress::default()
        })
        .collect()
}

impl Default for World {
    /// Three nodes in 10.0.0.0/16.
    fn default() -> Self {
        Self {
            snapshot: Snapshot {
                pools: Vec::new(),
                services: Vec::new(),
                namespaces: BTreeMap::new(),
                addresses: Vec::new(),
                nodes: ["n1", "n2", "n3"]
                    .iter()
                    .map(|name| node(name, &["10.0.0.0/16"]))
                    .collect(),
                endpoints: BTreeMap::new(),
                networks: Networks::default(),
                others: Others::default(),
                gate: Gate::Open,
                now: Timestamp::from_unix_seconds(1_000_000),
            },
            version: 0,
            service_versions: BTreeMap::new(),
            address_versions: BTreeMap::new(),
        }
    }
}

impl World {
    /// So many nodes, and so many addresses from 10.0.0.1 on, each with a Service; nothing of it is settled.
    pub fn of(nodes: usize, addresses: usize) -> Self {
        let mut world = Self::default();
        let names = (1..=nodes).map(|number| format!("n{number}"));
        world.snapshot.nodes = names.map(|name| node(&name, &["10.0.0.0/16"])).collect();
        world.pool("blue", &["10.0.0.1-10.0.0.200"], |_| ());
        for number in 0..addresses {
            world.service(&format!("web-{number}"), "blue", |_| ());
        }
        world
    }

    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Adds or replaces a pool.
    pub fn pool(&mut self, name: &str, ranges: &[&str], change: impl FnOnce(&mut PoolSpec)) {
        let mut spec = PoolSpec {
            ranges: ranges.iter().map(|text| range(text)).collect(),
            ..PoolSpec::default()
        };
        change(&mut spec);
        let id = match name.strip_prefix("antrea:") {
            Some(name) => PoolId::antrea(name),
            None => PoolId::mooring(name),
        };
        let version = self.next();
        let pools = &mut self.snapshot.pools;
        match pools.iter_mut().find(|pool| pool.id == id) {
            Some(pool) => pool.spec = spec,
            None => pools.push(PoolObject {
                uid: format!("pool-{version}"),
                created: Some(self.snapshot.now.plus_seconds(version.cast_signed())),
                terminating: false,
                id,
                spec,
            }),
        }
    }

    /// Adds a Service of type LoadBalancer that names its pool unless `pool` is empty.
    pub fn service(&mut self, name: &str, pool: &str, change: impl FnOnce(&mut Service)) {
        let version = self.next();
        let mut service = Service {
            id: id(name),
            uid: format!("service-{version}"),
            created: Some(self.snapshot.now.plus_seconds(version.cast_signed())),
            load_balancer: true,
            families: vec![Family::V4],
            ports: vec![ServicePort {
                protocol: Protocol::Tcp,
                port: 80,
            }],
            ..Service::default()
        };
        if !pool.is_empty() {
            service
                .annotations
                .insert("mooring.dev/pool".to_owned(), pool.to_owned());
        }
        change(&mut service);
        self.delete(name);
        self.service_versions.insert(id(name), version);
        self.snapshot.services.push(Arc::new(service));
    }

    pub fn edit(&mut self, name: &str, change: impl FnOnce(&mut Service)) {
        let version = self.next();
        self.service_versions.insert(id(name), version);
        let mut services = self.snapshot.services.iter_mut();
        let service = services.find(|service| service.id == id(name)).unwrap();
        change(Arc::make_mut(service));
    }

    pub fn delete(&mut self, name: &str) {
        self.service_versions.remove(&id(name));
        self.snapshot
            .services
            .retain(|service| service.id != id(name));
    }

    pub fn node(&mut self, name: &str) -> &mut ClusterNode {
        let mut nodes = self.snapshot.nodes.iter_mut();
        nodes.find(|node| node.view.name == name).unwrap()
    }

    /// The node of each endpoint of a Service.
    pub fn endpoints(&mut self, name: &str, nodes: &[&str]) {
        let endpoints = nodes
            .iter()
            .map(|node| Endpoint {
                node: Some((*node).to_owned()),
                family: Family::V4,
                ready: true,
                serving: true,
            })
            .collect();
        self.snapshot.endpoints.insert(id(name), endpoints);
    }

    pub fn wait(&mut self, seconds: i64) {
        self.snapshot.now = self.snapshot.now.plus_seconds(seconds);
    }

    pub fn decide(&self) -> Decision {
        decide(&self.snapshot)
    }

    /// What the operator has to say about who answers for an address.
    pub fn announced(&self, address: &str) -> Condition {
        self.left_or_announced(address).unwrap()
    }

    /// The same; `None` if it is left to an agent.
    pub fn left_or_announced(&self, address: &str) -> Option<Condition> {
        let mut announced = self.decide().announced(&self.snapshot);
        announced.remove(&ip(address))
    }

    /// What is to be said about the requests for an address.
    pub fn request_met(&self, address: &str) -> Option<Condition> {
        let mut remarks = self.decide().remarks(&self.snapshot);
        remarks.remove(&ip(address)).unwrap().request_met
    }

    pub fn known(&self, address: &str) -> Option<&Known> {
        let mut all = self.snapshot.addresses.iter();
        all.find(|known| known.claim.address == ip(address))
            .map(Arc::as_ref)
    }

    /// The agent of a node takes an address, or nobody has it any more.
    pub fn take(&mut self, address: &str, node: Option<&str>) {
        let mut all = self.snapshot.addresses.iter_mut();
        let known = all
            .find(|known| known.claim.address == ip(address))
            .unwrap();
        let known = Arc::make_mut(known);
        known.taken_by = node.map(str::to_owned);
        known.term = None;
    }

    /// A node takes an address over, once more under the present plan, and says so.
    pub fn take_over(&mut self, address: &str, node: &str) {
        let at = self.snapshot.now;
        let mut all = self.snapshot.addresses.iter_mut();
        let known = all
            .find(|known| known.claim.address == ip(address))
            .unwrap();
        let known = Arc::make_mut(known);
        let before = known.term.filter(|term| term.plan == known.plan);
        known.last_move = Some(Move {
            at,
            from: known.taken_by.take().or(known.planned.clone()),
            reason: Move::TAKE_OVER.to_owned(),
            milliseconds: 250,
        });
        known.taken_by = Some(node.to_owned());
        known.term = Some(Term {
            plan: known.plan,
            takeovers: before.map_or(0, |term| term.takeovers) + 1,
        });
    }

    /// An agent, or the operator, writes `Announced`.
    pub fn say(&mut self, address: &str, condition: &Condition) {
        let since = self.snapshot.now;
        let mut all = self.snapshot.addresses.iter_mut();
        let known = all
            .find(|known| known.claim.address == ip(address))
            .unwrap();
        let said = Said {
            status: condition.status.as_str().to_owned(),
            reason: condition.reason.to_owned(),
            message: condition.message.clone(),
            since,
        };
        Arc::make_mut(known).announced = Some(said.into());
    }

    /// Agents do what the plan says.
    pub fn take_all(&mut self) {
        for known in &mut self.snapshot.addresses {
            let known = Arc::make_mut(known);
            if known.taken_by != known.planned {
                known.last_move = Some(Move {
                    at: self.snapshot.now,
                    from: known.taken_by.clone(),
                    reason: known
                        .cause
                        .clone()
                        .unwrap_or_else(|| Move::PLANNED.to_owned()),
                    milliseconds: 500,
                });
            }
            known.taken_by.clone_from(&known.planned);
            known.term = known.planned.as_ref().map(|_| Term {
                plan: known.plan,
                takeovers: 0,
            });
        }
    }

    fn put(&mut self, berthed: &Berthed) {
        let claim = &berthed.claim;
        let version = self.next();
        self.address_versions.insert(claim.address, version);
        let all = &mut self.snapshot.addresses;
        match all
            .iter_mut()
            .find(|known| known.claim.address == claim.address)
        {
            Some(known) => {
                let known = Arc::make_mut(known);
                known.claim = claim.clone();
                known.planned.clone_from(&berthed.node);
                known.heirs.clone_from(&berthed.heirs);
                known.plan = berthed.plan;
                known.cause.clone_from(&berthed.cause);
            }
            None => all.push(Arc::new(Known {
                claim: claim.clone(),
                planned: berthed.node.clone(),
                heirs: berthed.heirs.clone(),
                plan: berthed.plan,
                cause: berthed.cause.clone(),
                taken_by: None,
                term: None,
                last_move: None,
                last_overlap: None,
                moves: Vec::new(),
                announced: None,
                request_met: None,
            })),
        }
    }

    /// Carries a decision out that was taken when the world was `seen`, up to `limit` writes.
    pub fn carry_out(&mut self, decision: &Decision, seen: &Self, limit: usize) {
        let mut writes = 0;
        let mut failed = BTreeSet::new();
        for berthed in decision.create.iter().chain(&decision.update) {
            if writes == limit {
                return;
            }
            let address = berthed.claim.address;
            if self.address_versions.get(&address) == seen.address_versions.get(&address) {
                self.put(berthed);
                writes += 1;
            } else {
                failed.insert(address);
            }
        }
        for write in &decision.statuses {
            if writes == limit {
                return;
            }
            let version = self.service_versions.get(&write.service);
            let void = write.needs.iter().any(|address| failed.contains(address));
            if void || version.is_none() || version != seen.service_versions.get(&write.service) {
                continue;
            }
            let version = self.next();
            self.service_versions.insert(write.service.clone(), version);
            let mut services = self.snapshot.services.iter_mut();
            let service = services
                .find(|service| service.id == write.service)
                .unwrap();
            let service = Arc::make_mut(service);
            service.ingress.clone_from(&write.ingress);
            service.status_writers = vec!["mooring-operator".to_owned()];
            writes += 1;
        }
        for address in &decision.delete {
            if writes == limit {
                return;
            }
            if self.address_versions.get(address) == seen.address_versions.get(address) {
                self.address_versions.remove(address);
                self.snapshot
                    .addresses
                    .retain(|known| known.claim.address != *address);
                writes += 1;
            }
        }
    }

    /// Decides and carries out until nothing is left to do. Gives the last decision.
    pub fn settle(&mut self) -> Decision {
        for _ in 0..8 {
            let decision = self.decide();
            if decision.is_settled() {
                return decision;
            }
            let seen = self.clone();
            self.carry_out(&decision, &seen, usize::MAX);
        }
        panic!("it does not settle: {:#?}", self.decide());
    }

    /// The addresses in the status of a Service.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        let mut services = self.snapshot.services.iter();
        let service = services.find(|service| service.id == id(name)).unwrap();
        service
            .ingress
            .iter()
            .filter_map(|entry| entry.ip.clone())
            .collect()
    }
}

/// The condition of that type of a pool.
pub fn of_pool<'d>(decision: &'d Decision, pool: &str, kind: &str) -> &'d Condition {
    let state = &decision.pool_states[&PoolId::mooring(pool)];
    let mut conditions = state.conditions.iter();
    conditions
        .find(|condition| condition.kind.as_str() == kind)
        .unwrap()
}

fn range(text: &str) -> RangeText {
    match text.split_once('-') {
        Some((start, end)) => RangeText::between(start, end),
        None if text.contains('/') => RangeText::cidr(text),
        None => RangeText::between(text, text),
    }
}
