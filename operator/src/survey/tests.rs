use std::collections::BTreeMap;

use mooring_core::kube_proxy::snapshot::{Container, Metadata, Node, PodSpec};
use mooring_core::node::NodeReport;

use super::*;
use crate::cache::Update;
use crate::world::{Agent, Change, Ingress};

fn set<V>(world: &mut World, change: impl Fn(Update<V>) -> Change, key: &str, value: V) {
    world.apply(change(Update::Set(key.to_owned(), value)));
}

fn node(name: &str, os: &str) -> Node {
    Node {
        name: name.to_owned(),
        os: os.to_owned(),
        ready: true,
        ..Node::default()
    }
}

fn agent(node: &str, ready: bool) -> Agent {
    Agent {
        node: node.to_owned(),
        ready,
    }
}

#[test]
fn a_node_reports_only_while_its_agent_is_ready_and_its_state_exists() {
    let mut world = World::default();
    for name in ["both", "unready", "no-state", "no-agent"] {
        set(&mut world, Change::Nodes, name, node(name, "linux"));
    }
    set(&mut world, Change::Nodes, "w", node("w", "windows"));
    set(&mut world, Change::Agents, "ns/a", agent("both", true));
    set(&mut world, Change::Agents, "ns/b", agent("unready", false));
    set(&mut world, Change::Agents, "ns/c", agent("no-state", true));
    for name in ["both", "unready", "no-agent"] {
        set(&mut world, Change::Reports, name, NodeReport::default());
    }
    let seen: Vec<(String, bool, bool)> = nodes(&world)
        .into_iter()
        .map(|node| (node.name, node.reporting, node.report.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            ("both".to_owned(), true, true),
            ("no-agent".to_owned(), false, true),
            ("no-state".to_owned(), false, false),
            ("unready".to_owned(), false, true),
        ]
    );
}

#[test]
fn every_address_of_every_service_counts() {
    let mut world = World::default();
    let ips = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
    let ingress = Ingress {
        uid: "1".to_owned(),
        addresses: ips.into(),
    };
    set(&mut world, Change::Services, "web/front", ingress);
    let found = external_ips(&world);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].service, ObjectName::new("web", "front"));
}

#[test]
fn antrea_s_version_is_that_of_its_agent() {
    let mut world = World::default();
    assert_eq!(antrea(&world), None);
    let image = |name: &str, image: &str| Container {
        name: name.to_owned(),
        image: image.to_owned(),
        ..Container::default()
    };
    let agent = DaemonSet {
        metadata: Metadata {
            id: ObjectName::new("kube-system", "antrea-agent"),
            ..Metadata::default()
        },
        template: PodSpec {
            containers: vec![
                image("antrea-ovs", "antrea/antrea-ubuntu:v9.9.9"),
                image("antrea-agent", "registry:5000/antrea/antrea-ubuntu:v1.6.1"),
            ],
            ..PodSpec::default()
        },
        desired: 3,
        ..DaemonSet::default()
    };
    set(
        &mut world,
        Change::DaemonSets,
        "kube-system/antrea-agent",
        agent,
    );
    let version = antrea(&world).and_then(|seen| seen.version);
    assert_eq!(version, Some(AntreaVersion { major: 1, minor: 6 }));
}

#[test]
fn an_address_is_somebody_else_s_if_no_external_ip_stands_for_it() {
    let mut world = World::default();
    let ips = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
    let ingress = Ingress {
        uid: "1".to_owned(),
        addresses: ips.into(),
    };
    set(&mut world, Change::Services, "web/front", ingress);
    assert_eq!(foreign(&world), None, "nobody knows yet");
    let all = BTreeMap::from([(object_name::of(ips[0]), ())]);
    world.apply(Change::Claims(Update::All(all)));
    let found = foreign(&world).unwrap();
    let found: Vec<IpAddr> = found.iter().map(|one| one.address).collect();
    assert_eq!(found, [ips[1]]);
}
