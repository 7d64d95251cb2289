//! The claim to an address: the ExternalIP object as far as allocation goes.
//!
//! Its name follows from the address ([`object_name`](super::object_name)), so creating it is the lock: of two operators
//! that give the same address away at the same moment, one fails. It outlives the Service for a while, so that the address
//! rests before somebody else gets it.

use std::net::IpAddr;

use super::pool::PoolId;
use super::request::{self, Request, Share};
use super::service::{Service, ServicePort, TrafficPolicy};
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};

/// The label with which kube-proxy leaves a Service to another service proxy, whatever its value (`NewProxyServer` in
/// `cmd/kube-proxy/app/server.go` selects the Services without it).
pub const SERVICE_PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// An address that is taken, or rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// The pool that it is from.
    pub pool: PoolId,
    /// Who has it, in the order in which they came. More than one if they share it; none if it rests.
    pub holders: Vec<Holder>,
    /// Since when nobody has it; `None` while somebody does.
    pub released: Option<Release>,
}

/// A Service that has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its namespace and name.
    pub service: ObjectName,
    /// Its uid: a recreated Service is another one.
    pub uid: String,
    /// The ports that it has on the address, sorted.
    pub ports: Vec<ServicePort>,
    /// With whom it shares.
    pub share: Option<Share>,
    /// Which nodes can serve it.
    pub traffic_policy: TrafficPolicy,
    /// Where a node's service proxy says whether it can.
    pub health_port: Option<u16>,
    /// The service proxy that it is left to by its label, [`SERVICE_PROXY_NAME`].
    pub service_proxy: Option<String>,
    /// It asked for Mooring, by an annotation or its class. If it does so no more, it gives the address back; one that
    /// never asked keeps it.
    pub asked: bool,
}

/// The end of the use of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// When.
    pub at: Timestamp,
    /// Who had it last. A Service of this name gets it back at once.
    pub by: ObjectName,
}

impl Holder {
    /// The Service as it is now.
    pub fn of(service: &Service, request: &Request) -> Self {
        let mut ports = service.ports.clone();
        ports.sort_unstable();
        ports.dedup();
        Self {
            service: service.id.clone(),
            uid: service.uid.clone(),
            ports,
            share: request.share.clone(),
            traffic_policy: service.traffic_policy,
            health_port: service.health_port,
            service_proxy: service.labels.get(SERVICE_PROXY_NAME).cloned(),
            asked: request.claim != request::Claim::Unasked,
        }
    }
}
