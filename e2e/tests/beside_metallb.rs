//! MetalLB chooses one node for each address, and kube-proxy in IPVS mode makes all of them answer: MetalLB's choice has
//! no effect until strictARP is on. Mooring tells who answers, makes it one, and touches nothing of MetalLB's.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod metallb;
mod mooring;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use metallb::MetalLb;
use mooring::Mooring;
use serde_json::{Value, json};
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

const RANGE: &str = "10.77.0.200-10.77.0.254";

#[test]
fn metallbs_address_is_answered_by_the_node_that_metallb_chose_and_metallb_is_not_touched() {
    let mut clock = Clock(Instant::now());
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "metallb")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let nodes = bed.status().unwrap().nodes;
    let all: BTreeSet<String> = nodes.into_iter().map(|node| node.host.name).collect();
    clock.lap("a cluster of three nodes is up");

    let metallb = MetalLb::install(&bed, RANGE);
    clock.lap("MetalLB is ready");

    let web = include_str!("../manifests/web.yaml");
    bed.kubectl_with(&["create", "-f", "-"], web).unwrap();
    let address = metallb.address_of("web");
    clock.lap(&format!("MetalLB gave a Service {address}"));

    let chosen = metallb.wait_for("MetalLB names one node", || metallb.announcer_of("web"));
    let said = format!("announcing from node {chosen:?} with protocol \"layer2\"");
    metallb.wait_for("MetalLB tells so", || {
        metallb.events_of("web").contains(&said).then_some(())
    });
    let answered_by =
        |who: &BTreeSet<String>| (bed.answering(address).unwrap() == *who).then_some(());
    metallb.wait_for("every node answers, whatever MetalLB chose", || {
        answered_by(&all)
    });
    bed.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"])
        .unwrap();
    clock.lap(&format!("MetalLB chose {chosen}, and {all:?} answer"));

    let (footprint, service) = (metallb.footprint(), service(&bed));
    let mooring = install_that_writes_nothing(&bed);
    clock.lap("Mooring is installed and only warns");
    names_all_that_answer(&mooring, &all);
    clock.lap("it names every node that answers for MetalLB's address");

    mooring.set_spec(&json!({"strictARP": {"policy": "Enforce"}}));
    mooring.wait_until_safe();
    clock.lap("Mooring may repair, and says that it is safe");

    let only = BTreeSet::from([chosen.clone()]);
    metallb.wait_for("the chosen node answers, and no other", || {
        answered_by(&only)
    });
    clock.lap(&format!("{chosen} alone answers"));
    names_the_one_that_answers(&mooring, address, &chosen);
    clock.lap("Mooring names it as the one that answers");

    forget(&bed, address);
    metallb.wait_for("the Service is reached by that node", || get(&bed, address));
    let pods: BTreeSet<String> = (0..10)
        .map(|_| get(&bed, address).expect("the Service stays reachable"))
        .collect();
    assert_eq!(pods.len(), 2, "the Pods that answered: {pods:?}");
    assert_eq!(neighbour(&bed, address), mac(&bed, &chosen));
    assert_eq!(bed.answering(address).unwrap(), only);
    clock.lap("ten requests reached both Pods by that node");

    let touched = metallb.touched_since(&footprint);
    assert!(
        touched.is_empty(),
        "somebody wrote:\n{}",
        touched.join("\n")
    );
    assert_eq!(self::service(&bed), service);
    assert_eq!(metallb.announcer_of("web"), Some(chosen));
    clock.lap("MetalLB and its Service are as they were");
    bed.down().unwrap();
}

/// Installs Mooring with a ServiceProxy that lets it write nothing.
fn install_that_writes_nothing(bed: &Bed) -> Mooring<'_> {
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/crds");
    bed.kubectl(&["apply", "-f", crds]).unwrap();
    let known = [
        "wait",
        "--for=condition=Established",
        "crd/serviceproxies.mooring.dev",
        "--timeout=60s",
    ];
    bed.kubectl(&known).unwrap();
    let service_proxy = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ServiceProxy",
        "metadata": {"name": "cluster"},
        "spec": {"strictARP": {"policy": "Warn"}},
    });
    bed.kubectl_with(&["create", "-f", "-"], &service_proxy.to_string())
        .unwrap();
    Mooring::install(bed)
}

