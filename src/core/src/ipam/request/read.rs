//! Reading annotations. Nothing here trusts a text: it may be anything, and of any length.

use std::net::IpAddr;

use super::annotation::{
    ANTREA_POOL, ANTREA_SHARE, IPS, METALLB_IPS, METALLB_POOL, METALLB_SHARE, POOL, SHARE,
};
use super::{Origin, PoolChoice, RequestProblem, Share};
use crate::ipam::pool::Source;
use crate::ipam::quoted::Quoted;
use crate::ipam::range::Family;
use crate::ipam::service::Service;

/// How many pools one Service may name.
const POOLS: usize = 16;

/// How long a key may be, in characters: as long as a name in Kubernetes.
const KEY: usize = 253;

/// The values of the annotations that are there, with where they stand.
fn annotations(
    service: &Service,
    names: impl IntoIterator<Item = &'static str>,
) -> Vec<(Origin, &str)> {
    names
        .into_iter()
        .filter_map(|name| {
            let value = service.annotations.get(name)?;
            Some((Origin::Annotation(name), value.trim()))
        })
        .collect()
}

/// The parts of a list. None of a text without any: that is a problem.
fn parts<'a>(
    origin: Origin,
    text: &'a str,
    problems: &mut Vec<RequestProblem>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    if parts.clone().next().is_none() {
        problems.push(RequestProblem::Empty { origin });
    }
    parts
}

/// Takes the first of several values, and says which others differ from it.
fn agreed<T: PartialEq>(
    what: &'static str,
    values: Vec<(Origin, T)>,
    problems: &mut Vec<RequestProblem>,
) -> Option<T> {
    let mut values = values.into_iter();
    let (one, first) = values.next()?;
    problems.extend(
        values
            .filter(|(_, value)| *value != first)
            .map(|(other, _)| RequestProblem::Contradiction { what, one, other }),
    );
    Some(first)
}

pub(super) fn pools(service: &Service, problems: &mut Vec<RequestProblem>) -> Vec<PoolChoice> {
    let mut values = Vec::new();
    for (origin, text) in annotations(service, [POOL]) {
        let names: Vec<&str> = parts(origin, text, problems).collect();
        if names.len() > POOLS {
            problems.push(RequestProblem::TooMany {
                origin,
                number: names.len(),
                highest: POOLS,
            });
            continue;
        }
        let mut unique: Vec<&str> = Vec::with_capacity(names.len());
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        values.push((origin, unique, Source::Mooring));
    }
    let singles = [ANTREA_POOL].into_iter().chain(METALLB_POOL);
    for (origin, name) in annotations(service, singles) {
        if name.is_empty() {
            // Antrea and MetalLB take an empty annotation for none, here and below.
            continue;
        }
        let first = match origin {
            Origin::Annotation(ANTREA_POOL) => Source::Antrea,
            _ => Source::Mooring,
        };
        values.push((origin, vec![name], first));
    }
    for (origin, names, _) in &values {
        let bad = names.iter().find(|name| !is_object_name(name));
        problems.extend(bad.map(|name| RequestProblem::NotAName {
            origin: *origin,
            text: Quoted::new(name),
        }));
    }
    let first = values.first().map(|(_, _, source)| *source);
    let values = values
        .into_iter()
        .map(|(origin, names, _)| (origin, names))
        .collect();
    let names = agreed("pools", values, problems).unwrap_or_default();
    names
        .into_iter()
        .filter(|name| is_object_name(name))
        .map(|name| PoolChoice {
            name: name.to_owned(),
            first: first.unwrap_or(Source::Mooring),
        })
        .collect()
}

