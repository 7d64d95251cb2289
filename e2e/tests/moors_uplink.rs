//! Modes nftables and iptables: the address is on the uplink of the one node that shall have it, for as long as its agent
//! renews it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod local;
mod moored;
mod mooring;
mod plugin;

use std::time::Duration;

use moored::{
    POOL, Scene, Tale, Tried, V4, addresses, node_address, node_mac, on_links, on_uplink,
    print_first_answer, when_programmed,
};
use mooring::{Mooring, POOLS, Pod};
use plugin::Cluster;
use serde_json::json;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};
use testbed::watcher::Story;

/// Where the kubelet listens, on all addresses of its node.
const KUBELET: u16 = 10_250;

/// A story that is told in one mode only: the lifetime of an address is the kernel's business in every mode, and lasts a
/// minute.
const GONE: &str = "an agent that is gone for good leaves nothing";
/// The same of where the endpoints are: what kube-proxy says of them is the same in every mode.
const LOCAL: &str = "a Service with externalTrafficPolicy Local";

#[test]
fn in_iptables_and_nftables_mode_the_address_is_on_one_uplink() {
    in_mode(Proxy::Iptables, "iptables", |story| story != GONE);
    in_mode(Proxy::Nftables, "nftables", |story| story != LOCAL);
}

fn in_mode(proxy: Proxy, mode: &'static str, is_told: impl Fn(&str) -> bool) {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "moors-uplink")
        .proxy(proxy)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install(&cluster.bed);
    let scene = Scene::set(&cluster, mooring, mode);
    let mut stories = stories().to_vec();
    stories.retain(|(story, _)| is_told(story));
    scene.tell(&stories);
    drop(scene);
    cluster.bed.down().unwrap();
}

/// In this order: each begins where the one before it ended.
const fn stories<'a>() -> [Tale<Scene<'a>>; 10] {
    [
        ("one node answers", answered),
        ("a thousand requests of each family", requests),
        ("only the Service can be reached on the address", ports),
        ("the address is not pinged any more, and again", ping),
        (LOCAL, local::only_with_endpoints),
        ("the agent is killed under load", killed),
        ("the address is handed over under load", Scene::hand_over),
        ("the agents are replaced under load", rollout),
        (GONE, gone),
        ("the Service is deleted", deleted),
    ]
}

fn answered(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    mooring.create_web();
    let published = mooring.wait_for("the addresses are published", || {
        (mooring.published("web").len() == 2).then(|| scene.watcher.now())
    });
    let programmed = when_programmed(scene.cluster, &scene.watcher, scene.mode, &addresses());
    for (address, holder) in scene.holders() {
        let first = mooring.wait_for_answer(&scene.watcher, address, Story::first_answer);
        let what = format!("{address} on {} by {}", holder.node, holder.method);
        let programmed = programmed.get(&(address, holder.node.clone()));
        print_first_answer(&what, published, programmed, first);
        assert_eq!(holder.method, "Uplink");
        assert_eq!(holder.interface, "eth0");
        assert_eq!(holder.mac, node_mac(&scene.cluster.bed, &holder.node));
        scene.wait_for_announcements(address, 2);
        mooring.expect_one(&scene.watcher.story(address).unwrap(), holder.mac);
    }
    mooring.show(&["get", "xip", "-o", "wide"]);
    scene.cluster.explain(V4);
    expect_in_place(scene);
}

fn requests(scene: &Scene<'_>) {
    scene.expect_service();
    expect_in_place(scene);
}

