//! The NodeProxyState of this node: the one object that is the agent's own.

use anyhow::anyhow;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use mooring_api::NodeProxyState;
use mooring_api::node_proxy_state::{NodeProxyStateSpec, NodeProxyStateStatus};
use serde_json::json;

use super::{FIELD_MANAGER, Trouble, within};

/// Writes the NodeProxyState.
#[derive(Clone)]
pub(crate) struct Keeper {
    client: Client,
    node: String,
}

/// The object as it stood in the API last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// Which version it was.
    pub resource_version: String,
    /// Of the object, for its conditions.
    pub generation: Option<i64>,
    /// The status.
    pub status: NodeProxyStateStatus,
}

// === impl Kept ===

impl From<NodeProxyState> for Kept {
    fn from(object: NodeProxyState) -> Self {
        Self {
            resource_version: object.metadata.resource_version.unwrap_or_default(),
            generation: object.metadata.generation,
            status: object.status.unwrap_or_default(),
        }
    }
}

// === impl Keeper ===

impl Keeper {
    pub(crate) fn new(client: Client, node: &str) -> Self {
        Self {
            client,
            node: node.to_owned(),
        }
    }

    /// The object, if there is one. That its kind is unknown means the same.
    pub(crate) async fn read(&self) -> Result<Option<Box<NodeProxyState>>, Trouble> {
        let api: Api<NodeProxyState> = Api::all(self.client.clone());
        match within(api.get(&self.node)).await {
            Ok(object) => Ok(Some(Box::new(object))),
            Err(Trouble::NotFound) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Makes the status this one, whatever it was; makes the object if it is not there.
    pub(crate) async fn write(&self, status: &NodeProxyStateStatus) -> Result<Kept, Trouble> {
        let object = match self.apply(status).await {
            Err(Trouble::NotFound) => {
                self.create().await?;
                self.apply(status).await?
            }
            other => other?,
        };
        Ok(object.into())
    }

    async fn apply(&self, status: &NodeProxyStateStatus) -> Result<NodeProxyState, Trouble> {
        let patch = json!({
            "apiVersion": NodeProxyState::api_version(&()),
            "kind": NodeProxyState::kind(&()),
            "metadata": { "name": self.node },
            "status": status,
        });
        let api: Api<NodeProxyState> = Api::all(self.client.clone());
        // Nobody else may write here, so there is nobody to conflict with.
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&patch);
        within(api.patch_status(&self.node, &parameters, &patch)).await
    }

    /// Owned by the Node, so that it goes with it.
    async fn create(&self) -> Result<(), Trouble> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = match within(nodes.get(&self.node)).await {
            Err(Trouble::NotFound) => {
                return Err(Trouble::Refused(format!(
                    "there is no Node {}: --node-name has to be the name under which this node is registered",
                    self.node
                )));
            }
            other => other?,
        };
        let owner = OwnerReference {
            api_version: Node::api_version(&()).into_owned(),
            kind: Node::kind(&()).into_owned(),
            name: self.node.clone(),
            uid: node.metadata.uid.unwrap_or_default(),
            ..OwnerReference::default()
        };
        let mut object = NodeProxyState::new(&self.node, NodeProxyStateSpec {});
        object.metadata.owner_references = Some(vec![owner]);
        let api: Api<NodeProxyState> = Api::all(self.client.clone());
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match within(api.create(&parameters, &object)).await {
            Ok(_) => Ok(()),
            // Made between the two requests.
            Err(Trouble::Conflict(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether the agent's own DaemonSet is gone or going: then nobody comes after this process. An API server that no
    /// longer knows the agent says the same.
    pub(crate) async fn is_last(&self, namespace: &str, name: &str) -> anyhow::Result<bool> {
        let api: Api<DaemonSet> = Api::namespaced(self.client.clone(), namespace);
        match within(api.get(name)).await {
            Ok(daemon_set) => Ok(daemon_set.metadata.deletion_timestamp.is_some()),
            Err(Trouble::NotFound | Trouble::Denied(_)) => Ok(true),
            Err(trouble) => Err(anyhow!("{trouble}")),
        }
    }
}
