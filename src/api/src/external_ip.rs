//! ExternalIP: one address that Services have, and the node that answers for it.
//!
//! The doc comments of the fields are the text of `kubectl explain`: they speak to administrators.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod agent;
mod claim;
mod remarks;
mod status;

pub use agent::{
    Held, Said, applied, holders_part, let_go_status, said_status, sighting_status, unseen_status,
    witness_part,
};
pub use claim::{NoClaim, claim, spec};
pub use mooring_core::ipam::object_name;
pub use remarks::{known, remarks_status};
pub use status::{ExternalIPStatus, Method, Move, Moved, Overlap, Responder, Sighting, Term};

/// Who has the address, and where it shall be. Written by Mooring's operator: there is nothing to set here.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[kube(
    group = "mooring.dev",
    version = "v1alpha1",
    kind = "ExternalIP",
    plural = "externalips",
    shortname = "xip",
    category = "mooring",
    status = "ExternalIPStatus",
    derive = "PartialEq",
    doc = "One address that Services have, and the node that answers for it. Mooring makes one for each address that it hands \
           out, named after the address, so that an address can never be handed out twice. To move an address \
           to another node, use kubectl mooring move; to release it, change the Service or the pool, not this.",
    validation = Rule::new(
        "self.spec.address.contains(':') \
         ? self.metadata.name.size() == 39 && isIP(self.metadata.name.replace('-', ':')) && \
           isIP(self.spec.address) && ip(self.metadata.name.replace('-', ':')) == ip(self.spec.address) \
         : self.metadata.name == self.spec.address.replace('.', '-')"
    ).message("metadata.name has to be the address written out in full, as in 10-77-0-200 or \
               2001-0db8-0000-0000-0000-0000-0000-0001: the name is what keeps an address from being handed out twice"),
    printcolumn(
        name = "Address",
        type_ = "string",
        json_path = ".spec.address",
        description = "The address"
    ),
    printcolumn(
        name = "Pool",
        type_ = "string",
        json_path = ".spec.pool.name",
        description = "The pool that it is from"
    ),
    printcolumn(
        name = "Namespace",
        type_ = "string",
        json_path = ".spec.services[0].namespace",
        description = "The namespace of the Service that has it; of the first one, if several share it"
    ),
    printcolumn(
        name = "Service",
        type_ = "string",
        json_path = ".spec.services[0].name",
        description = "The Service that has it; the first one, if several share it"
    ),
    printcolumn(
        name = "Node",
        type_ = "string",
        json_path = ".status.node",
        description = "The node that answers for it"
    ),
    printcolumn(
        name = "Announced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Announced\")].status",
        description = "Whether a node answers for it"
    ),
    printcolumn(
        name = "Single",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"SingleResponder\")].status",
        description = "Whether that node is the only one that was seen to answer for it"
    ),
    printcolumn(
        name = "Interface",
        type_ = "string",
        json_path = ".status.interface",
        description = "The interface that it answers on",
        priority = 1
    ),
    printcolumn(
        name = "Method",
        type_ = "string",
        json_path = ".status.method",
        description = "How it answers",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ExternalIPSpec {
    /// The address, in its canonical form.
    #[schemars(length(min = 2, max = 39))]
    #[x_kube(
        validation = Rule::new("isIP(self) && ip.isCanonical(self)")
            .message("is not an IP address in its canonical form, as in 10.77.0.200 or 2001:db8::1"),
        validation = Rule::new("self == oldSelf")
            .message("cannot be changed: the object is the claim to this one address")
    )]
    pub address: String,
    /// The pool that it is from.
    pub pool: PoolReference,
    /// The Services that have it: one, or several that share it. None while a released address rests before somebody else
    /// gets it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".into(), "name".into()]))]
    pub services: Vec<ServiceReference>,
    /// The node that shall have it. While that node is gone, another one takes over without asking; `status.node` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub node: Option<String>,
    /// The nodes that take the address over while the planned node is gone, the first choice first. Agents do this by
    /// themselves, also while the API server is away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 253)))]
    pub heirs: Vec<String>,
    /// Grows with each change of `node`, and when that node gets the address back, so that agents can tell a new plan from a
    /// take-over under the former one.
    #[serde(default, skip_serializing_if = "is_first")]
    #[schemars(range(max = 4_294_967_295_u32))]
    pub plan: u32,
    /// Why it was planned for `node`, in one word: `FirstChoice` and `Balanced` of a new address; what spoke against the former
    /// node, as `Draining`, `NotReady` or `NodeGone`; `MovedByHand`; `Reverted`; `TakenOver` if the node had taken it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub cause: Option<String>,
    /// Who released it last, and when. Absent while a Service has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
}

/// A pool.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct PoolReference {
    /// The API group of the pool, as both have the kind ExternalIPPool.
    pub group: PoolGroup,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The API group of a pool.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PoolGroup {
    /// Mooring's.
    #[default]
    #[serde(rename = "mooring.dev")]
    Mooring,
    /// Antrea's.
    #[serde(rename = "crd.antrea.io")]
    Antrea,
}

/// A Service that has an address.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReference {
    /// Its namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its uid: a Service that was deleted and made anew is another one.
    #[schemars(length(min = 1, max = 128))]
    pub uid: String,
    /// Its ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["protocol".into(), "port".into()]))]
    pub ports: Vec<Port>,
    /// Its `externalTrafficPolicy`. With `Local` only nodes with an endpoint of the Service can have the address.
    pub traffic_policy: TrafficPolicy,
    /// Its `healthCheckNodePort`, which it has with `Local`: a node takes the address only when its service proxy does not
    /// say there that no endpoint on the node is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub health_check_node_port: Option<u16>,
    /// Its label `service.kubernetes.io/service-proxy-name`: kube-proxy leaves a Service that has it to another service proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub service_proxy_name: Option<String>,
    /// It asked for Mooring, by an annotation or its class. If it does so no more, it gives the address back; one that was
    /// given the address unasked keeps it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// With whom it shares the address. Absent: with nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
}

/// With whom a Service shares an address: with those that have the same key, or with anybody who shares, too.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.key) != (has(self.anybody) && self.anybody)")
    .message("is either a key, or anybody: true"))]
pub struct Share {
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
    /// With anybody: Antrea's form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anybody: bool,
}

/// The end of the use of an address.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// When.
    pub at: Time,
    /// The namespace of the Service that had it last.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// The name of that Service. A Service of this name gets the address back without waiting.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A port of a Service.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// A protocol.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// An `externalTrafficPolicy`.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TrafficPolicy {
    /// Any node forwards to any endpoint.
    #[default]
    Cluster,
    /// Only nodes with an endpoint of their own serve.
    Local,
}

fn is_first(plan: &u32) -> bool {
    *plan == 0
}

#[cfg(test)]
mod tests;
