//! In iptables and nftables mode strictARP means nothing: `kubectl mooring` says so and writes nothing.

mod cargo;
mod plugin;

use plugin::Cluster;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

#[test]
fn iptables_and_nftables_need_no_fix() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "modes")
        .nodes(2)
        .proxy(Proxy::Iptables)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    assert_eq!(cluster.live_mode("n1"), "iptables");
    expect_not_needed(&cluster, "iptables");

    cluster.set_text(&cluster.text().replace("mode: iptables", "mode: nftables"));
    cluster.restart_kube_proxy("nftables");
    expect_not_needed(&cluster, "nftables");
    // It is not only the word: the node's kernel has kube-proxy's table.
    let tables = cluster.bed.run_on("n1", "nft list tables").unwrap();
    assert!(tables.contains("table ip kube-proxy"), "{tables}");
    cluster.bed.down().unwrap();
}

fn expect_not_needed(cluster: &Cluster, mode: &str) {
    let versions = cluster.versions();
    let report = cluster.check(0);
    assert_eq!(report["configMaps"][0]["mode"], mode);
    let outcome = cluster
        .mooring(&["fix", "--yes"])
        .expect_code(0)
        .expect_text("Nothing was written");
    assert!(
        !outcome.stdout.contains("+  strictARP"),
        "{}",
        outcome.stdout
    );
    assert_eq!(cluster.versions(), versions);
}
