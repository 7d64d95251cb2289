//! Antrea's ExternalIPPool, in the versions that exist: v1alpha2 (Antrea 1.2 to 1.15) and v1beta1 (since 1.13).
//!
//! Only what both have matters here. `subnetInfo` is for Egress; Antrea does not look at it for Services either.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use mooring_core::ipam::pool::{PoolId, PoolObject, PoolSpec, Usage};
use mooring_core::ipam::range::{Count, RangeText};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::metadata::timestamp;
use crate::selector::selector;

/// The API group.
pub const GROUP: &str = "crd.antrea.io";

/// The versions, the newest first. Each server has at least one of them, if it has the kind at all.
pub const VERSIONS: [&str; 2] = ["v1beta1", "v1alpha2"];

/// What to ask the API server for.
pub fn resource(version: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(GROUP, version, "ExternalIPPool"),
        "externalippools",
    )
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    ip_ranges: Vec<Range>,
    node_selector: LabelSelector,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Range {
    cidr: Option<String>,
    start: Option<String>,
    end: Option<String>,
}

/// A pool as the decisions see it.
///
/// # Errors
/// If the spec has not the form of either version.
pub fn object(pool: &DynamicObject) -> Result<PoolObject, serde_json::Error> {
    let metadata = &pool.metadata;
    let spec = match pool.data.get("spec") {
        Some(spec) => Spec::deserialize(spec)?,
        None => Spec::default(),
    };
    // Antrea's schema lets empty texts through where a field is not set.
    let set = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(PoolObject {
        id: PoolId::antrea(metadata.name.clone().unwrap_or_default()),
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(timestamp),
        terminating: metadata.deletion_timestamp.is_some(),
        spec: PoolSpec {
            ranges: spec
                .ip_ranges
                .into_iter()
                .map(|range| RangeText {
                    cidr: set(range.cidr),
                    start: set(range.start),
                    end: set(range.end),
                })
                .collect(),
            node_selector: selector(&spec.node_selector),
            ..PoolSpec::default()
        },
    })
}

/// The status to write, in both versions: how many addresses there are and how many are in use. What is above the integers
/// of its schema is shown as the highest of them.
pub fn status(usage: &Usage) -> Value {
    let integer = |count: Count| {
        count
            .as_u64()
            .and_then(|number| i64::try_from(number).ok())
            .unwrap_or(i64::MAX)
    };
    json!({"usage": {"total": integer(usage.total), "used": integer(usage.used)}})
}

#[cfg(test)]
mod tests;
