//! Endpoints, the ranges of cluster IPs, and namespaces: what decides about external IPs beside Services, pools and nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use mooring_core::ipam::range::Family;
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::placement::Endpoint;

/// The label by which an EndpointSlice names its Service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The Service that a slice is of, and the endpoints in it; `None` if it is of no Service, or its addresses are names
/// (`FQDN`), which no service proxy serves. A Service may have many slices.
///
/// `ready` that is not set counts as true, and `serving` as `ready`, as the API has it.
pub fn endpoints(slice: &EndpointSlice) -> Option<(ObjectName, Vec<Endpoint>)> {
    let service = service_of(slice)?;
    let family = Family::BOTH
        .into_iter()
        .find(|family| family.as_str() == slice.address_type)?;
    let endpoints = slice
        .endpoints
        .iter()
        .map(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            let ready = conditions
                .and_then(|conditions| conditions.ready)
                .unwrap_or(true);
            let serving = conditions.and_then(|conditions| conditions.serving);
            Endpoint {
                node: endpoint.node_name.clone(),
                family,
                ready,
                serving: serving.unwrap_or(ready),
            }
        })
        .collect();
    Some((service, endpoints))
}

fn service_of(slice: &EndpointSlice) -> Option<ObjectName> {
    let metadata = &slice.metadata;
    let name = metadata.labels.as_ref()?.get(SERVICE_LABEL)?;
    Some(ObjectName::new(
        metadata.namespace.clone().unwrap_or_default(),
        name.clone(),
    ))
}

/// The addresses of the API server in a slice of Service `default/kubernetes`; none in a slice of another one.
pub fn api_servers(slice: &EndpointSlice) -> Vec<IpAddr> {
    if service_of(slice) != Some(ObjectName::new("default", "kubernetes")) {
        return Vec::new();
    }
    slice
        .endpoints
        .iter()
        .flat_map(|endpoint| &endpoint.addresses)
        .filter_map(|address| address.parse().ok())
        .collect()
}

/// The ranges that cluster IPs are taken from, as written.
pub fn service_cidrs(object: &ServiceCIDR) -> Vec<String> {
    let spec = object.spec.as_ref();
    spec.and_then(|spec| spec.cidrs.clone()).unwrap_or_default()
}

/// The name of a namespace, and its labels.
pub fn namespace(object: &Namespace) -> (String, BTreeMap<String, String>) {
    let metadata = &object.metadata;
    (
        metadata.name.clone().unwrap_or_default(),
        metadata.labels.clone().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests;
