//! From what was heard to what is to be done.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mooring_core::ipam::range::{AddressRange, HostBits};
use mooring_core::mooring::{Arrival, Bystander, Wanted, witness_of};
use mooring_core::peer::{PeerId, Term};
use mooring_core::succession::{Claim, Post};
use mooring_core::wire::Mac;

use crate::api::{Address, NodeLinks, Pool};
use crate::fleet::{Charge, Member};

/// All addresses that Services have and that a node is planned for, with how to answer for them.
pub(super) fn charges(addresses: &[Arc<Address>], pools: &[Pool]) -> Vec<Charge> {
    let taken = addresses
        .iter()
        .filter(|address| !address.services.is_empty());
    taken
        .filter_map(|address| {
            let planned = address.planned.as_deref()?;
            let known = pools.iter().find(|pool| pool.id == address.pool);
            let default = known
                .is_none()
                .then(|| Pool::by_default(address.pool.clone()));
            let pool = known.or(default.as_ref())?;
            Some(Charge {
                post: Post {
                    address: address.address,
                    plan: address.plan,
                    planned: PeerId::of(planned),
                    heirs: address.heirs.iter().map(|heir| PeerId::of(heir)).collect(),
                    ownership: pool.ownership,
                },
                wanted: Wanted {
                    address: address.address,
                    services: address.services.clone(),
                    bind: pool.bind,
                    interfaces: pool.interfaces.clone(),
                    ports: pool.ports,
                    ping: pool.ping,
                    ownership: pool.ownership,
                    arrival: Arrival::Planned,
                    former: None,
                },
            })
        })
        .collect()
}

/// What `node` had taken over, as far as it has said so.
pub(super) fn claims(node: &str, addresses: &[Arc<Address>]) -> Vec<Claim> {
    let ours = addresses
        .iter()
        .filter(|address| address.status.node.as_deref() == Some(node));
    ours.filter_map(|address| {
        let term = Term::from(address.status.term?);
        (term.takeovers > 0).then(|| Claim {
            address: address.address,
            holder: PeerId::of(node),
            term,
        })
    })
    .collect()
}

/// All nodes that have an agent.
pub(super) fn members(nodes: &[Arc<NodeLinks>]) -> Vec<Member> {
    let member = |links: &Arc<NodeLinks>| Member {
        name: links.node.clone(),
        addresses: (links.uplinks.iter())
            .flat_map(|link| link.addresses.iter().copied())
            .collect(),
    };
    nodes.iter().map(member).collect()
}

/// The addresses that `node` is the witness of, with their holders; none is known of those that somebody else handed out, which
/// are `foreign`.
pub(super) fn watched(
    node: &str,
    addresses: &[Arc<Address>],
    nodes: &[Arc<NodeLinks>],
    foreign: &BTreeSet<IpAddr>,
) -> BTreeMap<IpAddr, Option<String>> {
    let bystanders: Vec<Bystander> = nodes.iter().map(|links| bystander(links)).collect();
    let mut watched: BTreeMap<IpAddr, Option<String>> =
        foreign.iter().map(|address| (*address, None)).collect();
    // Whoever has one of Mooring's knows better than a list that may be behind.
    watched.extend(addresses.iter().filter_map(|address| {
        let holder = address
            .status
            .node
            .as_deref()
            .filter(|holder| *holder != node)?;
        let witness = witness_of(address.address, holder, &bystanders)?;
        (witness == node).then(|| (address.address, Some(holder.to_owned())))
    }));
    watched
}

/// The node behind each MAC address.
pub(super) fn peers(nodes: &[Arc<NodeLinks>]) -> BTreeMap<Mac, String> {
    let links = nodes
        .iter()
        .flat_map(|links| links.uplinks.iter().map(|link| (link, &links.node)));
    links
        .filter_map(|(link, node)| Some((link.mac.parse().ok()?, node.clone())))
        .collect()
}

fn bystander(links: &NodeLinks) -> Bystander {
    let subnets = links.uplinks.iter().flat_map(|link| &link.subnets);
    Bystander {
        node: links.node.clone(),
        subnets: subnets
            .filter_map(|subnet| AddressRange::from_cidr(subnet, HostBits::Clear).ok())
            .collect(),
    }
}
