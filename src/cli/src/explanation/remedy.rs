//! What would change it: a command where there is one.

use std::net::IpAddr;

use mooring_core::ipam::outcome::{Note, Outcome};
use mooring_core::ipam::pool::{Asker, NotAllowed, Pool, PoolId, Source};
use mooring_core::ipam::range::Family;
use mooring_core::ipam::request::{CLASS, NotOurs, Origin, RequestProblem, annotation};
use mooring_core::ipam::service::Service;
use mooring_core::ipam::sharing::ShareRefusal;
use serde::Serialize;

use super::{Address, Look, Role, berth};

mod node;

pub(super) use node::of_nodes;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remedy {
    /// For people.
    pub message: String,
    /// What to type; words in capitals are for the reader to fill in.
    pub command: Option<String>,
}

impl Remedy {
    fn by(message: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            command: Some(command.into()),
        }
    }

    fn say(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            command: None,
        }
    }
}

/// What would let a Service have what it asks for.
pub(super) fn of_service(look: &Look, service: &Service, outcome: &Outcome) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = Vec::new();
    for note in &outcome.notes {
        for remedy in of_note(look, service, note) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
    }
    remedies
}

fn of_note(look: &Look, service: &Service, note: &Note) -> Vec<Remedy> {
    match note {
        Note::NotOurs(reason) => not_ours(service, reason),
        Note::PoolNotHere => vec![name_a_pool(look, service)],
        Note::NoAutoAssign | Note::NoDefaultPool => {
            let mut remedies = vec![name_a_pool(look, service)];
            remedies.extend(auto_assign(look, service));
            remedies
        }
        Note::ForeignStatus(_) => vec![Remedy::say(format!(
            "let that controller go on, or stop it and give the Service to Mooring: make it anew with spec.loadBalancerClass: \
             {CLASS}"
        ))],
        Note::Problem(problem) => vec![problem_in(service, problem)],
        Note::NoSuchPool(_) => vec![name_a_pool(look, service)],
        Note::NotAllowed(pool, reason) => {
            let mut remedies = vec![allow(look, service, pool, reason)];
            if usable(look, service).is_some() {
                remedies.push(name_a_pool(look, service));
            }
            remedies
        }
        Note::PoolProblem(pool, _) => vec![Remedy::by(
            format!("put pool {pool} right; its conditions say what to do"),
            format!("kubectl describe {}", resource(pool)),
        )],
        Note::NoFamily(pool, family) | Note::Exhausted { pool, family } => vec![
            add_range(
                pool,
                &format!("a range of {family} addresses"),
                family_cidr(*family),
            ),
            Remedy::by(
                "or take another pool",
                annotate(service, &format!("{}=POOL", annotation::POOL)),
            ),
        ],
        Note::InNoPool(address) => in_no_pool(look, service, *address),
        Note::InOtherPool(_, pool) => vec![Remedy::by(
            format!("name the pool that has it, {pool}"),
            annotate(service, &format!("{}={}", annotation::POOL, pool.name)),
        )],
        Note::Held { by, refusal, .. } => match refusal {
            ShareRefusal::PortTaken(port) => vec![Remedy::say(format!(
                "give {by} or this Service another port than {port}, or ask for another address"
            ))],
            ShareRefusal::NotShared(_) | ShareRefusal::OtherKey => vec![
                Remedy::by(
                    "let the two share it: the same key on both",
                    format!(
                        "{}; kubectl -n {} annotate service {} --overwrite {}=KEY",
                        annotate(service, &format!("{}=KEY", annotation::SHARE)),
                        by.namespace,
                        by.name,
                        annotation::SHARE
                    ),
                ),
                Remedy::say("or ask for another address"),
            ],
        },
        Note::Resting { until, .. } => vec![Remedy::say(format!(
            "wait until {until}; spec.reuseAfterSeconds of the pool says how long addresses rest"
        ))],
        Note::NotBothFamilies(family) => vec![
            Remedy::by(
                "be content with one family",
                patch(service, r#"{"spec":{"ipFamilyPolicy":"PreferDualStack"}}"#),
            ),
            Remedy::say(format!(
                "or add {family} addresses to a pool that it may use"
            )),
        ],
        Note::Withheld { .. } => vec![Remedy::by(
            "see what keeps external IPs from being safe, and on which node",
            "kubectl mooring status",
        )],
        Note::Draining(_, pool) | Note::TakenAway(_, pool) => vec![Remedy::by(
            format!("to keep the address, put it back into spec.ipRanges of pool {pool}"),
            format!("kubectl edit {}", resource(pool)),
        )],
        Note::Has { .. } | Note::Stays(_) | Note::Switching { .. } | Note::StatusRepaired => {
            Vec::new()
        }
    }
}

fn not_ours(service: &Service, reason: &NotOurs) -> Vec<Remedy> {
    match reason {
        NotOurs::NotLoadBalancer => vec![Remedy::by(
            "make it a Service of type LoadBalancer",
            patch(service, r#"{"spec":{"type":"LoadBalancer"}}"#),
        )],
        NotOurs::Terminating => vec![Remedy::say(
            "nothing: it is gone when its finalizers are done; a Service of the same name gets the same address for a while",
        )],
        NotOurs::OtherClass(_) => vec![Remedy::say(format!(
            "spec.loadBalancerClass cannot be changed: make the Service anew with {CLASS}, or without a class"
        ))],
        NotOurs::AntreaServes => vec![Remedy::say(
            "to let Mooring serve it, switch ServiceExternalIP off in Antrea's feature gates (ConfigMap antrea-config)",
        )],
    }
}

/// With a pool that the Service may use, if there is one.
fn name_a_pool(look: &Look, service: &Service) -> Remedy {
    match usable(look, service) {
        Some(pool) => Remedy::by(
            format!("name a pool that it may use, such as {}", pool.id),
            annotate(service, &format!("{}={}", annotation::POOL, pool.id.name)),
        ),
        None if look.decision.pools.is_empty() => Remedy::by(
            "make a pool: there is none yet",
            "kubectl explain externalippools.spec --api-version=mooring.dev/v1alpha1",
        ),
        None => Remedy::by(
            "make a pool that it may use, or let it use one of these",
            "kubectl get externalippools.mooring.dev",
        ),
    }
}

fn auto_assign(look: &Look, service: &Service) -> Option<Remedy> {
    let pool = usable(look, service).filter(|pool| pool.id.source == Source::Mooring)?;
    Some(Remedy::by(
        "or let Services that name no pool have addresses of it",
        format!(
            "kubectl patch {} --type=merge -p '{{\"spec\":{{\"autoAssign\":true}}}}'",
            resource(&pool.id)
        ),
    ))
}

fn usable<'l>(look: &'l Look, service: &Service) -> Option<&'l Pool> {
    let none = std::collections::BTreeMap::new();
    let namespace = &service.id.namespace;
    let asker = Asker {
        namespace,
        namespace_labels: look.snapshot.namespaces.get(namespace).unwrap_or(&none),
        labels: &service.labels,
    };
    look.decision
        .pools
        .iter()
        .find(|pool| pool.is_open() && pool.spec.allows(&asker).is_ok())
}

