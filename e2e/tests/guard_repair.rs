//! The guard on a real cluster: `kubectl apply -k manifests`, and three nodes that answered for one address stop doing so,
//! stay so, and say what is wrong when somebody undoes it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod mooring;
mod plugin;
mod readme;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mooring::Mooring;
use plugin::{Cluster, changed_lines, tell, wait_for};
use serde_json::{Value, json};
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};
use watch::Watch;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 200));
#[test]
fn the_guard_repairs_the_cluster_and_keeps_it_so() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "guard")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = repair(&cluster);
    for (story, run) in STORIES {
        tell(story, || run(&cluster, &mooring));
    }
    cluster.bed.down().unwrap();
}

type Story = fn(&Cluster, &Mooring<'_>);

const STORIES: &[(&str, Story)] = &[
    ("the commands show it", the_commands_show_it),
    (
        "a sysctl that somebody lowers is named within 15 s, and healed with Enforce",
        lowered_sysctl,
    ),
    (
        "an edit taken back is made again once, then the fight is stopped",
        fight,
    ),
];

/// From three answers to none, by one line, each kube-proxy restarted once, the first one alone.
fn repair(cluster: &Cluster) -> Mooring<'_> {
    cluster.expose_web_server(ADDRESS);
    let all: BTreeSet<String> = cluster.nodes().into_iter().collect();
    wait_for("all three nodes answer", || {
        cluster.bed.answering(ADDRESS).unwrap() == all
    });
    let before = cluster.config_map();
    let (pods, maps) = (
        Watch::on_proxies(&cluster.bed),
        Watch::on_config(&cluster.bed),
    );

    let begin = Instant::now();
    let mooring = Mooring::install(&cluster.bed);
    println!("deployed in {} s", begin.elapsed().as_secs());
    mooring.wait_until_safe();
    println!(
        "all five conditions True after {} s",
        begin.elapsed().as_secs()
    );
    assert_eq!(cluster.bed.answering(ADDRESS).unwrap(), BTreeSet::new());

    let text = |map: &Value| map["data"][plugin::KEY].as_str().unwrap().to_owned();
    assert_eq!(
        changed_lines(&text(&before), &text(&cluster.config_map())),
        [("  strictARP: false", "  strictARP: true")]
    );
    let texts = maps.values(&format!("/data/{}", plugin::KEY));
    assert_eq!(texts.len(), 2, "the ConfigMap was written once");
    each_restarted_once_and_the_canary_first(&pods, &all);
    mooring
}

/// One new Pod on each node; the second old Pod is deleted only when the first new one is Ready.
fn each_restarted_once_and_the_canary_first(pods: &Watch, nodes: &BTreeSet<String>) {
    let mut by_node: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut deletions = Vec::new();
    let mut first_ready = None;
    let mut old = BTreeSet::new();
    for (step, (kind, pod)) in pods.seen().iter().enumerate() {
        let word = |pointer: &str| {
            pod.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let uid = word("/metadata/uid").to_owned();
        let node = word("/spec/nodeName").to_owned();
        if node.is_empty() {
            continue;
        }
        by_node.entry(node).or_default().insert(uid.clone());
        let deleted = pod["metadata"]["deletionTimestamp"].is_string() || kind == "DELETED";
        if deleted && !old.contains(&uid) {
            old.insert(uid);
            deletions.push(step);
            continue;
        }
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions
            .into_iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        if ready && !deletions.is_empty() && !old.contains(&uid) && first_ready.is_none() {
            // The first Pod that becomes Ready on a node whose former one is gone.
            let replaced = by_node[word("/spec/nodeName")].len() == 2;
            first_ready = replaced.then_some(step);
        }
    }
    pods.expect_each_replaced_once(nodes);
    assert_eq!(deletions.len(), nodes.len());
    let first_ready = first_ready.expect("a new Pod became Ready");
    assert!(
        deletions[0] < first_ready && first_ready < deletions[1],
        "the canary was Ready at step {first_ready}; Pods were deleted at steps {deletions:?}"
    );
}

fn the_commands_show_it(cluster: &Cluster, mooring: &Mooring<'_>) {
    mooring.wait_for("the wire proof sees that nobody answers any more", || {
        let said = mooring.condition("SingleResponder")?;
        (said.reason == "NoResponder").then_some(())
    });
    let describe = cluster
        .bed
        .kubectl(&["describe", "serviceproxy", "cluster"])
        .unwrap();
    println!("{describe}");
    readme::hold("describe", &describe);
    let status = mooring.status();
    let last = &status["lastRemediation"];
    assert_eq!(last["result"], "Done", "{last}");
    assert_eq!(last["previousValue"], "false", "{last}");
    assert!(
        last["diff"]
            .as_str()
            .unwrap()
            .contains("\n-  strictARP: false\n+  strictARP: true\n")
    );
    let columns = cluster
        .bed
        .kubectl(&["get", "serviceproxy,nodeproxystates"])
        .unwrap();
    println!("{columns}");
    assert!(columns.contains("3/3"), "{columns}");
    let shown = cluster.mooring(&["status"]).expect_code(0);
    println!("{}", shown.stdout);
    assert!(shown.stdout.starts_with("SAFE ("), "{}", shown.stdout);
    cluster.mooring(&["check"]).expect_code(0);
    let events = mooring.all_events();
    println!("{}", events.join("\n"));
    let distinct: BTreeSet<&String> = events.iter().collect();
    assert_eq!(events.len(), distinct.len(), "an event is repeated");
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("ConfigMap/kube-proxy ")),
        "no event on the ConfigMap"
    );
}

