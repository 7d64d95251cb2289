//! What kube-proxy has programmed, as it names its own objects (pkg/proxy/nftables/proxier.go, pkg/proxy/iptables/proxier.go,
//! pkg/proxy/ipvs/ipset.go).

use std::collections::BTreeSet;
use std::path::Path;

use super::ip_set::Members;
use super::legacy;
use super::nft::numbers::{
    NFT_MSG_GETRULE, NFT_MSG_GETSETELEM, NFT_MSG_NEWRULE, NFT_MSG_NEWSETELEM, RULE_CHAIN,
    RULE_TABLE, SET_ELEM_LIST_SET, SET_ELEM_LIST_TABLE,
};
use super::nft::{self, element, rule};
use crate::attributes::put;
use crate::{Facility, IpFamily, NftFamily, ReadError, Reading, ServiceTarget};

const KUBE_PROXY_TABLE: &[u8] = b"kube-proxy\0";
const SERVICE_IPS_MAP: &[u8] = b"service-ips\0";
const NAT_TABLE: &[u8] = b"nat\0";
const KUBE_SERVICES_CHAIN: &[u8] = b"KUBE-SERVICES\0";
const LOAD_BALANCER_SET: &[u8] = b"KUBE-LOAD-BALANCER\0";
/// `NewIPSet` puts the 6 in.
const LOAD_BALANCER_SET_V6: &[u8] = b"KUBE-6-LOAD-BALANCER\0";
const ENOENT: i32 = 2;

pub(super) fn nftables(family: IpFamily) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
    let mut map = header(family);
    put(&mut map, SET_ELEM_LIST_TABLE, KUBE_PROXY_TABLE);
    put(&mut map, SET_ELEM_LIST_SET, SERVICE_IPS_MAP);
    let listed = nft::dump(
        Reading::NftablesTargets,
        NFT_MSG_GETSETELEM,
        &map,
        |kind, payload| (kind == NFT_MSG_NEWSETELEM).then(|| element::targets(payload, family)),
    );
    Ok(match or_nothing(listed)? {
        Facility::Absent => Facility::Absent,
        Facility::Present(listed) => Facility::Present(sorted(listed.into_iter().flatten())),
    })
}

/// Of iptables-nft, and of legacy iptables where that is in use. Packets go through the rules of both.
pub(super) fn iptables(
    proc: &Path,
    family: IpFamily,
) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
    let mut chain = header(family);
    put(&mut chain, RULE_TABLE, NAT_TABLE);
    put(&mut chain, RULE_CHAIN, KUBE_SERVICES_CHAIN);
    let listed = nft::dump(
        Reading::IptablesTargets,
        NFT_MSG_GETRULE,
        &chain,
        |kind, payload| (kind == NFT_MSG_NEWRULE).then(|| rule::target(payload, family)),
    );
    let by_nft = match or_nothing(listed)? {
        Facility::Absent => None,
        Facility::Present(rules) => Some(rules.into_iter().flatten()),
    };
    let by_legacy = match legacy_nat(proc, family)? {
        false => None,
        true => Some(legacy::targets(family)?),
    };
    if by_nft.is_none() && by_legacy.is_none() {
        return Ok(Facility::Absent);
    }
    let all = by_nft.into_iter().flatten();
    let all = all.chain(by_legacy.into_iter().flatten());
    Ok(Facility::Present(sorted(all)))
}

pub(super) fn ipset(
    family: IpFamily,
    wanted: &BTreeSet<ServiceTarget>,
) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
    let set = match family {
        IpFamily::V4 => LOAD_BALANCER_SET,
        IpFamily::V6 => LOAD_BALANCER_SET_V6,
    };
    let may_be_in = wanted
        .iter()
        .filter(|target| target.family() == family && target.protocol.has_ports());
    let wanted: Vec<ServiceTarget> = may_be_in.copied().collect();
    let members = Members {
        reading: Reading::IpsetTargets,
        set,
        wanted: &wanted,
    };
    members.read()
}

fn legacy_nat(proc: &Path, family: IpFamily) -> Result<bool, ReadError> {
    Ok(match legacy::tables(proc, family)? {
        Facility::Absent => false,
        Facility::Present(names) => names.iter().any(|name| name == "nat"),
    })
}

/// `nfgenmsg`.
fn header(family: IpFamily) -> Vec<u8> {
    let family = match family {
        IpFamily::V4 => NftFamily::Ip,
        IpFamily::V6 => NftFamily::Ip6,
    };
    vec![family.number(), 0, 0, 0]
}

/// Without its table, map or chain, kube-proxy has programmed nothing.
fn or_nothing<T>(
    listed: Result<Facility<Vec<T>>, ReadError>,
) -> Result<Facility<Vec<T>>, ReadError> {
    match listed {
        Err(ReadError::Refused { error, .. }) if error.raw() == ENOENT => {
            Ok(Facility::Present(Vec::new()))
        }
        other => other,
    }
}

fn sorted(targets: impl Iterator<Item = ServiceTarget>) -> Vec<ServiceTarget> {
    let mut targets: Vec<ServiceTarget> = targets.collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}
