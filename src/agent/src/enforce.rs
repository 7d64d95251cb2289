//! Raising sysctls and putting them back, as planned.

use std::collections::BTreeMap;

use mooring_api::ServiceProxy;
use mooring_api::service_proxy::Sysctls;
use mooring_core::condition::{ConditionStatus, ConditionType};
use mooring_core::node::sysctls::{Change, Plan, Wish};
use mooring_core::node::{NodeReport, RaisedSysctl};
use mooring_kernel::{Host, SysctlError, Written};

use crate::kernel::sysctl;

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The value was written, or stood there already.
    Written,
    /// Somebody else was faster: something else stands there than when it was planned.
    Moved,
    /// It could not be written.
    Failed(String),
}

/// What could not be written, by the sysctl's name, and why.
pub(crate) type Failures = BTreeMap<String, String>;

/// What the cluster's administrator wants of the sysctls. No ServiceProxy, or one that is being deleted, wants nothing of
/// Mooring to be left.
pub(crate) fn wish(service_proxy: Option<&ServiceProxy>) -> Wish {
    match service_proxy {
        None => Wish::Restore,
        Some(object) if object.metadata.deletion_timestamp.is_some() => Wish::Restore,
        Some(object) => match object.spec.strict_arp.sysctls {
            Sysctls::Observe => Wish::Observe,
            Sysctls::Enforce => Wish::Enforce,
        },
    }
}

/// Whether the writes of a plan may be done now: raising waits until what was there before is in the API, putting back
/// needs nobody's memory but ours.
pub(crate) fn may_write(plan: &Plan, wish: Wish, stored: &[RaisedSysctl]) -> bool {
    match wish {
        Wish::Enforce => plan.remember.iter().all(|raised| stored.contains(raised)),
        Wish::Observe | Wish::Restore => true,
    }
}

/// Carries changes out, each on its own.
pub(crate) fn apply(host: &mut dyn Host, changes: &[Change]) -> Vec<(Change, Outcome)> {
    let one = |change: &Change| {
        let Some(sysctl) = sysctl(&change.interface, change.setting) else {
            return Outcome::Moved;
        };
        match host.read_sysctl(&sysctl) {
            Ok(value) if value == change.from => {}
            Ok(_) | Err(SysctlError::NotFound { .. }) => return Outcome::Moved,
            Err(error) => return Outcome::Failed(error.to_string()),
        }
        match host.write_sysctl(&sysctl, change.to) {
            Ok(Written::Changed { .. } | Written::Unchanged) => Outcome::Written,
            Err(SysctlError::NotFound { .. }) => Outcome::Moved,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    };
    let mut one = one;
    changes
        .iter()
        .map(|change| (change.clone(), one(change)))
        .collect()
}

/// Adds to what is said about the node's sysctls that they could not be raised, and why.
pub(crate) fn explain(report: &mut NodeReport, failures: &Failures) {
    let Some((name, reason)) = failures.first_key_value() else {
        return;
    };
    let effective = report.conditions.iter_mut().find(|condition| {
        condition.kind == ConditionType::Effective && condition.status != ConditionStatus::True
    });
    if let Some(condition) = effective {
        let others = match failures.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        condition.message.push_str(&format!(
            " The agent was asked to write {name}{others} and cannot: {reason}."
        ));
    }
}

#[cfg(test)]
mod tests;
