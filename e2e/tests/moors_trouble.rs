//! What gets in the way of an address, and what becomes of it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod moored;
mod mooring;
mod outages;
mod plugin;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use moored::{Holder, POOL, Tale, address, addresses, tell_all, web_service};
use mooring::Mooring;
use plugin::Cluster;
use serde_json::{Value, json};
use testbed::Bed;
use testbed::probe::Mac;
use testbed::protocol::Request;
use testbed::spec::{Proxy, StrictArp};
use testbed::watcher::Story;

/// A host on the segment that is no node.
const STRANGER: &str = "stranger";
/// The label of the nodes that may have addresses.
const ROLE: &str = "network-role=ingress-node";

#[test]
fn an_address_survives_trouble() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "moors-trouble")
        .proxy(Proxy::Nftables)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    bed.order(&Request::ClientAdd(STRANGER.to_owned())).unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install(&cluster.bed);
    mooring.deploy_web();
    for node in ["n1", "n2"] {
        cluster.bed.kubectl(&["label", "node", node, ROLE]).unwrap();
    }
    mooring.create_lan_pool(&json!({"matchLabels": {"network-role": "ingress-node"}}));
    let scene = Scene {
        cluster: &cluster,
        mooring,
    };
    tell_all("", &stories(), &scene);
    cluster.bed.down().unwrap();
}

struct Scene<'a> {
    cluster: &'a Cluster,
    mooring: Mooring<'a>,
}

/// In this order: each begins where the one before it ended.
const fn stories<'a>() -> [Tale<Scene<'a>>; 9] {
    [
        ("a foreign host has the address before", foreign_holder),
        (
            "a Service without Pods is answered for when it has some, and says so when kube-proxy leaves it alone",
            unprogrammed,
        ),
        ("a foreign host claims what a node has", foreign_claim),
        ("a foreign host answers beside the node", answered_twice),
        ("the address moves to another node", moved),
        ("the link of the node goes down and up", bounced),
        // A node whose connections to the API server broke hears of it all the same.
        ("the address moves from the node whose link was down", moved),
        ("kube-proxy is down", outages::without_kube_proxy),
        ("a node boots and gets its address back", outages::booted),
    ]
}

/// The MAC of the stranger.
fn stranger(cluster: &Cluster) -> Mac {
    let status = cluster.bed.status().unwrap();
    let mut hosts = status.hosts();
    hosts.find(|host| host.name == STRANGER).unwrap().mac()
}

fn foreign_holder(scene: &Scene<'_>) {
    let (cluster, mooring) = (scene.cluster, &scene.mooring);
    let (taken, foreign) = (["10.77.0.201", "fd77::201"].map(address), stranger(cluster));
    mooring.ip_of(STRANGER, "address add 10.77.0.201/32 dev eth0");
    mooring.ip_of(STRANGER, "address add fd77::201/128 dev eth0 nodad");
    let watcher = mooring.watch(&taken);
    let asked = taken.map(|address| address.to_string()).join(",");
    mooring.create(&web_service("taken", "web", POOL, &asked));
    for address in taken {
        let announced = mooring.wait_until_said(address, "Announced", "AnsweredElsewhere");
        let conflict = mooring.wait_until_said(address, "Conflict", "ForeignHost");
        println!("  {}\n  {}", announced.message, conflict.message);
        assert_eq!(announced.status, "False");
        assert_eq!(conflict.status, "True");
        assert!(conflict.message.contains(&foreign.to_string()));
    }
    mooring.let_pass(Duration::from_secs(5));
    for address in taken {
        mooring.expect_one(&watcher.story(address).unwrap(), foreign);
        assert!(mooring.claim(address)["status"]["node"].is_null());
    }

    let begin = watcher.now();
    mooring.ip_of(STRANGER, "address del 10.77.0.201/32 dev eth0");
    mooring.ip_of(STRANGER, "address del fd77::201/128 dev eth0");
    for address in taken {
        let holder = mooring.wait_until_held(address);
        let of_holder = |story: &Story| story.first_answer_of(holder.mac, begin);
        let first = mooring.wait_for_answer(&watcher, address, of_holder);
        let story = watcher.story(address).unwrap();
        mooring.print(&story);
        let took = first.saturating_sub(begin);
        println!("  taken {:.1} s after the other let go", took.as_secs_f64());
        assert!(took <= Duration::from_secs(15), "{story}");
        assert_eq!(story.overlaps(), [], "{story}");
        let conflict = mooring.wait_until_said(address, "Conflict", "NoConflict");
        assert_eq!(conflict.status, "False");
        mooring.wait_until_reached(address);
    }
    mooring.delete("service/taken");
}

