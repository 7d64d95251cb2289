//! Mooring's own objects. A cluster without them is a cluster without Mooring's operator and agents: no error.

use kube::Api;
use mooring_api::service_proxy::CLUSTER;
use mooring_api::{NodeProxyState, ServiceProxy};

use super::{Cluster, ClusterError, Operation};

const GROUP: &str = "mooring.dev";
/// The label that the agents' Pods have in `manifests/agent`.
const AGENTS: &str = "app.kubernetes.io/name=mooring-agent";

impl Cluster {
    /// The cluster's ServiceProxy, if it has one.
    pub(crate) async fn service_proxy(&self) -> Result<Option<ServiceProxy>, ClusterError> {
        let operation = Operation {
            verb: "get",
            group: GROUP,
            resource: "serviceproxies",
            namespace: None,
            name: Some(CLUSTER.to_owned()),
        };
        let api: Api<ServiceProxy> = Api::all(self.client.clone());
        self.bounded(operation, api.get_opt(CLUSTER)).await
    }

    /// What the agents wrote, by node.
    pub(crate) async fn node_proxy_states(&self) -> Result<Vec<NodeProxyState>, ClusterError> {
        let operation = Operation::list(GROUP, "nodeproxystates", None);
        let api: Api<NodeProxyState> = Api::all(self.client.clone());
        match self.list(&api, operation, "").await {
            Err(ClusterError::NotFound { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The nodes whose agent is ready: what it wrote is true now.
    pub(crate) async fn reporting_nodes(&self) -> Result<Vec<String>, ClusterError> {
        let pods = self.pods(None, AGENTS).await?;
        let ready = pods.into_iter().filter(|pod| pod.ready);
        Ok(ready.filter_map(|pod| pod.node).collect())
    }
}
