//! What serves an address ends, and begins again: kube-proxy, the whole node.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::protocol::Request;
use testbed::steady::SteadyClient;

use crate::Scene;
use crate::moored::{Holder, POOL, V4, address, addresses, node_mac, web_service, when_programmed};

/// The kubelet's lease of a node that is off runs out, the node is NotReady, and its addresses are placed anew.
const GIVEN_UP: Duration = Duration::from_secs(180);

/// Without kube-proxy the rules that it wrote go on: what is held is served, and what is new waits for it.
pub(crate) fn without_kube_proxy(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    let clients = begin_asking(scene);
    scene.cluster.park_kube_proxy();
    mooring.wait_for("no kube-proxy is left", || {
        let pods = mooring.get(&["-n", "kube-system", "pods", "-l", "k8s-app=kube-proxy"]);
        (pods["items"] == json!([])).then_some(())
    });
    let new = address("10.77.0.203");
    let watcher = mooring.watch(&[new]);
    mooring.create(&web_service("new", "web", POOL, &new.to_string()));
    mooring.let_pass(Duration::from_secs(10));
    assert_eq!(watcher.story(new).unwrap().first_answer(), None);
    let said = mooring.said_of(new, "Announced").unwrap();
    println!("  {new}: {} {}: {}", said.status, said.reason, said.message);
    assert_ne!(said.status, "True");
    scene.cluster.unpark_kube_proxy();
    let holder = mooring.wait_until_held(new);
    println!("  {new}: {} has it once there is a kube-proxy", holder.node);
    mooring.wait_until_reached(new);
    mooring.expect_answers(new, 100);
    mooring.delete("service/new");
    expect_no_loss(scene, clients);
}

/// A node loses its power and boots. What it is given back comes when its kube-proxy forwards it, and nobody notices.
pub(crate) fn booted(scene: &Scene<'_>) {
    let (cluster, mooring) = (scene.cluster, &scene.mooring);
    let pool = format!("externalippool/{POOL}");
    mooring.merge(&pool, &json!({"spec": {"revertive": true}}));
    // Each is at its first choice then, and goes back to it: one that has just left it, after a minute.
    mooring.let_pass(Duration::from_secs(65));
    let moved = address(V4);
    let first = mooring.wait_until_held(moved).node;
    let order = |request: Request| cluster.bed.order(&request).unwrap();
    order(Request::Kill(first.clone()));
    let elsewhere = |holder: &Holder| holder.node != first;
    let second = mooring.wait_at_most(GIVEN_UP, "another node has the address", || {
        mooring.holder(moved).filter(elsewhere)
    });
    println!("  {} has {moved} while {first} is off", second.node);
    // It was taken over long before Kubernetes gives up the Pods there, to which requests are sent still.
    mooring.wait_at_most(GIVEN_UP, "no Pod of that node is an endpoint", || {
        let slices = mooring.get(&["endpointslices"]);
        let slices = slices["items"].as_array()?.iter();
        let mut endpoints =
            slices.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let dead = |endpoint: &Value| {
            endpoint["nodeName"] == first.as_str()
                && endpoint["conditions"]["ready"] != json!(false)
        };
        (!endpoints.any(dead)).then_some(())
    });
    for address in addresses() {
        mooring.wait_until_reached(address);
    }

    let (watcher, clients) = (mooring.watch(&[moved]), begin_asking(scene));
    let begin = watcher.now();
    std::thread::scope(|scope| {
        let programmed = scope.spawn(|| {
            order(Request::Boot(first.clone()));
            when_programmed(cluster, &watcher, "nftables", &[moved])
        });
        let mac = node_mac(&cluster.bed, &first);
        let first_answer = mooring.wait_at_most(GIVEN_UP, "the node has it back", || {
            watcher.story(moved).unwrap().first_answer_of(mac, begin)
        });
        let programmed = programmed.join().unwrap()[&(moved, first.clone())];
        let seconds = |at: Duration| at.saturating_sub(begin).as_secs_f64();
        println!(
            "  {first} was seen to forward it {:.1} s after the boot began, and answers from {:.1} s on",
            seconds(programmed),
            seconds(first_answer)
        );
        // It is seen to forward it up to half a second late.
        assert!(first_answer + Duration::from_millis(500) >= programmed);
    });
    mooring.wait_until_held_by(moved, |holder| holder.node == first);
    mooring.let_pass(Duration::from_secs(5));
    expect_no_loss(scene, clients);
    let story = watcher.story(moved).unwrap();
    mooring.print(&story);
    let settled = story.since(watcher.now() - Duration::from_secs(3));
    let holder = mooring.wait_until_held(moved);
    assert_eq!(settled.macs(), BTreeSet::from([holder.mac]));
    mooring.merge(&pool, &json!({"spec": {"revertive": false}}));
}

fn begin_asking(scene: &Scene<'_>) -> [SteadyClient; 2] {
    addresses().map(|address| scene.mooring.ask_steadily(address, 50))
}

#[track_caller]
fn expect_no_loss(scene: &Scene<'_>, clients: [SteadyClient; 2]) {
    for (address, client) in addresses().into_iter().zip(clients) {
        scene.mooring.expect_none_failed(address, &client.end());
    }
}
