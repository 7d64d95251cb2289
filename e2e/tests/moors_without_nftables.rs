//! Nodes whose kernel has no nf_tables: kube-proxy works with the older iptables, whose rules the agent cannot read, and ports
//! cannot be closed. The address is answered for all the same, and its condition says what that means.
#![expect(clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod moored;
mod mooring;
mod plugin;

use moored::{Scene, Tried, node_address, on_uplink};
use mooring::Mooring;
use plugin::Cluster;
use testbed::Bed;
use testbed::spec::{Kernel, Proxy, StrictArp};
use testbed::watcher::Story;

/// Where the kubelet listens, on all addresses of its node.
const KUBELET: u16 = 10_250;

#[test]
fn without_nf_tables_an_address_is_answered_for_and_said_to_be_open() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "moors-bare")
        .nodes(2)
        .kernel(Kernel::OwnWithoutNftables)
        .proxy(Proxy::Iptables)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let nft = cluster.bed.run_on("n1", "nft list tables");
    assert!(nft.is_err(), "the kernel has nf_tables: {nft:?}");
    let mooring = Mooring::install(&cluster.bed);
    let scene = Scene::set(&cluster, mooring, "iptables");
    scene.tell(&[
        ("one node answers, and says what is open", answered),
        ("a thousand requests of each family", requests),
    ]);
    drop(scene);
    cluster.bed.down().unwrap();
}

fn answered(scene: &Scene<'_>) {
    let mooring = &scene.mooring;
    mooring.create_web();
    for (address, holder) in scene.holders() {
        assert_eq!(holder.method, "Uplink");
        assert!(on_uplink(&scene.cluster.bed, &holder.node, address).is_some());
        mooring.wait_for_answer(&scene.watcher, address, Story::first_answer);
        let what = format!("Announced of {address} says that ports are open");
        let announced = mooring.wait_for(&what, || {
            let announced = mooring.said_of(address, "Announced")?;
            let says = announced.message.contains("could not be closed");
            says.then_some(announced)
        });
        println!("  {}", announced.message);
        assert_eq!(announced.status, "True");
        assert!(
            announced.message.contains("nf_tables"),
            "{}",
            announced.message
        );
        // As it says.
        let own = node_address(&scene.cluster.bed, &holder.node, address.is_ipv4());
        for ip in [own, address] {
            assert_eq!(mooring.try_port(ip, KUBELET), Tried::Opened, "{ip}");
        }
        mooring.wait_until_reached(address);
    }
}

fn requests(scene: &Scene<'_>) {
    scene.expect_service();
}
