//! ExternalIPPool: addresses that Services of type LoadBalancer get.
//!
//! The doc comments of the fields are the text of `kubectl explain`: they speak to administrators.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "several printer columns have the same type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod object;
mod status;

pub use object::{object, to_status};
pub use status::{ExternalIPPoolStatus, Number, PoolUsage};

/// What is in the pool, who may use it, and which nodes may have its addresses.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[kube(
    group = "mooring.dev",
    version = "v1alpha1",
    kind = "ExternalIPPool",
    plural = "externalippools",
    shortname = "mip",
    category = "mooring",
    status = "ExternalIPPoolStatus",
    derive = "PartialEq",
    doc = "Addresses that Services of type LoadBalancer get. A Service names the pool in its annotation `mooring.dev/pool`, \
           or in `service.antrea.io/external-ip-pool`; with `autoAssign` it need not. The addresses must reach the \
           nodes: most simply, reserve them in the nodes' own subnet.",
    printcolumn(
        name = "Total",
        type_ = "string",
        json_path = ".status.usage.total",
        description = "The addresses of the pool"
    ),
    printcolumn(
        name = "Used",
        type_ = "string",
        json_path = ".status.usage.used",
        description = "Those that Services have"
    ),
    printcolumn(
        name = "Free",
        type_ = "string",
        json_path = ".status.usage.free",
        description = "Those that can be handed out"
    ),
    printcolumn(
        name = "Auto",
        type_ = "boolean",
        json_path = ".spec.autoAssign",
        description = "Whether Services that do not name the pool get addresses from it"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether addresses are handed out of it"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why, or why not"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ExternalIPPoolSpec {
    /// The addresses, of one family or both. Of two pools that overlap, the later one hands out nothing. Addresses of
    /// nodes, gateways, the API server, Pods and cluster IPs are never handed out; the condition `RangesUsable` names them.
    /// A change never takes an address away at once that a Service has: see `onRemoval`.
    #[schemars(length(min = 1, max = 256))]
    pub ip_ranges: Vec<IPRange>,
    /// The nodes that may have addresses of the pool, by their labels. Without it, or empty: all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::selector::schema")]
    pub node_selector: Option<LabelSelector>,
    /// Whether Services that name no pool, have no `loadBalancerClass` and are not served by another controller get
    /// addresses from this pool. Default false.
    #[serde(default)]
    pub auto_assign: bool,
    /// Among pools with `autoAssign`, the one with the lowest number is asked first; equal ones by their names. Default 0.
    // The API server does not hold numbers to their format, and a list with one that no i32 holds cannot be read at all.
    #[serde(default)]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: i32,
    /// The namespaces whose Services may use the pool, by name. With neither this nor `namespaceSelector`, all may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))")
        .message("has a name that no namespace can have: use lower-case letters, digits and -, and list each by itself"))]
    pub namespaces: Vec<String>,
    /// The namespaces whose Services may use the pool, by their labels, beside those in `namespaces`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::selector::schema")]
    pub namespace_selector: Option<LabelSelector>,
    /// The Services that may use the pool, by their labels. Without it, all may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::selector::schema")]
    pub service_selector: Option<LabelSelector>,
    /// The interfaces that carry the addresses, such as `eth1` or `bond0.100`: on each node the first one of these that it
    /// has. A node with none of them gets no address. Without it: the interface whose subnet contains the address, else
    /// that of the default route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 15)))]
    #[x_kube(validation = Rule::new("self.all(name, self.exists_one(other, other == name))")
        .message("names an interface twice: remove one of the two"))]
    #[x_kube(validation = Rule::new(
        "self.all(name, !name.matches('[/:\\\\s]') && name != '.' && name != '..' && bytes(name).size() <= 15)"
    ).message("has a name that no interface can have: at most 15 bytes, without blanks, slashes and colons"))]
    pub interfaces: Vec<String>,
    /// Whether the edges of each `cidr` are left out: the network and the broadcast address of IPv4 (up to /30), the
    /// subnet-router anycast address of IPv6 (up to /126). Ranges of `start` and `end` have no edges. Default false; those of
    /// the nodes' own IPv4 subnets are never handed out.
    #[serde(default)]
    pub avoid_edges: bool,
    /// Where an address lives on its node. `Auto` (default) does what the node's service proxy needs. `Responder` answers
    /// for it without putting it on an interface. `Uplink` puts it on the interface, so that the kernel answers.
    #[serde(default)]
    pub bind: Bind,
    /// What is reachable on an address. `ServiceOnly` (default) closes everything but the ports of its Services. `All`
    /// leaves open on it what can be reached on every address of the node, such as sshd and NodePorts.
    #[serde(default)]
    pub ports: Ports,
    /// Whether an address answers pings, which are ICMP echo requests. `Allow` (default): it does. `Deny`: they are dropped,
    /// and nothing else of ICMP is. It has an effect where `ports` has one: with `ServiceOnly`, on an address that is on an
    /// interface of its node.
    #[serde(default)]
    pub ping: Ping,
    /// What counts more while the network is split. `Available` (default): each side keeps the address reachable, so for
    /// that time two nodes may have it. `Fenced`: never two nodes have it; its holder needs a Lease, and lets go of the
    /// address without one, so taking over is slower.
    #[serde(default)]
    pub ownership: Ownership,
    /// Whether addresses go back to the node they came from when it returns. Default false: each move is a disturbance, and
    /// the second one can be spared.
    #[serde(default)]
    pub revertive: bool,
    /// What becomes of the addresses on a node that is cordoned (`kubectl cordon`, or `kubectl drain`, which begins with that).
    /// `Stay` (default): they stay, and the node only takes no more: a cordon is about Pods. `Move`: they go to other nodes
    /// without a gap, as with `kubectl mooring drain`, and the node gets none until it is uncordoned; one that no other node
    /// can have stays.
    #[serde(default)]
    pub on_cordon: OnCordon,
    /// How many seconds a released address rests before another Service gets it, so that clients of the former Service
    /// have forgotten it. Default 60.
    #[serde(default = "reuse_after")]
    #[schemars(range(min = 0, max = 86400))]
    pub reuse_after_seconds: u32,
    /// What happens to addresses in use when their range is removed, or the pool is deleted. `Drain` (default): their
    /// Services keep them until they release them, and nobody else gets them; a deleted pool goes with the last one.
    /// `Release`: they are taken away at once, and the Services get others if there are any.
    #[serde(default)]
    pub on_removal: OnRemoval,
}

