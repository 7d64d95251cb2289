//! Which Services are ours.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::ledger::{Ledger, Tenant, Vacancy};
use super::{Case, STATUS_WRITER, is_published, published};
use crate::ipam::claim::Holder;
use crate::ipam::outcome::Note;
use crate::ipam::plan::World;
use crate::ipam::pool::{Asker, Pool, PoolId, declaring};
use crate::ipam::range::Family;
use crate::ipam::request::{self, Claim, NotOurs, Request};
use crate::ipam::service::{Ingress, Service};

/// What a Service is to Mooring.
#[derive(Debug)]
pub(super) enum Standing {
    /// Its addresses are decided here.
    Ours(Rc<Request>),
    /// It was ours. Our addresses are taken out of its status, then released.
    Former,
    /// Nothing in it is ours.
    Alien,
}

/// What claims say that a Service was to Mooring. Of several, the later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Past {
    /// No claim names it.
    Nothing,
    /// It was given an address without asking.
    Given,
    /// It asked for its address.
    Asked,
}

impl Past {
    /// By all that claims say about it.
    pub(super) fn of<'h>(holders: impl IntoIterator<Item = &'h Holder>) -> Self {
        let of = |holder: &Holder| {
            if holder.asked {
                Self::Asked
            } else {
                Self::Given
            }
        };
        holders.into_iter().map(of).max().unwrap_or(Self::Nothing)
    }
}

/// No labels.
static NONE: BTreeMap<String, String> = BTreeMap::new();

/// What pools ask about a Service.
pub(super) fn asker<'a>(world: &'a World<'a>, service: &'a Service) -> Asker<'a> {
    Asker {
        namespace: &service.id.namespace,
        namespace_labels: world.namespaces.get(&service.id.namespace).unwrap_or(&NONE),
        labels: &service.labels,
    }
}

/// All Services in the order in which they are served, the oldest first, each put on the addresses that claims say it has.
pub(super) fn cases<'w>(world: &'w World<'w>, ledger: &mut Ledger<'w>) -> Vec<Case<'w>> {
    let mut services: Vec<&Service> = world.services.iter().map(Arc::as_ref).collect();
    services.sort_by(|a, b| (a.created, &a.id, &a.uid).cmp(&(b.created, &b.id, &b.uid)));
    let by_uid: HashMap<&str, usize> = services
        .iter()
        .enumerate()
        .map(|(number, service)| (service.uid.as_str(), number))
        .collect();
    let mut claimed: Vec<Vec<(IpAddr, &'w Holder)>> = vec![Vec::new(); services.len()];
    for claim in &world.claims {
        for holder in &claim.holders {
            if let Some(case) = by_uid.get(holder.uid.as_str())
                && let Some(claimed) = claimed.get_mut(*case)
            {
                claimed.push((claim.address, holder));
            }
        }
    }
    let mut cases = Vec::with_capacity(services.len());
    for (number, (service, claimed)) in services.into_iter().zip(claimed).enumerate() {
        let mut notes = Vec::new();
        let past = Past::of(claimed.iter().map(|(_, holder)| *holder));
        let standing = standing(world, service, past, &mut notes);
        let current = match &standing {
            Standing::Ours(request) => Some(Rc::new(Holder::of(service, request))),
            Standing::Former | Standing::Alien => None,
        };
        let mut held = Vec::new();
        for (address, recorded) in claimed {
            let leaving = match &standing {
                Standing::Ours(_) => false,
                Standing::Former if is_published(service, address) => true,
                Standing::Former | Standing::Alien => continue,
            };
            let Some(pool) = home(ledger, &standing, address) else {
                continue;
            };
            held.push(address);
            let tenant = Tenant {
                case: number,
                current: current.clone().unwrap_or_else(|| Rc::new(recorded.clone())),
                recorded: Some(recorded),
                refusal: None,
                leaving,
            };
            ledger.enter(address, &pool, tenant);
        }
        cases.push(Case {
            service,
            standing,
            current,
            held,
            targets: BTreeMap::new(),
            fallback: BTreeMap::new(),
            lost: Vec::new(),
            behind: Vec::new(),
            gained: Vec::new(),
            wanting: Vec::new(),
            withheld: false,
            notes,
        });
    }
    in_order_of_arrival(world, ledger);
    ledger.release_orphans();
    adopt(world, ledger, &mut cases);
    cases
}

