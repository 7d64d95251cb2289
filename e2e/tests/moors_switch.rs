//! What handles Services is switched while a client asks: each node gives the address the shape that its new mode needs, and
//! two never answer at once. At the end Antrea does, with proxyAll.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod antrea;
mod cargo;
mod moored;
mod mooring;
mod plugin;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use moored::{addresses, on_links, on_uplink};
use mooring::Mooring;
use plugin::{Cluster, tell};
use serde_json::json;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

/// How long a node may take to give an address the shape that a new mode needs.
const RESHAPED: Duration = Duration::from_secs(10);

/// From mode to mode, and back to the first.
const WAY: [&str; 4] = ["ipvs", "iptables", "nftables", "ipvs"];

/// The longest time in which two MACs may answer: the address does not move, so none; but a look at the wire is no proof of
/// less than this on a busy machine.
const OVERLAP: Duration = Duration::from_millis(500);

#[test]
fn an_address_follows_the_mode_of_its_nodes_kube_proxy() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "moors-switch")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install(&cluster.bed);
    mooring.wait_until_safe();
    mooring.deploy_web();
    mooring.create_lan_pool(&json!({}));
    mooring.create_web();
    for address in addresses() {
        mooring.wait_until_held(address);
        mooring.wait_until_reached(address);
    }
    for pair in WAY.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let story = format!("{from} to {to}");
        tell(&story, || switched(&cluster, &mooring, from, to));
    }
    tell("Antrea with proxyAll", || {
        antrea_proxy_all(&cluster, &mooring)
    });
    cluster.bed.down().unwrap();
}

fn switched(cluster: &Cluster, mooring: &Mooring<'_>, from: &str, to: &str) {
    let watcher = mooring.watch(&addresses());
    let clients = addresses().map(|address| mooring.ask_steadily(address, 20));
    let owners = addresses().map(|address| (address, mooring.wait_until_held(address).node));

    cluster.set_mode(from, to);
    cluster.begin_rollout();
    // Each from when its own node is in the new mode, as nodes follow one another.
    std::thread::scope(|scope| {
        for (address, owner) in &owners {
            scope.spawn(move || reshaped(cluster, mooring, *address, owner, to));
        }
    });
    cluster.end_rollout(to);
    // On every node, as the addresses may have different ones.
    for address in addresses() {
        mooring.wait_at_most(RESHAPED, &format!("{address} keeps its shape"), || {
            in_shape(cluster, mooring, address, to).then_some(())
        });
    }
    let settled = watcher.now();
    mooring.let_pass(Duration::from_secs(3));

    let reports = clients.map(testbed::steady::SteadyClient::end);
    for (address, report) in addresses().into_iter().zip(&reports) {
        println!("  {address}: {report}");
        mooring.wait_until_reached(address);
    }
    for story in watcher.end().unwrap() {
        mooring.print(&story);
        let holder = mooring.wait_until_held(story.address);
        mooring.expect_one(&story.since(settled), holder.mac);
        assert!(story.longest_overlap() <= OVERLAP, "{story}");
    }
    leftovers(cluster, mooring, to);
}

/// With proxyAll, Open vSwitch gets the traffic over a route, which an address of the node itself would beat.
fn antrea_proxy_all(cluster: &Cluster, mooring: &Mooring<'_>) {
    let watcher = mooring.watch(&addresses());
    antrea::install(cluster, true);
    cluster.park_kube_proxy();
    for node in cluster.nodes() {
        mooring.wait_for(&format!("{node} runs AntreaProxy"), || {
            (mooring.state(&node)["mode"] == "antreaProxyAll").then_some(())
        });
    }
    let nowhere = |node: &String| {
        let mut all = addresses().into_iter();
        all.all(|address| on_links(&cluster.bed, node, address).is_empty())
    };
    mooring.wait_at_most(RESHAPED, "the addresses are on no interface", || {
        cluster.nodes().iter().all(nowhere).then_some(())
    });
    for (address, node) in of_nodes(cluster) {
        antrea::lay_route(cluster, &node, address);
    }
    for address in addresses() {
        let holder = mooring.wait_until_held_by(address, |holder| holder.method == "Responder");
        let settled = watcher.now();
        mooring.let_pass(Duration::from_secs(3));
        let story = watcher.story(address).unwrap();
        mooring.expect_one(&story.since(settled), holder.mac);
        assert!(story.longest_overlap() <= OVERLAP, "{story}");
        mooring.expect_single(address);
    }
    for (address, node) in of_nodes(cluster) {
        assert!(nowhere(&node), "{address} is on an interface of {node}");
        let way = antrea::way_to(cluster, &node, address);
        assert_eq!(way, "antrea-gw0", "{address} on {node}");
    }
}

/// Each address with each node.
fn of_nodes(cluster: &Cluster) -> Vec<(IpAddr, String)> {
    let nodes = cluster.nodes();
    let pairs = |address| nodes.iter().map(move |node| (address, node.clone()));
    addresses().into_iter().flat_map(pairs).collect()
}

/// Waits until the node of an address runs in the new mode and, from then on, not long until the address has its shape.
fn reshaped(cluster: &Cluster, mooring: &Mooring<'_>, address: IpAddr, owner: &str, mode: &str) {
    let live = cluster.wait_for_live(owner, mode);
    let what = format!("{address} has the shape of mode {mode}");
    mooring.wait_at_most(Duration::from_secs(60), &what, || {
        in_shape(cluster, mooring, address, mode).then_some(())
    });
    let took = live.elapsed();
    println!(
        "  {address}: in shape {:.1} s after {owner} was seen in mode {mode}",
        took.as_secs_f64()
    );
    // Looking takes a while as well.
    assert!(took <= RESHAPED + Duration::from_secs(1), "{took:?}");
}

/// Whether an address is where its mode needs it, and is said to be.
fn in_shape(cluster: &Cluster, mooring: &Mooring<'_>, address: IpAddr, mode: &str) -> bool {
    let Some(holder) = mooring.holder(address) else {
        return false;
    };
    let bed = &cluster.bed;
    let elsewhere = |node: &String| *node != holder.node && on_uplink(bed, node, address).is_some();
    if cluster.nodes().iter().any(elsewhere) {
        return false;
    }
    let uplink = on_uplink(bed, &holder.node, address).is_some();
    if mode == "ipvs" {
        let found = on_links(bed, &holder.node, address);
        let ipvs = found.iter().any(|place| place.interface == "kube-ipvs0");
        ipvs && !uplink && holder.method == "Responder"
    } else {
        uplink && holder.method == "Uplink"
    }
}

/// What mode ipvs leaves of Mooring's on nodes, where they would go on answering for it, the agents take away.
fn leftovers(cluster: &Cluster, mooring: &Mooring<'_>, mode: &str) {
    if mode == "ipvs" {
        return;
    }
    let left = || -> Vec<String> {
        let on_ipvs_link = |node: &String| {
            let found = addresses().map(|address| on_links(&cluster.bed, node, address));
            let mut places = found.iter().flatten();
            places.any(|place| place.interface == "kube-ipvs0")
        };
        cluster.nodes().into_iter().filter(on_ipvs_link).collect()
    };
    let begin = Instant::now();
    mooring.wait_at_most(
        Duration::from_secs(30),
        "nothing is left on kube-ipvs0",
        || left().is_empty().then_some(()),
    );
    println!(
        "  nothing of it is left on kube-ipvs0 {:.1} s later",
        begin.elapsed().as_secs_f64()
    );
}
