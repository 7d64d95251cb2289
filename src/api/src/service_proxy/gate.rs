//! Whether external IPs may be published.

use mooring_core::ipam::plan::Gate;

use super::{CLUSTER, ServiceProxy};
use crate::condition::{ConditionStatus, ConditionType};

/// Open if `SafeToAnnounce` is True, and only then: while nobody has looked, several nodes might answer for an address.
/// `object` is the ServiceProxy `cluster`, if there is one.
pub fn gate(object: Option<&ServiceProxy>) -> Gate {
    let kind = ConditionType::SafeToAnnounce.as_str();
    let Some(object) = object else {
        return Gate::Closed {
            message: format!(
                "There is no ServiceProxy named {CLUSTER}, so nobody looks whether it is safe. Create it: `spec: {{}}` is \
                 complete, and changes kube-proxy only where that is needed."
            ),
        };
    };
    let conditions = object
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let safe = conditions.iter().find(|condition| condition.type_ == kind);
    match safe {
        Some(safe) if safe.status == ConditionStatus::True.as_str() => Gate::Open,
        Some(safe) => Gate::Closed {
            message: safe.message.clone(),
        },
        None => Gate::Closed {
            message: format!(
                "Nobody has looked yet whether it is safe: ServiceProxy {CLUSTER} has no condition {kind}. The leading \
                 mooring-operator sets it within seconds; if it does not, see whether mooring-operator runs, and what it \
                 logs."
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn closed(status: Value) -> Option<String> {
        let object: ServiceProxy = serde_json::from_value(json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "ServiceProxy",
            "metadata": {"name": "cluster"},
            "spec": {},
            "status": status,
        }))
        .expect("a ServiceProxy");
        match gate(Some(&object)) {
            Gate::Open => None,
            Gate::Closed { message } => Some(message),
        }
    }

    fn condition(kind: &str, status: &str) -> Value {
        json!({
            "type": kind, "status": status, "reason": "Any", "message": "Do this.",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        })
    }

    #[test]
    fn it_is_open_only_while_it_is_known_to_be_safe() {
        let safe = |status: &str| json!({"conditions": [condition("Effective", "True"), condition("SafeToAnnounce", status)]});
        assert_eq!(closed(safe("True")), None);
        assert_eq!(closed(safe("False")).as_deref(), Some("Do this."));
        assert_eq!(closed(safe("Unknown")).as_deref(), Some("Do this."));
        let other = json!({"conditions": [condition("Effective", "True")]});
        for status in [other, json!({}), Value::Null] {
            let message = closed(status).expect("closed");
            assert!(message.contains("mooring-operator"), "{message}");
        }
    }

    #[test]
    fn without_a_service_proxy_it_is_closed_and_says_how_to_open_it() {
        let Gate::Closed { message } = gate(None) else {
            panic!("open");
        };
        assert!(message.contains("spec: {}"), "{message}");
    }
}
