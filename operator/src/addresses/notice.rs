//! Events about pools and Services.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use mooring_api::external_ip_pool::ExternalIPPoolStatus;
use mooring_api::service_proxy::CLUSTER;
use mooring_api::{ExternalIP, ExternalIPPool, ServiceProxy};
use mooring_core::condition::{Condition, ConditionStatus};
use mooring_core::external_ip::Farewell;
use mooring_core::ipam::outcome::{Headline, Severity};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::placement::Unrest;
use mooring_core::remediation::NoteKind;

use super::copies::Versioned;
use super::source::Address;
use crate::event::Notice;

/// What Mooring does when it tells something.
const ACTION: &str = "Allocate";

/// To a Service.
pub(super) fn service(id: &ObjectName, uid: &str, headline: Headline) -> Notice {
    Notice {
        regarding: service_reference(id, uid),
        kind: match headline.severity {
            Severity::Normal => NoteKind::Normal,
            Severity::Warning => NoteKind::Warning,
        },
        reason: headline.reason,
        action: ACTION,
        message: headline.message,
    }
}

/// Who answers for an address, to its ExternalIP and to the Services that have it.
pub(super) fn answers(
    name: &str,
    object: &Versioned<Address>,
    kind: NoteKind,
    reason: &'static str,
    message: &str,
) -> Vec<Notice> {
    let own = reference::<ExternalIP>(name, Some(object.uid.clone()));
    let holders = object.value.claim.holders.iter();
    let services = holders.map(|holder| service_reference(&holder.service, &holder.uid));
    let notice = |regarding| Notice {
        regarding,
        kind,
        reason,
        action: "Watch",
        message: message.to_owned(),
    };
    std::iter::once(own).chain(services).map(notice).collect()
}

/// That a node parts with its addresses.
pub(super) fn farewell(node: &str, farewell: &Farewell) -> Notice {
    Notice {
        regarding: node_reference(node),
        kind: match farewell.staying {
            0 => NoteKind::Normal,
            _ => NoteKind::Warning,
        },
        reason: farewell.reason.as_str(),
        action: "Move",
        message: farewell.to_string(),
    }
}

/// That what a Service needs cannot be written.
pub(super) fn refused(id: &ObjectName, uid: &str, message: String) -> Notice {
    Notice {
        regarding: service_reference(id, uid),
        kind: NoteKind::Warning,
        reason: "WriteRefused",
        action: ACTION,
        message,
    }
}

/// That Mooring may not do its work.
pub(super) fn forbidden(uid: Option<String>, message: String) -> Notice {
    Notice {
        regarding: reference::<ServiceProxy>(CLUSTER, uid),
        kind: NoteKind::Warning,
        reason: "NotAllowed",
        action: ACTION,
        message,
    }
}

/// Which conditions of a pool turned. What was so before is persisted in its status, so that nothing is said twice; of a
/// new pool only what is wrong is said.
pub(super) fn turns(
    pool: &str,
    uid: &str,
    former: Option<&ExternalIPPoolStatus>,
    conditions: &[Condition],
) -> Vec<Notice> {
    let turned = conditions.iter().filter(|now| {
        let conditions = former.map(|former| former.conditions.as_slice());
        let before = conditions
            .unwrap_or_default()
            .iter()
            .find(|before| before.type_ == now.kind.as_str());
        match before {
            Some(before) => before.status != now.status.as_str(),
            None => now.status != ConditionStatus::True,
        }
    });
    let notice = |condition: &Condition| Notice {
        regarding: reference::<ExternalIPPool>(pool, Some(uid.to_owned())),
        kind: match condition.status {
            ConditionStatus::True => NoteKind::Normal,
            ConditionStatus::False | ConditionStatus::Unknown => NoteKind::Warning,
        },
        reason: condition.reason,
        action: ACTION,
        message: condition.message.clone(),
    };
    turned.map(notice).collect()
}

/// That a node died, and what that means for it.
pub(super) fn death(node: &str, unrest: Unrest, now: Timestamp) -> Notice {
    let restless = unrest.restless(now);
    Notice {
        regarding: node_reference(node),
        kind: NoteKind::Warning,
        reason: match restless {
            Some(_) => "DiesOften",
            None => "Died",
        },
        action: "Watch",
        message: match restless {
            Some(restless) => {
                format!("{restless}: other nodes get new addresses, and take over, before it")
            }
            None => format!(
                "it died at {}, without having been drained, cordoned or shut down",
                unrest.last
            ),
        },
    }
}

/// An object of Mooring's, none of which has a namespace.
fn reference<K: Resource<DynamicType = ()>>(name: &str, uid: Option<String>) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: Some(name.to_owned()),
        uid,
        ..ObjectReference::default()
    }
}

/// The kubelet refers to its node by the name in place of the uid, and `kubectl describe node` asks for that.
fn node_reference(name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Node".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(name.to_owned()),
        ..ObjectReference::default()
    }
}

fn service_reference(id: &ObjectName, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Service".to_owned()),
        namespace: Some(id.namespace.clone()),
        name: Some(id.name.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}
