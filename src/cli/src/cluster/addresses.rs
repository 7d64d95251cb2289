//! What decides about external IPs, beside Mooring's own objects.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::Api;

use super::{Cluster, ClusterError, Operation};

/// The label that the operator's Pods have in `manifests/operator`.
const OPERATOR: &str = "app.kubernetes.io/name=mooring-operator";

impl Cluster {
    /// All Services.
    pub(crate) async fn services(&self) -> Result<Vec<Service>, ClusterError> {
        let api: Api<Service> = Api::all(self.client.clone());
        self.list(&api, Operation::list("", "services", None), "")
            .await
    }

    /// All nodes, as they are.
    pub(crate) async fn node_objects(&self) -> Result<Vec<Node>, ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        self.list(&api, Operation::list("", "nodes", None), "")
            .await
    }

    /// The labels of all namespaces, by name.
    pub(crate) async fn namespace_labels(
        &self,
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = self
            .list(&api, Operation::list("", "namespaces", None), "")
            .await?;
        Ok(found.iter().map(mooring_api::network::namespace).collect())
    }

    /// The EndpointSlices of a namespace with these labels (`key=value,...`; empty: all).
    pub(crate) async fn endpoint_slices(
        &self,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<EndpointSlice>, ClusterError> {
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), namespace);
        let operation = Operation::list("discovery.k8s.io", "endpointslices", Some(namespace));
        self.list(&api, operation, labels).await
    }

    /// The ranges of cluster IPs.
    pub(crate) async fn service_cidrs(&self) -> Result<Vec<ServiceCIDR>, ClusterError> {
        let api: Api<ServiceCIDR> = Api::all(self.client.clone());
        let operation = Operation::list("networking.k8s.io", "servicecidrs", None);
        self.list(&api, operation, "").await
    }

    /// Whether a Pod of the operator is ready.
    pub(crate) async fn operator_is_ready(&self) -> Result<bool, ClusterError> {
        let pods = self.pods(None, OPERATOR).await?;
        Ok(pods.iter().any(|pod| pod.ready))
    }
}
