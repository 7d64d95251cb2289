use std::sync::Arc;

use mooring_core::ipam::range::Family;
use mooring_core::ipam::service::TrafficPolicy;
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::placement::Endpoint;
use serde_json::{Value, json};

use super::*;
use crate::args::Format;
use crate::explanation::fixture::{Cluster, ip};

/// On node n1, which is drained: 10.0.1.1 of shop/web, and 10.0.1.2 of shop/api, whose only endpoint is there.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| {});
    cluster.service("api", "blue", |api| {
        api.traffic_policy = TrafficPolicy::Local
    });
    let endpoint = Endpoint {
        node: Some("n1".to_owned()),
        family: Family::V4,
        ready: true,
        serving: true,
    };
    let api = ObjectName::new("shop", "api");
    cluster.snapshot.endpoints.insert(api, vec![endpoint]);
    cluster.settle();
    for address in ["10.0.1.1", "10.0.1.2"] {
        plan(&mut cluster, address, "n1");
        cluster.take(address, "n1", "True", "Announced");
    }
    cluster.snapshot.nodes[0].draining = true;
    cluster
}

fn plan(cluster: &mut Cluster, address: &str, node: &str) {
    let mut all = cluster.snapshot.addresses.iter_mut();
    let known = all.find(|known| known.claim.address == ip(address));
    Arc::make_mut(known.expect("an ExternalIP")).planned = Some(node.to_owned());
}

fn known(cluster: &Cluster) -> BTreeMap<IpAddr, Known> {
    let all = cluster.snapshot.addresses.iter();
    all.map(|known| (known.claim.address, Known::clone(known)))
        .collect()
}

/// As it is found now, after 1.4 s.
fn drained(cluster: Cluster, evacuation: &mut Evacuation, outcome: Outcome) -> Drained {
    let known = known(&cluster);
    let look = cluster.look();
    let since = Some("2026-11-28T15:20:01Z".to_owned());
    let mut drained = Drained::brief("n1", since, outcome, String::new());
    let departures = evacuation.observe(known.values());
    drained.addresses = departures.iter().map(AddressLeft::from).collect();
    drained
        .addresses
        .extend(left(evacuation, &fates(&look, "n1"), &known));
    drained.end(outcome, 1_449)
}

/// 10.0.1.1 has left for n2.
fn half() -> Drained {
    let mut cluster = cluster();
    let mut evacuation = Evacuation::of("n1");
    evacuation.observe(known(&cluster).values());
    plan(&mut cluster, "10.0.1.1", "n2");
    cluster.take("10.0.1.1", "n2", "True", "Announced");
    drained(cluster, &mut evacuation, Outcome::SomeStay)
}

fn text(drained: &Drained) -> String {
    render::drained(drained, Format::Table).expect("renders")
}

#[test]
fn one_that_leaves_is_told_in_a_line_and_one_that_stays_with_all_that_keeps_it() {
    let drained = half();
    assert_eq!(
        render::departure(&drained.addresses[0], "n1"),
        "10.0.1.1  n1 -> n2  shop/web"
    );
    assert_eq!(
        text(&drained),
        "\
10.0.1.2  stays on n1  shop/api
  n2: no endpoint of shop/api that could serve runs there (externalTrafficPolicy: Local)
  n3: no endpoint of shop/api that could serve runs there (externalTrafficPolicy: Local)
1 left n1 in 1.4 s; 1 stays until another node can have it
"
    );
    assert_eq!(drained.outcome.exit_code(), 1);
}

