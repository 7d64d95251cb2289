//! New addresses for Services that need them.

use std::net::IpAddr;
use std::rc::Rc;

use super::ledger::{Ledger, Tenant, Vacancy};
use super::standing::asker;
use super::tenancy::{self, names};
use super::{Case, is_published};
use crate::ipam::claim::Holder;
use crate::ipam::outcome::{Note, Way};
use crate::ipam::plan::World;
use crate::ipam::pool::{Pool, PoolId};
use crate::ipam::range::Family;
use crate::ipam::request::{Claim, Request, Share};
use crate::ipam::service::FamilyPolicy;

/// Gets what a Service lacks. Those that ask for certain addresses have their turn first (`explicit`).
pub(super) fn acquire(
    world: &World<'_>,
    ledger: &mut Ledger<'_>,
    number: usize,
    case: &mut Case<'_>,
    explicit: bool,
) {
    let Some(request) = case.request().cloned() else {
        return;
    };
    let Some(current) = case.current.clone() else {
        return;
    };
    if request.addresses.is_empty() == explicit {
        return;
    }
    let may = request.problems.is_empty();
    tenancy::take_back(world, ledger, number, case, &request);
    let mut seeker = Seeker {
        world,
        ledger,
        number,
        current: &current,
        request: &request,
    };
    let together = seeker.one_pool_for_both(case, may);
    for family in case.open() {
        let found = if !may {
            None
        } else if let Some(address) = request.address(family) {
            match seeker.requested(case, address) {
                Ok(way) => Some((address, way)),
                Err(note) => {
                    case.notes.push(note);
                    None
                }
            }
        } else {
            seeker.any(case, family, together.as_ref())
        };
        match found {
            Some((address, way)) => {
                case.has(seeker.ledger, address, way);
                case.gained.push(address);
            }
            None => case.wanting.push(family),
        }
    }
    if !may {
        case.wanting.clone_from(&request.families);
        let stays = case.addresses().into_iter().map(Note::Stays);
        case.notes.extend(stays.collect::<Vec<_>>());
    }
    for family in case.open() {
        if let Some(address) = case.fallback.get(&family).copied() {
            case.notes.push(Note::Stays(address));
            case.targets.insert(family, address);
        }
    }
    // PreferDualStack is content with one family, and so is a Service that asked for one address.
    if request.family_policy != FamilyPolicy::RequireDualStack {
        if !case.targets.is_empty() {
            case.wanting.retain(|family| {
                case.targets.contains_key(family) || request.address(*family).is_some()
            });
        }
        return;
    }
    if let Some(missing) = case.open().first().copied() {
        case.notes.push(Note::NotBothFamilies(missing));
        case.give_back(ledger, number);
        let service = case.service;
        case.targets
            .retain(|_, target| is_published(service, *target));
    }
}

struct Seeker<'a, 'w> {
    world: &'a World<'a>,
    ledger: &'a mut Ledger<'w>,
    number: usize,
    current: &'a Rc<Holder>,
    request: &'a Request,
}

impl Seeker<'_, '_> {
    fn enter(&mut self, address: IpAddr, pool: &Pool) {
        let tenant = Tenant::new(self.number, Rc::clone(self.current));
        self.ledger.enter(address, &pool.id, tenant);
    }

    /// Whether the Service may use the pool.
    fn allowed(&self, case: &Case<'_>, pool: &Pool) -> Result<(), Note> {
        pool.spec
            .allows(&asker(self.world, case.service))
            .map_err(|reason| Note::NotAllowed(pool.id.clone(), reason))
    }

    /// The address that the Service asks for.
    fn requested(&mut self, case: &Case<'_>, address: IpAddr) -> Result<Way, Note> {
        if let Some(tenant) = self.ledger.tenant(address, self.number)
            && let Some(refusal) = tenant.refusal.clone()
        {
            let entry = self.ledger.entries.get(&address);
            let by = entry.and_then(|entry| {
                let mut others = entry.tenants.iter();
                others.find(|tenant| tenant.case != self.number)
            });
            return Err(Note::Held {
                address,
                by: by
                    .map(|tenant| tenant.current.service.clone())
                    .unwrap_or_default(),
                refusal,
            });
        }
        let pool = self
            .world
            .pools
            .iter()
            .filter(|pool| pool.declared.contains(address))
            .max_by_key(|pool| {
                (
                    names(self.world, self.request, pool),
                    pool.gives(address).is_ok(),
                )
            })
            .ok_or(Note::InNoPool(address))?;
        if !self.request.pools.is_empty() && !names(self.world, self.request, pool) {
            let mut unknown = self
                .request
                .pools
                .iter()
                .filter(|choice| choice.find(self.world.pools).is_none());
            return Err(match unknown.next() {
                Some(choice) => Note::NoSuchPool(choice.name.clone()),
                None => Note::InOtherPool(address, pool.id.clone()),
            });
        }
        if self.request.claim == Claim::Unasked && !pool.spec.auto_assign {
            return Err(Note::InNoPool(address));
        }
        self.allowed(case, pool)?;
        if let Err(problem) = pool.gives(address) {
            let problem = problem.map(ToString::to_string).unwrap_or_default();
            return Err(Note::PoolProblem(pool.id.clone(), problem));
        }
        match self.ledger.vacancy(address, self.current) {
            Vacancy::Taken(note) => Err(note),
            Vacancy::Free => {
                self.enter(address, pool);
                Ok(Way::Requested)
            }
            Vacancy::Shared => {
                let way = self.joined(address);
                self.enter(address, pool);
                Ok(way)
            }
        }
    }

