//! Label selectors in custom resources, and as the decisions see them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use mooring_core::ipam::selector::{Expression, LabelSelector, Operator};
use schemars::{Schema, SchemaGenerator, json_schema};

/// A selector as the decisions see it.
pub fn selector(object: &meta::LabelSelector) -> LabelSelector {
    LabelSelector {
        match_labels: object.match_labels.clone().unwrap_or_default(),
        match_expressions: object
            .match_expressions
            .iter()
            .flatten()
            .map(|expression| Expression {
                key: expression.key.clone(),
                operator: Operator::from_api(&expression.operator),
                values: expression.values.clone().unwrap_or_default(),
            })
            .collect(),
    }
}

/// A selector with what Kubernetes itself demands of one. A schema of its own type would let any operator through, which
/// shows only when nothing is selected.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": {"type": "string", "maxLength": 63},
                "description": "Labels that have to be there with exactly these values.",
            },
            "matchExpressions": {
                "type": "array",
                "maxItems": 64,
                "x-kubernetes-list-type": "atomic",
                "description": "More that has to be true of the labels.",
                "items": {
                    "type": "object",
                    "description": "One thing that has to be true of the labels.",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 317,
                            "description": "The label.",
                        },
                        "operator": {
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                            "description": "`In` and `NotIn` compare the label with `values`, `Exists` and \
                                            `DoesNotExist` ask whether it is there.",
                        },
                        "values": {
                            "type": "array",
                            "maxItems": 64,
                            "x-kubernetes-list-type": "atomic",
                            "items": {"type": "string", "maxLength": 63},
                            "description": "What `In` and `NotIn` compare with; for the other two leave it out.",
                        },
                    },
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                        "message": "In and NotIn need values, Exists and DoesNotExist have none",
                    }],
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_taken_over_as_it_is() {
        let object: meta::LabelSelector = serde_json::from_value(json!({
            "matchLabels": {"a": "1"},
            "matchExpressions": [
                {"key": "b", "operator": "In", "values": ["x", "y"]},
                {"key": "c", "operator": "Exists"},
                {"key": "d", "operator": "Like", "values": ["z"]},
            ],
        }))
        .expect("a selector");
        let selector = selector(&object);
        assert_eq!(selector.to_string(), "a=1,b in (x,y),c,d Like (z)");
        assert!(super::selector(&meta::LabelSelector::default()).is_empty());
    }
}
