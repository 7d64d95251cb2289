//! Services of type LoadBalancer.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use mooring_core::ipam::range::Family;
use mooring_core::ipam::request::annotation;
use mooring_core::ipam::service::{
    FamilyPolicy, Ingress, Protocol, Service, ServicePort, TrafficPolicy,
};
use mooring_core::kube_proxy::snapshot::ObjectName;

use crate::metadata::timestamp;

/// A Service as the decisions about addresses see it.
pub fn service(object: &core::Service) -> Service {
    let metadata = &object.metadata;
    let spec = object.spec.as_ref();
    let annotations = metadata.annotations.iter().flatten();
    Service {
        id: ObjectName::new(
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        ),
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(timestamp),
        terminating: metadata.deletion_timestamp.is_some(),
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: annotations
            .filter(|(name, _)| annotation::ALL.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        load_balancer: spec.is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer")),
        class: spec.and_then(|spec| filled(spec.load_balancer_class.as_ref())),
        load_balancer_ip: spec.and_then(|spec| filled(spec.load_balancer_ip.as_ref())),
        families: spec.map(families).unwrap_or_default(),
        family_policy: match spec.and_then(|spec| spec.ip_family_policy.as_deref()) {
            Some("PreferDualStack") => FamilyPolicy::PreferDualStack,
            Some("RequireDualStack") => FamilyPolicy::RequireDualStack,
            _ => FamilyPolicy::SingleStack,
        },
        traffic_policy: match spec.and_then(|spec| spec.external_traffic_policy.as_deref()) {
            Some("Local") => TrafficPolicy::Local,
            _ => TrafficPolicy::Cluster,
        },
        health_port: spec
            .and_then(|spec| spec.health_check_node_port)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0),
        ports: spec
            .and_then(|spec| spec.ports.as_ref())
            .into_iter()
            .flatten()
            .filter_map(port)
            .collect(),
        selector: spec
            .and_then(|spec| spec.selector.clone())
            .unwrap_or_default(),
        ingress: object
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref())
            .and_then(|balancer| balancer.ingress.as_ref())
            .into_iter()
            .flatten()
            .map(ingress)
            .collect(),
        status_writers: status_writers(metadata.managed_fields.as_deref().unwrap_or_default()),
    }
}

fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// The families, which the API server fills in; before it did that, the cluster IPs told.
fn families(spec: &core::ServiceSpec) -> Vec<Family> {
    let named: Vec<Family> = spec
        .ip_families
        .iter()
        .flatten()
        .filter_map(|name| {
            Family::BOTH
                .into_iter()
                .find(|family| family.as_str() == name)
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    spec.cluster_ips
        .iter()
        .flatten()
        .chain(&spec.cluster_ip)
        .filter_map(|address| address.parse().ok())
        .map(Family::of)
        .fold(Vec::new(), |mut families, family| {
            if !families.contains(&family) {
                families.push(family);
            }
            families
        })
}

fn port(port: &core::ServicePort) -> Option<ServicePort> {
    let protocol = match port.protocol.as_deref() {
        None | Some("TCP") => Protocol::Tcp,
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        Some(_) => return None,
    };
    Some(ServicePort {
        protocol,
        port: u16::try_from(port.port).ok()?,
    })
}

fn ingress(ingress: &core::LoadBalancerIngress) -> Ingress {
    Ingress {
        ip: filled(ingress.ip.as_ref()),
        hostname: filled(ingress.hostname.as_ref()),
        ip_mode: filled(ingress.ip_mode.as_ref()),
        has_ports: ingress
            .ports
            .as_ref()
            .is_some_and(|ports| !ports.is_empty()),
    }
}

/// Who owns something under `status.loadBalancer`, each once, in the order of the entries.
fn status_writers(entries: &[ManagedFieldsEntry]) -> Vec<String> {
    let mut writers = Vec::new();
    for entry in entries {
        let writes = entry
            .fields_v1
            .as_ref()
            .and_then(|fields| fields.0.get("f:status"))
            .is_some_and(|status| status.get("f:loadBalancer").is_some());
        let name = entry.manager.clone().unwrap_or_default();
        if writes && !writers.contains(&name) {
            writers.push(name);
        }
    }
    writers
}

#[cfg(test)]
mod tests;
