//! The wires: one namespace with the bridge that is the segment, ports on it, and what may not pass between them.

use std::process::Command;

use anyhow::Result;

use crate::plan::Host;
use crate::shell::{in_netns, run};

const FABRIC: &str = "fabric";
const BRIDGE: &str = "lan";

/// Makes the fabric namespace with its bridge and the table of cuts.
///
/// The bridge forwards at once (no spanning tree), floods multicast (NDP is multicast) and is itself silent on the
/// segment. The host's netfilter is kept off bridged frames.
///
/// # Errors
/// If one of the tools fails.
pub(super) fn create() -> Result<()> {
    run(Command::new("ip").args(["netns", "add", FABRIC]))?;
    script(
        FABRIC,
        &format!(
            "ip link set lo up
             for family in iptables ip6tables arptables; do
               key=/proc/sys/net/bridge/bridge-nf-call-$family
               if [ -e $key ]; then echo 0 >$key; fi
             done
             ip link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0
             echo 1 >/proc/sys/net/ipv6/conf/{BRIDGE}/disable_ipv6
             ip link set {BRIDGE} up
             nft 'add table bridge testbed
                  add set bridge testbed cut {{ type ifname . ifname; }}
                  add chain bridge testbed forward {{ type filter hook forward priority 0; }}
                  add rule bridge testbed forward iifname . oifname @cut drop'"
        ),
    )
}

/// Adds the port of a node: a persistent tap, which stays (without carrier) while the node is off.
pub(super) fn add_tap(node: &Host) -> Result<()> {
    let tap = &node.name;
    script(
        FABRIC,
        &format!(
            "ip tuntap add {tap} mode tap
             echo 1 >/proc/sys/net/ipv6/conf/{tap}/disable_ipv6
             ip link set {tap} master {BRIDGE} up"
        ),
    )
}

/// Adds a namespace of the host's kernel to the segment, as `eth0` with its addresses of the plan.
pub(super) fn add_namespace(host: &Host) -> Result<()> {
    let (name, mac) = (&host.name, host.mac());
    run(Command::new("ip").args(["netns", "add", name]))?;
    script(
        FABRIC,
        &format!(
            "ip link add {name} type veth peer name eth0 netns {name} address {mac}
             echo 1 >/proc/sys/net/ipv6/conf/{name}/disable_ipv6
             ip link set {name} master {BRIDGE} up"
        ),
    )?;
    script(
        name,
        &format!(
            "ip link set lo up
             ip addr add {}/24 dev eth0
             ip addr add {}/64 dev eth0 nodad
             ip link set eth0 up",
            host.ipv4(),
            host.ipv6()
        ),
    )
}

/// Lets a namespace forward, as the router does.
pub(super) fn enable_forwarding(host: &Host) -> Result<()> {
    script(
        &host.name,
        "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
    )
}

/// Routes, in a namespace, to the Pods of each node, and the default route by the router.
pub(super) fn add_routes(host: &Host, nodes: &[Host]) -> Result<()> {
    let mut routes = pod_routes(nodes);
    if *host != Host::router() {
        routes.push_str(&default_routes());
    }
    script(&host.name, &routes)
}

/// Lines of `ip route` to the Pods of each of `nodes`.
pub(crate) fn pod_routes(nodes: &[Host]) -> String {
    nodes
        .iter()
        .map(|node| {
            format!(
                "ip route replace {} via {}\nip -6 route replace {} via {}\n",
                node.pods_v4(),
                node.ipv4(),
                node.pods_v6(),
                node.ipv6()
            )
        })
        .collect()
}

fn default_routes() -> String {
    let router = Host::router();
    format!(
        "ip route replace default via {}\nip -6 route replace default via {}\n",
        router.ipv4(),
        router.ipv6()
    )
}

/// Drops all frames between the ordered pairs, and nothing else.
pub(super) fn set_cuts(pairs: &[(String, String)]) -> Result<()> {
    let mut text = "flush set bridge testbed cut\n".to_owned();
    if !pairs.is_empty() {
        let elements: Vec<String> = pairs
            .iter()
            .map(|(from, to)| format!("\"{from}\" . \"{to}\""))
            .collect();
        text.push_str(&format!(
            "add element bridge testbed cut {{ {} }}\n",
            elements.join(", ")
        ));
    }
    script(FABRIC, &format!("nft '{text}'"))
}

fn script(netns: &str, text: &str) -> Result<()> {
    run(in_netns(netns, "sh").args(["-ec", text])).map(drop)
}
