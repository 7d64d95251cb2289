//! The guard survives: its operator is killed at every step of a repair, the API server goes away for a minute, and neither
//! makes it do anything twice.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod mooring;
mod plugin;
mod watch;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mooring::Mooring;
use plugin::{Cluster, tell, wait_for};
use serde_json::{Value, json};
use testbed::Bed;
use testbed::protocol::Request;
use testbed::spec::{Proxy, StrictArp};
use watch::Watch;

const PHASE: &str = "/status/lastRemediation/phase";

#[test]
fn the_guard_survives_what_kills_its_parts_and_the_api_server() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "crashes")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::find(&cluster.bed);
    tell("killed at every step", || killed_at_every_step(&cluster));
    tell("API server away", || api_server_away(&cluster, &mooring));
    cluster.bed.down().unwrap();
}

/// Both replicas are killed as soon as each phase is seen, and the end is that of an undisturbed repair.
fn killed_at_every_step(cluster: &Cluster) {
    let all: BTreeSet<String> = cluster.nodes().into_iter().collect();
    let (pods, maps) = (
        Watch::on_proxies(&cluster.bed),
        Watch::on_config(&cluster.bed),
    );
    let mooring = Mooring::install_with(&cluster.bed, &json!({"strictARP":{"policy":"Warn"}}));
    mooring.wait_for_reason("StrictARPConfigured", "StrictArpOff");
    let proxies = Watch::on(&cluster.bed, "proxies", &["serviceproxy", "cluster"]);

    mooring.set_spec(&json!({"strictARP": {"policy": "Enforce"}}));
    let mut killed = BTreeSet::new();
    let limit = Instant::now() + Duration::from_secs(420);
    loop {
        let phases = proxies.values(PHASE);
        let phase = phases
            .last()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if phase == "Done" {
            break;
        }
        assert!(Instant::now() < limit, "phases so far: {phases:?}");
        if !phase.is_empty() && !killed.contains(&phase) {
            let operators = mooring.kill_operators();
            // Without a process there was nobody to be killed in this phase yet.
            if !operators.is_empty() {
                println!("  {phase}: operators killed: {operators:?}");
                killed.insert(phase);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("  phases: {:?}", proxies.values(PHASE));
    for phase in ["Canary", "RollingOut"] {
        assert!(
            killed.contains(phase),
            "never killed in {phase}: {killed:?}"
        );
    }
    mooring.wait_for_status("SafeToAnnounce", "True");
    assert_eq!(
        maps.values(&format!("/data/{}", plugin::KEY)).len(),
        2,
        "the ConfigMap was written once"
    );
    pods.expect_each_replaced_once(&all);
}

/// What would change if the guard acted: the ConfigMap, kube-proxy's Pods, and restarts of Mooring's own containers.
fn state(cluster: &Cluster) -> (String, String, String) {
    let get = |words: &[&str]| cluster.bed.kubectl(words).unwrap();
    let version = "jsonpath={.metadata.resourceVersion}";
    let uids = "jsonpath={.items[*].metadata.uid}";
    let restarts = r#"jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}"#;
    (
        get(&[
            "-n",
            "kube-system",
            "get",
            "configmap",
            "kube-proxy",
            "-o",
            version,
        ]),
        get(&[
            "-n",
            "kube-system",
            "get",
            "pods",
            "-l",
            "k8s-app=kube-proxy",
            "-o",
            uids,
        ]),
        get(&["-n", "mooring-system", "get", "pods", "-o", restarts]),
    )
}

/// The API server is away for a minute, etcd is restarted meanwhile, and a sysctl is lowered behind everybody's back.
fn api_server_away(cluster: &Cluster, mooring: &Mooring<'_>) {
    mooring.wait_until_ready();
    let before = state(cluster);
    let order = |request: Request| cluster.bed.order(&request).unwrap();
    order(Request::Stop("kube-apiserver".to_owned()));
    order(Request::Stop("etcd".to_owned()));
    let stopped = Instant::now();
    let lower = "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore";
    cluster.bed.run_on("n2", lower).unwrap();
    mooring.let_pass(Duration::from_secs(60));
    std::thread::scope(|scope| {
        for process in ["etcd", "kube-apiserver"] {
            scope.spawn(move || order(Request::Start(process.to_owned())));
        }
    });
    let back = Instant::now();
    println!("  away for {} s", stopped.elapsed().as_secs());
    mooring.wait_for_status("Effective", "False");
    println!(
        "  conditions right {} s after the API server was back",
        back.elapsed().as_secs()
    );
    assert!(
        back.elapsed() < Duration::from_secs(30),
        "{:?}",
        back.elapsed()
    );
    assert!(mooring.known("Effective").message.contains("n2"));
    let raise = "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore";
    cluster.bed.run_on("n2", raise).unwrap();
    mooring.wait_for_status("SafeToAnnounce", "True");
    assert_eq!(state(cluster), before, "something was done twice, or ended");
    wait_for("an event tells of the outage", || {
        let told = |event: &String| event.contains("could not be reached");
        mooring.all_events().iter().any(told)
    });
}
