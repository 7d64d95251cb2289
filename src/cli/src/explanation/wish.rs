//! What a Service asks for, and where it says so.

use mooring_core::external_ip::Snapshot;
use mooring_core::ipam::quoted::Quoted;
use mooring_core::ipam::request::{self, CLASS, Claim, Origin, Request, annotation};
use mooring_core::ipam::service::{FamilyPolicy, Service};

use super::{Reason, Step};

/// How a Service that is Mooring's came to be that.
pub(super) fn standing(snapshot: &Snapshot, service: &Service, request: &Request) -> Reason {
    let ours = |reason, why: String| {
        Reason::new(Step::Standing, reason, format!("it is Mooring's: {why}"))
    };
    match request.claim {
        Claim::Asked if service.class.as_deref() == Some(CLASS) => {
            ours("Class", format!("its spec.loadBalancerClass is {CLASS}"))
        }
        Claim::Asked => {
            let names = [
                annotation::POOL,
                annotation::IPS,
                annotation::SHARE,
                annotation::ANTREA_POOL,
            ];
            let found = places(service, names);
            ours("Annotation", format!("it has the {found}"))
        }
        Claim::IfPoolExists => {
            let found = places(service, annotation::METALLB_POOL);
            ours(
                "PoolExists",
                format!("it has the {found}, which names a pool that Mooring has"),
            )
        }
        Claim::Unasked => {
            let auto = auto_pools(snapshot);
            if auto.is_empty() {
                ours("HasAddress", "it has an address from Mooring".to_owned())
            } else {
                ours(
                    "AutoAssign",
                    format!(
                        "it asks for no controller and no pool, and there is autoAssign on {}",
                        auto.join(", ")
                    ),
                )
            }
        }
    }
}

/// What it asks for.
pub(super) fn wishes(snapshot: &Snapshot, service: &Service, request: &Request) -> Vec<Reason> {
    let wish = |reason, message: String| Reason::new(Step::Request, reason, message);
    let mut reasons = Vec::new();
    if request.pools.is_empty() {
        let auto = auto_pools(snapshot);
        reasons.push(wish(
            "AnyPool",
            if auto.is_empty() {
                "it names no pool".to_owned()
            } else {
                format!(
                    "it names no pool, so those with autoAssign are asked: {}",
                    auto.join(", ")
                )
            },
        ));
    } else {
        let names: Vec<String> = request.pools.iter().map(ToString::to_string).collect();
        let origins = [annotation::POOL, annotation::ANTREA_POOL]
            .into_iter()
            .chain(annotation::METALLB_POOL);
        reasons.push(wish(
            "Pools",
            format!(
                "pool {}, from {}",
                names.join(", else "),
                places(service, origins)
            ),
        ));
    }
    if request.addresses.is_empty() {
        reasons.push(wish("AnyAddress", "no certain address".to_owned()));
    } else {
        let addresses: Vec<String> = request.addresses.iter().map(ToString::to_string).collect();
        let origins = [annotation::IPS].into_iter().chain(annotation::METALLB_IPS);
        let mut found = origins_of(service, origins);
        if service.load_balancer_ip.is_some() {
            found.push(Origin::LoadBalancerIp.to_string());
        }
        reasons.push(wish(
            "Addresses",
            format!(
                "address {}, from {}",
                addresses.join(" and "),
                listed(&found)
            ),
        ));
    }
    if let Some(share) = &request.share {
        let origins = [annotation::SHARE, annotation::ANTREA_SHARE]
            .into_iter()
            .chain(annotation::METALLB_SHARE);
        reasons.push(wish(
            "Share",
            format!(
                "to share it with {share}, from {}",
                places(service, origins)
            ),
        ));
    }
    let families: Vec<&str> = request
        .families
        .iter()
        .map(|family| family.as_str())
        .collect();
    let policy = match request.family_policy {
        FamilyPolicy::SingleStack => "SingleStack",
        FamilyPolicy::PreferDualStack => "PreferDualStack",
        FamilyPolicy::RequireDualStack => "RequireDualStack",
    };
    reasons.push(wish(
        "Families",
        format!(
            "{}, from spec.ipFamilies ({policy})",
            families.join(" and ")
        ),
    ));
    reasons
}

/// What a Service asks for, if it is Mooring's.
pub(super) fn of(snapshot: &Snapshot, service: &Service) -> Option<Request> {
    request::request(service, snapshot.others).ok()
}

fn auto_pools(snapshot: &Snapshot) -> Vec<String> {
    let mut pools: Vec<_> = snapshot
        .pools
        .iter()
        .filter(|pool| pool.spec.auto_assign)
        .collect();
    pools.sort_by_key(|pool| (pool.spec.priority, pool.id.clone()));
    pools.iter().map(|pool| pool.id.to_string()).collect()
}

fn places(service: &Service, names: impl IntoIterator<Item = &'static str>) -> String {
    listed(&origins_of(service, names))
}

/// The annotations that are there; with their values if there are several, as these may differ.
fn origins_of(service: &Service, names: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let found: Vec<(&str, &str)> = names
        .into_iter()
        .filter_map(|name| Some((name, service.annotations.get(name)?.trim())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let several = found.len() > 1;
    found
        .into_iter()
        .map(|(name, value)| {
            if several {
                format!("annotation {name} ({})", Quoted::new(value))
            } else {
                format!("annotation {name}")
            }
        })
        .collect()
}

/// As in `a, b and c`.
fn listed(texts: &[String]) -> String {
    match texts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => texts.concat(),
    }
}
