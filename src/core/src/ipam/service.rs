//! Services, as far as their addresses go.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::range::Family;
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};

/// A Service. Texts that users wrote are kept as they are: what they mean is for
/// [`request`](super::request::request) to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Namespace and name.
    pub id: ObjectName,
    /// Unique for the life of the cluster; a recreated Service has another.
    pub uid: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Being deleted.
    pub terminating: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations that say something about addresses; see [`annotation`](super::request::annotation). Others are left
    /// out, so that a change of them is no change.
    pub annotations: BTreeMap<String, String>,
    /// `spec.type` is LoadBalancer.
    pub load_balancer: bool,
    /// `spec.loadBalancerClass`.
    pub class: Option<String>,
    /// `spec.loadBalancerIP`, if it is not empty.
    pub load_balancer_ip: Option<String>,
    /// `spec.ipFamilies`, the primary one first.
    pub families: Vec<Family>,
    /// `spec.ipFamilyPolicy`.
    pub family_policy: FamilyPolicy,
    /// `spec.externalTrafficPolicy`.
    pub traffic_policy: TrafficPolicy,
    /// `spec.healthCheckNodePort`: where the service proxy of each node says whether the Service can be reached there.
    pub health_port: Option<u16>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// `status.loadBalancer.ingress`.
    pub ingress: Vec<Ingress>,
    /// Who wrote `status.loadBalancer`, as managed fields say.
    pub status_writers: Vec<String>,
}

/// `spec.ipFamilyPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FamilyPolicy {
    /// One family.
    #[default]
    SingleStack,
    /// Both if that is possible.
    PreferDualStack,
    /// Both, or nothing.
    RequireDualStack,
}

/// `spec.externalTrafficPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TrafficPolicy {
    /// Any node forwards to any endpoint.
    #[default]
    Cluster,
    /// Only nodes with an endpoint of their own serve.
    Local,
}

/// A protocol of a [`ServicePort`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One of `spec.ports`. Prints as in `80/TCP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServicePort {
    /// The protocol.
    pub protocol: Protocol,
    /// The port of the external IP.
    pub port: u16,
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.port, self.protocol))
    }
}

/// One of `status.loadBalancer.ingress`, with the texts as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ingress {
    /// `ip`.
    pub ip: Option<String>,
    /// `hostname`, which clouds write.
    pub hostname: Option<String>,
    /// `ipMode`; the API server fills in `VIP` for an `ip` without one.
    pub ip_mode: Option<String>,
    /// Whether there are `ports`, which Mooring does not write.
    pub has_ports: bool,
}
