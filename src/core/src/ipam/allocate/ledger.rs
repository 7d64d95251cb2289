//! Who has which address while it is planned, and what is free.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use crate::ipam::claim::{Claim, Holder, Release};
use crate::ipam::outcome::Note;
use crate::ipam::plan::World;
use crate::ipam::pool::{Pool, PoolId, REUSE_AFTER, declaring};
use crate::ipam::range::{AddressRange, Addresses, Count, Family};
use crate::ipam::request::Share;
use crate::ipam::sharing::{self, ShareRefusal};
use crate::kube_proxy::snapshot::Timestamp;

/// The books.
#[derive(Debug)]
pub(super) struct Ledger<'w> {
    pools: &'w [Pool],
    now: Timestamp,
    numbers: HashMap<&'w PoolId, usize>,
    pub(super) entries: BTreeMap<IpAddr, Entry<'w>>,
    /// What each pool can hand out now.
    free: Vec<Addresses>,
    shared: BTreeMap<Share, BTreeSet<IpAddr>>,
}

/// An address that is taken, or rests.
#[derive(Debug)]
pub(super) struct Entry<'w> {
    /// The claim as it is.
    pub(super) original: Option<&'w Claim>,
    pub(super) pool: PoolId,
    pub(super) tenants: Vec<Tenant<'w>>,
    pub(super) released: Option<Release>,
}

/// A Service on an address.
#[derive(Debug)]
pub(super) struct Tenant<'w> {
    /// The number of its case.
    pub(super) case: usize,
    /// As it is now.
    pub(super) current: Rc<Holder>,
    /// As the claim has it.
    pub(super) recorded: Option<&'w Holder>,
    /// Why it cannot be together with those who came before it.
    pub(super) refusal: Option<ShareRefusal>,
    /// It goes away, and is here only as its status still has the address.
    pub(super) leaving: bool,
}

/// Whether somebody can have an address.
#[derive(Debug)]
pub(super) enum Vacancy {
    /// Nobody has it.
    Free,
    /// Its tenants share it.
    Shared,
    /// Not now.
    Taken(Note),
}

impl Entry<'_> {
    /// The release of a claim that has lost its last tenant.
    pub(super) fn released_now(&self, at: Timestamp) -> Option<Release> {
        let claim = self.original?;
        let by = claim.holders.last().map(|holder| holder.service.clone());
        claim.released.clone().or(Some(Release {
            at,
            by: by.unwrap_or_default(),
        }))
    }
}

impl<'w> Ledger<'w> {
    /// All claims, without tenants yet.
    pub(super) fn open(world: &'w World<'w>) -> Self {
        let mut entries = BTreeMap::new();
        for claim in world.claims.iter().copied() {
            entries.insert(
                claim.address,
                Entry {
                    original: Some(claim),
                    pool: claim.pool.clone(),
                    tenants: Vec::new(),
                    released: claim.released.clone(),
                },
            );
        }
        let mut ledger = Self {
            pools: world.pools,
            now: world.now,
            numbers: world
                .pools
                .iter()
                .enumerate()
                .map(|(number, pool)| (&pool.id, number))
                .collect(),
            entries,
            free: world
                .pools
                .iter()
                .map(|pool| pool.assignable.clone())
                .collect(),
            shared: BTreeMap::new(),
        };
        let taken: Vec<IpAddr> = ledger
            .entries
            .keys()
            .copied()
            .filter(|address| !ledger.has_rested(*address))
            .collect();
        for address in taken {
            ledger.set_free(address, false);
        }
        ledger
    }

