//! What the API server has, event by event, and what must be true at every one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use mooring_api::external_ip_pool::Number;
use mooring_api::{ExternalIP, ExternalIPPool};

use super::objects::{Pool, Wish};

/// All Services, ExternalIPs and pools, and what went wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) pools: Vec<Pool>,
    pub(crate) services: BTreeMap<String, Served>,
    pub(crate) berths: BTreeMap<IpAddr, Berth>,
    pub(crate) usage: BTreeMap<String, Usage>,
    /// Which Services have an address in their status.
    pub(crate) owners: BTreeMap<IpAddr, BTreeSet<String>>,
    /// Services whose status has an address.
    pub(crate) published: usize,
    /// Events so far, of each kind.
    pub(crate) service_events: usize,
    pub(crate) berth_events: usize,
    /// What must not be, in the order in which it was seen.
    pub(crate) violations: Vec<String>,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) uid: String,
    pub(crate) version: String,
    /// Of type LoadBalancer, and not being deleted.
    pub(crate) balanced: bool,
    pub(crate) wish: Wish,
    pub(crate) addresses: Vec<IpAddr>,
}

/// An ExternalIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Berth {
    pub(crate) version: String,
    pub(crate) pool: String,
    /// Names and uids.
    pub(crate) holders: BTreeMap<String, String>,
    /// Whose it was, while it rests.
    pub(crate) rests: Option<String>,
    /// Its condition `Announced` says something.
    pub(crate) announced: bool,
}

/// The status of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) version: String,
    /// Total, used, free; `None` before the first status.
    pub(crate) counts: Option<[i64; 3]>,
    /// The status of the condition `Ready`, and its reason.
    pub(crate) ready: String,
}

// === impl View ===