fn lowered_sysctl(cluster: &Cluster, mooring: &Mooring<'_>) {
    let node = cluster.nodes()[1].clone();
    let lower = "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore";
    cluster.bed.run_on(&node, lower).unwrap();
    let begin = Instant::now();
    mooring.wait_for_status("Effective", "False");
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "named after {:?}",
        begin.elapsed()
    );
    let effective = mooring.known("Effective");
    for part in [node.as_str(), "eth0", "arp_ignore", "0"] {
        assert!(
            effective.message.contains(part),
            "no {part} in: {}",
            effective.message
        );
    }
    println!("Effective: {}", effective.message);
    assert_eq!(mooring.known("SafeToAnnounce").status, "False");
    assert_eq!(
        cluster.bed.answering(ADDRESS).unwrap(),
        BTreeSet::from([node.clone()])
    );
    cluster
        .mooring(&["check"])
        .expect_code(1)
        .expect_text(&node);

    mooring.set_spec(&json!({"strictARP":{"sysctls":"Enforce"}}));
    mooring.wait_for_status("Effective", "True");
    assert_eq!(cluster.bed.answering(ADDRESS).unwrap(), BTreeSet::new());
    let own = "cat /proc/sys/net/ipv4/conf/eth0/arp_ignore";
    assert_eq!(cluster.bed.run_on(&node, own).unwrap(), "1\n");

    // Deleting the object puts back what was there.
    cluster
        .bed
        .kubectl(&["delete", "serviceproxy", "cluster", "--timeout=60s"])
        .unwrap();
    wait_for("the sysctl is what it was", || {
        cluster.bed.run_on(&node, own).unwrap() == "0\n"
    });
    let raise = "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore";
    cluster.bed.run_on(&node, raise).unwrap();
    mooring.create_service_proxy(&json!({}));
    mooring.wait_for_status("SafeToAnnounce", "True");
}

fn fight(cluster: &Cluster, mooring: &Mooring<'_>) {
    let good = cluster.text();
    let reverted = good.replace("strictARP: true", "strictARP: false");
    cluster.set_text(&reverted);
    wait_for("the edit is made again", || cluster.text() == good);
    mooring.wait_until_safe();
    // Twice more: the first of the two may still be repaired.
    cluster.set_text(&reverted);
    wait_for("it is repaired, or the fight is stopped", || {
        cluster.text() == good || mooring.known("StrictARPConfigured").reason == "Fighting"
    });
    if cluster.text() == good {
        cluster.set_text(&reverted);
    }
    mooring.wait_for_reason("StrictARPConfigured", "Fighting");
    let fighting = mooring.known("StrictARPConfigured");
    println!("StrictARPConfigured: {}", fighting.message);
    assert!(
        fighting.message.contains("kubectl-patch"),
        "the field manager is not named: {}",
        fighting.message
    );
    let version = cluster.config_map()["metadata"]["resourceVersion"].clone();
    mooring.let_pass(Duration::from_secs(20));
    assert_eq!(
        cluster.config_map()["metadata"]["resourceVersion"],
        version,
        "it was written again"
    );
}