    pub(super) fn pool(&self, id: &PoolId) -> Option<&'w Pool> {
        self.numbers
            .get(id)
            .and_then(|number| self.pools.get(*number))
    }

    /// The pool that an address of a claim is from. One that left its pool may have come to another one, but for one that is
    /// about to go: that would take it away with what it gave itself.
    pub(super) fn home(&self, address: IpAddr) -> Option<&'w Pool> {
        let claimed = self
            .entries
            .get(&address)
            .and_then(|entry| self.pool(&entry.pool));
        claimed
            .filter(|pool| pool.declared.contains(address))
            .or_else(|| declaring(self.pools, address).filter(|pool| !pool.is_terminating()))
            .or(claimed)
    }

    fn set_free(&mut self, address: IpAddr, free: bool) {
        let range = AddressRange::single(address);
        for (pool, stock) in self.pools.iter().zip(&mut self.free) {
            if !pool.assignable.contains(address) {
                continue;
            }
            if free {
                stock.insert(&range);
            } else {
                stock.remove(&range);
            }
        }
    }

    /// Until when a released address rests; `None` if it is not released.
    pub(super) fn rests_until(&self, address: IpAddr) -> Option<Timestamp> {
        let entry = self.entries.get(&address)?;
        let release = entry.released.as_ref()?;
        let rest = self
            .pool(&entry.pool)
            .map_or(REUSE_AFTER, |pool| pool.spec.reuse_after);
        Some(release.at.plus_seconds(i64::from(rest)))
    }

    /// Released, and long enough ago.
    pub(super) fn has_rested(&self, address: IpAddr) -> bool {
        self.rests_until(address)
            .is_some_and(|until| until <= self.now)
    }

    /// The lowest address that the pool can hand out.
    pub(super) fn lowest(&self, pool: &PoolId, family: Family) -> Option<IpAddr> {
        let number = self.numbers.get(pool)?;
        let stock = self.free.get(*number)?;
        let lowest = stock.of(family).ranges().next();
        lowest.map(|range| range.first())
    }

    /// How many addresses the pool can hand out.
    pub(super) fn free(&self, number: usize) -> Count {
        self.free.get(number).map_or(Count::ZERO, Addresses::count)
    }

    /// Addresses whose tenants have this key.
    pub(super) fn shared(&self, share: &Share) -> impl Iterator<Item = IpAddr> + use<'_> {
        self.shared.get(share).into_iter().flatten().copied()
    }

    /// Claims whose Services are all gone rest from now on.
    pub(super) fn release_orphans(&mut self) {
        let now = self.now;
        for entry in self.entries.values_mut() {
            if entry.tenants.is_empty() && entry.released.is_none() {
                entry.released = entry.released_now(now);
            }
        }
    }

    /// Whether a Service that is not on it can have the address.
    pub(super) fn vacancy(&self, address: IpAddr, holder: &Holder) -> Vacancy {
        let Some(entry) = self.entries.get(&address) else {
            return Vacancy::Free;
        };
        if let Some(release) = &entry.released {
            return match self.rests_until(address) {
                Some(until) if until > self.now && release.by != holder.service => {
                    Vacancy::Taken(Note::Resting {
                        address,
                        by: release.by.clone(),
                        until,
                    })
                }
                _ => Vacancy::Free,
            };
        }
        let refusal = entry.tenants.iter().find_map(|tenant| {
            // What the claim says may still be what the others on the address go by.
            let recorded = tenant.recorded.unwrap_or(&tenant.current);
            let refusal = sharing::check(holder, &tenant.current)
                .and_then(|()| sharing::check(holder, recorded))
                .err()?;
            Some(Vacancy::Taken(Note::Held {
                address,
                by: tenant.current.service.clone(),
                refusal,
            }))
        });
        refusal.unwrap_or(if entry.tenants.is_empty() {
            Vacancy::Free
        } else {
            Vacancy::Shared
        })
    }

    /// Puts a Service on an address.
    pub(super) fn enter(&mut self, address: IpAddr, pool: &PoolId, tenant: Tenant<'w>) {
        if !self.entries.contains_key(&address) || self.has_rested(address) {
            self.set_free(address, false);
        }
        if let Some(share) = &tenant.current.share {
            self.shared
                .entry(share.clone())
                .or_default()
                .insert(address);
        }
        let entry = self.entries.entry(address).or_insert_with(|| Entry {
            original: None,
            pool: pool.clone(),
            tenants: Vec::new(),
            released: None,
        });
        if entry.tenants.is_empty() {
            entry.pool = pool.clone();
        }
        entry.released = None;
        entry.tenants.push(tenant);
    }

    /// Takes a Service that was put on it by this plan off an address again.
    pub(super) fn leave(&mut self, address: IpAddr, case: usize) {
        let Some(entry) = self.entries.get_mut(&address) else {
            return;
        };
        entry.tenants.retain(|tenant| tenant.case != case);
        if !entry.tenants.is_empty() {
            return;
        }
        entry.released = entry.released_now(self.now);
        if entry.original.is_none() {
            self.entries.remove(&address);
            self.set_free(address, true);
        } else if self.has_rested(address) {
            self.set_free(address, true);
        }
    }

    /// Takes a Service off an address that it had before.
    pub(super) fn drop_tenant(&mut self, address: IpAddr, case: usize) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.tenants.retain(|tenant| tenant.case != case);
        }
    }

    pub(super) fn tenant_mut(&mut self, address: IpAddr, case: usize) -> Option<&mut Tenant<'w>> {
        self.entries
            .get_mut(&address)?
            .tenants
            .iter_mut()
            .find(|tenant| tenant.case == case)
    }

    pub(super) fn tenant(&self, address: IpAddr, case: usize) -> Option<&Tenant<'w>> {
        self.entries
            .get(&address)?
            .tenants
            .iter()
            .find(|tenant| tenant.case == case)
    }
}
