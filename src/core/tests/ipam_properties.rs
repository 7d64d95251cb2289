//! Allocation in a world where anything may change at any moment: users edit, operators stop halfway and race.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mooring_core::ipam::claim::Claim;
use mooring_core::ipam::cluster_addresses::Occupant;
use mooring_core::ipam::outcome::State;
use mooring_core::ipam::plan::{Gate, Plan};
use mooring_core::ipam::pool::{OnRemoval, Pool};
use mooring_core::ipam::range::Family;
use mooring_core::ipam::request::{Request, request};
use mooring_core::ipam::service::{FamilyPolicy, Service};
use mooring_core::ipam::sharing;
use mooring_core::kube_proxy::snapshot::ObjectName;
use proptest::prelude::*;

#[path = "ipam/cluster.rs"]
mod cluster;

use cluster::{Cluster, Snapshot, annotate, id, ingress, port};

const SERVICES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const POOLS: [&str; 3] = ["blue", "green", "antrea:red"];

/// What the ranges of each pool may be; the last one of `green` overlaps `blue`.
const RANGES: [[&[&str]; 4]; 3] = [
    [
        &["10.0.0.1-10.0.0.4"],
        &["10.0.0.1-10.0.0.2", "fd00::1-fd00::3"],
        &["10.0.0.3-10.0.0.6", "fd00::2-fd00::4"],
        &["10.0.0.1"],
    ],
    [
        &["10.0.1.1-10.0.1.3"],
        &["10.0.1.1", "fd00:1::/64"],
        &["10.0.1.2-10.0.1.4"],
        &["10.0.0.4-10.0.1.2"],
    ],
    [
        &["10.0.2.0/29"],
        &["10.0.2.0/30"],
        &["10.0.2.0/29", "fd00:2::/126"],
        &["10.0.2.8/30"],
    ],
];

/// What Services ask for; in reach, out of reach, and nonsense.
const IPS: [&str; 8] = [
    "",
    "10.0.0.1",
    "10.0.0.2",
    "10.0.1.1",
    "fd00::2",
    "10.0.0.3,fd00::3",
    "192.0.2.1",
    "nonsense",
];

#[derive(Debug, Clone)]
enum Step {
    Create(usize, Wish),
    Edit(usize, Wish),
    Delete(usize),
    /// No longer of type LoadBalancer, or so again.
    Type(usize, bool),
    /// Somebody writes the status by hand.
    Status(usize, usize),
    /// Somebody deletes a claim by hand, and no operator is in the middle of something.
    LoseClaim(prop::sample::Index),
    Pool {
        pool: usize,
        ranges: usize,
        release: bool,
        auto_assign: bool,
        terminating: bool,
    },
    /// An address turns out to be a node's.
    Occupy(usize),
    Gate(bool),
    Wait(i64),
    /// The operator runs, and stops after so many writes.
    Run(usize),
    /// Two operators plan from the same snapshot and write in turns.
    Race(Vec<bool>),
    /// An operator carries out what it planned before the last steps.
    Late(usize),
    Settle,
}

#[derive(Debug, Clone)]
struct Wish {
    pool: usize,
    ips: usize,
    share: usize,
    port: u16,
    families: usize,
}

