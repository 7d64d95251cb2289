//! How it has to be in the end.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::view::{Served, View};

/// Everything that is not as it has to be once nothing changes any more and all addresses have rested.
pub(crate) fn complaints(view: &View) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, served) in &view.services {
        if let Err(complaint) = service(view, name, served) {
            complaints.push(format!("{name} {complaint}: {served:?}"));
        }
    }
    for (address, berth) in &view.berths {
        let empty = BTreeSet::new();
        let having = view.owners.get(address).unwrap_or(&empty);
        let holders: BTreeSet<String> = berth.holders.keys().cloned().collect();
        if holders.is_empty() {
            complaints.push(format!("{address} still rests: {berth:?}"));
        } else if holders != *having {
            complaints.push(format!(
                "{address} is held by {holders:?}, and in the status of {having:?}"
            ));
        }
        for (name, uid) in &berth.holders {
            if view.services.get(name).is_none_or(|held| held.uid != *uid) {
                complaints.push(format!("{address} is held by {name} {uid}, which is gone"));
            }
        }
    }
    for address in view.owners.keys() {
        if !view.berths.contains_key(address) {
            complaints.push(format!("{address} is in a status, and has no ExternalIP"));
        }
    }
    complaints.extend(counts(view));
    complaints
}

/// The Services without an address.
pub(crate) fn without_address(view: &View) -> Vec<String> {
    view.services
        .iter()
        .filter(|(_, served)| served.balanced && served.addresses.is_empty())
        .map(|(name, _)| name.clone())
        .collect()
}

/// It has what it asks for, or cannot have it.
fn service(view: &View, name: &str, served: &Served) -> Result<(), String> {
    if !served.balanced {
        return match served.addresses[..] {
            [] => Ok(()),
            _ => Err("has addresses that it does not ask for".to_owned()),
        };
    }
    match served.addresses[..] {
        [address] if view.suits(served, address) => return Ok(()),
        [] | [_] => {}
        _ => return Err("has more than one address".to_owned()),
    }
    match served.wish.address {
        Some(asked) => cannot_have(view, name, served, asked),
        None => Err("asks for any address of its pool, and has none of it".to_owned()),
    }
}

/// Succeeds if there is a reason.
fn cannot_have(view: &View, name: &str, served: &Served, asked: IpAddr) -> Result<(), String> {
    let pool = served.wish.pool.as_ref().and_then(|pool| view.pool(pool));
    if pool.is_some_and(|pool| !pool.contains(asked)) {
        return Ok(());
    }
    let held_by_another = view
        .berths
        .get(&asked)
        .is_some_and(|berth| berth.holders.keys().any(|holder| holder != name));
    if held_by_another {
        Ok(())
    } else {
        Err(format!(
            "asks for {asked}, which is free, and has not got it"
        ))
    }
}

/// The pools count right.
fn counts(view: &View) -> Vec<String> {
    let mut complaints = Vec::new();
    for pool in &view.pools {
        let mine = || {
            view.berths
                .iter()
                .filter(|(address, _)| pool.contains(**address))
        };
        for (address, berth) in mine().filter(|(_, berth)| berth.pool != pool.name) {
            complaints.push(format!("{address} is of {}, and says {berth:?}", pool.name));
        }
        let used = mine()
            .filter(|(_, berth)| !berth.holders.is_empty())
            .count();
        let free = pool.size as usize - mine().count();
        let right = [pool.size as usize, used, free].map(|count| i64::try_from(count).unwrap());
        let said = view.usage.get(&pool.name);
        if said.and_then(|usage| usage.counts) != Some(right) {
            complaints.push(format!(
                "{} should count {right:?}, and says {said:?}",
                pool.name
            ));
        }
        if said.is_some_and(|usage| !usage.ready.starts_with("True")) {
            complaints.push(format!("{} is not ready: {said:?}", pool.name));
        }
    }
    complaints
}
