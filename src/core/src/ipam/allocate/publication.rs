//! What the statuses are to say.

use std::net::IpAddr;

use super::ledger::Ledger;
use super::standing::Standing;
use super::{Case, is_published, published};
use crate::ipam::outcome::Note;
use crate::ipam::plan::{Gate, Plan, StatusWrite, World};
use crate::ipam::range::Family;
use crate::ipam::service::{Ingress, Service};

/// The `ipMode` of our addresses, which the API server fills in where it is missing.
const VIP: &str = "VIP";

/// Plans the status of a Service, and lets it leave what it is not to have. An address that the status still has is left
/// by a later plan, which no longer sees it there.
pub(super) fn publish(
    world: &World<'_>,
    ledger: &mut Ledger<'_>,
    number: usize,
    case: &mut Case<'_>,
    plan: &mut Plan,
) {
    match case.standing {
        Standing::Alien => {}
        Standing::Former => {
            let ours = |entry: &Ingress| {
                let address: Option<IpAddr> = entry.ip.as_deref().and_then(|ip| ip.parse().ok());
                address.is_some_and(|address| case.held.contains(&address.to_canonical()))
            };
            let rest: Vec<Ingress> = case
                .service
                .ingress
                .iter()
                .filter(|entry| !ours(entry))
                .cloned()
                .collect();
            if rest.len() != case.service.ingress.len() {
                plan.statuses.push(write(case.service, rest, Vec::new()));
            }
        }
        Standing::Ours(_) => {
            let wanted = case.addresses();
            let shown = shown(world, case, &wanted);
            if !shows(case.service, &shown) {
                note_repair(case);
                let needs = shown
                    .iter()
                    .copied()
                    .filter(|address| {
                        let tenant = ledger.tenant(*address, number);
                        tenant.is_none_or(|tenant| tenant.recorded.is_none())
                    })
                    .collect();
                let entries = shown.iter().copied().map(entry).collect();
                plan.statuses.push(write(case.service, entries, needs));
            }
            for address in case.held.clone() {
                if wanted.contains(&address) {
                    continue;
                }
                if !is_published(case.service, address) {
                    ledger.drop_tenant(address, number);
                } else if let Some(tenant) = ledger.tenant_mut(address, number) {
                    tenant.leaving = true;
                }
            }
        }
    }
}

/// The addresses that the status is to have now.
fn shown(world: &World<'_>, case: &mut Case<'_>, wanted: &[IpAddr]) -> Vec<IpAddr> {
    for address in wanted {
        let family = Family::of(*address);
        let old = case.held.iter().copied().find(|held| {
            Family::of(*held) == family && held != address && is_published(case.service, *held)
        });
        if let Some(from) = old
            && !is_published(case.service, *address)
        {
            case.notes.push(Note::Switching { from, to: *address });
        }
    }
    let Gate::Closed { message } = world.gate else {
        return wanted.to_vec();
    };
    for address in wanted {
        if !is_published(case.service, *address) {
            case.withheld = true;
            case.notes.push(Note::Withheld {
                address: *address,
                message: message.clone(),
            });
        }
    }
    let mut shown: Vec<IpAddr> = Vec::with_capacity(2);
    for address in published(case.service) {
        let waits = |target: &IpAddr| !is_published(case.service, *target);
        let keeps = wanted.contains(&address)
            || (case.held.contains(&address)
                && !case.lost.contains(&address)
                && case.targets.get(&Family::of(address)).is_some_and(waits));
        if keeps && !shown.contains(&address) {
            shown.push(address);
        }
    }
    shown
}

/// Whether the status has exactly these addresses, in this order.
fn shows(service: &Service, addresses: &[IpAddr]) -> bool {
    service.ingress.len() == addresses.len()
        && service
            .ingress
            .iter()
            .zip(addresses)
            .all(|(entry, address)| {
                let ip: Option<IpAddr> = entry.ip.as_deref().and_then(|ip| ip.parse().ok());
                ip == Some(*address)
                    && entry.hostname.as_deref().unwrap_or_default().is_empty()
                    && entry.ip_mode.as_deref().unwrap_or(VIP) == VIP
                    && !entry.has_ports
            })
}

/// A status that says what no plan of ours wrote.
fn note_repair(case: &mut Case<'_>) {
    let odd = |entry: &Ingress| {
        let address: Option<IpAddr> = entry.ip.as_deref().and_then(|ip| ip.parse().ok());
        !address.is_some_and(|address| case.held.contains(&address))
            || entry.ip_mode.as_deref().unwrap_or(VIP) != VIP
            || entry.has_ports
    };
    if case.service.ingress.iter().any(odd) {
        case.notes.push(Note::StatusRepaired);
    }
}

fn entry(address: IpAddr) -> Ingress {
    Ingress {
        ip: Some(address.to_string()),
        hostname: None,
        ip_mode: Some(VIP.to_owned()),
        has_ports: false,
    }
}

fn write(service: &Service, ingress: Vec<Ingress>, needs: Vec<IpAddr>) -> StatusWrite {
    StatusWrite {
        service: service.id.clone(),
        uid: service.uid.clone(),
        ingress,
        needs,
    }
}