fn ports(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    let service = mooring.object("service/web");
    let node_port = service["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
    let node_port = u16::try_from(node_port).unwrap();
    let tried = |address| [80, KUBELET, node_port].map(|port| mooring.try_port(address, port));
    for (address, holder) in scene.holders() {
        let own = node_address(&scene.cluster.bed, &holder.node, address.is_ipv4());
        let (there, here) = (tried(own), tried(address));
        println!("  80, kubelet, NodePort: {there:?} at {own}, {here:?} at {address}");
        assert_eq!(there[1..], [Tried::Opened; 2], "{own}");
        assert_eq!(here, [Tried::Opened, Tried::Refused, Tried::Refused]);
    }
}

fn ping(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    let pool = format!("{POOLS}/{POOL}");
    let all_ping = |wanted| addresses().map(|address| mooring.pings(address)) == [wanted; 2];
    assert!(all_ping(true), "by default");
    scene.under_load(50, || {
        for (said, answered) in [("Deny", false), ("Allow", true)] {
            let begin = scene.watcher.now();
            mooring.merge(&pool, &json!({"spec": {"ping": said}}));
            let what = format!("pings are as {said} says");
            mooring.wait_at_most(Duration::from_secs(5), &what, || {
                all_ping(answered).then_some(())
            });
            let took = (scene.watcher.now() - begin).as_secs_f64();
            println!("  {said} was seen to hold after {took:.1} s");
        }
    });
}

/// The agents of the nodes that have the addresses.
fn agents(scene: &Scene<'_>) -> Vec<Pod> {
    let holders = scene.holders();
    let mut agents = scene.mooring.agents();
    agents.retain(|pod| holders.iter().any(|(_, holder)| holder.node == pod.node));
    agents
}

/// Fails unless each address is on the uplink of its node and on nothing else in the cluster.
#[track_caller]
fn expect_in_place(scene: &Scene<'_>) {
    for (address, holder) in scene.holders() {
        for node in scene.cluster.nodes() {
            let found = on_links(&scene.cluster.bed, &node, address);
            if node == holder.node {
                assert_eq!(found.len(), 1, "{address} on {node}: {found:?}");
                let place = on_uplink(&scene.cluster.bed, &node, address).unwrap();
                println!("  {address} on {node}: {place:?}");
            } else {
                assert!(found.is_empty(), "{address} on {node}: {found:?}");
            }
        }
    }
}

fn killed(scene: &Scene<'_>) {
    let restarts = |agents: &[Pod]| agents.iter().map(|pod| pod.restarts).sum::<i64>();
    scene.under_load(50, || {
        let before = agents(scene);
        for agent in &before {
            assert!(scene.mooring.sigkill(agent), "{agent:?}");
        }
        scene.mooring.wait_for("the agents run again", || {
            let now = agents(scene);
            let again = restarts(&now) >= restarts(&before) + before.len() as i64;
            (again && now.iter().all(|pod| pod.ready)).then_some(())
        });
        scene.mooring.let_pass(Duration::from_secs(5));
    });
    expect_in_place(scene);
}

fn rollout(scene: &Scene<'_>) {
    scene.under_load(50, || scene.mooring.restart_agents());
    expect_in_place(scene);
}

/// The lifetime ends what nobody renews: the kubelet of the node stands still, so that nobody starts the agent again.
fn gone(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    let (address, holder) = scene.holders()[0].clone();
    let signal = |name: &str| {
        let script = format!("pkill -{name} -f 'controlplane[^ ]* kubelet '");
        scene.cluster.bed.run_on(&holder.node, &script).unwrap();
    };
    signal("STOP");
    let begin = scene.watcher.now();
    for agent in mooring.agents() {
        if agent.node == holder.node {
            assert!(mooring.sigkill(&agent));
        }
    }
    let its_last = || {
        let story = scene.watcher.story(address).unwrap();
        let stints = story.stints.iter();
        let last = stints
            .filter(|stint| stint.mac == holder.mac)
            .map(|stint| stint.last)
            .max();
        last.unwrap()
    };
    let what = format!("{} does not answer any more", holder.node);
    mooring.wait_at_most(Duration::from_secs(80), &what, || {
        (its_last() + Duration::from_secs(3) < scene.watcher.now()).then_some(())
    });
    let lasted = its_last().saturating_sub(begin);
    println!(
        "  {address}: {} answered for another {:.1} s",
        holder.node,
        lasted.as_secs_f64()
    );
    // As long as the lifetime had to run: it is renewed before less than 40 s of it are left.
    assert!((30..=62).contains(&lasted.as_secs()), "{lasted:?}");
    signal("CONT");
    mooring.wait_until_ready();
    for address in addresses() {
        mooring.wait_until_held(address);
        mooring.wait_until_reached(address);
    }
}

fn deleted(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    mooring.delete("service/web");
    for address in addresses() {
        mooring.wait_at_most(Duration::from_secs(15), "the address is gone", || {
            let nodes = scene.cluster.nodes();
            nodes
                .iter()
                .all(|node| on_links(&scene.cluster.bed, node, address).is_empty())
                .then_some(())
        });
        let story = scene.watcher.story(address).unwrap();
        assert!(!story.silences.last().unwrap().over, "{story}");
    }
    mooring.wait_until_nothing_is_claimed();
}
