//! What proxies left in the kernel. It outlives them: a trace tells that a proxy was here, not that it still is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::proxy_mode::{KernelSeen, LiveMode};

use super::uplinks::is_global;

/// The dummy link on which kube-proxy in mode ipvs keeps all addresses of Services.
pub(super) const IPVS_LINK: &str = "kube-ipvs0";
/// kube-router's.
pub(super) const KUBE_ROUTER_LINK: &str = "kube-dummy-if";
/// Antrea's gateway.
pub(super) const ANTREA_LINK: &str = "antrea-gw0";

/// Chains of kube-proxy in mode iptables alone; `KUBE-SERVICES` and others are made in mode ipvs, too.
const IPTABLES_CHAINS: [&str; 2] = ["KUBE-NODEPORTS", "KUBE-PROXY-CANARY"];
const IPTABLES_PREFIXES: [&str; 3] = ["KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-"];

/// In table nat, Antrea makes this chain for proxyAll alone; `ANTREA-PREROUTING` is there on EKS without it, too
/// (`syncIPTables` in pkg/agent/route).
const ANTREA_CHAIN: &str = "ANTREA-OUTPUT";

/// The traces by the mode that they are of, each in words.
pub(super) fn traces(kernel: &KernelSeen) -> BTreeMap<LiveMode, BTreeSet<String>> {
    let mut found: BTreeMap<LiveMode, BTreeSet<String>> = BTreeMap::new();
    let mut add = |mode, trace: &str| {
        found.entry(mode).or_default().insert(trace.to_owned());
    };
    if !addresses_on(kernel, IPVS_LINK).is_empty() {
        add(LiveMode::Ipvs, "addresses on kube-ipvs0");
    }
    if kernel.links.contains_key(IPVS_LINK) && kernel.ipvs_services.unwrap_or(0) > 0 {
        add(LiveMode::Ipvs, "IPVS services beside kube-ipvs0");
    }
    if kernel.links.contains_key(KUBE_ROUTER_LINK) {
        add(LiveMode::KubeRouter, "link kube-dummy-if");
    }
    for ((family, table), chains) in &kernel.nft {
        if table == "kube-proxy" {
            add(
                LiveMode::Nftables,
                &format!("nftables table {family} kube-proxy"),
            );
        }
        for chain in chains {
            if IPTABLES_CHAINS.contains(&chain.as_str()) {
                add(LiveMode::Iptables, &format!("chain {chain}"));
            } else if let Some(prefix) = IPTABLES_PREFIXES
                .iter()
                .find(|prefix| chain.starts_with(**prefix))
            {
                add(LiveMode::Iptables, &format!("chains {prefix}*"));
            } else if chain.ends_with("-proxy-all") || (table == "nat" && chain == ANTREA_CHAIN) {
                add(LiveMode::AntreaProxyAll, &format!("chain {chain}"));
            }
        }
    }
    found
}

/// The addresses on a link that others could ask for, without those that every link has.
pub(super) fn addresses_on(kernel: &KernelSeen, link: &str) -> Vec<IpAddr> {
    let addresses = kernel.links.get(link).map(|link| link.addresses.as_slice());
    let found: BTreeSet<IpAddr> = addresses
        .unwrap_or_default()
        .iter()
        .map(|(address, _)| *address)
        .filter(|address| is_global(*address))
        .collect();
    found.into_iter().collect()
}
