//! What Services keep of what they have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::ledger::{Ledger, Tenant};
use super::standing::asker;
use super::{Case, is_published};
use crate::ipam::claim::Holder;
use crate::ipam::outcome::{Note, Way};
use crate::ipam::plan::World;
use crate::ipam::pool::{OnRemoval, Pool, declaring};
use crate::ipam::range::Family;
use crate::ipam::request::{Claim, Request};
use crate::ipam::service::FamilyPolicy;
use crate::ipam::sharing::{self, ShareRefusal};
use crate::kube_proxy::snapshot::ObjectName;

/// Whether a Service can keep an address.
enum Fit {
    /// It is what it asks for.
    Good,
    /// It asks for something else, and keeps this until it gets that.
    Makeshift,
    /// It cannot.
    Lost(Note),
}

/// Finds for every Service the best of the addresses that it has, and gives those back that it released a moment ago.
pub(super) fn settle(world: &World<'_>, ledger: &mut Ledger<'_>, cases: &mut [Case<'_>]) {
    refuse(ledger);
    let mut left_behind: HashMap<ObjectName, Vec<IpAddr>> = HashMap::new();
    for (address, entry) in &ledger.entries {
        if let Some(release) = &entry.released {
            left_behind
                .entry(release.by.clone())
                .or_default()
                .push(*address);
        }
    }
    for (number, case) in cases.iter_mut().enumerate() {
        let Some(request) = case.request().cloned() else {
            continue;
        };
        for problem in &request.problems {
            case.notes.push(Note::Problem(problem.clone()));
        }
        for family in &request.families {
            keep(world, ledger, number, case, &request, *family);
        }
        case.behind = left_behind.remove(&case.service.id).unwrap_or_default();
        take_back(world, ledger, number, case, &request);
        // Whether the other family is to be had shows later: until then nobody may come to share what would rest again.
        let whole = |family: &Family| case.fallback.contains_key(family);
        if request.family_policy == FamilyPolicy::RequireDualStack && !case.open().iter().all(whole)
        {
            case.give_back(ledger, number);
        }
    }
}

/// Says of Services on one address who cannot stay. Who did not change stays; of the others, who came first.
fn refuse(ledger: &mut Ledger<'_>) {
    for entry in ledger.entries.values_mut() {
        if entry.tenants.len() < 2 {
            continue;
        }
        let changed = |tenant: &Tenant<'_>| {
            tenant.recorded.as_ref().is_none_or(|recorded| {
                recorded.ports != tenant.current.ports || recorded.share != tenant.current.share
            })
        };
        let mut order: Vec<usize> = (0..entry.tenants.len())
            .filter(|at| !entry.tenants[*at].leaving)
            .collect();
        order.sort_by_key(|at| changed(&entry.tenants[*at]));
        let mut seniors: Vec<Rc<Holder>> = Vec::with_capacity(order.len());
        for at in order {
            let tenant = &mut entry.tenants[at];
            let refusals = seniors
                .iter()
                .filter_map(|senior| sharing::check(senior, &tenant.current).err());
            // A clash of ports is worse than any difference of keys.
            tenant.refusal =
                refusals.max_by_key(|refusal| matches!(refusal, ShareRefusal::PortTaken(_)));
            if !matches!(tenant.refusal, Some(ShareRefusal::PortTaken(_))) {
                seniors.push(tenant.current.clone());
            }
        }
    }
}

fn keep(
    world: &World<'_>,
    ledger: &Ledger<'_>,
    number: usize,
    case: &mut Case<'_>,
    request: &Request,
    family: Family,
) {
    let mut held: Vec<IpAddr> = case
        .held
        .iter()
        .copied()
        .filter(|address| Family::of(*address) == family)
        .collect();
    held.sort_by_key(|address| (!is_published(case.service, *address), *address));
    let mut makeshift = None;
    for address in held {
        match fit(world, ledger, number, case, request, address) {
            Fit::Good => {
                let way = match ledger.tenant(address, number) {
                    Some(tenant) if tenant.recorded.is_none() => Way::Adopted,
                    _ => Way::Kept,
                };
                case.has(ledger, address, way);
                return;
            }
            Fit::Makeshift => makeshift = makeshift.or(Some(address)),
            Fit::Lost(note) => {
                case.notes.push(note);
                case.lost.push(address);
            }
        }
    }
    if let Some(address) = makeshift {
        case.fallback.insert(family, address);
    }
}