fn reuse_after() -> u32 {
    mooring_core::ipam::pool::REUSE_AFTER
}

/// A range of addresses: either a `cidr`, or `start` and `end`.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.cidr) ? !has(self.start) && !has(self.end) : has(self.start) && has(self.end)")
        .message("a range is either cidr, or start and end: set one of the two forms, and not both"),
    validation = Rule::new(
        "!has(self.start) || !has(self.end) || !isIP(self.start) || !isIP(self.end) || \
         ip(self.start).family() == ip(self.end).family()"
    ).message("start and end have to be of one family: make two ranges"),
    validation = Rule::new(
        "!has(self.start) || !has(self.end) || !isIP(self.start) || !isIP(self.end) || \
         ip(self.start).family() != 4 || ip(self.end).family() != 4 || \
         (int(self.start.split('.')[0]) * 16777216 + int(self.start.split('.')[1]) * 65536 + \
          int(self.start.split('.')[2]) * 256 + int(self.start.split('.')[3])) <= \
         (int(self.end.split('.')[0]) * 16777216 + int(self.end.split('.')[1]) * 65536 + \
          int(self.end.split('.')[2]) * 256 + int(self.end.split('.')[3]))"
    ).message("start is above end: swap them")
)]
pub struct IPRange {
    /// A network by its first address and its length, such as `10.77.0.192/28` or `2001:db8::/64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("isCIDR(self)")
            .message("is not a network: write one as in 10.77.0.0/24 or 2001:db8::/64, without a zone"),
        validation = Rule::new("!isCIDR(self) || cidr(self).ip() == cidr(self).masked().ip()")
            .message("is not the first address of its network: write that one, or start and end")
    )]
    pub cidr: Option<String>,
    /// The first address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("isIP(self)")
        .message("is not an IP address: write one as in 10.77.0.200 or 2001:db8::1, without a zone"))]
    pub start: Option<String>,
    /// The last address; the same as `start` for a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("isIP(self)")
        .message("is not an IP address: write one as in 10.77.0.200 or 2001:db8::1, without a zone"))]
    pub end: Option<String>,
}

/// Where an address lives on its node.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Bind {
    /// As the node's service proxy needs it.
    #[default]
    Auto,
    /// On no interface.
    Responder,
    /// On the uplink.
    Uplink,
}

/// What is reachable on an address.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ports {
    /// The ports of its Services.
    #[default]
    ServiceOnly,
    /// The node's own listeners and NodePorts as well.
    All,
}

/// Whether an address answers pings.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ping {
    /// It does.
    #[default]
    Allow,
    /// It does not.
    Deny,
}

/// What counts more while the network is split.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ownership {
    /// That the address is reachable.
    #[default]
    Available,
    /// That never two nodes have it.
    Fenced,
}

/// What becomes of addresses on a node that is cordoned.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnCordon {
    /// They stay.
    #[default]
    Stay,
    /// They go to other nodes.
    Move,
}

/// What happens to addresses in use that leave the pool.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnRemoval {
    /// They stay until they are released.
    #[default]
    Drain,
    /// They are taken away.
    Release,
}

#[cfg(test)]
mod tests;
