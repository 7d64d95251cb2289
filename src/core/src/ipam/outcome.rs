//! What came out for a Service, and all that led to it: the answer of `explain`, and the text of events.

use std::fmt;
use std::net::IpAddr;

use super::pool::{NotAllowed, PoolId};
use super::range::Family;
use super::reason::RequestMetReason;
use super::request::{NotOurs, RequestProblem};
use super::sharing::ShareRefusal;
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};

/// What came out for a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In one word.
    pub state: State,
    /// The addresses that it is to have, in the order of its families.
    pub addresses: Vec<IpAddr>,
    /// The families in which it has not what it asks for.
    pub wanting: Vec<Family>,
    /// All that led to this, in the order in which it was decided.
    pub notes: Vec<Note>,
}

/// The state of a Service's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Mooring has nothing to do with it.
    NotOurs,
    /// It has no address.
    Pending,
    /// It has an address that is held back until it is safe to publish it.
    Withheld,
    /// It has what it asks for.
    Assigned,
    /// It has an address that works, and asks for something else that it cannot have.
    AssignedOtherwise,
}

/// Whether an event is one to worry about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// `Normal`.
    Normal,
    /// `Warning`.
    Warning,
}

/// What to tell about an outcome, once, when it is not what was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// Whether to worry.
    pub severity: Severity,
    /// The reason of the event.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// Why a Service has not all that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotMet {
    /// What is in the way first.
    pub reason: RequestMetReason,
    /// All that is in the way, what to write instead, and what the Service keeps; without a full stop.
    pub message: String,
}

/// How a Service came to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It had it before.
    Kept,
    /// It had it before, as its status says; the claim was lost.
    Adopted,
    /// It, or a Service of its name, released it a moment ago.
    TakenBack,
    /// It asks for it.
    Requested,
    /// It shares it with these.
    Joined(Vec<ObjectName>),
    /// It is the lowest free one.
    LowestFree,
}

/// One fact that decided. Prints as a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Mooring has nothing to do with it.
    NotOurs(NotOurs),
    /// The pool that MetalLB's annotation names is none of ours.
    PoolNotHere,
    /// It does not ask for Mooring, and no pool that it may use has `autoAssign`.
    NoAutoAssign,
    /// Another controller wrote its status.
    ForeignStatus(Vec<String>),
    /// What it asks for cannot be read.
    Problem(RequestProblem),
    /// There is no pool of that name.
    NoSuchPool(String),
    /// No pool has `autoAssign`.
    NoDefaultPool,
    /// It may not use the pool.
    NotAllowed(PoolId, NotAllowed),
    /// The pool has a problem, for this address or for all.
    PoolProblem(PoolId, String),
    /// The pool has no addresses of that family.
    NoFamily(PoolId, Family),
    /// All addresses of that family are in use, or rest.
    Exhausted {
        /// The pool.
        pool: PoolId,
        /// The family.
        family: Family,
    },
    /// The address is in no pool.
    InNoPool(IpAddr),
    /// The address is in another pool than the one that the Service names.
    InOtherPool(IpAddr, PoolId),
    /// Somebody has it.
    Held {
        /// The address.
        address: IpAddr,
        /// Who.
        by: ObjectName,
        /// Why it cannot be shared.
        refusal: ShareRefusal,
    },
    /// Somebody had it a moment ago.
    Resting {
        /// The address.
        address: IpAddr,
        /// Who had it.
        by: ObjectName,
        /// When it has rested.
        until: Timestamp,
    },
    /// `RequireDualStack`, and one family is missing.
    NotBothFamilies(Family),
    /// It gets or has this address.
    Has {
        /// The address.
        address: IpAddr,
        /// Its pool.
        pool: PoolId,
        /// How.
        way: Way,
    },
    /// The address stays, though the Service asks for something else that it cannot have.
    Stays(IpAddr),
    /// The address is no longer in its pool, and stays until the Service releases it.
    Draining(IpAddr, PoolId),
    /// The address is no longer in its pool, and the pool wants it back at once.
    TakenAway(IpAddr, PoolId),
    /// The new address is published first, then the old one is released.
    Switching {
        /// The old one.
        from: IpAddr,
        /// The new one.
        to: IpAddr,
    },
    /// The address is not published yet.
    Withheld {
        /// The address.
        address: IpAddr,
        /// What has to happen first.
        message: String,
    },
    /// Its status says something else than it should, and is put right.
    StatusRepaired,
}

// === impl Outcome ===

