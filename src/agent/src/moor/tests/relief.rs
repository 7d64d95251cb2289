//! An agent takes over from what stood in for the one before it.

use std::time::Instant;

use super::quay::{ip_address, link, mac, story};
use super::*;

/// The links that have an address.
fn places(address: IpAddr) -> Vec<String> {
    let host = LinuxHost::new();
    let links = host.links().unwrap();
    let addresses = host.addresses().unwrap().into_iter();
    let indices: Vec<u32> = addresses
        .filter(|found| found.ip == address)
        .map(|found| found.link)
        .collect();
    let there = links
        .iter()
        .filter(|link| indices.contains(&link.index))
        .map(|link| link.name.to_string());
    let mut names: Vec<String> = there.collect();
    names.sort();
    names
}

#[test]
fn a_stand_in_leaves_the_uplink_when_kube_proxy_has_let_go_of_the_address() {
    story(|mut quay| {
        let address = ip_address(ADDRESS);
        let wire = quay.uplink();
        // kube-proxy's is of type dummy, which not every kernel has; it is never up either.
        ip("link add kube-ipvs0 type veth peer name spare");
        ip(&format!("address add {address}/32 dev kube-ipvs0"));
        let stand_in = hull::new_address(link("up0").index, address);
        LinuxHost::new().put_address(&stand_in).unwrap();
        quay.report(LiveMode::Ipvs, &[("up0", &["10.9.0.0/24"])]);
        quay.want(&[address]);
        quay.hold();
        thread::sleep(Duration::from_secs(2));
        assert_eq!(places(address), ["kube-ipvs0", "up0"], "it may be let go");
        assert_eq!(wire.answer(address), mac("up0"));

        // As at the end of a sync that began while the address was on the uplink.
        ip(&format!("address del {address}/32 dev kube-ipvs0"));
        let begin = Instant::now();
        while places(address) != ["kube-ipvs0"] {
            let waited = begin.elapsed();
            assert!(waited < Duration::from_secs(15), "{:?}", places(address));
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(wire.answer(address), mac("up0"));
    });
}