fn problem_in(service: &Service, problem: &RequestProblem) -> Remedy {
    let origin = match problem {
        RequestProblem::NotAnAddress { origin, .. }
        | RequestProblem::Zone { origin, .. }
        | RequestProblem::Mapped { origin, .. }
        | RequestProblem::TwoOfOneFamily { origin, .. }
        | RequestProblem::Empty { origin }
        | RequestProblem::NotAName { origin, .. }
        | RequestProblem::TooMany { origin, .. }
        | RequestProblem::NotABoolean { origin, .. }
        | RequestProblem::KeyTooLong { origin, .. }
        | RequestProblem::Contradiction { other: origin, .. } => Some(*origin),
        RequestProblem::WrongFamily { .. } => None,
    };
    match origin {
        Some(Origin::Annotation(name)) => Remedy::by(
            format!(
                "write another value into {name}, or remove it (with {name}- in place of {name}=VALUE)"
            ),
            annotate(service, &format!("{name}=VALUE")),
        ),
        Some(Origin::LoadBalancerIp) => Remedy::by(
            "write another address into spec.loadBalancerIP, or remove it",
            patch(service, r#"{"spec":{"loadBalancerIP":null}}"#),
        ),
        None => Remedy::by(
            "have both families, or ask for an address of its own family",
            patch(service, r#"{"spec":{"ipFamilyPolicy":"PreferDualStack"}}"#),
        ),
    }
}

fn allow(look: &Look, service: &Service, pool: &PoolId, reason: &NotAllowed) -> Remedy {
    match reason {
        NotAllowed::Namespace(namespace) => {
            let listed =
                look.decision.pools.iter().any(|candidate| {
                    candidate.id == *pool && !candidate.spec.namespaces.is_empty()
                });
            let (path, value) = if listed {
                ("/spec/namespaces/-", format!("\"{namespace}\""))
            } else {
                ("/spec/namespaces", format!("[\"{namespace}\"]"))
            };
            Remedy::by(
                format!("let namespace {namespace} use pool {pool}"),
                add(pool, path, &value),
            )
        }
        NotAllowed::Service(mismatch) => Remedy::by(
            format!("give the Service the label that pool {pool} asks for ({mismatch})"),
            format!(
                "kubectl -n {} label service {} --overwrite LABEL=VALUE",
                service.id.namespace, service.id.name
            ),
        ),
    }
}

fn in_no_pool(look: &Look, service: &Service, address: IpAddr) -> Vec<Remedy> {
    let mut remedies = to_add(look, address);
    let asking = [annotation::IPS]
        .into_iter()
        .chain(annotation::METALLB_IPS)
        .find(|name| service.annotations.contains_key(*name));
    remedies.push(match asking {
        Some(name) => Remedy::by(
            "or take any address of the pool",
            annotate(service, &format!("{name}-")),
        ),
        None => Remedy::by(
            "or take any address of the pool",
            patch(service, r#"{"spec":{"loadBalancerIP":null}}"#),
        ),
    });
    remedies
}

/// How a pool comes to have an address.
pub(super) fn to_add(look: &Look, address: IpAddr) -> Vec<Remedy> {
    let pool = look
        .decision
        .pools
        .iter()
        .find(|pool| pool.id.source == Source::Mooring && pool.is_open());
    let Some(pool) = pool else {
        return vec![Remedy::say(format!("make a pool that has {address}"))];
    };
    let cidr = format!("{address}/{}", Family::of(address).bits());
    vec![Remedy::by(
        format!(
            "add {address} to pool {}, if nobody in your network has it",
            pool.id
        ),
        add(
            &pool.id,
            "/spec/ipRanges/-",
            &format!("{{\"cidr\":\"{cidr}\"}}"),
        ),
    )]
}

/// How a Service comes to have a free address.
pub(super) fn to_get(address: IpAddr, pool: &Pool) -> Vec<Remedy> {
    vec![Remedy::by(
        "to give it to a Service",
        format!(
            "kubectl -n NAMESPACE annotate service NAME --overwrite {}={} {}={address}",
            annotation::POOL,
            pool.id.name,
            annotation::IPS
        ),
    )]
}

/// How a released address is had sooner.
pub(super) fn of_rest(pool: &PoolId) -> Vec<Remedy> {
    match pool.source {
        Source::Mooring => vec![Remedy::by(
            "to let addresses of the pool rest for a shorter time",
            format!(
                "kubectl patch {} --type=merge -p '{{\"spec\":{{\"reuseAfterSeconds\":SECONDS}}}}'",
                resource(pool)
            ),
        )],
        Source::Antrea => Vec::new(),
    }
}

fn add_range(pool: &PoolId, what: &str, cidr: &str) -> Remedy {
    Remedy::by(
        format!("add {what} to pool {pool}"),
        add(
            pool,
            "/spec/ipRanges/-",
            &format!("{{\"cidr\":\"{cidr}\"}}"),
        ),
    )
}

fn family_cidr(family: Family) -> &'static str {
    match family {
        Family::V4 => "ADDRESS/32",
        Family::V6 => "ADDRESS/128",
    }
}

fn add(pool: &PoolId, path: &str, value: &str) -> String {
    format!(
        "kubectl patch {} --type=json -p '[{{\"op\":\"add\",\"path\":\"{path}\",\"value\":{value}}}]'",
        resource(pool)
    )
}

/// Both kinds have the same plural.
fn resource(pool: &PoolId) -> String {
    let group = match pool.source {
        Source::Mooring => "mooring.dev",
        Source::Antrea => "crd.antrea.io",
    };
    format!("externalippools.{group} {}", pool.name)
}

fn annotate(service: &Service, what: &str) -> String {
    let overwrite = if what.ends_with('-') {
        ""
    } else {
        " --overwrite"
    };
    format!(
        "kubectl -n {} annotate service {}{overwrite} {what}",
        service.id.namespace, service.id.name
    )
}

fn patch(service: &Service, change: &str) -> String {
    format!(
        "kubectl -n {} patch service {} -p '{change}'",
        service.id.namespace, service.id.name
    )
}