impl View {
    pub(crate) fn new(pools: &[Pool]) -> Self {
        Self {
            pools: pools.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// A Service is now so.
    pub(crate) fn service(&mut self, object: &Service) {
        self.service_events += 1;
        let name = object.name_any();
        let now = Served::of(object);
        let before = self.services.insert(name.clone(), now.clone());
        let had = before.as_ref().map_or(&[][..], |before| &before.addresses);
        for address in had {
            if !now.addresses.contains(address) {
                self.disown(*address, &name);
            }
        }
        for address in &now.addresses {
            self.owners
                .entry(*address)
                .or_default()
                .insert(name.clone());
        }
        self.published += usize::from(!now.addresses.is_empty());
        self.published -= usize::from(!had.is_empty());
        self.nothing_is_doubled(&name, &now);
        if let Some(before) = before.filter(|before| before.uid == now.uid) {
            self.nothing_is_lost(&name, &before, &now);
        }
    }

    pub(crate) fn no_service(&mut self, name: &str) {
        self.service_events += 1;
        if let Some(before) = self.services.remove(name) {
            self.published -= usize::from(!before.addresses.is_empty());
            for address in before.addresses {
                self.disown(address, name);
            }
        }
    }

    /// An ExternalIP is now so.
    pub(crate) fn berth(&mut self, object: &ExternalIP) {
        self.berth_events += 1;
        let now = Berth::of(object);
        let address: IpAddr = object.spec.address.parse().unwrap();
        if now.holders.len() > 1 {
            let all = object.spec.services.iter();
            if all.clone().any(|service| service.share.is_none()) {
                let text = format!("{address} has several holders that do not share: {now:?}");
                self.violations.push(text);
            }
        }
        if let Some(before) = self.berths.insert(address, now.clone()) {
            let stays = before
                .holders
                .keys()
                .any(|name| now.holders.contains_key(name));
            if !before.holders.is_empty() && !now.holders.is_empty() && !stays {
                let text = format!("{address} did not rest: {before:?} -> {now:?}");
                self.violations.push(text);
            }
        }
    }

    pub(crate) fn no_berth(&mut self, name: &str) {
        self.berth_events += 1;
        let address = mooring_core::ipam::object_name::address(name).unwrap();
        let before = self.berths.remove(&address);
        if let Some(before) = before.filter(|before| !before.holders.is_empty()) {
            let text = format!("{address} was deleted while it was held: {before:?}");
            self.violations.push(text);
        }
    }

    /// A pool is now so.
    pub(crate) fn usage(&mut self, object: &ExternalIPPool) {
        let now = Usage::of(object);
        if let Some([total, used, free]) = now.counts
            && (used < 0 || free < 0 || used + free > total)
        {
            let text = format!("{} cannot be: {now:?}", object.name_any());
            self.violations.push(text);
        }
        self.usage.insert(object.name_any(), now);
    }

    /// Fails if anything was seen that must not be.
    #[track_caller]
    pub(crate) fn expect_clean(&self) {
        assert!(
            self.violations.is_empty(),
            "{} violations:\n{}",
            self.violations.len(),
            self.violations.join("\n")
        );
    }

    /// The resourceVersion of everything that is looked at.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let services = self
            .services
            .iter()
            .map(|(name, one)| (format!("Service {name}"), &one.version));
        let berths = self
            .berths
            .iter()
            .map(|(address, one)| (format!("ExternalIP {address}"), &one.version));
        let pools = self
            .usage
            .iter()
            .map(|(name, one)| (format!("ExternalIPPool {name}"), &one.version));
        services
            .chain(berths)
            .chain(pools)
            .map(|(name, version)| (name, version.clone()))
            .collect()
    }

    /// Whether a Service that has `address` keeps it without asking for anything else.
    pub(crate) fn suits(&self, served: &Served, address: IpAddr) -> bool {
        let pool = served.wish.pool.as_deref();
        served.balanced
            && served.wish.address.is_none_or(|asked| asked == address)
            && pool.is_none_or(|name| self.pool(name).is_some_and(|pool| pool.contains(address)))
    }

    fn disown(&mut self, address: IpAddr, name: &str) {
        if let Some(owners) = self.owners.get_mut(&address) {
            owners.remove(name);
            if owners.is_empty() {
                self.owners.remove(&address);
            }
        }
    }

    fn nothing_is_doubled(&mut self, name: &str, now: &Served) {
        for address in &now.addresses {
            for other in self.owners[address].iter().filter(|other| *other != name) {
                let theirs = &self.services[other];
                if now.wish.share.is_none() || theirs.wish.share != now.wish.share {
                    let text =
                        format!("{name} and {other} both have {address}: {now:?}, {theirs:?}");
                    self.violations.push(text);
                }
            }
        }
    }

    /// An address goes only if the Service asks for something else.
    fn nothing_is_lost(&mut self, name: &str, before: &Served, now: &Served) {
        for address in &before.addresses {
            if !now.addresses.contains(address) && self.suits(now, *address) {
                let text = format!("{name} lost {address} for nothing: {before:?} -> {now:?}");
                self.violations.push(text);
            }
        }
        // Where another one is to be had, it is there before the old one goes.
        if before.balanced
            && now.balanced
            && !before.addresses.is_empty()
            && now.addresses.is_empty()
        {
            let text = format!("{name} has no address any more: {before:?} -> {now:?}");
            self.violations.push(text);
        }
    }
}

// === impl Served, Berth, Usage ===

impl Served {
    pub(crate) fn of(object: &Service) -> Self {
        let spec = object.spec.as_ref();
        let balanced = spec.is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
        let ingress = object
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
        Self {
            uid: object.uid().unwrap(),
            version: object.resource_version().unwrap(),
            balanced: balanced && object.metadata.deletion_timestamp.is_none(),
            wish: Wish::of(object),
            addresses: ingress
                .into_iter()
                .flatten()
                .map(|entry| entry.ip.as_ref().unwrap().parse().unwrap())
                .collect(),
        }
    }
}

impl Berth {
    fn of(object: &ExternalIP) -> Self {
        let spec = &object.spec;
        Self {
            version: object.resource_version().unwrap(),
            pool: spec.pool.name.clone(),
            holders: spec
                .services
                .iter()
                .map(|service| (service.name.clone(), service.uid.clone()))
                .collect(),
            rests: spec.released.as_ref().map(|release| release.name.clone()),
            announced: object
                .status
                .iter()
                .flat_map(|status| &status.conditions)
                .any(|condition| condition.type_ == "Announced"),
        }
    }
}

impl Usage {
    fn of(object: &ExternalIPPool) -> Self {
        let status = object.status.as_ref();
        let number = |number: &Number| match number {
            Number::Integer(number) => *number,
            Number::Digits(text) => panic!("{text} is too much for a pool of these stories"),
        };
        let ready = status
            .into_iter()
            .flat_map(|status| &status.conditions)
            .find(|condition| condition.type_ == "Ready");
        Self {
            version: object.resource_version().unwrap(),
            counts: status
                .and_then(|status| status.usage.as_ref())
                .map(|usage| [&usage.total, &usage.used, &usage.free].map(number)),
            ready: ready.map_or_else(String::new, |ready| {
                format!("{} {}", ready.status, ready.reason)
            }),
        }
    }
}