impl Outcome {
    /// What to tell. The shell remembers it per Service and tells it when it differs from what it told last.
    pub fn headline(&self) -> Headline {
        let list = |wanted| self.list(wanted);
        let (severity, reason, message) = match self.state {
            State::NotOurs => (Severity::Normal, "NotOurs", list(|_| true)),
            State::Pending => (
                Severity::Warning,
                "AllocationFailed",
                format!("no external IP: {}", list(Note::is_obstacle)),
            ),
            State::Withheld => (
                Severity::Warning,
                "Withheld",
                list(|note| matches!(note, Note::Withheld { .. })),
            ),
            State::Assigned => (
                Severity::Normal,
                "Allocated",
                list(|note| matches!(note, Note::Has { .. })),
            ),
            State::AssignedOtherwise => (
                Severity::Warning,
                "RequestNotMet",
                list(Note::is_about_request),
            ),
        };
        Headline {
            severity,
            reason,
            message,
        }
    }

    /// Why the Service has not all that it asks for; `None` if it has. What is held back until it is safe is had.
    pub fn not_met(&self) -> Option<NotMet> {
        let in_the_way = self.notes.iter().filter(|note| {
            let family = note.family();
            family.is_none_or(|family| self.wanting.contains(&family))
        });
        let reason = in_the_way.filter_map(Note::reason_not_met).next();
        let reason = reason.filter(|_| !self.wanting.is_empty())?;
        Some(NotMet {
            reason,
            message: self.list(Note::is_about_request),
        })
    }

    fn list(&self, wanted: fn(&Note) -> bool) -> String {
        let notes = self.notes.iter().filter(|note| wanted(note));
        let texts: Vec<String> = notes.map(ToString::to_string).collect();
        texts.join("; ")
    }
}

impl State {
    /// As in `-o json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOurs => "NotOurs",
            Self::Pending => "Pending",
            Self::Withheld => "Withheld",
            Self::Assigned => "Assigned",
            Self::AssignedOtherwise => "AssignedOtherwise",
        }
    }
}

// === impl Note ===

