//! The guard tells the truth in every mode of kube-proxy, while nodes differ, without kube-proxy, with what an earlier mode
//! left behind, and beside Antrea.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod antrea;
mod cargo;
mod mooring;
mod plugin;

use mooring::Mooring;
use plugin::{Cluster, tell, wait_for};
use serde_json::json;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

#[test]
fn the_guard_knows_every_mode() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "modes-guard")
        .nodes(2)
        .proxy(Proxy::Iptables)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    // It shall tell, not repair, so that each state stays as the story sets it.
    let mooring = Mooring::install_with(&cluster.bed, &json!({"strictARP":{"policy":"Warn"}}));
    for (story, run) in STORIES {
        tell(story, || run(&cluster, &mooring));
    }
    cluster.bed.down().unwrap();
}

type Story = fn(&Cluster, &Mooring<'_>);

/// In this order: each begins where the one before it ended.
const STORIES: &[(&str, Story)] = &[
    ("iptables needs nothing", iptables),
    ("nftables needs nothing", nftables),
    ("one node differs", mixed),
    ("addresses left behind by ipvs", leftovers),
    ("Antrea with and without proxyAll", beside_antrea),
    ("no kube-proxy", absent),
];

/// All of these conditions, with these reasons.
#[track_caller]
fn expect(mooring: &Mooring<'_>, wanted: &[(&str, &str)]) {
    for (kind, reason) in wanted {
        mooring.wait_for_reason(kind, reason);
        println!("  {kind} {reason}: {}", mooring.known(kind).message);
    }
}

fn node_mode(cluster: &Cluster, node: &str) -> String {
    let get = [
        "get",
        "nodeproxystate",
        node,
        "-o",
        "jsonpath={.status.mode}",
    ];
    cluster.bed.kubectl(&get).unwrap_or_default()
}

fn every_node_in(cluster: &Cluster, mode: &str) {
    wait_for(&format!("every node's state says {mode}"), || {
        cluster
            .nodes()
            .iter()
            .all(|node| node_mode(cluster, node) == mode)
    });
}

const NOT_NEEDED: &[(&str, &str)] = &[
    ("ModeDetected", "Detected"),
    ("StrictARPConfigured", "NotNeeded"),
    ("RolledOut", "NotNeeded"),
    ("Effective", "NotNeeded"),
    ("SafeToAnnounce", "NotNeeded"),
];

fn iptables(cluster: &Cluster, mooring: &Mooring<'_>) {
    let version = cluster.config_map()["metadata"]["resourceVersion"].clone();
    every_node_in(cluster, "iptables");
    expect(mooring, NOT_NEEDED);
    assert_eq!(mooring.status()["mode"], "iptables");
    assert_eq!(cluster.config_map()["metadata"]["resourceVersion"], version);
}

fn nftables(cluster: &Cluster, mooring: &Mooring<'_>) {
    cluster.set_mode("iptables", "nftables");
    cluster.restart_kube_proxy("nftables");
    every_node_in(cluster, "nftables");
    expect(mooring, NOT_NEEDED);
    assert_eq!(mooring.status()["mode"], "nftables");
}

fn mixed(cluster: &Cluster, mooring: &Mooring<'_>) {
    cluster.set_mode("nftables", "ipvs");
    let delete = [
        "-n",
        "kube-system",
        "delete",
        "pods",
        "-l",
        "k8s-app=kube-proxy",
        "--field-selector=spec.nodeName=n2",
    ];
    cluster.bed.kubectl(&delete).unwrap();
    wait_for("n2 runs in mode ipvs", || cluster.live_mode("n2") == "ipvs");
    expect(
        mooring,
        &[
            ("ModeDetected", "MixedModes"),
            ("StrictARPConfigured", "StrictArpOff"),
            ("Effective", "ArpIgnoreTooLow"),
            ("SafeToAnnounce", "NodesNotQuiet"),
        ],
    );
    let effective = mooring.known("Effective").message;
    assert!(
        effective.contains("n2") && !effective.contains("n1"),
        "{effective}"
    );
}

fn leftovers(cluster: &Cluster, mooring: &Mooring<'_>) {
    cluster.set_mode("ipvs", "iptables");
    cluster.restart_kube_proxy("iptables");
    every_node_in(cluster, "iptables");
    expect(
        mooring,
        &[
            ("ModeDetected", "Detected"),
            ("StrictARPConfigured", "NotNeeded"),
            ("Effective", "AddressesLeftBehind"),
            ("SafeToAnnounce", "NodesNotQuiet"),
        ],
    );
    let effective = mooring.known("Effective").message;
    assert!(
        effective.contains("n2") && effective.contains("kube-ipvs0"),
        "{effective}"
    );
    cluster.bed.run_on("n2", "ip link del kube-ipvs0").unwrap();
    expect(mooring, NOT_NEEDED);
}

fn beside_antrea(cluster: &Cluster, mooring: &Mooring<'_>) {
    antrea::install(cluster, false);
    antrea::wait_until_known(cluster);
    assert_eq!(antrea::of_node(cluster, "n1", "proxyAll"), "false");
    every_node_in(cluster, "iptables");

    cluster.park_kube_proxy();
    antrea::configure(cluster, true);
    every_node_in(cluster, "antreaProxyAll");
    expect(
        mooring,
        &[
            ("ModeDetected", "Detected"),
            ("StrictARPConfigured", "Replaced"),
            ("Effective", "NotNeeded"),
            ("SafeToAnnounce", "NotNeeded"),
        ],
    );
    antrea::remove(cluster);
}

/// kube-proxy is gone, and nothing serves in its place: the kernel goes on with the rules that it left, nobody keeps them.
fn absent(cluster: &Cluster, mooring: &Mooring<'_>) {
    let delete = ["-n", "kube-system", "delete", "daemonset", "kube-proxy"];
    cluster.bed.kubectl(&delete).unwrap();
    expect(
        mooring,
        &[
            ("StrictARPConfigured", "NoKubeProxy"),
            ("RolledOut", "NoPods"),
        ],
    );
    for node in cluster.nodes() {
        let what = format!("{node}'s state says that no kube-proxy answers");
        let healthy = mooring.wait_for(&what, || {
            mooring::condition(&mooring.state(&node), "KubeProxyHealthy")
                .filter(|healthy| healthy.status != "True")
        });
        println!(
            "  {node}: KubeProxyHealthy {}: {}",
            healthy.reason, healthy.message
        );
        assert_eq!(
            node_mode(cluster, &node),
            "iptables",
            "as the rules in the kernel tell"
        );
    }
    assert_ne!(mooring.known("SafeToAnnounce").status, "False");
}