fn fit(
    world: &World<'_>,
    ledger: &Ledger<'_>,
    number: usize,
    case: &mut Case<'_>,
    request: &Request,
    address: IpAddr,
) -> Fit {
    let refusal = ledger
        .tenant(address, number)
        .and_then(|tenant| tenant.refusal.clone());
    if let Some(refusal @ ShareRefusal::PortTaken(_)) = refusal {
        let by = ledger.entries.get(&address).and_then(|entry| {
            let others = entry.tenants.iter().filter(|tenant| tenant.case != number);
            others.map(|tenant| tenant.current.service.clone()).next()
        });
        return Fit::Lost(Note::Held {
            address,
            by: by.unwrap_or_default(),
            refusal,
        });
    }
    let entry = ledger.entries.get(&address);
    let pool = entry.and_then(|entry| ledger.pool(&entry.pool));
    let stays_in = |pool: &Pool| pool.declared.contains(address) || !pool.is_readable();
    match pool {
        Some(pool) if stays_in(pool) && !pool.is_terminating() => {}
        Some(pool) if pool.spec.on_removal == OnRemoval::Release => {
            return Fit::Lost(Note::TakenAway(address, pool.id.clone()));
        }
        _ => {
            let pool = entry.map(|entry| entry.pool.clone());
            case.notes
                .extend(pool.map(|pool| Note::Draining(address, pool)));
        }
    }
    if !request.problems.is_empty() {
        return Fit::Good;
    }
    let other_address = request
        .address(Family::of(address))
        .is_some_and(|asked| asked != address);
    let other_pool = pool.is_some_and(|pool| {
        pool.spec.allows(&asker(world, case.service)).is_err()
            || (!request.pools.is_empty() && !names(world, request, pool))
    });
    if other_address || other_pool || refusal.is_some() {
        Fit::Makeshift
    } else {
        Fit::Good
    }
}

/// Whether a Service names the pool.
pub(super) fn names(world: &World<'_>, request: &Request, pool: &Pool) -> bool {
    request
        .pools
        .iter()
        .filter_map(|choice| choice.find(world.pools))
        .any(|named| named.id == pool.id)
}

/// Gives a Service back what rests since it had it, as far as it has use for it.
pub(super) fn take_back(
    world: &World<'_>,
    ledger: &mut Ledger<'_>,
    number: usize,
    case: &mut Case<'_>,
    request: &Request,
) {
    let Some(current) = case.current.clone() else {
        return;
    };
    if !request.problems.is_empty() {
        return;
    }
    for address in case.behind.clone() {
        let family = Family::of(address);
        let open = request.families.contains(&family)
            && !case.targets.contains_key(&family)
            && !case.fallback.contains_key(&family)
            && request.address(family).is_none_or(|asked| asked == address);
        let Some(pool) = declaring(world.pools, address).filter(|_| open) else {
            continue;
        };
        let may = pool.gives(address).is_ok()
            && pool.spec.allows(&asker(world, case.service)).is_ok()
            && (request.claim != Claim::Unasked || pool.spec.auto_assign)
            && (request.pools.is_empty() || names(world, request, pool));
        let entry = ledger.entries.get(&address);
        let rests = entry.is_some_and(|entry| entry.released.is_some() && entry.tenants.is_empty());
        if may && rests {
            ledger.enter(address, &pool.id, Tenant::new(number, Rc::clone(&current)));
            case.has(ledger, address, Way::TakenBack);
            case.gained.push(address);
        }
    }
}

impl Tenant<'_> {
    /// A Service that gets an address by this plan.
    pub(super) fn new(case: usize, current: Rc<Holder>) -> Self {
        Self {
            case,
            current,
            recorded: None,
            refusal: None,
            leaving: false,
        }
    }
}

impl Case<'_> {
    /// It is to have this address.
    pub(super) fn has(&mut self, ledger: &Ledger<'_>, address: IpAddr, way: Way) {
        self.targets.insert(Family::of(address), address);
        if let Some(entry) = ledger.entries.get(&address) {
            let pool = entry.pool.clone();
            self.notes.push(Note::Has { address, pool, way });
        }
    }

    /// It is to have nothing of what this plan gave it.
    pub(super) fn give_back(&mut self, ledger: &mut Ledger<'_>, number: usize) {
        for address in std::mem::take(&mut self.gained) {
            ledger.leave(address, number);
            self.targets.retain(|_, target| *target != address);
            self.notes
                .retain(|note| !matches!(note, Note::Has { address: of, .. } if *of == address));
        }
    }

    /// What is left of the families, in their order, without a target.
    pub(super) fn open(&self) -> Vec<Family> {
        let mut families = self.families();
        families.retain(|family| !self.targets.contains_key(family));
        families
    }
}
