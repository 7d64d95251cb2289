//! Between a node's report and the status that it is kept in.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff;
use mooring_core::condition::Condition as Decided;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::node::{self, NodeReport};
use mooring_core::placement::UNREST_ANNOTATION;

use super::{
    Antrea, Evidence, Leftovers, LiveMode, NodeProxyState, NodeProxyStateStatus, RaisedSysctl,
    RunningKubeProxy, Uplink, Witnessed,
};
use crate::condition::{
    ConditionStatus, ConditionType, EffectiveReason, KubeProxyHealthyReason, ModeDetectedReason,
    Reason, UplinksAnswerReason, condition, set_condition,
};
use crate::external_ip::Responder;
use crate::metadata::timestamp;

/// How many addresses and gateways of an uplink the schema has room for.
const MOST_ADDRESSES: usize = 64;
const MOST_GATEWAYS: usize = 16;
/// The same, of what was seen on the wire, and of who answered for one address.
const MOST_WITNESSED: usize = 1_000;
const MOST_RESPONDERS: usize = 32;

/// How many leftover addresses are named; all are counted.
const LEFTOVERS_NAMED: usize = 16;

/// What stands for a reason that this version does not know.
const UNRECOGNISED: &str = "Unrecognised";

/// The status to write for a report made at `now`. Conditions whose status is still that of the `former` status keep the
/// time of their last transition, so that a report that says the same gives an equal status.
pub fn to_status(
    report: &NodeReport,
    former: Option<&NodeProxyStateStatus>,
    generation: Option<i64>,
    now: &Time,
) -> NodeProxyStateStatus {
    let mut conditions: Vec<Condition> = former
        .map(|former| former.conditions.clone())
        .unwrap_or_default();
    conditions.retain(|old| {
        report
            .conditions
            .iter()
            .any(|new| new.kind.as_str() == old.type_)
    });
    for decided in &report.conditions {
        let new = condition(decided.clone(), generation, now.clone());
        set_condition(&mut conditions, new);
    }
    let mut status = NodeProxyStateStatus {
        mode: Some(report.mode),
        evidence: report
            .evidence
            .iter()
            .map(|evidence| Evidence {
                witness: evidence.witness,
                mode: evidence.mode,
                message: evidence.message.clone(),
            })
            .collect(),
        kube_proxy: report.kube_proxy.as_ref().map(|proxy| RunningKubeProxy {
            version: proxy.version.clone(),
            strict_arp: proxy.strict_arp,
            started_at: proxy.started.and_then(time),
            healthy: proxy.healthy,
        }),
        leftovers: (!report.leftovers.is_empty()).then(|| Leftovers {
            count: u32::try_from(report.leftovers.len()).unwrap_or(u32::MAX),
            addresses: report
                .leftovers
                .iter()
                .take(LEFTOVERS_NAMED)
                .map(ToString::to_string)
                .collect(),
        }),
        antrea: report.antrea.map(|antrea| Antrea {
            antrea_proxy: antrea.antrea_proxy,
            proxy_all: antrea.proxy_all,
            proxy_load_balancer_ips: antrea.proxy_load_balancer_ips,
        }),
        raised_sysctls: report
            .raised
            .iter()
            .map(|raised| RaisedSysctl {
                name: raised.name.clone(),
                before: raised.before,
                value: raised.value,
            })
            .collect(),
        witnessed: report
            .witnessed
            .iter()
            .take(MOST_WITNESSED)
            .filter_map(written)
            .collect(),
        conditions,
        ..NodeProxyStateStatus::default()
    };
    status.set_uplinks(
        report
            .uplinks
            .iter()
            .map(|uplink| Uplink {
                name: uplink.name.clone(),
                mac: uplink.mac.clone(),
                subnets: uplink.subnets.clone(),
                addresses: texts(&uplink.addresses, MOST_ADDRESSES),
                gateways: texts(&uplink.gateways, MOST_GATEWAYS),
                arp_ignore: uplink.arp_ignore,
                arp_announce: uplink.arp_announce,
            })
            .collect(),
    );
    status
}

fn texts(addresses: &[IpAddr], most: usize) -> Vec<String> {
    let addresses = addresses.iter().take(most);
    addresses.map(ToString::to_string).collect()
}

fn addresses(texts: &[String]) -> Vec<IpAddr> {
    let parsed = texts.iter().map(|text| text.parse());
    parsed.filter_map(Result::ok).collect()
}

/// The report that an object holds, with what the operator recorded there; `None` if its agent has not spoken. A record that
/// cannot be read is none.
pub fn report(state: &NodeProxyState) -> Option<NodeReport> {
    let annotations = state.metadata.annotations.as_ref();
    let unrest = annotations.and_then(|all| all.get(UNREST_ANNOTATION));
    Some(NodeReport {
        unrest: unrest.and_then(|text| text.parse().ok()),
        ..from_status(state.status.as_ref()?)
    })
}