/// What the API server takes for the name of most objects: a DNS subdomain (RFC 1123).
fn is_object_name(name: &str) -> bool {
    let label = |label: &str| {
        let edge = |letter: Option<char>| letter.is_some_and(|letter| letter != '-');
        edge(label.chars().next())
            && edge(label.chars().last())
            && label
                .bytes()
                .all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    name.len() <= 253 && name.split('.').all(label)
}

pub(super) fn addresses(service: &Service, problems: &mut Vec<RequestProblem>) -> Vec<IpAddr> {
    let mut values = Vec::new();
    for (origin, text) in annotations(service, [IPS].into_iter().chain(METALLB_IPS)) {
        if text.is_empty() && origin != Origin::Annotation(IPS) {
            continue;
        }
        values.push((origin, list(origin, text, problems)));
    }
    let mut addresses = agreed("addresses", values.clone(), problems).unwrap_or_default();
    let single = service.load_balancer_ip.as_deref().map(str::trim);
    if let Some(text) = single.filter(|text| !text.is_empty()) {
        let origin = Origin::LoadBalancerIp;
        match address(origin, text) {
            // One field cannot say two addresses, so it may say one of those that an annotation says.
            Ok(address) => match values.first() {
                Some((one, listed)) if !listed.contains(&address) => {
                    problems.push(RequestProblem::Contradiction {
                        what: "addresses",
                        one: *one,
                        other: origin,
                    });
                }
                Some(_) => {}
                None => addresses.push(address),
            },
            Err(problem) => problems.push(problem),
        }
    }
    addresses
}

/// The addresses of a list in the order of their families. Of two of one family the first is taken, and both are named.
fn list(origin: Origin, text: &str, problems: &mut Vec<RequestProblem>) -> Vec<IpAddr> {
    let mut taken: Vec<IpAddr> = Vec::with_capacity(2);
    for part in parts(origin, text, problems) {
        let address = match address(origin, part) {
            Ok(address) => address,
            Err(problem) => {
                // One is enough to know what is wrong with a list, and a list can be long.
                problems.push(problem);
                break;
            }
        };
        let family = Family::of(address);
        match taken.iter().find(|taken| Family::of(**taken) == family) {
            Some(first) if *first != address => {
                problems.push(RequestProblem::TwoOfOneFamily {
                    origin,
                    first: *first,
                    second: address,
                });
                break;
            }
            Some(_) => {}
            None => taken.push(address),
        }
    }
    taken.sort_unstable();
    taken
}

fn address(origin: Origin, text: &str) -> Result<IpAddr, RequestProblem> {
    let quoted = || Quoted::new(text);
    if let Some((plain, _)) = text.split_once('%')
        && plain.parse::<IpAddr>().is_ok()
    {
        return Err(RequestProblem::Zone {
            origin,
            text: quoted(),
        });
    }
    let address: IpAddr = text.parse().map_err(|_| RequestProblem::NotAnAddress {
        origin,
        text: quoted(),
    })?;
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => Err(RequestProblem::Mapped {
                origin,
                text: quoted(),
                plain: IpAddr::V4(v4),
            }),
            None => Ok(address),
        },
        IpAddr::V4(_) => Ok(address),
    }
}

pub(super) fn share(service: &Service, problems: &mut Vec<RequestProblem>) -> Option<Share> {
    let mut keys = Vec::new();
    for (origin, key) in annotations(service, [SHARE].into_iter().chain(METALLB_SHARE)) {
        if key.is_empty() {
            if origin == Origin::Annotation(SHARE) {
                problems.push(RequestProblem::Empty { origin });
            }
        } else if key.chars().nth(KEY).is_some() {
            problems.push(RequestProblem::KeyTooLong {
                origin,
                highest: KEY,
            });
        } else {
            keys.push((origin, key));
        }
    }
    let key = agreed("keys", keys, problems).map(|key| Share::Key(key.to_owned()));
    let antrea = annotations(service, [ANTREA_SHARE])
        .into_iter()
        .find_map(|(origin, text)| match text {
            "" => None,
            text => Some((origin, boolean(text).ok_or_else(|| Quoted::new(text)))),
        });
    match antrea {
        Some((origin, Err(text))) => {
            problems.push(RequestProblem::NotABoolean { origin, text });
            key
        }
        // A key is the narrower of the two: it keeps out those who do not know it.
        Some((_, Ok(true))) => key.or(Some(Share::Anybody)),
        Some((_, Ok(false))) | None => key,
    }
}

/// What Go's `strconv.ParseBool` reads, which is what Antrea does.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
