//! What is written when addresses are moved by hand.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::Patch;
use mooring_api::ExternalIP;
use mooring_core::placement::DRAIN_ANNOTATION;
use serde_json::{Value, json};

use super::custom::GROUP;
use super::{Cluster, ClusterError, Operation, parameters};

impl Cluster {
    /// An ExternalIP, if there is one of that name.
    pub(crate) async fn external_ip(&self, name: &str) -> Result<Option<ExternalIP>, ClusterError> {
        let operation = Operation::on_one("get", GROUP, "externalips", name);
        let api: Api<ExternalIP> = Api::all(self.client.clone());
        self.bounded(operation, api.get_opt(name)).await
    }

    /// Changes fields of the spec of an ExternalIP, if it is still the one that was `seen`.
    pub(crate) async fn plan_external_ip(
        &self,
        name: &str,
        seen: &ExternalIP,
        fields: &Value,
    ) -> Result<(), ClusterError> {
        let operation = Operation::on_one("patch", GROUP, "externalips", name);
        let api: Api<ExternalIP> = Api::all(self.client.clone());
        let (uid, version) = (&seen.metadata.uid, &seen.metadata.resource_version);
        let body = Patch::Merge(json!({
            "metadata": {"uid": uid, "resourceVersion": version},
            "spec": fields,
        }));
        self.bounded(operation, api.patch(name, &parameters(), &body))
            .await?;
        Ok(())
    }

    /// Drains a node since a time, or ends that.
    pub(crate) async fn drain_node(
        &self,
        name: &str,
        since: Option<&str>,
    ) -> Result<(), ClusterError> {
        let operation = Operation::on_one("patch", "", "nodes", name);
        let api: Api<Node> = Api::all(self.client.clone());
        let body = Patch::Merge(json!({"metadata": {"annotations": {DRAIN_ANNOTATION: since}}}));
        self.bounded(operation, api.patch(name, &parameters(), &body))
            .await?;
        Ok(())
    }
}
