//! Mode ipvs: kube-proxy puts every address on every node, and the one node that shall have it answers for it, by its agent.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod moored;
mod mooring;
mod plugin;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use moored::{
    Scene, Tale, V4, addresses, node_mac, on_links, print_first_answer, web_service,
    when_programmed,
};
use mooring::Mooring;
use plugin::Cluster;
use serde_json::json;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};
use testbed::watcher::Story;

/// A pool outside of the nodes' subnets.
const ROUTED: &str = "routed";

#[test]
fn in_ipvs_mode_one_node_answers_from_publication_to_release() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "moors-ipvs")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install_with(&cluster.bed, &json!({"strictARP": {"policy": "Warn"}}));
    let scene = Scene::set(&cluster, mooring, "ipvs");
    scene.tell(&stories());
    drop(scene);
    cluster.bed.down().unwrap();
}

/// In this order: each begins where the one before it ended.
const fn stories<'a>() -> [Tale<Scene<'a>>; 8] {
    [
        ("nobody answers before that is safe", held_back),
        ("once it is safe, one node answers", answered),
        ("a thousand requests of each family", requests),
        ("the address is where it shall be, and nowhere else", places),
        ("the address is handed over under load", Scene::hand_over),
        ("the agents are replaced under load", rollout),
        ("an address outside of the nodes' subnets", outside),
        ("the Service is deleted", deleted),
    ]
}

fn held_back(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    mooring.wait_for_status("SafeToAnnounce", "False");
    mooring.create_web();
    for address in addresses() {
        let waiting = mooring.wait_until_said(address, "Announced", "WaitingForSafety");
        println!("  {address}: {}", waiting.message);
        assert_eq!(scene.watcher.story(address).unwrap().first_answer(), None);
    }
    assert_eq!(mooring.published("web"), [""; 0]);
}

fn answered(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    mooring.set_spec(&json!({"strictARP": {"policy": "Enforce"}}));
    let mut before = scene.watcher.now();
    let published = mooring.wait_for("the addresses are published", || {
        if mooring.published("web").len() == 2 {
            return Some(scene.watcher.now());
        }
        before = scene.watcher.now();
        None
    });
    let programmed = when_programmed(scene.cluster, &scene.watcher, scene.mode, &addresses());
    assert_eq!(mooring.known("SafeToAnnounce").status, "True");
    for (address, holder) in scene.holders() {
        let first = mooring.wait_for_answer(&scene.watcher, address, Story::first_answer);
        let story = scene.watcher.story(address).unwrap();
        // The look before `published` was the last that did not see it.
        assert!(first >= before, "answered before it was published: {story}");
        let what = format!("{address} on {} by {}", holder.node, holder.method);
        let programmed = programmed.get(&(address, holder.node.clone()));
        print_first_answer(&what, published, programmed, first);
        assert_eq!(holder.method, "Responder");
        assert_eq!(holder.interface, "eth0");
        assert_eq!(holder.mac, node_mac(&scene.cluster.bed, &holder.node));
        // The burst of announcements.
        scene.wait_for_announcements(address, 2);
        mooring.expect_one(&scene.watcher.story(address).unwrap(), holder.mac);
    }
    mooring.show(&["get", "xip", "-o", "wide"]);
    mooring.show(&["get", "services", "web"]);
    let said = scene.cluster.explain(V4);
    assert!(
        said.contains(&mooring.wait_until_held(addresses()[0]).node),
        "{said}"
    );
}

fn requests(scene: &Scene<'_>) {
    scene.expect_service();
}

fn places(scene: &Scene<'_>) {
    for address in addresses() {
        for node in scene.cluster.nodes() {
            let found = on_links(&scene.cluster.bed, &node, address);
            let interfaces: Vec<&str> =
                found.iter().map(|place| place.interface.as_str()).collect();
            assert_eq!(interfaces, ["kube-ipvs0"], "{address} on {node}");
        }
    }
}

fn rollout(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    scene.under_load(100, || mooring.restart_agents());
    // Nothing of what stood in for the agent is left.
    for address in addresses() {
        mooring.wait_for("the address is on no uplink any more", || {
            let nodes = scene.cluster.nodes();
            nodes
                .iter()
                .all(|node| on_links(&scene.cluster.bed, node, address).len() == 1)
                .then_some(())
        });
    }
}

fn outside(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    mooring.create(&json!({
        "apiVersion": "mooring.dev/v1alpha1", "kind": "ExternalIPPool",
        "metadata": {"name": ROUTED},
        "spec": {"ipRanges": [{"cidr": "10.10.0.0/28"}], "nodeSelector": {}}
    }));
    let asked = "10.10.0.5";
    mooring.create(&web_service("routed", "web", ROUTED, asked));
    let address: IpAddr = asked.parse().unwrap();
    let announced = mooring.wait_until_said(address, "Announced", "OutsideNodeSubnet");
    println!("  {}", announced.message);
    let holder = mooring.wait_until_held(address);
    let nodes = scene.cluster.bed.status().unwrap().nodes;
    let mut hosts = nodes.iter().map(|status| &status.host);
    let gateway = hosts.find(|host| host.name == holder.node).unwrap().ipv4();
    let route = format!("route to {address} via {gateway}");
    assert!(announced.message.contains(&route), "{}", announced.message);
    scene.cluster.explain(asked);
    mooring.ip_of("client", &format!("route add {address}/32 via {gateway}"));
    mooring.wait_until_reached(address);
    mooring.expect_answers(address, 100);
    mooring.delete("service/routed");
}

fn deleted(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    let begin = scene.watcher.now();
    mooring.delete("service/web");
    for address in addresses() {
        mooring.wait_at_most(Duration::from_secs(15), "nobody answers any more", || {
            let story = scene.watcher.story(address).unwrap();
            let quiet = story.silences.last().is_some_and(|silence| !silence.over);
            quiet.then_some(())
        });
        let story = scene.watcher.story(address).unwrap().since(begin);
        let last = story.last_answer().unwrap_or(begin);
        let took = last.saturating_sub(begin).as_secs_f64();
        println!("  {address}: the last answer came {took:.2} s after the deletion");
        mooring.wait_at_most(Duration::from_secs(30), "its status names no node", || {
            let claim = mooring.claim(address);
            claim["status"]["node"].is_null().then_some(())
        });
    }
    // Nor does anybody begin again.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        for address in addresses() {
            let story = scene.watcher.story(address).unwrap();
            assert!(!story.silences.last().unwrap().over, "{story}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
