//! Addresses that Services have from somebody else.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::published;
use super::standing::{Past, Standing, standing};
use crate::ipam::claim::Holder;
use crate::ipam::plan::World;
use crate::ipam::pool::Pool;
use crate::kube_proxy::snapshot::ObjectName;

/// Addresses in the ranges of pools that Services have from another controller, by their statuses: to hand one out would
/// have two announcers answer for it. What Mooring published itself is none of these, with claims or without.
///
/// The pools need not be checked against these addresses.
pub fn foreign(world: &World<'_>) -> Vec<(IpAddr, ObjectName)> {
    let mut claimed: HashMap<&str, Vec<(IpAddr, &Holder)>> =
        HashMap::with_capacity(world.claims.len());
    for claim in &world.claims {
        for holder in &claim.holders {
            let of_service = claimed.entry(&holder.uid).or_default();
            of_service.push((claim.address, holder));
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
        let claims = claimed
            .get(service.uid.as_str())
            .map_or(&[][..], Vec::as_slice);
        let unclaimed: HashSet<IpAddr> = published(service)
            .filter(|address| !claims.iter().any(|(claimed, _)| claimed == address))
            .filter(declared)
            .collect();
        if unclaimed.is_empty() {
            continue;
        }
        let past = Past::of(claims.iter().map(|(_, holder)| *holder));
        let standing = standing(world, service, past, &mut Vec::new());
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
