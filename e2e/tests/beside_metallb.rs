//! MetalLB chooses one node for each address, and kube-proxy in IPVS mode makes all of them answer: MetalLB's choice has
//! no effect until strictARP is on.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod metallb;
mod mooring;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use metallb::MetalLb;
use mooring::Mooring;
use serde_json::Value;
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
    Mooring::install(&bed).wait_until_safe();
    clock.lap("Mooring is installed and says that it is safe");

    let only = BTreeSet::from([chosen.clone()]);
    metallb.wait_for("the chosen node answers, and no other", || {
        answered_by(&only)
    });
    clock.lap(&format!("{chosen} alone answers"));

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