/// With strictARP off, the wire proof names all MAC addresses that answer, in the status and in one event on the Service.
fn names_all_that_answer(mooring: &Mooring<'_>, all: &BTreeSet<String>) {
    let macs: Vec<String> = all.iter().map(|node| mac(mooring.bed, node)).collect();
    let names_all = |text: &str| macs.iter().all(|mac| text.contains(mac));
    mooring.wait_for("SingleResponder names all that answer", || {
        let said = mooring.condition("SingleResponder")?;
        (said.status == "False" && said.reason == "SeveralResponders" && names_all(&said.message))
            .then_some(())
    });
    let told = mooring.wait_for("an event on the Service", || {
        events(mooring, "SeveralResponders").pop()
    });
    assert_eq!(told["type"], "Warning");
    assert!(names_all(told["message"].as_str().unwrap()), "{told}");
}

/// After the repair, it names MetalLB's one responder, with its MAC address and node.
fn names_the_one_that_answers(mooring: &Mooring<'_>, address: IpAddr, chosen: &str) {
    let mac = mac(mooring.bed, chosen);
    let found = mooring.wait_for("SingleResponder names the one that answers", || {
        let said = mooring.condition("SingleResponder")?;
        let names = said.message.contains(&mac) && said.message.contains(chosen);
        let found = mooring.status()["foreignAddresses"][0].take();
        (said.status == "True" && names).then_some(found)
    });
    assert_eq!(found["address"], address.to_string());
    assert_eq!(found["service"], "default/web");
    assert_eq!(found["responders"], json!([{"mac": mac, "node": chosen}]));
    let over = mooring.wait_for("an event that tells so", || {
        events(mooring, "OneResponder").pop()
    });
    assert_eq!(over["type"], "Normal");
    assert_eq!(events(mooring, "SeveralResponders").len(), 1, "told once");
}

/// The events on the Service that have this reason.
fn events(mooring: &Mooring<'_>, reason: &str) -> Vec<Value> {
    let of = format!("involvedObject.kind=Service,involvedObject.name=web,reason={reason}");
    let found = mooring.get(&["events", "--field-selector", &of]);
    found["items"].as_array().cloned().unwrap_or_default()
}

/// The Service with all that MetalLB wrote.
fn service(bed: &Bed) -> Value {
    let text = bed.kubectl(&["get", "service", "web", "-o", "json"]);
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// The Pod that answers the client's request to `address`.
fn get(bed: &Bed, address: IpAddr) -> Option<String> {
    let mut curl = bed.command("client", "curl");
    let output = curl
        .args(["--silent", "--fail", "--max-time", "5"])
        .arg(format!("http://{address}/"))
        .output()
        .unwrap();
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(name)
}

/// Makes the client ask anew who has `address`.
fn forget(bed: &Bed, address: IpAddr) {
    let mut ip = bed.command("client", "ip");
    let flushed = ip.args(["neigh", "flush", "to"]).arg(address.to_string());
    assert!(flushed.status().unwrap().success());
}

/// The MAC that the client's kernel has for `address`.
fn neighbour(bed: &Bed, address: IpAddr) -> String {
    let mut ip = bed.command("client", "ip");
    let output = ip
        .args(["-json", "neigh", "show", "to"])
        .arg(address.to_string())
        .output()
        .unwrap();
    let entries: Value = serde_json::from_slice(&output.stdout).unwrap();
    entries[0]["lladdr"].as_str().unwrap().to_owned()
}

/// The MAC of a node on the segment.
fn mac(bed: &Bed, node: &str) -> String {
    let nodes = bed.status().unwrap().nodes;
    let found = nodes.iter().find(|status| status.host.name == node);
    found.unwrap().host.mac().to_string()
}

/// Prints how long each step took.
struct Clock(Instant);

impl Clock {
    fn lap(&mut self, what: &str) {
        println!("{what}: {:.1} s", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}