fn unprogrammed(scene: &Scene<'_>) {
    let (cluster, mooring) = (scene.cluster, &scene.mooring);
    let empty = address("10.77.0.202");
    let watcher = mooring.watch(&[empty]);
    mooring.create(&web_service("empty", "later", POOL, &empty.to_string()));
    mooring.wait_for_published("empty", &[&empty.to_string()]);
    let announced = mooring.wait_until_said(empty, "Announced", "ProxyNotProgrammed");
    println!("  {}", announced.message);
    assert_eq!(announced.status, "False");
    mooring.let_pass(Duration::from_secs(3));
    assert_eq!(watcher.story(empty).unwrap().first_answer(), None);
    cluster.explain(&empty.to_string());

    let begin = watcher.now();
    let selector = json!({"spec": {"selector": {"app": "web"}}});
    mooring.merge("service/empty", &selector);
    let holder = mooring.wait_until_held(empty);
    let first = mooring.wait_for_answer(&watcher, empty, Story::first_answer);
    let first = first.saturating_sub(begin);
    let story = watcher.story(empty).unwrap();
    println!(
        "  answered {:.2} s after it had endpoints",
        first.as_secs_f64()
    );
    mooring.expect_one(&story, holder.mac);
    // Whoever is answered is served.
    mooring.expect_answers(empty, 100);

    // When kube-proxy drops what its node has, the node goes on to answer, and says that it leads nowhere, and why.
    let left_to = |proxy: Value| {
        let label =
            json!({"metadata": {"labels": {"service.kubernetes.io/service-proxy-name": proxy}}});
        mooring.merge("service/empty", &label);
    };
    left_to(json!("another"));
    let announced = mooring.wait_until_said(empty, "Announced", "ProxyNotProgrammed");
    println!("  {}", announced.message);
    for part in ["answers for", "service-proxy-name=another"] {
        assert!(announced.message.contains(part), "{announced:?}");
    }
    assert_eq!(mooring.claim(empty)["status"]["node"], *holder.node);
    left_to(Value::Null);
    mooring.wait_until_said(empty, "Announced", "Announced");
    mooring.expect_answers(empty, 100);
    mooring.delete("service/empty");
}

fn foreign_claim(scene: &Scene<'_>) {
    let (cluster, mooring) = (scene.cluster, &scene.mooring);
    mooring.create_web();
    let held = addresses()[0];
    for address in addresses() {
        mooring.wait_until_held(address);
        mooring.wait_until_reached(address);
    }
    let holder = mooring.wait_until_held(held);
    // After the burst, so that what is heard is the defence.
    mooring.let_pass(Duration::from_secs(6));
    let (watcher, foreign) = (mooring.watch(&[held]), stranger(cluster));
    let client = mooring.ask_steadily(held, 20);
    let bind = "net.ipv4.ip_nonlocal_bind=1";
    let claim =
        format!("sysctl -qw {bind} && busybox arping -U -c 1 -w 2 -I eth0 -s {held} {held}");
    let mut shell = cluster.bed.command(STRANGER, "sh");
    let said = shell.args(["-c", &claim]).output().unwrap();
    println!("  {}", String::from_utf8_lossy(&said.stdout).trim());
    let conflict = mooring.wait_until_said(held, "Conflict", "ForeignHost");
    println!("  {}", conflict.message);
    assert_eq!(conflict.status, "True");
    assert!(conflict.message.contains(&foreign.to_string()));
    mooring.let_pass(Duration::from_secs(2));

    let story = watcher.story(held).unwrap();
    mooring.print(&story);
    let said_by = |mac: Mac, from: Duration| {
        let mut heard = story.announcements.iter();
        heard
            .find(|(at, who)| *who == mac && *at >= from)
            .map(|(at, _)| *at)
    };
    let claimed = said_by(foreign, Duration::ZERO).expect("the stranger's claim was heard");
    let defended = said_by(holder.mac, claimed).expect("the node defends its address");
    println!("  defended after {} ms", (defended - claimed).as_millis());
    assert!(defended - claimed <= Duration::from_secs(1), "{story}");
    assert_eq!(story.macs(), BTreeSet::from([holder.mac]));
    println!("  {held}: {}", client.end());
    mooring.expect_answers(held, 100);
    mooring.show(&["get", "xip", "-o", "wide"]);
}

/// A witness sees both, and the Service is told, as it is when that is over.
fn answered_twice(scene: &Scene<'_>) {
    let (mooring, held) = (&scene.mooring, addresses()[0]);
    let foreign = stranger(scene.cluster).to_string();
    mooring.ip_of(STRANGER, &format!("address add {held}/32 dev eth0"));
    let reason = "SeveralResponders";
    let single = mooring.wait_until_said(held, "SingleResponder", reason);
    assert_eq!(single.status, "False");
    println!("  {}", mooring.wait_for_event("web", reason, &foreign));
    mooring.ip_of(STRANGER, &format!("address del {held}/32 dev eth0"));
    mooring.expect_single(held);
    println!(
        "  {}",
        mooring.wait_for_event("web", "OneResponder", "alone again")
    );
    mooring.wait_until_reached(held);
}