impl Wish {
    fn put(&self, service: &mut Service) {
        service.annotations.clear();
        if let Some(pool) = POOLS.get(self.pool) {
            match pool.strip_prefix("antrea:") {
                Some(name) => annotate(service, "service.antrea.io/external-ip-pool", name),
                None => annotate(service, "mooring.dev/pool", pool),
            }
        }
        if !IPS[self.ips].is_empty() {
            annotate(service, "mooring.dev/ips", IPS[self.ips]);
        }
        match self.share {
            1 => annotate(service, "mooring.dev/share", "x"),
            2 => annotate(service, "mooring.dev/share", "y"),
            3 => annotate(
                service,
                "service.antrea.io/allow-shared-load-balancer-ip",
                "true",
            ),
            _ => {}
        }
        service.ports = port(self.port);
        (service.families, service.family_policy) = match self.families {
            1 => (vec![Family::V6], FamilyPolicy::SingleStack),
            2 => (vec![Family::V4, Family::V6], FamilyPolicy::PreferDualStack),
            3 => (vec![Family::V6, Family::V4], FamilyPolicy::RequireDualStack),
            _ => (vec![Family::V4], FamilyPolicy::SingleStack),
        };
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    (
        0..5usize,
        prop_oneof![3 => Just(0), 2 => 0..IPS.len()],
        0..5usize,
        80..84u16,
        0..6usize,
    )
        .prop_map(|(pool, ips, share, port, families)| Wish {
            pool,
            ips,
            share,
            port,
            families,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let service = 0..SERVICES.len();
    let any_pool = (
        0..POOLS.len(),
        0..4usize,
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.1),
    );
    prop_oneof![
        4 => (service.clone(), wish()).prop_map(|(at, wish)| Step::Create(at, wish)),
        3 => (service.clone(), wish()).prop_map(|(at, wish)| Step::Edit(at, wish)),
        2 => service.clone().prop_map(Step::Delete),
        1 => (service.clone(), any::<bool>()).prop_map(|(at, is)| Step::Type(at, is)),
        1 => (service, 0..4usize).prop_map(|(at, status)| Step::Status(at, status)),
        1 => any::<prop::sample::Index>().prop_map(Step::LoseClaim),
        2 => any_pool.prop_map(|(pool, ranges, release, auto_assign, terminating)| Step::Pool {
            pool,
            ranges,
            release,
            auto_assign,
            terminating,
        }),
        1 => (1..IPS.len()).prop_map(Step::Occupy),
        1 => prop::bool::weighted(0.7).prop_map(Step::Gate),
        2 => (0..90i64).prop_map(Step::Wait),
        4 => (0..5usize).prop_map(Step::Run),
        2 => prop::collection::vec(any::<bool>(), 0..8).prop_map(Step::Race),
        2 => (0..5usize).prop_map(Step::Late),
        4 => Just(Step::Settle),
    ]
}

/// What the last settled state was, and what was touched since.
#[derive(Default)]
struct Before {
    addresses: BTreeMap<ObjectName, (String, BTreeSet<String>)>,
    content: BTreeSet<ObjectName>,
    touched: BTreeSet<ObjectName>,
    /// Something happened that may take addresses away.
    taken: bool,
}

struct Story {
    cluster: Cluster,
    before: Before,
    /// Somebody's snapshot, and what he planned.
    late: Option<(Snapshot, Plan)>,
}

impl Story {
    fn new() -> Self {
        let mut cluster = Cluster::default();
        for (pool, ranges) in POOLS.iter().zip(RANGES) {
            cluster.pool(pool, ranges[0], |_| ());
        }
        Self {
            cluster,
            before: Before::default(),
            late: None,
        }
    }

    fn touch(&mut self, at: usize) {
        self.before.touched.insert(id(SERVICES[at]));
    }

    fn exists(&self, at: usize) -> bool {
        self.cluster.services.contains_key(&id(SERVICES[at]))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Create(at, wish) => {
                self.touch(*at);
                self.cluster
                    .service(SERVICES[*at], "", |service| wish.put(service));
            }
            Step::Edit(at, wish) if self.exists(*at) => {
                self.touch(*at);
                self.cluster
                    .edit(SERVICES[*at], |service| wish.put(service));
            }
            Step::Delete(at) => {
                self.touch(*at);
                self.cluster.delete(SERVICES[*at]);
            }
            Step::Type(at, is) if self.exists(*at) => {
                self.touch(*at);
                self.cluster
                    .edit(SERVICES[*at], |service| service.load_balancer = *is);
            }
            Step::Status(at, status) if self.exists(*at) => {
                self.touch(*at);
                let wrong: [&[&str]; 4] =
                    [&[], &["10.0.0.1"], &["192.0.2.9"], &["10.0.1.1", "fd00::1"]];
                self.cluster.edit(SERVICES[*at], |service| {
                    service.ingress = ingress(wrong[*status])
                });
            }
            Step::LoseClaim(at) if !self.cluster.claims.is_empty() => {
                self.late = None;
                let address = *self
                    .cluster
                    .claims
                    .keys()
                    .nth(at.index(self.cluster.claims.len()))
                    .unwrap();
                let (_, claim) = self.cluster.claims.remove(&address).unwrap();
                for holder in claim.holders {
                    self.before.touched.insert(holder.service);
                }
            }
            Step::Pool {
                pool,
                ranges,
                release,
                auto_assign,
                terminating,
            } => {
                self.before.taken |= *release;
                self.cluster
                    .pool(POOLS[*pool], RANGES[*pool][*ranges], |spec| {
                        spec.auto_assign = *auto_assign;
                        spec.on_removal = if *release {
                            OnRemoval::Release
                        } else {
                            OnRemoval::Drain
                        };
                    });
                self.cluster.pools[*pool].terminating = *terminating;
            }
            Step::Occupy(at) => {
                for address in IPS[*at].split(',').filter_map(|ip| ip.parse().ok()) {
                    self.cluster
                        .occupied
                        .add(Occupant::Node("n1".to_owned()), address);
                }
            }
            Step::Gate(true) => self.cluster.gate = Gate::Open,
            Step::Gate(false) => {
                self.cluster.gate = Gate::Closed {
                    message: "not yet".to_owned(),
                };
            }
            Step::Wait(seconds) => self.cluster.wait(*seconds),
            Step::Run(limit) => {
                let seen = self.cluster.snapshot();
                let plan = seen.plan();
                self.carry_out(&plan, &seen, *limit);
                self.late = Some((seen, plan));
            }
            Step::Race(turns) => {
                let seen = self.cluster.snapshot();
                let plan = seen.plan();
                for (done, first) in turns.iter().enumerate() {
                    // Whoever comes second finds what the other one wrote already.
                    let limit = if *first { done } else { turns.len() - done };
                    self.carry_out(&plan, &seen, limit);
                }
            }
            Step::Late(limit) => {
                if let Some((seen, plan)) = self.late.take() {
                    self.carry_out(&plan, &seen, *limit);
                }
            }
            Step::Settle => self.settle(),
            Step::Edit(..) | Step::Type(..) | Step::Status(..) | Step::LoseClaim(_) => {}
        }
    }

    /// Carries a plan out, and checks every write: nobody comes to an address that is not free for him.
    fn carry_out(&mut self, plan: &Plan, seen: &Snapshot, limit: usize) {
        let before = self.cluster.clone();
        self.cluster.carry_out(plan, seen, limit);
        for (address, (_, claim)) in &self.cluster.claims {
            let old = before.claims.get(address).map(|(_, claim)| claim);
            if old != Some(claim) {
                self.check_claim(claim, old, seen);
            }
        }
        for (id, (_, service)) in &self.cluster.services {
            if before.services[id].1.ingress == service.ingress {
                continue;
            }
            for address in addresses(service) {
                let known = before.services[id]
                    .1
                    .ingress
                    .iter()
                    .any(|entry| entry.ip.as_deref() == Some(&address));
                let claim = self
                    .cluster
                    .claims
                    .get(&address.parse().unwrap())
                    .map(|(_, claim)| claim);
                let claimed = claim.is_some_and(|claim| {
                    claim.holders.iter().any(|holder| holder.uid == service.uid)
                        || claim
                            .released
                            .as_ref()
                            .is_some_and(|release| release.by == *id)
                });
                assert!(known || claimed, "{id} shows {address} without a claim");
            }
        }
    }

    fn check_claim(&self, claim: &Claim, old: Option<&Claim>, seen: &Snapshot) {
        let had =
            |uid: &str| old.is_some_and(|old| old.holders.iter().any(|holder| holder.uid == uid));
        for (at, holder) in claim.holders.iter().enumerate() {
            if had(&holder.uid) {
                continue;
            }
            for other in &claim.holders[..at] {
                assert_eq!(sharing::check(holder, other), Ok(()), "{claim:?}");
            }
            let mut services = seen.services.iter();
            let service = services.find(|service| service.uid == holder.uid).unwrap();
            let adopted = addresses(service).contains(&claim.address.to_string());
            let given = seen
                .pools
                .iter()
                .any(|pool| pool.id == claim.pool && pool.gives(claim.address).is_ok());
            assert!(adopted || given, "{claim:?} is not from its pool");
            if let Some(release) = old.and_then(|old| old.released.as_ref()) {
                let rested = release.at.plus_seconds(60) <= seen.now;
                let back = claim
                    .holders
                    .iter()
                    .any(|holder| holder.service == release.by);
                assert!(rested || back, "{claim:?} has not rested");
            }
        }
    }

    /// Runs until nothing is left to do, and checks what has come out.
    fn settle(&mut self) {
        let mut last = None;
        for _ in 0..8 {
            let seen = self.cluster.snapshot();
            let plan = seen.plan();
            if plan.is_empty() {
                last = Some((seen, plan));
                break;
            }
            self.carry_out(&plan, &seen, usize::MAX);
        }
        let (seen, plan) = last.expect("a plan that is carried out leaves nothing to plan");
        self.check_claims_and_statuses(&seen);
        self.check_counts(&seen, &plan);
        self.check_requests(&seen, &plan);
        self.check_moves(&plan);
    }

    fn check_claims_and_statuses(&self, seen: &Snapshot) {
        let by_uid: BTreeMap<&str, &Service> = seen
            .services
            .iter()
            .map(|service| (service.uid.as_str(), service.as_ref()))
            .collect();
        for claim in &seen.claims {
            assert_eq!(
                claim.holders.is_empty(),
                claim.released.is_some(),
                "{claim:?}"
            );
            for (at, one) in claim.holders.iter().enumerate() {
                let service = by_uid
                    .get(one.uid.as_str())
                    .expect("a claim of a Service that is there");
                assert!(request(service, seen.others).is_ok(), "{claim:?}");
                for other in &claim.holders[..at] {
                    let clash = one.ports.iter().any(|port| other.ports.contains(port));
                    assert!(!clash, "{claim:?}");
                }
            }
        }
        for (id, (_, service)) in &self.cluster.services {
            let Ok(_) = request(service, seen.others) else {
                continue;
            };
            let held: BTreeSet<String> = seen
                .claims
                .iter()
                .filter(|claim| claim.holders.iter().any(|holder| holder.uid == service.uid))
                .map(|claim| claim.address.to_string())
                .collect();
            let shown: BTreeSet<String> = addresses(service);
            // A status that is nobody's of ours stays; without a claim it is not looked at.
            if held.is_empty() {
                continue;
            }
            assert!(
                shown.is_subset(&held),
                "{id} shows {shown:?} and has {held:?}"
            );
            if self.cluster.gate == Gate::Open {
                assert_eq!(shown, held, "{id}");
            }
            let families: BTreeSet<Family> = shown
                .iter()
                .map(|ip| Family::of(ip.parse().unwrap()))
                .collect();
            assert_eq!(
                families.len(),
                shown.len(),
                "{id} shows two addresses of one family"
            );
        }
    }

    fn check_counts(&self, seen: &Snapshot, plan: &Plan) {
        for pool in &seen.pools {
            let usage = plan.usage[&pool.id];
            let of_pool = |claim: &&Claim| claim.pool == pool.id;
            let claims = seen.claims.iter().filter(of_pool);
            let (resting, used): (Vec<_>, Vec<_>) =
                claims.partition(|claim| claim.holders.is_empty());
            assert_eq!(
                (usage.used, usage.resting),
                (used.len(), resting.len()),
                "{}",
                pool.id
            );
            let mut free = pool.assignable.clone();
            for claim in &seen.claims {
                free.remove(&mooring_core::ipam::range::AddressRange::single(
                    claim.address,
                ));
            }
            assert_eq!(usage.free, free.count(), "{}", pool.id);
        }
    }

    /// Whoever lacks something lacks it for a reason that holds.
    fn check_requests(&self, seen: &Snapshot, plan: &Plan) {
        for service in &seen.services {
            let outcome = &plan.outcomes[&service.id];
            let Ok(asked) = request(service, seen.others) else {
                continue;
            };
            if outcome.state == State::NotOurs || !asked.problems.is_empty() {
                continue;
            }
            let both = asked.family_policy == FamilyPolicy::RequireDualStack;
            let missing: Vec<Family> = asked
                .families
                .iter()
                .copied()
                .filter(|family| {
                    let has = outcome
                        .addresses
                        .iter()
                        .find(|address| Family::of(**address) == *family);
                    has.is_none()
                        || asked
                            .address(*family)
                            .is_some_and(|asked| Some(&asked) != has)
                })
                .collect();
            let can = |family: &&Family| can_have(seen, service, &asked, **family);
            if both && missing.iter().filter(can).count() < missing.len() {
                continue;
            }
            let feasible: Vec<&Family> = missing.iter().filter(can).collect();
            assert!(
                feasible.is_empty(),
                "{} could have {feasible:?}: {outcome:#?}",
                service.id
            );
        }
    }

    /// Nobody who was not touched and had what it asked for has lost anything.
    fn check_moves(&mut self, plan: &Plan) {
        let before = std::mem::take(&mut self.before);
        for (id, (_, service)) in &self.cluster.services {
            let now = addresses(service);
            if let Some((uid, then)) = before.addresses.get(id)
                && !before.taken
                && before.content.contains(id)
                && !before.touched.contains(id)
            {
                assert_eq!(uid, &service.uid);
                assert!(then.is_subset(&now), "{id} had {then:?} and has {now:?}");
            }
            self.before
                .addresses
                .insert(id.clone(), (service.uid.clone(), now));
            if plan.outcomes[id].state == State::Assigned {
                self.before.content.insert(id.clone());
            }
        }
    }
}

fn addresses(service: &Service) -> BTreeSet<String> {
    service
        .ingress
        .iter()
        .filter_map(|entry| entry.ip.clone())
        .collect()
}

/// Whether there is an address of the family for the Service, by looking at every single one of small pools.
fn can_have(seen: &Snapshot, service: &Service, asked: &Request, family: Family) -> bool {
    let named: Vec<&Pool> = asked
        .pools
        .iter()
        .filter_map(|choice| choice.find(&seen.pools))
        .collect();
    let usable = |pool: &Pool| {
        if asked.pools.is_empty() {
            pool.spec.auto_assign
                || (asked.address(family).is_some()
                    && service.annotations.contains_key("mooring.dev/ips"))
        } else {
            named.iter().any(|named| named.id == pool.id)
        }
    };
    let free = |address: IpAddr| !seen.claims.iter().any(|claim| claim.address == address);
    seen.pools
        .iter()
        .filter(|pool| usable(pool))
        .any(|pool| match asked.address(family) {
            Some(address) => pool.gives(address).is_ok() && free(address),
            None => pool
                .assignable
                .of(family)
                .ranges()
                .filter_map(|range| {
                    // A whole prefix has an address left among its first sixteen.
                    let first = mooring_core::ipam::range::number(range.first());
                    let last = mooring_core::ipam::range::number(range.last());
                    (first..=last)
                        .take(16)
                        .map(|number| family.address(number))
                        .find(|address| free(*address))
                })
                .next()
                .is_some(),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_nobody_gets_the_wrong_address(steps in prop::collection::vec(step(), 1..40)) {
        let mut story = Story::new();
        for step in &steps {
            story.take(step);
        }
        story.settle();
        story.cluster.gate = Gate::Open;
        story.cluster.wait(61);
        story.before = Before::default();
        story.settle();
    }

    #[test]
    fn the_order_of_what_is_seen_does_not_matter(
        steps in prop::collection::vec(step(), 1..25),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut story = Story::new();
        for step in &steps {
            story.take(step);
        }
        let seen = story.cluster.snapshot();
        let mut turned = seen.clone();
        let services = turned.services.len();
        if services > 0 {
            turned.services.rotate_left(seed.index(services));
            turned.services.reverse();
        }
        turned.claims.reverse();
        prop_assert_eq!(seen.plan(), turned.plan());
    }
}
