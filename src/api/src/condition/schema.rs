//! Conditions in a CRD: the standard form, with the types and reasons that can occur.

use std::fmt::Write as _;

use schemars::{Schema, SchemaGenerator, json_schema};

use mooring_core::ipam::reason::{
    AnnouncedReason, ConflictReason, NodesEligibleReason, RangesUsableReason, ReadyReason,
    RequestMetReason, SingleResponderReason,
};

use super::{
    ConditionType, EffectiveReason, ForeignResponderReason, KubeProxyHealthyReason,
    LONGEST_MESSAGE, ModeDetectedReason, Reason, RolledOutReason, SafeToAnnounceReason,
    StrictArpConfiguredReason, UplinksAnswerReason,
};

/// The conditions of a ServiceProxy.
pub(crate) fn cluster_schema(_: &mut SchemaGenerator) -> Schema {
    schema(&ConditionType::OF_CLUSTER)
}

/// The conditions of a NodeProxyState.
pub(crate) fn node_schema(_: &mut SchemaGenerator) -> Schema {
    schema(&ConditionType::OF_NODE)
}

/// The conditions of an ExternalIPPool.
pub(crate) fn pool_schema(_: &mut SchemaGenerator) -> Schema {
    schema(&ConditionType::OF_POOL)
}

/// The conditions of an ExternalIP.
pub(crate) fn address_schema(_: &mut SchemaGenerator) -> Schema {
    schema(&ConditionType::OF_ADDRESS)
}

fn schema(types: &[ConditionType]) -> Schema {
    let names: Vec<&str> = types.iter().map(|kind| kind.as_str()).collect();
    let (meanings, reasons) = (meanings(types), reasons(types));
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "Whether one thing is as it should be, why, and what to do next.",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "type": "string",
                    "enum": names,
                    "description": meanings,
                },
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "description": "True if it is so, False if not, Unknown if nobody can tell.",
                },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": reasons,
                },
                "message": {
                    "type": "string",
                    "maxLength": LONGEST_MESSAGE,
                    "description": "What is, why it matters, and what to do next.",
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The metadata.generation that the condition is about.",
                },
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When the status last changed.",
                },
            },
        },
    })
}

fn meanings(types: &[ConditionType]) -> String {
    let good = if types.contains(&ConditionType::Conflict) {
        "True is good, except for Conflict"
    } else {
        "True is good"
    };
    let mut text = format!("What the condition is about; {good}.");
    for kind in types {
        let _ = write!(text, "\n- {kind}: {}", kind.meaning());
    }
    text
}

fn reasons(types: &[ConditionType]) -> String {
    let mut text = "Why the status is what it is, in one word.".to_owned();
    for kind in types {
        match kind {
            ConditionType::ModeDetected => list::<ModeDetectedReason>(&mut text),
            ConditionType::StrictArpConfigured => list::<StrictArpConfiguredReason>(&mut text),
            ConditionType::RolledOut => list::<RolledOutReason>(&mut text),
            ConditionType::Effective => list::<EffectiveReason>(&mut text),
            ConditionType::SafeToAnnounce => list::<SafeToAnnounceReason>(&mut text),
            ConditionType::ForeignSingleResponder => list::<ForeignResponderReason>(&mut text),
            ConditionType::KubeProxyHealthy => list::<KubeProxyHealthyReason>(&mut text),
            ConditionType::UplinksAnswer => list::<UplinksAnswerReason>(&mut text),
            ConditionType::Ready => list::<ReadyReason>(&mut text),
            ConditionType::RangesUsable => list::<RangesUsableReason>(&mut text),
            ConditionType::NodesEligible => list::<NodesEligibleReason>(&mut text),
            ConditionType::RequestMet => list::<RequestMetReason>(&mut text),
            ConditionType::Announced => list::<AnnouncedReason>(&mut text),
            ConditionType::SingleResponder => list::<SingleResponderReason>(&mut text),
            ConditionType::Conflict => list::<ConflictReason>(&mut text),
        }
    }
    text
}

fn list<R: Reason>(text: &mut String) {
    let _ = write!(text, "\n\n{}:", R::CONDITION);
    for reason in R::ALL {
        let _ = write!(
            text,
            "\n- {} ({}): {}",
            reason.as_str(),
            reason.status(),
            reason.meaning()
        );
    }
}
