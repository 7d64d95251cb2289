//! Decisions in a world where anything may change at any moment, and operators stop halfway, race and come late.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mooring_core::external_ip::Decision;
use mooring_core::ipam::outcome::State;
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::service::{Protocol, ServicePort, TrafficPolicy};
use mooring_core::placement::HEIRS;
use proptest::prelude::*;

#[path = "external_ip/world.rs"]
mod world;

use world::{World, id, ingress, ip, node};

const SERVICES: [&str; 5] = ["a", "b", "c", "d", "e"];
const NODES: [&str; 4] = ["n1", "n2", "n3", "n4"];
const RANGES: [&[&str]; 3] = [
    &["10.0.0.1-10.0.0.5"],
    &["10.0.0.3-10.0.0.9"],
    &["10.0.1.0/30"],
];

#[derive(Debug, Clone)]
enum Step {
    Create {
        service: usize,
        shares: bool,
        port: u16,
        local: bool,
    },
    Delete(usize),
    /// Another controller has a Service with an address of the pool, or no longer.
    Foreign(bool),
    Endpoints(usize, Vec<usize>),
    Pool {
        ranges: usize,
        revertive: bool,
        on_node: bool,
    },
    /// A node comes back as new, goes, is cordoned, not ready, or silent.
    Node(usize, usize),
    /// The agent of a node takes what is planned for it, or nobody has an address any more.
    Take(prop::sample::Index, bool),
    /// An heir takes an address over.
    TakeOver(prop::sample::Index, prop::sample::Index),
    Gate(bool),
    Wait(i64),
    /// An operator decides, and stops after so many writes.
    Run(usize),
    /// Two operators decide alike, and both write.
    Race(usize, usize),
    /// An operator carries out what it decided before the last steps.
    Late(usize),
    /// All ExternalIPs are deleted by hand.
    Lose,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let service = 0..SERVICES.len();
    prop_oneof![
        4 => (service.clone(), any::<bool>(), 80..83u16, prop::bool::weighted(0.3)).prop_map(
            |(service, shares, port, local)| Step::Create { service, shares, port, local }
        ),
        2 => service.clone().prop_map(Step::Delete),
        1 => any::<bool>().prop_map(Step::Foreign),
        2 => (service, prop::collection::vec(0..NODES.len(), 0..3))
            .prop_map(|(service, nodes)| Step::Endpoints(service, nodes)),
        2 => (0..RANGES.len(), any::<bool>(), any::<bool>()).prop_map(
            |(ranges, revertive, on_node)| Step::Pool { ranges, revertive, on_node }
        ),
        3 => (0..NODES.len(), 0..5usize).prop_map(|(node, change)| Step::Node(node, change)),
        3 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(at, to)| Step::Take(at, to)),
        3 => (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(at, heir)| Step::TakeOver(at, heir)),
        1 => any::<bool>().prop_map(Step::Gate),
        2 => (0..90i64).prop_map(Step::Wait),
        4 => (0..6usize).prop_map(Step::Run),
        2 => (0..6usize, 0..6usize).prop_map(|(one, two)| Step::Race(one, two)),
        2 => (0..6usize).prop_map(Step::Late),
        1 => Just(Step::Lose),
        4 => Just(Step::Settle),
    ]
}

struct Story {
    world: World,
    late: Option<(World, Decision)>,
}

impl Story {
    fn new() -> Self {
        let mut world = World::default();
        world.pool("blue", RANGES[0], |_| ());
        Self { world, late: None }
    }