impl Note {
    /// The name of the reason, for metrics and `-o json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotOurs(_) => "NotOurs",
            Self::PoolNotHere => "PoolNotHere",
            Self::NoAutoAssign => "NoAutoAssign",
            Self::ForeignStatus(_) => "ForeignStatus",
            Self::Problem(_) => "InvalidRequest",
            Self::NoSuchPool(_) => "NoSuchPool",
            Self::NoDefaultPool => "NoDefaultPool",
            Self::NotAllowed(..) => "NotAllowed",
            Self::PoolProblem(..) => "PoolProblem",
            Self::NoFamily(..) => "NoFamily",
            Self::Exhausted { .. } => "Exhausted",
            Self::InNoPool(_) => "InNoPool",
            Self::InOtherPool(..) => "InOtherPool",
            Self::Held { .. } => "Held",
            Self::Resting { .. } => "Resting",
            Self::NotBothFamilies(_) => "NotBothFamilies",
            Self::Has { .. } => "Has",
            Self::Stays(_) => "Stays",
            Self::Draining(..) => "Draining",
            Self::TakenAway(..) => "TakenAway",
            Self::Switching { .. } => "Switching",
            Self::Withheld { .. } => "Withheld",
            Self::StatusRepaired => "StatusRepaired",
        }
    }

    /// Whether it says why something is not as asked for.
    pub fn is_obstacle(&self) -> bool {
        !matches!(
            self,
            Self::Has { .. }
                | Self::Stays(_)
                | Self::Draining(..)
                | Self::Switching { .. }
                | Self::Withheld { .. }
                | Self::StatusRepaired
        )
    }

    /// Whether it belongs to why a request is not met.
    fn is_about_request(&self) -> bool {
        self.is_obstacle() || matches!(self, Self::Stays(_))
    }

    /// The family that it is about; `None` if it is about all.
    fn family(&self) -> Option<Family> {
        match self {
            Self::NoFamily(_, family) | Self::Exhausted { family, .. } => Some(*family),
            Self::InNoPool(address)
            | Self::InOtherPool(address, _)
            | Self::Held { address, .. }
            | Self::Resting { address, .. } => Some(Family::of(*address)),
            _ => None,
        }
    }

    /// The reason of a request that is not met. What only follows from something else that is noted is none.
    fn reason_not_met(&self) -> Option<RequestMetReason> {
        Some(match self {
            Self::Problem(_) => RequestMetReason::InvalidRequest,
            Self::NoSuchPool(_) => RequestMetReason::NoSuchPool,
            Self::NoDefaultPool => RequestMetReason::NoDefaultPool,
            Self::NotAllowed(..) => RequestMetReason::NotAllowed,
            Self::PoolProblem(..) => RequestMetReason::PoolProblem,
            Self::NoFamily(..) => RequestMetReason::NoFamily,
            Self::Exhausted { .. } => RequestMetReason::Exhausted,
            Self::InNoPool(_) => RequestMetReason::InNoPool,
            Self::InOtherPool(..) => RequestMetReason::InOtherPool,
            Self::Held { .. } => RequestMetReason::Held,
            Self::Resting { .. } => RequestMetReason::Resting,
            Self::NotOurs(_)
            | Self::PoolNotHere
            | Self::NoAutoAssign
            | Self::ForeignStatus(_)
            | Self::NotBothFamilies(_)
            | Self::Has { .. }
            | Self::Stays(_)
            | Self::Draining(..)
            | Self::TakenAway(..)
            | Self::Switching { .. }
            | Self::Withheld { .. }
            | Self::StatusRepaired => return None,
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(reason) => reason.fmt(f),
            Self::PoolNotHere => f.write_str(
                "MetalLB's annotation names a pool that Mooring does not have, so the Service is MetalLB's",
            ),
            Self::NoAutoAssign => f.write_str(
                "it does not ask for Mooring, and no pool that it may use has autoAssign: set the annotation \
                 mooring.dev/pool, or loadBalancerClass mooring.dev/mooring",
            ),
            Self::ForeignStatus(entries) => write!(
                f,
                "another controller gave it {}, which is left alone: remove that controller's status, or set \
                 loadBalancerClass mooring.dev/mooring",
                entries.join(", ")
            ),
            Self::Problem(problem) => problem.fmt(f),
            Self::NoSuchPool(name) => {
                write!(f, "there is no pool {name}: create it, or name another one")
            }
            Self::NoDefaultPool => f.write_str(
                "it names no pool, and no pool has autoAssign: set the annotation mooring.dev/pool, or autoAssign on a pool",
            ),
            Self::NotAllowed(pool, reason) => write!(f, "it may not use pool {pool}: {reason}"),
            Self::PoolProblem(pool, problem) => write!(f, "pool {pool}: {problem}"),
            Self::NoFamily(pool, family) => {
                write!(f, "pool {pool} has no {family} addresses to hand out")
            }
            Self::Exhausted { pool, family } => write!(
                f,
                "all {family} addresses of pool {pool} are in use, or rest before somebody else gets them: add a range"
            ),
            Self::InNoPool(address) => write!(
                f,
                "{address} is in no pool that it can use: ask for an address of a pool, or add {address} to one"
            ),
            Self::InOtherPool(address, pool) => write!(
                f,
                "{address} is in pool {pool}, and the Service names another one: name that pool, or ask for another address"
            ),
            Self::Held {
                address,
                by,
                refusal,
            } => write!(f, "{by} has {address}, and {refusal}"),
            Self::Resting { address, by, until } => write!(
                f,
                "{by} released {address} a moment ago; it rests until {until}, so that clients of the one do not end at the \
                 other"
            ),
            Self::NotBothFamilies(family) => write!(
                f,
                "ipFamilyPolicy is RequireDualStack, and there is no {family} address for it: nothing is handed out until \
                 there is"
            ),
            Self::Has { address, pool, way } => write!(f, "{address} of pool {pool}: {way}"),
            Self::Stays(address) => write!(f, "it keeps {address}, which works"),
            Self::Draining(address, pool) => write!(
                f,
                "{address} is not in pool {pool} any more: it stays until the Service releases it, and nobody else gets it"
            ),
            Self::TakenAway(address, pool) => write!(
                f,
                "{address} is not in pool {pool} any more, whose onRemoval is Release: it is taken away"
            ),
            Self::Switching { from, to } => {
                write!(f, "{to} is published first, then {from} is released")
            }
            Self::Withheld { address, message } => {
                write!(f, "{address} is held back until that is safe: {message}")
            }
            Self::StatusRepaired => {
                f.write_str("its status was not as it should be, and is put right")
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("it has it already"),
            Self::Adopted => f.write_str("its status has it already"),
            Self::TakenBack => f.write_str("it had it a moment ago"),
            Self::Requested => f.write_str("it asks for it"),
            Self::Joined(others) => {
                let others: Vec<String> = others.iter().map(ToString::to_string).collect();
                write!(f, "it shares it with {}", others.join(", "))
            }
            Self::LowestFree => f.write_str("the lowest free one"),
        }
    }
}
