//! The status from what was decided.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use mooring_core::guard::foreign::ForeignVerdict;
use mooring_core::guard::{ClusterVerdict, ConfigurationFound, PastCondition};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::run::Run;

use super::remediation::Remediation;
use super::{
    Configuration, ConfigurationSource, ForeignAddress, LiveModeCount, NodeCounts,
    ServiceProxyStatus, Workload,
};
use crate::condition::{ConditionStatus, ConditionType, condition, set_condition};
use crate::metadata::time;

/// The status to persist. `former` is the one that is persisted: conditions that keep their status keep the time of their
/// last transition, so that a status in which nothing is new is equal to the former one. Without a verdict about the addresses of
/// others, what is persisted about them stays.
pub fn to_status(
    verdict: &ClusterVerdict,
    foreign: Option<&ForeignVerdict>,
    run: Option<&Run>,
    former: Option<&ServiceProxyStatus>,
    generation: Option<i64>,
    now: Timestamp,
) -> ServiceProxyStatus {
    let mut conditions: Vec<Condition> = former
        .map(|status| status.conditions.clone())
        .unwrap_or_default();
    conditions.retain(|one| {
        let mut known = ConditionType::OF_CLUSTER.iter();
        known.any(|kind| kind.as_str() == one.type_)
    });
    let seen = foreign.map(|foreign| &foreign.condition);
    for decided in verdict.conditions.iter().chain(seen).cloned() {
        set_condition(&mut conditions, condition(decided, generation, time(now)));
    }
    ServiceProxyStatus {
        observed_generation: generation,
        mode: verdict.mode.clone(),
        live_modes: verdict
            .live_modes
            .iter()
            .map(|(mode, nodes)| LiveModeCount {
                mode: *mode,
                nodes: *nodes,
            })
            .collect(),
        configuration: verdict.configuration.as_ref().map(configuration),
        nodes: Some(NodeCounts::new(
            verdict.nodes.effective,
            verdict.nodes.not_effective,
            verdict.nodes.unknown,
        )),
        last_remediation: run.map(Remediation::from),
        foreign_addresses: match (foreign, former) {
            (Some(foreign), _) => foreign.addresses.iter().map(ForeignAddress::from).collect(),
            (None, Some(former)) => former.foreign_addresses.clone(),
            (None, None) => Vec::new(),
        },
        foreign_addresses_left_out: match foreign {
            Some(foreign) => u32::try_from(foreign.left_out)
                .ok()
                .filter(|count| *count > 0),
            None => former.and_then(|former| former.foreign_addresses_left_out),
        },
        conditions,
    }
}

/// The persisted conditions, as the decisions see them.
pub fn past_conditions(status: Option<&ServiceProxyStatus>) -> Vec<PastCondition> {
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    conditions
        .iter()
        .filter_map(|past| {
            let kind = ConditionType::OF_CLUSTER
                .into_iter()
                .find(|kind| kind.as_str() == past.type_)?;
            let status = match past.status.as_str() {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            };
            Some(PastCondition {
                kind,
                status,
                reason: past.reason.clone(),
            })
        })
        .collect()
}

fn configuration(found: &ConfigurationFound) -> Configuration {
    Configuration {
        workload: found.workload.as_ref().map(|(kind, id)| Workload {
            kind: match kind.as_str() {
                "static pod" | "pod" => "Pod".to_owned(),
                kind => kind.to_owned(),
            },
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }),
        source: found.source.as_ref().map(|(id, key)| ConfigurationSource {
            namespace: id.namespace.clone(),
            config_map: id.name.clone(),
            key: key.clone(),
        }),
        mode: found.mode.clone(),
        strict_arp: found.strict_arp,
    }
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
