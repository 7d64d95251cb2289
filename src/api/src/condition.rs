//! Conditions as Kubernetes has them. What they are and why is `mooring_core::condition`'s.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use mooring_core::condition::Condition as Decided;
pub use mooring_core::condition::{
    ConditionStatus, ConditionType, EffectiveReason, ForeignResponderReason,
    KubeProxyHealthyReason, ModeDetectedReason, Reason, RolledOutReason, SafeToAnnounceReason,
    StrictArpConfiguredReason, UplinksAnswerReason,
};

mod schema;

pub(crate) use schema::{address_schema, cluster_schema, node_schema, pool_schema};

/// The longest message that the schema lets through, in characters.
const LONGEST_MESSAGE: usize = 32_768;

/// A decided condition as of `now`, about the object's `generation`.
pub fn condition(decided: Decided, generation: Option<i64>, now: Time) -> Condition {
    let mut message = decided.message;
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
    }
    Condition {
        type_: decided.kind.as_str().to_owned(),
        status: decided.status.as_str().to_owned(),
        reason: decided.reason.to_owned(),
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
