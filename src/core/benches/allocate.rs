//! How long a plan for 10,000 Services on 20 pools takes. The goal is less than 200 ms each.
#![allow(
    clippy::print_stdout,
    reason = "the numbers are the product of this program"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mooring_core::ipam::allocate::plan;
use mooring_core::ipam::claim::Claim;
use mooring_core::ipam::cluster_addresses::ClusterAddresses;
use mooring_core::ipam::plan::{Gate, Plan, World};
use mooring_core::ipam::pool::{PoolId, PoolObject, PoolSpec, check};
use mooring_core::ipam::range::{Family, RangeText};
use mooring_core::ipam::request::{Others, annotation};
use mooring_core::ipam::service::{Protocol, Service, ServicePort};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};

const SERVICES: usize = 10_000;
const POOLS: usize = 20;
const NOW: i64 = 1_800_000_000;

fn pool(number: usize) -> PoolObject {
    PoolObject {
        id: PoolId::mooring(format!("pool-{number:02}")),
        uid: format!("pool-uid-{number}"),
        created: Some(Timestamp::from_unix_seconds(NOW)),
        terminating: false,
        spec: PoolSpec {
            ranges: vec![RangeText::cidr(format!("10.{number}.0.0/16"))],
            auto_assign: true,
            ..PoolSpec::default()
        },
    }
}

fn service(number: usize, named: bool) -> Service {
    let mut service = Service {
        id: ObjectName::new(format!("team-{}", number % 50), format!("web-{number}")),
        uid: format!("service-uid-{number}"),
        created: Some(Timestamp::from_unix_seconds(
            NOW + 7 * (number as i64) % 1_000,
        )),
        load_balancer: true,
        families: vec![Family::V4],
        ports: vec![ServicePort {
            protocol: Protocol::Tcp,
            port: 443,
        }],
        ..Service::default()
    };
    if named {
        let pool = format!("pool-{:02}", number % POOLS);
        service
            .annotations
            .insert(annotation::POOL.to_owned(), pool);
    }
    service
}

fn world(named: bool) -> World {
    let pools: Vec<PoolObject> = (0..POOLS).map(pool).collect();
    World {
        pools: check(&pools, &ClusterAddresses::default()),
        services: (0..SERVICES).map(|number| service(number, named)).collect(),
        namespaces: BTreeMap::new(),
        claims: Vec::new(),
        others: Others::default(),
        gate: Gate::Open,
        now: Timestamp::from_unix_seconds(NOW),
    }
}

/// The world once the plan is carried out.
fn carried_out(mut world: World, plan: &Plan) -> World {
    let mut claims: BTreeMap<_, Claim> = world
        .claims
        .into_iter()
        .map(|claim| (claim.address, claim))
        .collect();
    for claim in plan.create.iter().chain(&plan.update) {
        claims.insert(claim.address, claim.clone());
    }
    world.claims = claims.into_values().collect();
    let mut statuses: BTreeMap<_, _> = plan
        .statuses
        .iter()
        .map(|write| (&write.service, &write.ingress))
        .collect();
    for service in &mut world.services {
        if let Some(ingress) = statuses.remove(&service.id) {
            service.ingress.clone_from(ingress);
        }
    }
    world
}

fn measured(name: &str, world: &World, writes: usize) -> Duration {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            let plan = plan(world);
            let took = start.elapsed();
            assert_eq!(plan.statuses.len(), writes, "{name}");
            took
        })
        .min()
        .unwrap_or_default();
    println!("allocate: {:6.1} ms: {name}", best.as_secs_f64() * 1e3);
    best
}

fn main() {
    let mut slowest = Duration::ZERO;
    for (named, kind) in [(true, "each names its pool"), (false, "from any pool")] {
        let empty = world(named);
        let all = format!("{SERVICES} new Services on {POOLS} pools, {kind}");
        slowest = slowest.max(measured(&all, &empty, SERVICES));
        let mut full = carried_out(empty.clone(), &plan(&empty));
        slowest = slowest.max(measured("the same, all settled", &full, 0));
        full.services.push(service(SERVICES, named));
        slowest = slowest.max(measured("the same, and one new Service", &full, 1));
        full.services
            .retain(|service| service.id.namespace != "team-7");
        slowest = slowest.max(measured("the same, a namespace deleted", &full, 1));
    }
    assert!(slowest.as_millis() < 200, "a plan took 200 ms or more");
}
