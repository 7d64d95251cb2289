//! Mooring's own objects. A cluster without them is a cluster without Mooring's operator and agents: no error.

use std::collections::BTreeMap;

use futures::future::try_join;
use kube::Api;
use kube::core::DynamicObject;
use mooring_api::node_proxy_state::from_status;
use mooring_api::service_proxy::CLUSTER;
use mooring_api::{ExternalIP, ExternalIPPool, NodeProxyState, ServiceProxy, antrea_pool};
use mooring_core::kube_proxy::snapshot::Node;
use mooring_core::node::NodeView;

use super::{Cluster, ClusterError, Operation};

pub(super) const GROUP: &str = "mooring.dev";
/// The label that the agents' Pods have in `manifests/agent`.
const AGENTS: &str = "app.kubernetes.io/name=mooring-agent";

impl Cluster {
    /// The cluster's ServiceProxy, if it has one.
    pub(crate) async fn service_proxy(&self) -> Result<Option<ServiceProxy>, ClusterError> {
        let operation = Operation::on_one("get", GROUP, "serviceproxies", CLUSTER);
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

    /// All pools of Mooring's own kind.
    pub(crate) async fn pools(&self) -> Result<Vec<ExternalIPPool>, ClusterError> {
        let operation = Operation::list(GROUP, "externalippools", None);
        let api: Api<ExternalIPPool> = Api::all(self.client.clone());
        self.list(&api, operation, "").await
    }

    /// All pools of Antrea's kind, in the newest version that the server has; none if it does not have the kind.
    pub(crate) async fn antrea_pools(&self) -> Result<Vec<DynamicObject>, ClusterError> {
        for version in antrea_pool::VERSIONS {
            let operation = Operation::list(antrea_pool::GROUP, "externalippools", None);
            let resource = antrea_pool::resource(version);
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
            match self.list(&api, operation, "").await {
                Err(ClusterError::NotFound { .. }) => {}
                other => return other,
            }
        }
        Ok(Vec::new())
    }

    /// All ExternalIPs.
    pub(crate) async fn external_ips(&self) -> Result<Vec<ExternalIP>, ClusterError> {
        let operation = Operation::list(GROUP, "externalips", None);
        let api: Api<ExternalIP> = Api::all(self.client.clone());
        self.list(&api, operation, "").await
    }

    /// Every Linux node with what its agent says, if Mooring's agents are there; who may not read that sees none.
    pub(crate) async fn node_views(
        &self,
        nodes: Option<&[Node]>,
    ) -> Result<Vec<NodeView>, ClusterError> {
        let read = try_join(self.node_proxy_states(), self.reporting_nodes()).await;
        let (states, reporting) = match read {
            Err(ClusterError::Forbidden { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let reports: BTreeMap<&str, &NodeProxyState> = states
            .iter()
            .filter_map(|state| Some((state.metadata.name.as_deref()?, state)))
            .collect();
        let linux = nodes
            .unwrap_or_default()
            .iter()
            .filter(|node| node.os != "windows");
        let view = |node: &Node| NodeView {
            name: node.name.clone(),
            ready: node.ready,
            reporting: reporting.contains(&node.name),
            report: reports
                .get(node.name.as_str())
                .and_then(|state| state.status.as_ref())
                .map(from_status),
        };
        Ok(linux.map(view).collect())
    }

    /// The nodes whose agent is ready: what it wrote is true now.
    pub(crate) async fn reporting_nodes(&self) -> Result<Vec<String>, ClusterError> {
        let pods = self.pods(None, AGENTS).await?;
        let ready = pods.into_iter().filter(|pod| pod.ready);
        Ok(ready.filter_map(|pod| pod.node).collect())
    }
}
