//! What `explain` is asked about: a Service, or an address.

use std::fmt;
use std::net::IpAddr;

use mooring_core::ipam::object_name;
use mooring_core::ipam::quoted::Quoted;

/// What to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A Service.
    Service {
        /// Its namespace, if the argument says it.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
    /// An address, IPv4 written as IPv6 being IPv4.
    Address(IpAddr),
}

/// Why an argument is neither a Service nor an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubjectProblem {
    /// Nothing.
    #[error(
        "nothing is named: write a Service (web, shop/web, svc/web) or an IP address (10.77.0.200, 2001:db8::1)"
    )]
    Empty,
    /// An address with a zone.
    #[error(
        "{0} has a zone, which means something on one host only: leave out the % and what follows"
    )]
    Zone(Quoted),
    /// A range.
    #[error("{0} is a range: write one address of it, without the slash and what follows")]
    Range(Quoted),
    /// Like an address, and not one.
    #[error("{0} is not an IP address: write one as in 10.77.0.200 or 2001:db8::1, without a port")]
    NotAnAddress(Quoted),
    /// A resource that is not explained.
    #[error(
        "{0} is neither a Service nor an IP address: write web, shop/web, svc/web (with -n shop), or an IP address"
    )]
    OtherKind(Quoted),
    /// A name that no Service can have.
    #[error(
        "{part} cannot be the name of a {kind}: names have up to 63 lower-case letters, digits and -; write web, or shop/web"
    )]
    NotAName {
        /// What stands there.
        part: Quoted,
        /// What it would be the name of.
        kind: &'static str,
    },
}

/// The words for a Service before a slash, as kubectl takes them.
const SERVICE: [&str; 3] = ["service", "services", "svc"];

/// The words for an ExternalIP before a slash.
const EXTERNAL_IP: [&str; 3] = ["externalip", "externalips", "xip"];

/// The length of a DNS label.
const LABEL: usize = 63;

impl std::str::FromStr for Subject {
    type Err = SubjectProblem;

    /// `service/web` is a Service named web, as for kubectl; a Service in a namespace of that name takes `-n`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SubjectProblem::Empty);
        }
        if let Some(address) = address(text) {
            return Ok(Self::Address(address));
        }
        let quoted = || Quoted::new(text);
        if text.contains('%') && text.split('%').next().and_then(address).is_some() {
            return Err(SubjectProblem::Zone(quoted()));
        }
        let Some((first, second)) = text.split_once('/') else {
            if looks_like_an_address(text) {
                return Err(SubjectProblem::NotAnAddress(quoted()));
            }
            return match object_name::address(text) {
                Some(address) => Ok(Self::Address(address.to_canonical())),
                None => service(None, text),
            };
        };
        let kind = first.to_ascii_lowercase();
        if SERVICE.contains(&kind.as_str()) {
            return service(None, second);
        }
        if EXTERNAL_IP.contains(&kind.as_str()) {
            return object_name::address(second)
                .or_else(|| address(second))
                .map(|address| Self::Address(address.to_canonical()))
                .ok_or_else(|| SubjectProblem::NotAnAddress(Quoted::new(second)));
        }
        if address(first).is_some() {
            return Err(SubjectProblem::Range(quoted()));
        }
        if looks_like_an_address(first) {
            return Err(SubjectProblem::NotAnAddress(quoted()));
        }
        if second.contains('/') || first.contains('.') {
            return Err(SubjectProblem::OtherKind(quoted()));
        }
        service(Some(first), second)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service {
                namespace: Some(namespace),
                name,
            } => write!(f, "{namespace}/{name}"),
            Self::Service {
                namespace: None,
                name,
            } => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

fn service(namespace: Option<&str>, name: &str) -> Result<Subject, SubjectProblem> {
    let label = |kind, part: &str| {
        if is_label(part) {
            Ok(part.to_owned())
        } else {
            Err(SubjectProblem::NotAName {
                part: Quoted::new(part),
                kind,
            })
        }
    };
    Ok(Subject::Service {
        namespace: namespace
            .map(|namespace| label("namespace", namespace))
            .transpose()?,
        name: label("Service", name)?,
    })
}

/// With or without the brackets that stand around IPv6 in URLs.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .filter(|inner| inner.contains(':'))
        .unwrap_or(text);
    bare.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

fn looks_like_an_address(text: &str) -> bool {
    text.contains(':')
        || text.contains('.')
            && text
                .bytes()
                .all(|letter| letter.is_ascii_digit() || letter == b'.')
}

/// What the API server takes for the name of a namespace, or of a Service (RFC 1123; the first letter may be a digit since
/// Kubernetes 1.34).
fn is_label(text: &str) -> bool {
    let edge = |letter: Option<u8>| letter.is_some_and(|letter| letter != b'-');
    text.len() <= LABEL
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && text
            .bytes()
            .all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests;
