//! Why a Service is not Mooring's, and what is wrong with what it asks for.

use std::fmt;
use std::net::IpAddr;

use crate::ipam::quoted::Quoted;
use crate::ipam::range::Family;

/// Why Mooring has nothing to do with a Service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotOurs {
    /// Another type.
    #[error("it is not of type LoadBalancer")]
    NotLoadBalancer,
    /// Being deleted.
    #[error("it is being deleted")]
    Terminating,
    /// Another class.
    #[error(
        "its spec.loadBalancerClass is {0}, which another controller serves; Mooring's is \"mooring.dev/mooring\""
    )]
    OtherClass(Quoted),
    /// Antrea serves it.
    #[error(
        "it has the annotation service.antrea.io/external-ip-pool, and Antrea's ServiceExternalIP is switched on: Antrea \
         gives it an address, Mooring guards and proves that one node answers for it"
    )]
    AntreaServes,
}

/// Where a Service says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// An annotation of this name.
    Annotation(&'static str),
    /// `spec.loadBalancerIP`.
    LoadBalancerIp,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(name) => write!(f, "annotation {name}"),
            Self::LoadBalancerIp => f.write_str("spec.loadBalancerIP"),
        }
    }
}

/// What is wrong with what a Service asks for. Prints with the place and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RequestProblem {
    /// Not an address.
    #[error("{origin}: {text} is not an IP address: write one as in 10.0.0.1 or 2001:db8::1")]
    NotAnAddress {
        /// Where.
        origin: Origin,
        /// What stands there.
        text: Quoted,
    },
    /// An address with a zone.
    #[error(
        "{origin}: {text} has a zone, which means something on one host only: leave out the % and what follows"
    )]
    Zone {
        /// Where.
        origin: Origin,
        /// What stands there.
        text: Quoted,
    },
    /// An IPv4 address in the clothes of IPv6.
    #[error(
        "{origin}: {text} is an IPv4 address written as IPv6, which no host answers for: write {plain}"
    )]
    Mapped {
        /// Where.
        origin: Origin,
        /// What stands there.
        text: Quoted,
        /// What was meant.
        plain: IpAddr,
    },
    /// Two addresses of one family.
    #[error(
        "{origin}: has both {first} and {second}: a Service gets one address of each family, keep one of them"
    )]
    TwoOfOneFamily {
        /// Where.
        origin: Origin,
        /// The one that came first.
        first: IpAddr,
        /// The other one.
        second: IpAddr,
    },
    /// Nothing but commas and blanks.
    #[error("{origin} is empty: write a value, or remove it")]
    Empty {
        /// Where.
        origin: Origin,
    },
    /// A name that no pool can have.
    #[error(
        "{origin}: {text} cannot be the name of a pool: names have up to 253 lower-case letters, digits, - and ."
    )]
    NotAName {
        /// Where.
        origin: Origin,
        /// What stands there.
        text: Quoted,
    },
    /// A list that is longer than anybody means.
    #[error("{origin}: has {number} entries, more than {highest}: remove some")]
    TooMany {
        /// Where.
        origin: Origin,
        /// How many there are.
        number: usize,
        /// How many there may be.
        highest: usize,
    },
    /// Not a boolean of Go.
    #[error("{origin}: {text} is neither true nor false: write one of the two")]
    NotABoolean {
        /// Where.
        origin: Origin,
        /// What stands there.
        text: Quoted,
    },
    /// A key that is too long.
    #[error("{origin}: is longer than {highest} characters: take a shorter key")]
    KeyTooLong {
        /// Where.
        origin: Origin,
        /// How long it may be.
        highest: usize,
    },
    /// Two places say different things.
    #[error("{one} and {other} ask for different {what}: make them equal, or remove one of them")]
    Contradiction {
        /// What they are about.
        what: &'static str,
        /// The one.
        one: Origin,
        /// The other.
        other: Origin,
    },
    /// An address of a family that the Service does not have.
    #[error(
        "{address} is {family}, which the Service does not have: add {family} to spec.ipFamilies, or ask for an address of \
         the other family"
    )]
    WrongFamily {
        /// The address.
        address: IpAddr,
        /// Its family.
        family: Family,
    },
}