fn bounced(scene: &Scene<'_>) {
    let (cluster, mooring) = (scene.cluster, &scene.mooring);
    let watcher = mooring.watch(&addresses());
    let clients = addresses().map(|address| mooring.ask_steadily(address, 20));
    let holders = addresses().map(|address| mooring.wait_until_held(address));
    let nodes: BTreeSet<&str> = holders.iter().map(|holder| holder.node.as_str()).collect();
    let begin = watcher.now();
    for node in &nodes {
        // The node's routes to the others' Pods and its default route go with the link: they are put back as they were.
        let bounce = "ip route show table main | grep via > /run/routes
             ip -6 route show table main | grep via > /run/routes6
             ip -6 address show dev eth0 scope global | awk '$2 ~ /^fd77.*\\/64$/ {print $2}' > /run/own6
             ip link set eth0 down; sleep 1; ip link set eth0 up
             while read a; do ip address add $a dev eth0 nodad; done < /run/own6
             while read r; do ip route replace $r; done < /run/routes
             while read r; do ip -6 route replace $r; done < /run/routes6";
        cluster.bed.run_on(node, bounce).unwrap();
    }
    for address in addresses() {
        let what = format!("{address} is answered again");
        mooring.wait_at_most(Duration::from_secs(15), &what, || {
            let story = watcher.story(address).unwrap();
            let answered = story.last_answer().is_some_and(|last| {
                last > begin + Duration::from_secs(1)
                    && watcher.now() - last < Duration::from_millis(500)
            });
            answered.then_some(())
        });
        mooring.wait_until_reached(address);
    }
    mooring.let_pass(Duration::from_secs(3));
    for (address, client) in addresses().into_iter().zip(clients) {
        println!("  {address}: {}", client.end());
        let story = watcher.story(address).unwrap();
        mooring.print(&story);
        let announced = story.announcements.iter().any(|(at, _)| *at > begin);
        assert!(announced, "announced again: {story}");
    }
    // Another node may have taken it over meanwhile, and keeps it.
    for address in addresses() {
        let (settled, holder) = (watcher.now(), mooring.wait_until_held(address));
        mooring.expect_answers(address, 100);
        let story = watcher.story(address).unwrap();
        let since = story.since(settled);
        assert_eq!(since.macs(), BTreeSet::from([holder.mac]), "{story}");
        assert_eq!(story.overlaps(), [], "{story}");
    }
}

fn moved(scene: &Scene<'_>) {
    let (cluster, mooring) = (scene.cluster, &scene.mooring);
    let watcher = mooring.watch(&addresses());
    let clients = addresses().map(|address| mooring.ask_steadily(address, 20));
    let old: Vec<Holder> = addresses().map(|at| mooring.wait_until_held(at)).into();
    let leaving = old[0].node.clone();
    let begin = watcher.now();
    let unlabel = ["label", "node", &leaving, "network-role-"];
    cluster.bed.kubectl(&unlabel).unwrap();
    for address in addresses() {
        let holder = mooring.wait_until_held_by(address, |holder: &Holder| holder.node != leaving);
        println!(
            "  {address}: {} has it {:.1} s after {leaving} may not",
            holder.node,
            (watcher.now() - begin).as_secs_f64()
        );
    }
    mooring.let_pass(Duration::from_secs(5));
    for (address, client) in addresses().into_iter().zip(clients) {
        println!("  {address}: {}", client.end());
    }
    let settled = watcher.now() - Duration::from_secs(3);
    for address in addresses() {
        let story = watcher.story(address).unwrap();
        mooring.print(&story);
        let holder = mooring.wait_until_held(address);
        assert_eq!(story.since(settled).macs(), BTreeSet::from([holder.mac]));
        let on_uplinks = uplinks(cluster, address);
        assert_eq!(on_uplinks, [holder.node.as_str()], "{address}");
        mooring.expect_answers(address, 200);
    }
    let label = ["label", "node", &leaving, ROLE];
    cluster.bed.kubectl(&label).unwrap();
}

/// The nodes whose uplink has an address.
fn uplinks(cluster: &Cluster, address: IpAddr) -> Vec<String> {
    let mut nodes = cluster.nodes();
    nodes.retain(|node| moored::on_uplink(&cluster.bed, node, address).is_some());
    nodes
}
