//! Who has an address, or why nobody has.

use std::net::IpAddr;

use mooring_core::condition::Reason as _;
use mooring_core::external_ip::not_met;
use mooring_core::ipam::claim::Claim;
use mooring_core::ipam::pool::Pool;
use mooring_core::kube_proxy::snapshot::ObjectName;

use super::{
    Address, Explanation, Kind, Look, Reason, Remedy, State, Step, berth, live, occupant, remedy,
    wish,
};

/// The whole story of an address.
pub(crate) fn address(look: &Look, address: IpAddr) -> Explanation {
    let claim = look.claim(address);
    let mut said = match claim {
        Some(claim) if !claim.holders.is_empty() => in_use(look, claim),
        Some(claim) => resting(look, claim),
        None => unclaimed(look, address),
    };
    said.reasons.extend(asked_for(look, address, claim));
    if claim.is_none() {
        said.reasons.extend(seen(look, address));
    }
    let differences = live::differences(look, None, &[address]);
    let settled = differences.is_empty();
    said.reasons.extend(differences);
    said.reasons.sort_by_key(|reason| reason.step);
    Explanation {
        kind: Kind::Address,
        subject: address.to_string(),
        state: said.state,
        summary: said.summary,
        settled,
        reasons: said.reasons,
        addresses: said.addresses,
        remedies: said.remedies,
        incomplete: look.gaps.clone(),
    }
}

struct Said {
    state: State,
    summary: String,
    reasons: Vec<Reason>,
    addresses: Vec<Address>,
    remedies: Vec<Remedy>,
}

fn in_use(look: &Look, claim: &Claim) -> Said {
    let address = claim.address;
    let names: Vec<String> = claim
        .holders
        .iter()
        .map(|holder| holder.service.to_string())
        .collect();
    let mut reasons = Vec::new();
    for holder in &claim.holders {
        let ports: Vec<String> = holder.ports.iter().map(ToString::to_string).collect();
        let share = holder
            .share
            .as_ref()
            .map(|share| format!(", shared with {share}"))
            .unwrap_or_default();
        reasons.push(Reason::new(
            Step::Standing,
            "Holder",
            format!(
                "{} has it, ports {}{share}; why: kubectl mooring explain {}",
                holder.service,
                ports.join(", "),
                holder.service
            ),
        ));
    }
    for (service, request) in not_met(claim, &look.decision.outcomes) {
        reasons.push(Reason::new(
            Step::Request,
            request.reason.as_str(),
            format!(
                "{service} has not all that it asks for: {}; what would change it: kubectl mooring explain {service}",
                request.message
            ),
        ));
    }
    reasons.push(Reason::new(
        Step::Allocation,
        "Pool",
        format!("it is from pool {}", claim.pool),
    ));
    let found = berth::address(look, address);
    reasons.push(if found.published {
        Reason::new(
            Step::Publication,
            "Published",
            "it is in the Service's status",
        )
    } else {
        Reason::new(
            Step::Publication,
            "NotPublished",
            "no status of a Service says it yet",
        )
    });
    reasons.extend(berth::reasons(look, address));
    let place = match &found.node {
        Some(node) if !look.nodes_seen => format!("it is planned for node {node}"),
        Some(node) => format!("it belongs to node {node}"),
        None if !look.nodes_seen => "where it belongs is not known".to_owned(),
        None => "no node can have it".to_owned(),
    };
    Said {
        state: State::InUse,
        summary: format!(
            "{} of pool {} is {}'s; {place}",
            address,
            claim.pool,
            names.join(", ")
        ),
        reasons,
        remedies: remedy::of_nodes(look, &found),
        addresses: vec![found],
    }
}

fn resting(look: &Look, claim: &Claim) -> Said {
    let found = berth::address(look, claim.address);
    let until = found
        .rests_until
        .map_or("it has rested".to_owned(), |until| format!("until {until}"));
    let by = claim
        .released
        .as_ref()
        .map_or("a Service that is gone".to_owned(), |released| {
            released.by.to_string()
        });
    Said {
        state: State::Resting,
        summary: format!("{} of pool {} rests {until}", claim.address, claim.pool),
        reasons: vec![Reason::new(
            Step::Allocation,
            "Resting",
            format!(
                "{by} released it; it rests {until}, so that clients of the one do not end at the other. A Service named {by} \
                 gets it back at once"
            ),
        )],
        remedies: remedy::of_rest(&claim.pool),
        addresses: vec![found],
    }
}

fn unclaimed(look: &Look, address: IpAddr) -> Said {
    let pools = || look.decision.pools.iter();
    let said = |state, summary: String, reason: Reason, remedies| Said {
        state,
        summary,
        reasons: vec![reason],
        addresses: Vec::new(),
        remedies,
    };
    if let Some(pool) = pools().find(|pool| pool.gives(address).is_ok()) {
        return said(
            State::Free,
            format!("{address} is free in pool {}", pool.id),
            Reason::new(
                Step::Allocation,
                "Free",
                format!("pool {} has it, and nobody asks for it", pool.id),
            ),
            remedy::to_get(address, pool),
        );
    }
    let declaring: Option<&Pool> = pools().find(|pool| pool.declared.contains(address));
    if let Some(pool) = declaring {
        let why = match pool.gives(address) {
            Err(Some(problem)) => problem.to_string(),
            Err(None) | Ok(()) => format!("it is in pool {}", pool.id),
        };
        return said(
            State::Blocked,
            format!("{address} is in pool {}, and is not handed out", pool.id),
            Reason::new(
                Step::Allocation,
                "PoolProblem",
                format!("pool {}: {why}", pool.id),
            ),
            Vec::new(),
        );
    }
    match occupant::of(&look.snapshot, address) {
        Some(occupant) => said(
            State::Foreign,
            format!("{address} is {occupant}"),
            Reason::new(
                Step::Allocation,
                "Foreign",
                format!("it is {occupant}; no pool of Mooring's has it"),
            ),
            Vec::new(),
        ),
        None => said(
            State::InNoPool,
            format!("{address} is in no pool"),
            Reason::new(
                Step::Allocation,
                "InNoPool",
                "no pool has it, and nothing in the cluster is known to have it",
            ),
            remedy::to_add(look, address),
        ),
    }
}

/// Who answers for an address that somebody else handed out.
fn seen(look: &Look, address: IpAddr) -> Option<Reason> {
    let mut foreign = look.foreign.iter();
    let found = foreign.find(|one| one.address == address)?;
    let since = found.disputed.map_or(String::new(), |since| {
        format!("; several hosts have been seen to answer since {since}")
    });
    Some(Reason::new(
        Step::Announcement,
        found.finding.as_str(),
        format!("{}{since}", found.sentence()),
    ))
}

/// Services that ask for the address and do not have it.
fn asked_for(look: &Look, address: IpAddr, claim: Option<&Claim>) -> Vec<Reason> {
    let has = |id: &ObjectName| {
        claim
            .into_iter()
            .flat_map(|claim| &claim.holders)
            .any(|holder| holder.service == *id)
    };
    let services = look.snapshot.services.iter();
    services
        .filter(|service| !has(&service.id))
        .filter(|service| {
            wish::of(&look.snapshot, service)
                .is_some_and(|request| request.addresses.contains(&address))
        })
        .map(|service| {
            Reason::new(
                Step::Request,
                "AskedFor",
                format!(
                    "{} asks for it and does not have it; why: kubectl mooring explain {}",
                    service.id, service.id
                ),
            )
        })
        .collect()
}
