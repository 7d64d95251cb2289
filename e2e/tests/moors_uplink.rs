//! Modes nftables and iptables: the address is on the uplink of the one node that shall have it, for as long as its agent
//! renews it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod moored;
mod mooring;
mod plugin;

use std::net::IpAddr;
use std::time::Duration;

use moored::{
    Holder, Tale, V4, addresses, node_mac, on_links, on_uplink, print_first_answer, tell_all,
    when_programmed,
};
use mooring::{Mooring, Pod};
use plugin::Cluster;
use serde_json::json;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};
use testbed::watcher::{Story, Watcher};

#[test]
fn in_iptables_and_nftables_mode_the_address_is_on_one_uplink() {
    for (proxy, mode) in [(Proxy::Iptables, "iptables"), (Proxy::Nftables, "nftables")] {
        in_mode(proxy, mode);
    }
}

fn in_mode(proxy: Proxy, mode: &'static str) {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "moors-uplink")
        .proxy(proxy)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install(&cluster.bed);
    mooring.deploy_web();
    mooring.create_lan_pool(&json!({}));
    let scene = Scene {
        cluster: &cluster,
        mooring,
        watcher: mooring.watch(&addresses()),
        mode,
    };
    scene.walk();
    drop(scene);
    cluster.bed.down().unwrap();
}

struct Scene<'a> {
    cluster: &'a Cluster,
    mooring: Mooring<'a>,
    /// From before the Service is made to the end.
    watcher: Watcher,
    mode: &'static str,
}

impl Scene<'_> {
    /// The whole life of the addresses in one mode.
    fn walk(&self) {
        tell_all(&format!("{}: ", self.mode), &stories(), self);
    }

    fn holders(&self) -> [(IpAddr, Holder); 2] {
        addresses().map(|address| (address, self.mooring.wait_until_held(address)))
    }

    /// The agents of the nodes that have the addresses.
    fn agents(&self) -> Vec<Pod> {
        let holders = self.holders();
        let mut agents = self.mooring.agents();
        agents.retain(|pod| holders.iter().any(|(_, holder)| holder.node == pod.node));
        agents
    }

    /// Fails unless each address is on the uplink of its node and on nothing else in the cluster.
    #[track_caller]
    fn expect_in_place(&self) {
        for (address, holder) in self.holders() {
            for node in self.cluster.nodes() {
                let found = on_links(&self.cluster.bed, &node, address);
                if node == holder.node {
                    assert_eq!(found.len(), 1, "{address} on {node}: {found:?}");
                    let place = on_uplink(&self.cluster.bed, &node, address).unwrap();
                    println!("  {address} on {node}: {place:?}");
                } else {
                    assert!(found.is_empty(), "{address} on {node}: {found:?}");
                }
            }
        }
    }

    /// Runs something under load; no request may fail, and nobody but the holder may speak.
    #[track_caller]
    fn under_load(&self, disturb: impl FnOnce()) {
        let begin = self.watcher.now();
        let clients = addresses().map(|address| (address, self.mooring.ask_steadily(address, 50)));
        disturb();
        let reports = clients.map(|(address, client)| (address, client.end()));
        for (address, report) in &reports {
            let holder = self.mooring.wait_until_held(*address);
            let story = self.watcher.story(*address).unwrap().since(begin);
            println!("  {address}: {report}");
            self.mooring.expect_one(&story, holder.mac);
        }
        for (address, report) in &reports {
            self.mooring.expect_none_failed(*address, report);
        }
    }
}

/// In this order: each begins where the one before it ended.
const fn stories<'a>() -> [Tale<Scene<'a>>; 6] {
    [
        ("one node answers", answered),
        ("a thousand requests of each family", requests),
        ("the agent is killed under load", killed),
        ("the agents are replaced under load", rollout),
        ("an agent that is gone for good leaves nothing", gone),
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
        let what = format!("{address} was announced");
        mooring.wait_at_most(Duration::from_secs(20), &what, || {
            let story = scene.watcher.story(address).unwrap();
            (story.announcements.len() >= 2).then_some(())
        });
        mooring.expect_one(&scene.watcher.story(address).unwrap(), holder.mac);
    }
    mooring.show(&["get", "xip", "-o", "wide"]);
    scene.cluster.explain(V4);
    scene.expect_in_place();
}

fn requests(scene: &Scene<'_>) {
    for address in addresses() {
        scene.mooring.expect_answers(address, 1_000);
        scene.mooring.expect_single(address);
    }
    scene.expect_in_place();
}

fn killed(scene: &Scene<'_>) {
    let restarts = |agents: &[Pod]| agents.iter().map(|pod| pod.restarts).sum::<i64>();
    scene.under_load(|| {
        let before = scene.agents();
        for agent in &before {
            assert!(scene.mooring.sigkill(agent), "{agent:?}");
        }
        scene.mooring.wait_for("the agents run again", || {
            let now = scene.agents();
            let again = restarts(&now) >= restarts(&before) + before.len() as i64;
            (again && now.iter().all(|pod| pod.ready)).then_some(())
        });
        scene.mooring.let_pass(Duration::from_secs(5));
    });
    scene.expect_in_place();
}

fn rollout(scene: &Scene<'_>) {
    scene.under_load(|| scene.mooring.restart_agents());
    scene.expect_in_place();
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
