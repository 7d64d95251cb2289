//! Between an ExternalIP and the claim that it is.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff;
use mooring_core::ipam::claim::{self, Claim, Holder};
use mooring_core::ipam::object_name;
use mooring_core::ipam::pool::{PoolId, Source};
use mooring_core::ipam::request;
use mooring_core::ipam::service::{self, ServicePort};
use mooring_core::kube_proxy::snapshot::ObjectName;

use super::{
    ExternalIP, ExternalIPSpec, PoolGroup, PoolReference, Port, Protocol, Release,
    ServiceReference, Share, TrafficPolicy,
};
use crate::metadata::timestamp;

/// Why an ExternalIP is the claim to no address. The API server lets none of these through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoClaim {
    /// Its name is not that of an address.
    Name(String),
    /// Its address is another one than its name says.
    Address {
        /// The address of its name.
        named: IpAddr,
        /// What `spec.address` says.
        address: String,
    },
}

impl std::fmt::Display for NoClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "ExternalIP {name} is not named after an address, so it keeps none from being handed out twice: delete it"
            ),
            Self::Address { named, address } => write!(
                f,
                "the ExternalIP of {named} says {address} in spec.address: delete it, a right one will be made"
            ),
        }
    }
}

impl std::error::Error for NoClaim {}

/// The claim that an ExternalIP is.
///
/// # Errors
/// If it is none.
pub fn claim(object: &ExternalIP) -> Result<Claim, NoClaim> {
    let name = object.metadata.name.clone().unwrap_or_default();
    let spec = &object.spec;
    let named = object_name::address(&name).ok_or(NoClaim::Name(name))?;
    if spec.address.parse() != Ok(named) {
        return Err(NoClaim::Address {
            named,
            address: spec.address.clone(),
        });
    }
    Ok(Claim {
        address: named,
        pool: PoolId {
            name: spec.pool.name.clone(),
            source: match spec.pool.group {
                PoolGroup::Mooring => Source::Mooring,
                PoolGroup::Antrea => Source::Antrea,
            },
        },
        holders: spec.services.iter().map(holder).collect(),
        released: spec.released.as_ref().map(|release| claim::Release {
            at: timestamp(&release.at),
            by: ObjectName::new(release.namespace.clone(), release.name.clone()),
        }),
    })
}

/// The spec of the ExternalIP that is a claim. What the claim does not say, the planned node, why it is that, and its heirs,
/// stays as it was `before`.
pub fn spec(claim: &Claim, before: Option<&ExternalIPSpec>) -> ExternalIPSpec {
    ExternalIPSpec {
        address: claim.address.to_string(),
        pool: PoolReference {
            group: match claim.pool.source {
                Source::Mooring => PoolGroup::Mooring,
                Source::Antrea => PoolGroup::Antrea,
            },
            name: claim.pool.name.clone(),
        },
        services: claim.holders.iter().map(reference).collect(),
        node: before.and_then(|before| before.node.clone()),
        heirs: before.map_or_else(Vec::new, |before| before.heirs.clone()),
        plan: before.map_or(0, |before| before.plan),
        cause: before.and_then(|before| before.cause.clone()),
        released: claim.released.as_ref().and_then(|release| {
            Some(Release {
                at: Time(jiff::Timestamp::from_second(release.at.unix_seconds()).ok()?),
                namespace: release.by.namespace.clone(),
                name: release.by.name.clone(),
            })
        }),
    }
}

fn holder(reference: &ServiceReference) -> Holder {
    let mut ports: Vec<ServicePort> = reference
        .ports
        .iter()
        .map(|port| ServicePort {
            protocol: match port.protocol {
                Protocol::Tcp => service::Protocol::Tcp,
                Protocol::Udp => service::Protocol::Udp,
                Protocol::Sctp => service::Protocol::Sctp,
            },
            port: port.port,
        })
        .collect();
    ports.sort_unstable();
    Holder {
        service: ObjectName::new(reference.namespace.clone(), reference.name.clone()),
        uid: reference.uid.clone(),
        ports,
        share: reference.share.as_ref().and_then(|share| match &share.key {
            Some(key) => Some(request::Share::Key(key.clone())),
            None => share.anybody.then_some(request::Share::Anybody),
        }),
        traffic_policy: match reference.traffic_policy {
            TrafficPolicy::Cluster => service::TrafficPolicy::Cluster,
            TrafficPolicy::Local => service::TrafficPolicy::Local,
        },
        health_port: reference.health_check_node_port,
        service_proxy: reference.service_proxy_name.clone(),
        asked: reference.asked,
    }
}

fn reference(holder: &Holder) -> ServiceReference {
    ServiceReference {
        namespace: holder.service.namespace.clone(),
        name: holder.service.name.clone(),
        uid: holder.uid.clone(),
        ports: holder
            .ports
            .iter()
            .map(|port| Port {
                protocol: match port.protocol {
                    service::Protocol::Tcp => Protocol::Tcp,
                    service::Protocol::Udp => Protocol::Udp,
                    service::Protocol::Sctp => Protocol::Sctp,
                },
                port: port.port,
            })
            .collect(),
        traffic_policy: match holder.traffic_policy {
            service::TrafficPolicy::Cluster => TrafficPolicy::Cluster,
            service::TrafficPolicy::Local => TrafficPolicy::Local,
        },
        health_check_node_port: holder.health_port,
        service_proxy_name: holder.service_proxy.clone(),
        asked: holder.asked,
        share: holder.share.as_ref().map(|share| match share {
            request::Share::Key(key) => Share {
                key: Some(key.clone()),
                anybody: false,
            },
            request::Share::Anybody => Share {
                key: None,
                anybody: true,
            },
        }),
    }
}

#[cfg(test)]
mod tests;
