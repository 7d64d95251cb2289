//! A cluster in memory: what an API server would keep, and an operator that carries plans out.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test programs"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mooring_core::ipam::allocate::plan;
use mooring_core::ipam::claim::Claim;
use mooring_core::ipam::cluster_addresses::ClusterAddresses;
use mooring_core::ipam::outcome::Outcome;
use mooring_core::ipam::plan::{Gate, Plan, World};
use mooring_core::ipam::pool::{Pool, PoolId, PoolObject, PoolSpec, check};
use mooring_core::ipam::range::{Family, RangeText};
use mooring_core::ipam::request::Others;
use mooring_core::ipam::service::{FamilyPolicy, Ingress, Protocol, Service, ServicePort};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};

#[derive(Debug, Clone)]
pub struct Cluster {
    pub pools: Vec<PoolObject>,
    pub services: BTreeMap<ObjectName, (u64, Service)>,
    pub claims: BTreeMap<IpAddr, (u64, Claim)>,
    pub occupied: ClusterAddresses,
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub others: Others,
    pub gate: Gate,
    pub now: Timestamp,
    version: u64,
}

/// What an operator sees, and the versions of it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub pools: Vec<Pool>,
    pub services: Vec<Arc<Service>>,
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub claims: Vec<Claim>,
    pub others: Others,
    pub gate: Gate,
    pub now: Timestamp,
    claim_versions: BTreeMap<IpAddr, u64>,
    service_versions: BTreeMap<ObjectName, u64>,
}

impl Snapshot {
    pub fn plan(&self) -> Plan {
        plan(&World {
            pools: &self.pools,
            services: &self.services,
            namespaces: &self.namespaces,
            claims: self.claims.iter().collect(),
            others: self.others,
            gate: &self.gate,
            now: self.now,
        })
    }
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn id(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            pools: Vec::new(),
            services: BTreeMap::new(),
            claims: BTreeMap::new(),
            occupied: ClusterAddresses::default(),
            namespaces: BTreeMap::new(),
            others: Others::default(),
            gate: Gate::Open,
            now: Timestamp::from_unix_seconds(1_000_000),
            version: 0,
        }
    }
}

impl Cluster {
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
        let old = self.pools.iter().position(|pool| pool.id == id);
        let object = PoolObject {
            uid: format!("pool-{version}"),
            created: Some(self.now.plus_seconds(version.cast_signed())),
            terminating: false,
            id,
            spec,
        };
        match old {
            Some(at) => self.pools[at].spec = object.spec,
            None => self.pools.push(object),
        }
    }

    /// Adds a Service of type LoadBalancer that names its pool unless `pool` is empty.
    pub fn service(&mut self, name: &str, pool: &str, change: impl FnOnce(&mut Service)) {
        let version = self.next();
        let mut service = Service {
            id: id(name),
            uid: format!("service-{version}"),
            created: Some(self.now.plus_seconds(version.cast_signed())),
            load_balancer: true,
            families: vec![Family::V4],
            ports: vec![ServicePort {
                protocol: Protocol::Tcp,
                port: 80,
            }],
            ..Service::default()
        };
        if !pool.is_empty() {
            annotate(&mut service, "mooring.dev/pool", pool);
        }
        change(&mut service);
        self.services.insert(id(name), (version, service));
    }

    pub fn edit(&mut self, name: &str, change: impl FnOnce(&mut Service)) {
        let version = self.next();
        let (old, service) = self.services.get_mut(&id(name)).unwrap();
        *old = version;
        change(service);
    }

    pub fn delete(&mut self, name: &str) {
        self.services.remove(&id(name));
    }

    pub fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            pools: check(&self.pools, &self.occupied),
            services: self
                .services
                .values()
                .map(|(_, service)| Arc::new(service.clone()))
                .collect(),
            namespaces: self.namespaces.clone(),
            claims: self
                .claims
                .values()
                .map(|(_, claim)| claim.clone())
                .collect(),
            others: self.others,
            gate: self.gate.clone(),
            now: self.now,
            claim_versions: self
                .claims
                .iter()
                .map(|(address, (version, _))| (*address, *version))
                .collect(),
            service_versions: self
                .services
                .iter()
                .map(|(id, (version, _))| (id.clone(), *version))
                .collect(),
        }
    }

    /// Carries a plan out as [`mooring_core::ipam::plan`] says, up to `limit` writes. Gives the writes that were made.
    pub fn carry_out(&mut self, plan: &Plan, seen: &Snapshot, limit: usize) -> usize {
        let mut writes = 0;
        let mut failed = BTreeSet::new();
        let same = |cluster: &Self, address: &IpAddr| {
            let version = cluster.claims.get(address).map(|(version, _)| version);
            version == seen.claim_versions.get(address)
        };
        for claim in plan.create.iter().chain(&plan.update) {
            if writes == limit {
                return writes;
            }
            if same(self, &claim.address) {
                let version = self.next();
                self.claims.insert(claim.address, (version, claim.clone()));
                writes += 1;
            } else {
                failed.insert(claim.address);
            }
        }
        for write in &plan.statuses {
            if writes == limit {
                return writes;
            }
            let version = self.next();
            let Some((current, service)) = self.services.get_mut(&write.service) else {
                continue;
            };
            let void = write.needs.iter().any(|address| failed.contains(address));
            if !void
                && seen.service_versions.get(&write.service) == Some(current)
                && service.uid == write.uid
            {
                *current = version;
                service.ingress.clone_from(&write.ingress);
                service.status_writers = vec!["mooring-operator".to_owned()];
                writes += 1;
            }
        }
        for address in &plan.delete {
            if writes == limit {
                return writes;
            }
            if same(self, address) {
                self.claims.remove(address);
                writes += 1;
            }
        }
        writes
    }

    pub fn plan(&self) -> Plan {
        self.snapshot().plan()
    }

    /// Plans and carries out until nothing is left to do. Gives the last plan.
    pub fn settle(&mut self) -> Plan {
        for _ in 0..8 {
            let seen = self.snapshot();
            let plan = seen.plan();
            if plan.is_empty() {
                return plan;
            }
            self.carry_out(&plan, &seen, usize::MAX);
        }
        panic!("it does not settle: {:#?}", self.plan());
    }

    /// The addresses in the status of a Service.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        self.services[&id(name)]
            .1
            .ingress
            .iter()
            .filter_map(|entry| entry.ip.clone())
            .collect()
    }

    pub fn outcome(&self, name: &str) -> Outcome {
        self.plan().outcomes[&id(name)].clone()
    }

    /// The names of the notes about a Service, and what they say.
    pub fn notes(&self, name: &str) -> Vec<&'static str> {
        self.outcome(name)
            .notes
            .iter()
            .map(mooring_core::ipam::outcome::Note::as_str)
            .collect()
    }
}

fn range(text: &str) -> RangeText {
    match text.split_once('-') {
        Some((start, end)) => RangeText::between(start, end),
        None if text.contains('/') => RangeText::cidr(text),
        None => RangeText::between(text, text),
    }
}

pub fn annotate(service: &mut Service, key: &str, value: &str) {
    service.annotations.insert(key.to_owned(), value.to_owned());
}

pub fn port(number: u16) -> Vec<ServicePort> {
    vec![ServicePort {
        protocol: Protocol::Tcp,
        port: number,
    }]
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

pub fn dual(service: &mut Service, policy: FamilyPolicy) {
    service.families = vec![Family::V4, Family::V6];
    service.family_policy = policy;
}
