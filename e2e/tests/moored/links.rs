//! Where an address is on a node.

use std::net::IpAddr;

use serde_json::Value;
use testbed::Bed;
use testbed::plan::Host;
use testbed::probe::Mac;

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnLink {
    pub(crate) interface: String,
    pub(crate) prefix: u64,
    /// How many seconds it stays; `None` for ever.
    pub(crate) valid: Option<u64>,
    /// It is not chosen as a source.
    pub(crate) deprecated: bool,
}

/// `ip` prints this for an address without an end.
const FOREVER: u64 = u32::MAX as u64;

/// How many seconds an address stays on an uplink without an agent.
const LIFETIME: u64 = 60;

/// All interfaces of a node that have this address.
pub(crate) fn on_links(bed: &Bed, node: &str, address: IpAddr) -> Vec<OnLink> {
    let text = bed.run_on(node, "ip -json address show").unwrap();
    let links: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for link in &links {
        for entry in link["addr_info"].as_array().into_iter().flatten() {
            let local = entry["local"].as_str().and_then(|text| text.parse().ok());
            if local == Some(address) {
                let valid = entry["valid_life_time"].as_u64().unwrap();
                found.push(OnLink {
                    interface: link["ifname"].as_str().unwrap().to_owned(),
                    prefix: entry["prefixlen"].as_u64().unwrap(),
                    valid: (valid != FOREVER).then_some(valid),
                    deprecated: entry["preferred_life_time"] == 0,
                });
            }
        }
    }
    found
}

/// What a node's uplink has of this address, if it has it as an agent puts it there: alone in its prefix, with an end, and
/// never chosen as a source.
#[track_caller]
pub(crate) fn on_uplink(bed: &Bed, node: &str, address: IpAddr) -> Option<OnLink> {
    let mut found = on_links(bed, node, address);
    found.retain(|place| place.interface == "eth0");
    let place = found.pop()?;
    let alone = if address.is_ipv4() { 32 } else { 128 };
    assert_eq!(place.prefix, alone, "{address} on {node}: {place:?}");
    assert!(place.deprecated, "{address} on {node}: {place:?}");
    assert!(
        place.valid.is_some_and(|seconds| seconds <= LIFETIME),
        "{address} on {node}: {place:?}"
    );
    Some(place)
}

/// The MAC of a node on the segment.
pub(crate) fn node_mac(bed: &Bed, node: &str) -> Mac {
    host(bed, node).mac()
}

/// A node's own address on the segment, of IPv4 or IPv6.
pub(crate) fn node_address(bed: &Bed, node: &str, ipv4: bool) -> IpAddr {
    let host = host(bed, node);
    match ipv4 {
        true => host.ipv4().into(),
        false => host.ipv6().into(),
    }
}

fn host(bed: &Bed, node: &str) -> Host {
    let nodes = bed.status().unwrap().nodes;
    let mut nodes = nodes.into_iter().map(|status| status.host);
    nodes.find(|host| host.name == node).unwrap()
}
