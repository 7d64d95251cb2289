//! From the books to claims.

use std::borrow::Cow;

use super::ledger::{Entry, Ledger, Tenant};
use crate::ipam::claim::{Claim, Holder};
use crate::ipam::plan::{Plan, World};

/// Plans the claims, and counts.
pub(super) fn complete(world: &World<'_>, mut ledger: Ledger<'_>, plan: &mut Plan) {
    for (number, pool) in world.pools.iter().enumerate() {
        let usage = plan.usage.entry(pool.id.clone()).or_default();
        usage.free = ledger.free(number);
    }
    let addresses: Vec<_> = ledger.entries.keys().copied().collect();
    for address in addresses {
        if let Some(entry) = ledger.entries.get_mut(&address)
            && entry.tenants.is_empty()
            && entry.released.is_none()
        {
            entry.released = entry.released_now(world.now);
        }
        let rests_until = ledger.rests_until(address);
        let Some(entry) = ledger.entries.get(&address) else {
            continue;
        };
        if entry.tenants.is_empty() {
            if rests_until.is_some_and(|until| until <= world.now) {
                plan.delete.push(address);
                continue;
            }
            plan.usage.entry(entry.pool.clone()).or_default().resting += 1;
            plan.wake = plan.wake.into_iter().chain(rests_until).min();
        } else {
            plan.usage.entry(entry.pool.clone()).or_default().used += 1;
        }
        if entry.original.is_some_and(|original| says(original, entry)) {
            continue;
        }
        let claim = Claim {
            address,
            pool: entry.pool.clone(),
            holders: entry
                .tenants
                .iter()
                .map(|tenant| holder(tenant).into_owned())
                .collect(),
            released: entry.released.clone(),
        };
        match entry.original {
            None => plan.create.push(claim),
            Some(_) => plan.update.push(claim),
        }
    }
}

/// Whether the claim is already what it is to be.
fn says(original: &Claim, entry: &Entry<'_>) -> bool {
    original.pool == entry.pool
        && original.released == entry.released
        && original.holders.len() == entry.tenants.len()
        && original
            .holders
            .iter()
            .zip(&entry.tenants)
            .all(|(said, tenant)| *said == *holder(tenant))
}

/// What the claim says about a Service. Of one that goes away it says what it said: who changed and who did not decides
/// who may stay. So does the key of one that cannot be here with its new key.
fn holder<'t>(tenant: &'t Tenant<'_>) -> Cow<'t, Holder> {
    match tenant.recorded {
        Some(recorded) if tenant.leaving => Cow::Borrowed(recorded),
        Some(recorded) if tenant.refusal.is_some() => Cow::Owned(Holder {
            share: recorded.share.clone(),
            ..Holder::clone(&tenant.current)
        }),
        _ => Cow::Borrowed(&tenant.current),
    }
}
