//! How much of a pool is in use, and whether it works.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use mooring_core::ipam::range::Count;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::condition;

/// How much of the pool is in use, and whether it works. Written by Mooring's operator.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ExternalIPPoolStatus {
    /// The `metadata.generation` that this status is about. If it is older than the object's, Mooring has not seen the
    /// latest change yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The addresses, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<PoolUsage>,
    /// Addresses that Services still have although they are not in `ipRanges` any more, or the pool is being deleted; at most
    /// 64 of them are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub draining: Vec<String>,
    /// Whether addresses are handed out, and what is in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::pool_schema")]
    pub conditions: Vec<Condition>,
}

/// The addresses of a pool, counted.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct PoolUsage {
    /// The addresses in `ipRanges`, less the edges that are left out. A string where it is too large for 64 bits.
    pub total: Number,
    /// The addresses that Services have, a shared one counted once.
    pub used: Number,
    /// The addresses that can be handed out now: not in use, not resting, and nobody else's. A string where it is too large
    /// for 64 bits.
    pub free: Number,
}

/// A number of addresses: an integer, or its digits where a signed integer of 64 bits cannot hold it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(untagged)]
pub enum Number {
    /// As an integer.
    Integer(i64),
    /// As digits.
    Digits(String),
}

impl Default for Number {
    fn default() -> Self {
        Self::Integer(0)
    }
}

impl From<Count> for Number {
    fn from(count: Count) -> Self {
        count
            .as_u64()
            .and_then(|number| i64::try_from(number).ok())
            .map_or_else(|| Self::Digits(count.to_string()), Self::Integer)
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-int-or-string": true})
    }
}