#[test]
fn the_reasons_of_several_are_named_once() {
    let mut cluster = cluster();
    for node in &mut cluster.snapshot.nodes {
        node.draining = true;
    }
    cluster.snapshot.endpoints.clear();
    for service in ["api", "web"] {
        cluster.change(service, |service| {
            service.traffic_policy = TrafficPolicy::Cluster;
        });
    }
    cluster.settle();
    for address in ["10.0.1.1", "10.0.1.2"] {
        cluster.take(address, "n1", "True", "Announced");
    }
    let drained = drained(cluster, &mut Evacuation::of("n1"), Outcome::SomeStay);
    let why = "it was drained with kubectl mooring drain (--undo ends that), so that its addresses belong to other nodes";
    assert_eq!(
        text(&drained),
        format!(
            "\
10.0.1.1  stays on n1  shop/web
10.0.1.2  stays on n1  shop/api
  n2: {why}
  n3: {why}
0 left n1 in 1.4 s; 2 stay until another node can have them
"
        )
    );
}

#[test]
fn what_has_not_left_in_time_says_where_it_goes_and_what_is_known() {
    let cluster = cluster();
    let drained = drained(cluster, &mut Evacuation::of("n1"), Outcome::NotInTime);
    let to = drained.addresses[0].to.clone().expect("a node");
    assert_ne!(to, "n1");
    assert_eq!(
        text(&drained),
        format!(
            "\
10.0.1.1  n1 -> {to}  shop/web  not yet
10.0.1.2  stays on n1  shop/api
  n2: no endpoint of shop/api that could serve runs there (externalTrafficPolicy: Local)
  n3: no endpoint of shop/api that could serve runs there (externalTrafficPolicy: Local)
0 left n1 in 1.4 s; 1 has not arrived elsewhere; 1 stays until another node can have it. n1 stays drained: to wait on, run this \
once more; kubectl mooring explain IP says more about each
"
        )
    );
    assert_eq!(drained.outcome.exit_code(), 2);
}

#[test]
fn an_empty_node_says_that_it_takes_none() {
    let mut empty = cluster();
    for address in ["10.0.1.1", "10.0.1.2"] {
        plan(&mut empty, address, "n2");
        empty.take(address, "n2", "True", "Announced");
    }
    let mut evacuation = Evacuation::of("n1");
    evacuation.observe(known(&cluster()).values());
    let moved = drained(empty, &mut evacuation, Outcome::Empty);
    assert_eq!(
        text(&moved),
        "n1 has no addresses any more, and it takes none until kubectl mooring drain n1 --undo: 2 left it in 1.4 s\n"
    );
    let nothing = drained(
        Cluster::default(),
        &mut Evacuation::of("n1"),
        Outcome::Empty,
    );
    assert_eq!(
        text(&nothing),
        "n1 has no addresses, and it takes none until kubectl mooring drain n1 --undo\n"
    );
    assert_eq!(nothing.outcome.exit_code(), 0);
}

#[test]
fn the_keys_for_programs_are_stable() {
    let drained = half();
    let text = render::drained(&drained, Format::Json).expect("renders");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let obstacle = json!({
        "reason": "NoLocalEndpoint",
        "message": "no endpoint of shop/api that could serve runs there (externalTrafficPolicy: Local)",
    });
    assert_eq!(
        value,
        json!({
            "node": "n1",
            "since": "2026-11-28T15:20:01Z",
            "outcome": "SomeStay",
            "message": "1 left n1 in 1.4 s; 1 stays until another node can have it",
            "addresses": [
                {"address": "10.0.1.1", "services": ["shop/web"], "outcome": "Moved", "to": "n2", "message": null, "nodes": []},
                {"address": "10.0.1.2", "services": ["shop/api"], "outcome": "Stays", "to": null, "message": null, "nodes": [
                    {"node": "n2", "obstacles": [obstacle]},
                    {"node": "n3", "obstacles": [obstacle]},
                ]},
            ],
            "milliseconds": 1449,
            "incomplete": [],
        })
    );
}

#[test]
fn without_a_wait_the_reader_is_told_what_happens_and_how_it_ends() {
    let drained = requested("n1", "2026-11-28T15:20:01Z".to_owned());
    assert_eq!(
        text(&drained),
        "n1 is drained since 2026-11-28T15:20:01Z, and not waited for: its addresses go to other nodes, and it takes none until kubectl \
         mooring drain n1 --undo\n"
    );
}