    fn joined(&self, address: IpAddr) -> Way {
        let entry = self.ledger.entries.get(&address);
        let tenants = entry.map_or(&[][..], |entry| &entry.tenants);
        Way::Joined(
            tenants
                .iter()
                .map(|tenant| tenant.current.service.clone())
                .collect(),
        )
    }

    /// The pools that may serve the Service, in the order in which they are asked, and why others may not.
    fn pools(&self, case: &Case<'_>, notes: &mut Vec<Note>) -> Vec<&Pool> {
        let pools = self.world.pools;
        let candidates: Vec<&Pool> = if self.request.pools.is_empty() {
            let automatic: Vec<&Pool> = pools.iter().filter(|pool| pool.spec.auto_assign).collect();
            if automatic.is_empty() {
                notes.push(Note::NoDefaultPool);
            }
            automatic
        } else {
            let mut named = Vec::new();
            for choice in &self.request.pools {
                match choice.find(pools) {
                    Some(pool) => named.push(pool),
                    None => notes.push(Note::NoSuchPool(choice.name.clone())),
                }
            }
            named
        };
        let mut usable = Vec::with_capacity(candidates.len());
        for pool in candidates {
            if let Err(note) = self.allowed(case, pool) {
                notes.push(note);
            } else if !pool.is_open() {
                let worst = pool.problems.first().map(ToString::to_string);
                notes.push(Note::PoolProblem(
                    pool.id.clone(),
                    worst.unwrap_or_default(),
                ));
            } else {
                usable.push(pool);
            }
        }
        usable
    }

    /// The first pool that has an address of each family, for a Service that needs both.
    fn one_pool_for_both(&self, case: &Case<'_>, may: bool) -> Option<PoolId> {
        let open = case.open();
        if !may || open.len() < 2 || !self.request.addresses.is_empty() {
            return None;
        }
        let pools = self.pools(case, &mut Vec::new());
        pools
            .into_iter()
            .find(|pool| {
                open.iter()
                    .all(|family| self.ledger.lowest(&pool.id, *family).is_some())
            })
            .map(|pool| pool.id.clone())
    }

    /// An address that the Service shares with its like, or else the lowest free one.
    fn any(
        &mut self,
        case: &mut Case<'_>,
        family: Family,
        together: Option<&PoolId>,
    ) -> Option<(IpAddr, Way)> {
        let mut notes = Vec::new();
        let beside = case
            .targets
            .values()
            .next()
            .and_then(|address| self.ledger.entries.get(address))
            .map(|entry| entry.pool.clone());
        let mut usable = self.pools(case, &mut notes);
        usable.sort_by_key(|pool| Some(&pool.id) != together && Some(&pool.id) != beside.as_ref());
        if let Some(share @ Share::Key(_)) = &self.current.share {
            let found = self.ledger.shared(share).find_map(|address| {
                let entry = self.ledger.entries.get(&address)?;
                let pool = usable.iter().find(|pool| pool.id == entry.pool)?;
                let joins = Family::of(address) == family
                    && pool.gives(address).is_ok()
                    && self.ledger.tenant(address, self.number).is_none()
                    && matches!(self.ledger.vacancy(address, self.current), Vacancy::Shared);
                joins.then_some((address, pool.id.clone()))
            });
            if let Some((address, pool)) = found {
                let way = self.joined(address);
                let tenant = Tenant::new(self.number, Rc::clone(self.current));
                self.ledger.enter(address, &pool, tenant);
                return Some((address, way));
            }
        }
        let found = usable.iter().find_map(|pool| {
            let lowest = self.ledger.lowest(&pool.id, family);
            if lowest.is_none() {
                notes.push(if pool.assignable.of(family).is_empty() {
                    Note::NoFamily(pool.id.clone(), family)
                } else {
                    Note::Exhausted {
                        pool: pool.id.clone(),
                        family,
                    }
                });
            }
            Some((lowest?, pool.id.clone()))
        });
        case.notes.append(&mut notes);
        let (address, pool) = found?;
        let tenant = Tenant::new(self.number, Rc::clone(self.current));
        self.ledger.enter(address, &pool, tenant);
        Some((address, Way::LowestFree))
    }
}
