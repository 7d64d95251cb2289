//! How long a decision about 10,000 Services on 20 pools and 100 nodes takes. The goal is less than 100 ms on a quiet machine
//! where little is new.
#![allow(
    clippy::print_stdout,
    reason = "the numbers are the product of this program"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mooring_core::external_ip::{
    Berthed, ClusterNode, Decision, Known, Networks, Snapshot, decide,
};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::pool::{PoolId, PoolObject, PoolSpec};
use mooring_core::ipam::range::{Family, RangeText};
use mooring_core::ipam::request::{Others, annotation};
use mooring_core::ipam::service::{Protocol, Service, ServicePort};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::node::{NodeReport, NodeView, Uplink};
use mooring_core::peer::Term;

const SERVICES: usize = 10_000;
const POOLS: usize = 20;
const NODES: usize = 100;
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

fn node(number: usize) -> ClusterNode {
    ClusterNode {
        view: NodeView {
            name: format!("node-{number:03}"),
            ready: true,
            reporting: true,
            report: Some(NodeReport {
                uplinks: vec![Uplink {
                    name: "eth0".to_owned(),
                    mac: format!("02:00:00:00:00:{number:02x}"),
                    subnets: vec!["10.0.0.0/8".to_owned()],
                    addresses: Vec::new(),
                    gateways: Vec::new(),
                    arp_ignore: 1,
                    arp_announce: 2,
                }],
                ..NodeReport::default()
            }),
        },
        labels: (0..20)
            .map(|label| {
                (
                    format!("example.com/label-{label}"),
                    format!("value-{number}"),
                )
            })
            .collect(),
        cordoned: false,
        draining: false,
        exit: None,
        life: mooring_core::placement::Life::default(),
        silent_since: None,
        unserved_since: None,
        addresses: vec![IpAddr::from([10, 255, 0, number as u8])],
        pod_cidrs: vec![format!("172.16.{number}.0/24")],
    }
}

fn service(number: usize, named: bool) -> Arc<Service> {
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
    Arc::new(service)
}

fn snapshot(named: bool) -> Snapshot {
    Snapshot {
        pools: (0..POOLS).map(pool).collect(),
        services: (0..SERVICES).map(|number| service(number, named)).collect(),
        namespaces: BTreeMap::new(),
        addresses: Vec::new(),
        nodes: (0..NODES).map(node).collect(),
        endpoints: BTreeMap::new(),
        networks: Networks::default(),
        others: Others::default(),
        gate: Gate::Open,
        now: Timestamp::from_unix_seconds(NOW),
    }
}

/// The cluster once the decision is carried out, and the nodes have taken what is theirs.
fn carried_out(mut snapshot: Snapshot, decision: &Decision) -> Snapshot {
    let mut addresses: BTreeMap<IpAddr, Arc<Known>> = snapshot
        .addresses
        .into_iter()
        .map(|known| (known.claim.address, known))
        .collect();
    for berthed in decision.create.iter().chain(&decision.update) {
        let Berthed {
            claim,
            node,
            heirs,
            plan,
            cause,
        } = berthed;
        let known = Known {
            claim: claim.clone(),
            planned: node.clone(),
            heirs: heirs.clone(),
            plan: *plan,
            cause: cause.clone(),
            taken_by: node.clone(),
            term: Some(Term {
                plan: *plan,
                takeovers: 0,
            }),
            last_move: None,
            last_overlap: None,
            moves: Vec::new(),
            announced: None,
            request_met: None,
        };
        addresses.insert(claim.address, Arc::new(known));
    }
    snapshot.addresses = addresses.into_values().collect();
    let mut statuses: BTreeMap<_, _> = decision
        .statuses
        .iter()
        .map(|write| (&write.service, &write.ingress))
        .collect();
    for service in &mut snapshot.services {
        if let Some(ingress) = statuses.remove(&service.id) {
            Arc::make_mut(service).ingress.clone_from(ingress);
        }
    }
    snapshot
}

/// How long this thread has run, so that a busy machine does not count; where the kernel does not tell, how long it is.
fn clock(start: Instant) -> Duration {
    // The first number of proc_pid_schedstat(5), in nanoseconds.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    ran.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn measured(name: &str, snapshot: &Snapshot, writes: usize) -> Duration {
    let start = Instant::now();
    let best = (0..5)
        .map(|_| {
            let before = clock(start);
            let decision = decide(snapshot);
            let took = clock(start).saturating_sub(before);
            assert_eq!(decision.statuses.len(), writes, "{name}");
            took
        })
        .min()
        .unwrap_or_default();
    println!("decide: {:6.1} ms: {name}", best.as_secs_f64() * 1e3);
    best
}

fn main() {
    let mut slowest = Duration::ZERO;
    for (named, kind) in [(true, "each names its pool"), (false, "from any pool")] {
        let empty = snapshot(named);
        let all = format!("{SERVICES} new Services on {POOLS} pools and {NODES} nodes, {kind}");
        // A new address is hashed with every node: the one thing that takes longer.
        measured(&all, &empty, SERVICES);
        let mut full = carried_out(empty.clone(), &decide(&empty));
        slowest = slowest.max(measured("the same, all settled", &full, 0));
        full.services.push(service(SERVICES, named));
        slowest = slowest.max(measured("the same, and one new Service", &full, 1));
        let mut smaller = full.clone();
        smaller
            .services
            .retain(|service| service.id.namespace != "team-7");
        slowest = slowest.max(measured("the same, a namespace deleted", &smaller, 1));
        let mut lost = full.clone();
        lost.nodes.truncate(NODES / 2);
        measured("the same, half of the nodes gone", &lost, 1);
        full.addresses.clear();
        measured("the same, all ExternalIPs lost", &full, 1);
    }
    assert!(slowest.as_millis() < 200, "a decision took 200 ms or more");
}
