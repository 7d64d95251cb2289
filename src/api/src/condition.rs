//! Conditions: the steps from "kube-proxy's mode is known" to "addresses can be announced".
//!
//! A [`Reason`] knows its condition and status, so a condition cannot contradict its reason. The lists of reasons are part
//! of the API: they are documented in the CRDs, where `kubectl explain` shows them.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

mod reason;
mod schema;

pub use reason::{
    EffectiveReason, ModeDetectedReason, RolledOutReason, SafeToAnnounceReason,
    StrictArpConfiguredReason,
};
pub(crate) use schema::{cluster_schema, node_schema};

/// The `type` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// It is known what handles Service traffic.
    ModeDetected,
    /// kube-proxy's configuration is as its mode needs it.
    StrictArpConfigured,
    /// The kube-proxies that run were started with that configuration.
    RolledOut,
    /// Nodes do not answer ARP for addresses that they do not own.
    Effective,
    /// External IPs can be announced: no second node will answer for them.
    SafeToAnnounce,
}

impl ConditionType {
    /// All of them, in the order in which they are reached.
    pub const ALL: [Self; 5] = [
        Self::ModeDetected,
        Self::StrictArpConfigured,
        Self::RolledOut,
        Self::Effective,
        Self::SafeToAnnounce,
    ];

    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ModeDetected => "ModeDetected",
            Self::StrictArpConfigured => "StrictARPConfigured",
            Self::RolledOut => "RolledOut",
            Self::Effective => "Effective",
            Self::SafeToAnnounce => "SafeToAnnounce",
        }
    }

    /// What it says when it is True.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ModeDetected => "it is known what handles Service traffic",
            Self::StrictArpConfigured => "kube-proxy's configuration is as its mode needs it",
            Self::RolledOut => {
                "every kube-proxy was started after its configuration last changed, and is ready"
            }
            Self::Effective => "nodes do not answer ARP for addresses that they do not own",
            Self::SafeToAnnounce => {
                "external IPs can be announced, as no second node will answer for them"
            }
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl ConditionStatus {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The `reason` of a condition: why its status is what it is.
pub trait Reason: Copy + 'static {
    /// The condition whose reason it is.
    const CONDITION: ConditionType;
    /// All reasons of that condition.
    const ALL: &'static [Self];

    /// As in the API.
    fn as_str(self) -> &'static str;

    /// The status that it stands for.
    fn status(self) -> ConditionStatus;

    /// What it means, for the documentation in the CRD.
    fn meaning(self) -> &'static str;
}

/// The longest message that the schema lets through, in characters.
const LONGEST_MESSAGE: usize = 32_768;

/// A condition as of `now`, about the object's `generation`. The message says what is, why it matters and what to do next.
pub fn condition<R: Reason>(
    reason: R,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Time,
) -> Condition {
    let mut message: String = message.into();
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
    }
    Condition {
        type_: R::CONDITION.as_str().to_owned(),
        status: reason.status().as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: now,
    }
}

/// Puts a condition in the place of the one of its type. The time of the last transition stays what it was unless the
/// status changes, as everywhere in Kubernetes.
pub fn set_condition(conditions: &mut Vec<Condition>, mut new: Condition) {
    let former = conditions.iter_mut().find(|old| old.type_ == new.type_);
    match former {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

#[cfg(test)]
mod tests;