    fn take(&mut self, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Create {
                service,
                shares,
                port,
                local,
            } => {
                let name = SERVICES[*service];
                world.service(name, "blue", |service| {
                    if *shares {
                        let key = "mooring.dev/share".to_owned();
                        service.annotations.insert(key, "x".to_owned());
                    }
                    service.ports = vec![ServicePort {
                        protocol: Protocol::Tcp,
                        port: *port,
                    }];
                    if *local {
                        service.traffic_policy = TrafficPolicy::Local;
                    }
                });
            }
            Step::Delete(service) => world.delete(SERVICES[*service]),
            Step::Foreign(true) => world.service("foreign", "", |service| {
                service.class = Some("example.com/other".to_owned());
                service.ingress = ingress(&["10.0.0.4"]);
            }),
            Step::Foreign(false) => world.delete("foreign"),
            Step::Endpoints(service, nodes) => {
                let nodes: Vec<&str> = nodes.iter().map(|node| NODES[*node]).collect();
                world.endpoints(SERVICES[*service], &nodes);
            }
            Step::Pool {
                ranges,
                revertive,
                on_node,
            } => {
                world.pool("blue", RANGES[*ranges], |spec| spec.revertive = *revertive);
                for node in &mut world.snapshot.nodes {
                    node.addresses = if *on_node {
                        vec![ip("10.0.0.3")]
                    } else {
                        Vec::new()
                    };
                }
            }
            Step::Node(at, change) => {
                let name = NODES[*at];
                let nodes = &mut world.snapshot.nodes;
                let Some(found) = nodes.iter_mut().find(|node| node.view.name == name) else {
                    nodes.push(node(name, &["10.0.0.0/16"]));
                    return;
                };
                match change {
                    0 => *found = node(name, &["10.0.0.0/16"]),
                    1 => nodes.retain(|node| node.view.name != name),
                    2 => found.cordoned = true,
                    3 => found.view.ready = false,
                    _ => found.view.reporting = false,
                }
            }
            Step::Take(at, to) if !world.snapshot.addresses.is_empty() => {
                let known = at.get(&world.snapshot.addresses).clone();
                let node = if *to { known.planned.as_deref() } else { None };
                world.take(&known.claim.address.to_string(), node);
            }
            Step::TakeOver(at, heir) if !world.snapshot.addresses.is_empty() => {
                let known = at.get(&world.snapshot.addresses).clone();
                if !known.heirs.is_empty() {
                    let address = known.claim.address.to_string();
                    let heir: &String = heir.get(&known.heirs);
                    world.take_over(&address, heir);
                }
            }
            Step::Gate(true) => world.snapshot.gate = Gate::Open,
            Step::Gate(false) => {
                world.snapshot.gate = Gate::Closed {
                    message: "Not yet.".to_owned(),
                };
            }
            Step::Wait(seconds) => world.wait(*seconds),
            Step::Run(limit) => {
                let (seen, decision) = (world.clone(), world.decide());
                self.carry_out(&decision, &seen, *limit);
                self.late = Some((seen, decision));
            }
            Step::Race(one, two) => {
                let (seen, decision) = (world.clone(), world.decide());
                self.carry_out(&decision, &seen, *one);
                self.carry_out(&decision, &seen, *two);
            }
            Step::Late(limit) => {
                if let Some((seen, decision)) = self.late.take() {
                    self.carry_out(&decision, &seen, *limit);
                }
            }
            Step::Lose => {
                self.late = None;
                world.snapshot.addresses.clear();
                world.address_versions.clear();
            }
            Step::Settle => self.settle(),
            Step::Take(..) | Step::TakeOver(..) => {}
        }
    }

    fn carry_out(&mut self, decision: &Decision, seen: &World, limit: usize) {
        let before = self.world.snapshot.addresses.clone();
        self.world.carry_out(decision, seen, limit);
        for known in &before {
            let after = self.world.known(&known.claim.address.to_string());
            let Some(after) = after else { continue };
            let moved = after.planned != known.planned;
            let away = known.taken_by != known.planned && known.term.is_some();
            let replanned = after.plan == known.plan + 1;
            assert!(replanned || after.plan == known.plan);
            assert!(replanned || !moved, "{known:?} {after:?}");
            assert!(moved || away || !replanned, "{known:?} {after:?}");
        }
        self.check();
    }

    /// No two Services have one address unless they share it, and one address has one object with at most one planned node.
    fn check(&self) {
        let mut holders: BTreeMap<IpAddr, Vec<&[ServicePort]>> = BTreeMap::new();
        for known in &self.world.snapshot.addresses {
            let claim = &known.claim;
            let heirs: BTreeSet<&String> = known.heirs.iter().chain(&known.planned).collect();
            let count = known.heirs.len() + usize::from(known.planned.is_some());
            assert_eq!(heirs.len(), count, "somebody inherits twice: {known:?}");
            assert!(known.heirs.len() <= HEIRS);
            assert!(known.planned.is_some() || known.heirs.is_empty());
            let one = holders.entry(claim.address).or_default();
            assert!(one.is_empty(), "two objects of {}", claim.address);
            for holder in &claim.holders {
                for ports in one.iter() {
                    assert!(holder.share.is_some(), "{claim:?}");
                    let clash = holder.ports.iter().any(|port| ports.contains(port));
                    assert!(!clash, "{claim:?}");
                }
                one.push(&holder.ports);
            }
        }
    }

    /// Runs until nothing is left to do, and checks what has come out.
    fn settle(&mut self) {
        let decision = self.world.settle();
        self.check();
        let snapshot = &self.world.snapshot;
        let again = self.world.decide();
        assert_eq!(again, decision, "the same world, the same decision");
        let announced = decision.announced(snapshot);
        let remarks = decision.remarks(snapshot);
        for outcome in decision.outcomes.values() {
            let otherwise = outcome.state == State::AssignedOtherwise;
            assert!(!otherwise || outcome.not_met().is_some(), "{outcome:?}");
            let assigned = outcome.state == State::Assigned;
            assert!(!assigned || outcome.not_met().is_none(), "{outcome:?}");
        }
        for known in &snapshot.addresses {
            let claim = &known.claim;
            let placement = decision.placements.get(&claim.address);
            assert_eq!(placement.is_none(), claim.holders.is_empty());
            assert_eq!(
                placement.and_then(|one| one.node()),
                known.planned.as_deref()
            );
            let said = announced.get(&claim.address);
            let silent = known.taken_by.as_ref().is_none_or(|holder| {
                let mut views = snapshot.nodes.iter().map(|node| &node.view);
                let view = views.find(|view| view.name == *holder);
                view.is_none_or(|view| !view.ready && !view.reporting)
            });
            assert_eq!(said.is_some(), silent, "{claim:?}");
            let remarks = &remarks[&claim.address];
            assert_eq!(remarks.announced.as_ref(), said);
            assert_eq!(remarks.request_met.is_none(), claim.holders.is_empty());
            if let Some(node) = &known.planned {
                let mut nodes = snapshot.nodes.iter();
                assert!(nodes.any(|one| one.view.name == *node), "{node} is gone");
            }
        }
        let state = decision.pool_states.values().next().unwrap();
        let used = snapshot
            .addresses
            .iter()
            .filter(|known| !known.claim.holders.is_empty());
        assert_eq!(state.usage.used.to_string(), used.count().to_string());
        assert_eq!(state.conditions.len(), 3);
        let foreign = snapshot
            .services
            .iter()
            .find(|service| service.id == id("foreign"));
        assert!(
            foreign.is_none_or(|service| service.ingress.len() == 1),
            "it is not touched"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_it_settles_and_nobody_has_two_owners(steps in prop::collection::vec(step(), 1..40)) {
        let mut story = Story::new();
        for step in &steps {
            story.take(step);
        }
        story.settle();
        story.world.snapshot.gate = Gate::Open;
        story.world.wait(61);
        story.settle();
        story.world.take_all();
        story.settle();
    }
}
