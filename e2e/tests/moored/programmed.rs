//! When kube-proxy on each node has programmed an address, as its kernel shows it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use testbed::watcher::Watcher;

use crate::plugin::Cluster;

/// Longer than kube-proxy was ever seen to take.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits until kube-proxy, in this mode, forwards port 80 of these addresses on every node; says when each node was seen to
/// do so, on the watch's clock.
pub(crate) fn when_programmed(
    cluster: &Cluster,
    watcher: &Watcher,
    mode: &str,
    addresses: &[IpAddr],
) -> BTreeMap<(IpAddr, String), Duration> {
    std::thread::scope(|scope| {
        let mut waits = Vec::new();
        for address in addresses {
            for node in cluster.nodes() {
                let script = format!("until {}; do sleep 0.1; done", forwards(mode, *address));
                waits.push(scope.spawn(move || {
                    let ran = cluster.bed.exec(&node, &script, LIMIT).unwrap();
                    assert_eq!(ran.status, 0, "{node}: {script}");
                    ((*address, node), watcher.now())
                }));
            }
        }
        waits.into_iter().map(|wait| wait.join().unwrap()).collect()
    })
}

/// The command that succeeds once the node forwards it.
pub(crate) fn forwards(mode: &str, address: IpAddr) -> String {
    let family = if address.is_ipv4() { "ip" } else { "ip6" };
    match mode {
        "ipvs" => {
            let service = std::net::SocketAddr::new(address, 80);
            format!("ipvsadm -Ln -t {service} 2>/dev/null | grep -q Masq")
        }
        "nftables" => {
            format!("nft list map {family} kube-proxy service-ips | grep -qF '{address} '")
        }
        // iptables-nft-save, ip6tables-nft-save.
        _ => format!("{family}tables-nft-save -t nat | grep -q -e '-d {address}/.*KUBE-EXT'"),
    }
}

/// Prints how long after publication, and after its node could forward it, an address was answered for the first time.
pub(crate) fn print_first_answer(
    what: &str,
    published: Duration,
    programmed: Option<&Duration>,
    first: Duration,
) {
    let since = |from: Duration| first.as_secs_f64() - from.as_secs_f64();
    let after_programming = programmed.map_or_else(String::new, |programmed| {
        format!(
            ", {:+.2} s after its node was seen to forward it",
            since(*programmed)
        )
    });
    println!(
        "  {what}: first answer {:+.2} s after it was seen published{after_programming}",
        since(published)
    );
}