/// The report that a status holds. Of the leftovers only those that are named in it come back.
///
/// A newer agent may say what this version does not know. A condition of an unknown type is left out; one with an unknown
/// reason keeps its status and message, and its reason reads `Unrecognised`; an unknown status is Unknown.
pub fn from_status(status: &NodeProxyStateStatus) -> NodeReport {
    NodeReport {
        mode: status.mode.unwrap_or(LiveMode::Unknown),
        evidence: status
            .evidence
            .iter()
            .map(|evidence| node::Evidence {
                witness: evidence.witness,
                mode: evidence.mode,
                message: evidence.message.clone(),
            })
            .collect(),
        kube_proxy: status
            .kube_proxy
            .as_ref()
            .map(|proxy| node::RunningKubeProxy {
                version: proxy.version.clone(),
                strict_arp: proxy.strict_arp,
                started: proxy.started_at.as_ref().map(timestamp),
                healthy: proxy.healthy,
            }),
        uplinks: status
            .uplinks
            .iter()
            .map(|uplink| node::Uplink {
                name: uplink.name.clone(),
                mac: uplink.mac.clone(),
                subnets: uplink.subnets.clone(),
                addresses: addresses(&uplink.addresses),
                gateways: addresses(&uplink.gateways),
                arp_ignore: uplink.arp_ignore,
                arp_announce: uplink.arp_announce,
            })
            .collect(),
        leftovers: status
            .leftovers
            .iter()
            .flat_map(|leftovers| &leftovers.addresses)
            .filter_map(|address| address.parse().ok())
            .collect(),
        antrea: status.antrea.as_ref().map(|antrea| node::Antrea {
            antrea_proxy: antrea.antrea_proxy,
            proxy_all: antrea.proxy_all,
            proxy_load_balancer_ips: antrea.proxy_load_balancer_ips,
        }),
        raised: status
            .raised_sysctls
            .iter()
            .map(|raised| node::RaisedSysctl {
                name: raised.name.clone(),
                before: raised.before,
                value: raised.value,
            })
            .collect(),
        witnessed: status.witnessed.iter().filter_map(seen).collect(),
        conditions: status.conditions.iter().filter_map(decided).collect(),
        unrest: None,
    }
}

fn written(seen: &node::Witnessed) -> Option<Witnessed> {
    let responders = seen.responders.iter().take(MOST_RESPONDERS);
    Some(Witnessed {
        address: seen.address.to_string(),
        since: time(seen.since)?,
        responders: responders.map(Responder::from).collect(),
    })
}

fn seen(written: &Witnessed) -> Option<node::Witnessed> {
    let responders = written.responders.iter().map(Responder::decided);
    Some(node::Witnessed {
        address: written.address.parse().ok()?,
        since: timestamp(&written.since),
        responders: responders.collect::<Option<_>>()?,
    })
}

/// A condition as it was decided; `None` if it is not one of a node.
fn decided(condition: &Condition) -> Option<Decided> {
    let kind = ConditionType::OF_NODE
        .into_iter()
        .find(|kind| kind.as_str() == condition.type_)?;
    let status = [ConditionStatus::True, ConditionStatus::False]
        .into_iter()
        .find(|status| status.as_str() == condition.status)
        .unwrap_or(ConditionStatus::Unknown);
    let reason = match kind {
        ConditionType::ModeDetected => reason::<ModeDetectedReason>(condition),
        ConditionType::KubeProxyHealthy => reason::<KubeProxyHealthyReason>(condition),
        ConditionType::Effective => reason::<EffectiveReason>(condition),
        ConditionType::UplinksAnswer => reason::<UplinksAnswerReason>(condition),
        ConditionType::StrictArpConfigured
        | ConditionType::RolledOut
        | ConditionType::SafeToAnnounce
        | ConditionType::ForeignSingleResponder
        | ConditionType::Ready
        | ConditionType::RangesUsable
        | ConditionType::NodesEligible
        | ConditionType::RequestMet
        | ConditionType::Announced
        | ConditionType::SingleResponder
        | ConditionType::Conflict => None,
    };
    Some(Decided {
        kind,
        status,
        reason: reason.unwrap_or(UNRECOGNISED),
        message: condition.message.clone(),
    })
}

fn reason<R: Reason>(condition: &Condition) -> Option<&'static str> {
    R::ALL
        .iter()
        .map(|reason| reason.as_str())
        .find(|reason| *reason == condition.reason)
}

/// A point in time for the API; `None` if it is beyond the years that it can say.
fn time(timestamp: Timestamp) -> Option<Time> {
    jiff::Timestamp::from_second(timestamp.unix_seconds())
        .ok()
        .map(Time)
}

#[cfg(test)]
mod tests;