/// The pool that a claimed address counts for. One that left the pool which its Service names does not become another
/// pool's: it would be the wrong one, and the Service would have to move.
fn home(ledger: &Ledger<'_>, standing: &Standing, address: IpAddr) -> Option<PoolId> {
    let claimed = &ledger.entries.get(&address)?.pool;
    let home = ledger.home(address).map_or(claimed, |pool| &pool.id);
    let names = |pool: &PoolId| match standing {
        Standing::Ours(request) => request.pools.iter().any(|choice| choice.name == pool.name),
        Standing::Former | Standing::Alien => false,
    };
    let stays = names(claimed) && !names(home);
    Some(if stays { claimed } else { home }.clone())
}

pub(super) fn standing(
    world: &World<'_>,
    service: &Service,
    past: Past,
    notes: &mut Vec<Note>,
) -> Standing {
    let request = match request::request(service, world.others) {
        Ok(request) => request,
        Err(reason) => {
            // Antrea goes on with the status as it is.
            let former = past != Past::Nothing && reason != NotOurs::AntreaServes;
            notes.push(Note::NotOurs(reason));
            return if former {
                Standing::Former
            } else {
                Standing::Alien
            };
        }
    };
    let stops_asking = past == Past::Asked && request.claim == Claim::Unasked;
    if past != Past::Nothing && !stops_asking {
        return Standing::Ours(Rc::new(request));
    }
    match request.claim {
        Claim::Asked => {}
        Claim::IfPoolExists => {
            if request
                .pools
                .iter()
                .all(|choice| choice.find(world.pools).is_none())
            {
                notes.push(Note::PoolNotHere);
                return Standing::Alien;
            }
        }
        Claim::Unasked => {
            let asker = asker(world, service);
            let usable = |pool: &Pool| pool.spec.auto_assign && pool.spec.allows(&asker).is_ok();
            if !world.pools.iter().any(usable) {
                notes.push(Note::NoAutoAssign);
                return if stops_asking {
                    Standing::Former
                } else {
                    Standing::Alien
                };
            }
        }
    }
    if past == Past::Nothing && service.class.is_none() && is_foreign(world, service) {
        notes.push(Note::ForeignStatus(
            service.ingress.iter().map(entry_text).collect(),
        ));
        return Standing::Alien;
    }
    Standing::Ours(Rc::new(request))
}

/// Whether somebody else wrote the status of a Service that has no claim. A status that we may have written is one of
/// plain addresses of our pools.
fn is_foreign(world: &World<'_>, service: &Service) -> bool {
    if service.ingress.is_empty() {
        return false;
    }
    let written_by_others = !service.status_writers.is_empty()
        && !service
            .status_writers
            .iter()
            .any(|writer| writer == STATUS_WRITER);
    let all_read = published(service).count() == service.ingress.len();
    written_by_others
        || !all_read
        || published(service).any(|address| declaring(world.pools, address).is_none())
}

fn entry_text(entry: &Ingress) -> String {
    entry
        .ip
        .clone()
        .or_else(|| entry.hostname.clone())
        .unwrap_or_default()
}

/// Tenants in the order in which the claims list them.
fn in_order_of_arrival(world: &World<'_>, ledger: &mut Ledger<'_>) {
    for claim in &world.claims {
        if claim.holders.len() < 2 {
            continue;
        }
        if let Some(entry) = ledger.entries.get_mut(&claim.address) {
            entry.tenants.sort_by_key(|tenant| {
                claim
                    .holders
                    .iter()
                    .position(|holder| holder.uid == tenant.current.uid)
            });
        }
    }
}

/// Addresses that a status says and no claim has any more, as when the claims were lost. Where there is a claim, it counts:
/// then the status was edited.
fn adopt(world: &World<'_>, ledger: &mut Ledger<'_>, cases: &mut [Case<'_>]) {
    for (number, case) in cases.iter_mut().enumerate() {
        let (Standing::Ours(request), Some(current)) = (&case.standing, &case.current) else {
            continue;
        };
        for address in published(case.service) {
            let family = Family::of(address);
            let claimed = case.held.iter().any(|held| Family::of(*held) == family);
            if claimed || !request.families.contains(&family) {
                continue;
            }
            let Some(pool) = declaring(world.pools, address) else {
                continue;
            };
            if request.claim == Claim::Unasked && !pool.spec.auto_assign {
                continue;
            }
            if matches!(ledger.vacancy(address, current), Vacancy::Taken(_)) {
                continue;
            }
            case.held.push(address);
            ledger.enter(
                address,
                &pool.id,
                Tenant {
                    case: number,
                    current: current.clone(),
                    recorded: None,
                    refusal: None,
                    leaving: false,
                },
            );
        }
    }
}
