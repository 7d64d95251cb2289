//! Addresses that Services have from somebody else.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::published;
use super::standing::{Standing, standing};
use crate::ipam::plan::World;
use crate::ipam::pool::Pool;
use crate::kube_proxy::snapshot::ObjectName;

/// Addresses in the ranges of pools that Services have from another controller, by their statuses: to hand one out would
/// have two announcers answer for it. What Mooring published itself is none of these, with claims or without.
///
/// The pools need not be checked against these addresses.
pub fn foreign(world: &World<'_>) -> Vec<(IpAddr, ObjectName)> {
    let mut claimed: HashMap<&str, Vec<IpAddr>> = HashMap::with_capacity(world.claims.len());
    for claim in &world.claims {
        for holder in &claim.holders {
            claimed.entry(&holder.uid).or_default().push(claim.address);
        }
    }
    let declared = |address: &IpAddr| {
        let mut pools = world.pools.iter();
        pools.any(|pool: &Pool| pool.declared.contains(*address))
    };
    let mut found = Vec::new();
    for service in world.services {
        if service.ingress.is_empty() {
            continue;
        }
        let claims = claimed.get(service.uid.as_str());
        let unclaimed: HashSet<IpAddr> = published(service)
            .filter(|address| !claims.is_some_and(|claims| claims.contains(address)))
            .filter(declared)
            .collect();
        if unclaimed.is_empty() {
            continue;
        }
        let standing = standing(world, service, claims.is_some(), &mut Vec::new());
        if matches!(standing, Standing::Alien) {
            found.extend(
                unclaimed
                    .into_iter()
                    .map(|address| (address, service.id.clone())),
            );
        }
    }
    found.sort_unstable();
    found
}
