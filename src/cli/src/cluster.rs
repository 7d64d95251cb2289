//! The API server: each read and write that the verbs need, with errors that say what was tried and what is missing.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use mooring_api::causes;
use mooring_core::kube_proxy::snapshot::{self, ObjectName};
use mooring_core::remediation::{Patch, PodRef};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::Connection;

mod addresses;
mod custom;
mod hand;
mod operation;

pub(crate) use operation::{Operation, gap};

/// Objects per page of a list; the API server then never has to build one huge answer.
const PAGE: u32 = 500;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The name under which the API server records our writes.
const FIELD_MANAGER: &str = "kubectl-mooring";

/// A cluster's API.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
    server: String,
    namespace: String,
    request_timeout: Duration,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// Not allowed.
    #[error("cannot {operation}: {message}\nTo allow it: {}", operation.grant())]
    Forbidden {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
    /// The object is not the one that was decided on.
    #[error("cannot {operation}: the API server rejects the change: {message}")]
    Conflict {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
    /// No such object.
    #[error("cannot {operation}: it does not exist")]
    NotFound {
        /// What was tried.
        operation: Operation,
    },
    /// No answer, or none that is one.
    #[error("cannot {operation}: the API server {server} does not answer: {message}")]
    Unreachable {
        /// What was tried.
        operation: Operation,
        /// Its address.
        server: String,
        /// The reason, down to its cause.
        message: String,
    },
    /// Anything else that the API server said.
    #[error("cannot {operation}: {message}")]
    Refused {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
}

// === impl Cluster ===

impl Cluster {
    /// Connects as the command line says; no request is made yet.
    pub(crate) async fn connect(connection: &Connection) -> anyhow::Result<Self> {
        let options = KubeConfigOptions {
            context: connection.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match (&connection.kubeconfig, &connection.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path)
                    .with_context(|| format!("cannot read the kubeconfig {}", path.display()))?;
                Config::from_custom_kubeconfig(file, &options)
                    .await
                    .with_context(|| format!("cannot use the kubeconfig {}", path.display()))?
            }
            (None, Some(context)) => Config::from_kubeconfig(&options)
                .await
                .with_context(|| format!("cannot use the kubeconfig's context {context:?}"))?,
            (None, None) => Config::infer().await.context(
                "no cluster is configured: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account",
            )?,
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(connection.request_timeout);
        config.write_timeout = Some(connection.request_timeout);
        if let Some(user) = &connection.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !connection.impersonate_group.is_empty() {
            config.auth_info.impersonate_groups = Some(connection.impersonate_group.clone());
        }
        let server = config.cluster_url.to_string();
        let namespace = config.default_namespace.clone();
        Ok(Self {
            namespace,
            client: Client::try_from(config).context("cannot set up the connection")?,
            server: server.trim_end_matches('/').to_owned(),
            request_timeout: connection.request_timeout,
        })
    }

    /// The namespace of the context.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All DaemonSets.
    pub(crate) async fn daemon_sets(
        &self,
        namespace: Option<&str>,
    ) -> Result<Vec<snapshot::DaemonSet>, ClusterError> {
        let operation = Operation::list("apps", "daemonsets", namespace);
        let api: Api<DaemonSet> = self.scoped(namespace);
        let found = self.list(&api, operation, "").await?;
        Ok(found.iter().map(mooring_api::daemon_set).collect())
    }

    /// The pods with these labels (`key=value,...`; empty: all).
    pub(crate) async fn pods(
        &self,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<snapshot::Pod>, ClusterError> {
        let operation = Operation::list("", "pods", namespace);
        let api: Api<Pod> = self.scoped(namespace);
        let found = self.list(&api, operation, labels).await?;
        Ok(found.iter().map(mooring_api::pod).collect())
    }

    /// All nodes.
    pub(crate) async fn nodes(&self) -> Result<Vec<snapshot::Node>, ClusterError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let found = self
            .list(&api, Operation::list("", "nodes", None), "")
            .await?;
        Ok(found.iter().map(mooring_api::node).collect())
    }

    /// A ConfigMap, if it exists.
    pub(crate) async fn config_map(
        &self,
        id: &ObjectName,
    ) -> Result<Option<snapshot::ConfigMap>, ClusterError> {
        let operation = Operation::on("get", "", "configmaps", id);
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &id.namespace);
        let found = self.bounded(operation, api.get_opt(&id.name)).await?;
        Ok(found.as_ref().map(mooring_api::config_map))
    }

    /// Writes an edit, if the text is still the one that was decided on.
    pub(crate) async fn patch_config_map(&self, patch: &Patch) -> Result<(), ClusterError> {
        let id = &patch.location.config_map;
        let operation = Operation::patch_config_map(id);
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &id.namespace);
        let body: json_patch::Patch =
            serde_json::from_value(patch.json_patch()).map_err(|error| ClusterError::Refused {
                operation: operation.clone(),
                message: error.to_string(),
            })?;
        let body = kube::api::Patch::Json::<()>(body);
        self.bounded(operation, api.patch(&id.name, &parameters(), &body))
            .await?;
        Ok(())
    }

    /// Merges a change into a DaemonSet.
    pub(crate) async fn patch_daemon_set(
        &self,
        id: &ObjectName,
        change: &Value,
    ) -> Result<(), ClusterError> {
        let api: Api<DaemonSet> = Api::namespaced(self.client.clone(), &id.namespace);
        let body = kube::api::Patch::Merge(change);
        self.bounded(
            Operation::patch_daemon_set(id),
            api.patch(&id.name, &parameters(), &body),
        )
        .await?;
        Ok(())
    }

    /// Deletes this very pod; one that is gone already is fine.
    pub(crate) async fn delete_pod(&self, pod: &PodRef) -> Result<(), ClusterError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.id.namespace);
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let deleted = self
            .bounded(
                Operation::delete_pod(&pod.id),
                api.delete(&pod.id.name, &parameters),
            )
            .await;
        match deleted {
            Ok(_) | Err(ClusterError::NotFound { .. } | ClusterError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks the kube-proxy of a node, through the API server, for its `/healthz`; any answer but success is an error.
    pub(crate) async fn healthz(&self, node: &str, port: u16) -> Result<(), ClusterError> {
        let operation = Operation::on_one("get", "", "nodes/proxy", node);
        let request = http::Request::get(format!("/api/v1/nodes/{node}:{port}/proxy/healthz"))
            .body(Vec::new())
            .map_err(|error| ClusterError::Refused {
                operation: operation.clone(),
                message: error.to_string(),
            })?;
        self.bounded(operation, self.client.request_text(request))
            .await?;
        Ok(())
    }

    /// Asks whether an operation is allowed, before anything is written. Says yes where that cannot be asked.
    pub(crate) async fn may(&self, operation: &Operation) -> bool {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(operation.verb.to_owned()),
                    group: Some(operation.group.to_owned()),
                    resource: Some(operation.resource.to_owned()),
                    namespace: operation.namespace.clone(),
                    name: operation.name.clone(),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let asked = self
            .bounded(
                operation.clone(),
                api.create(&PostParams::default(), &review),
            )
            .await;
        match asked {
            Ok(answer) => answer.status.is_none_or(|status| status.allowed),
            Err(_) => true,
        }
    }

    fn scoped<K>(&self, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// Reads a list to its end, page by page.
    async fn list<K>(
        &self,
        api: &Api<K>,
        operation: Operation,
        labels: &str,
    ) -> Result<Vec<K>, ClusterError>
    where
        K: Clone + DeserializeOwned + fmt::Debug,
    {
        let mut parameters = ListParams::default().limit(PAGE);
        if !labels.is_empty() {
            parameters = parameters.labels(labels);
        }
        let mut objects = Vec::new();
        loop {
            let page = self
                .bounded(operation.clone(), api.list(&parameters))
                .await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(objects),
            }
        }
    }

    /// Makes a request and gives up on time, whatever the connection does.
    async fn bounded<T>(
        &self,
        operation: Operation,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ClusterError> {
        match tokio::time::timeout(self.request_timeout, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.explain(operation, &error)),
            Err(_) => Err(ClusterError::Unreachable {
                operation,
                server: self.server.clone(),
                message: format!("no answer within {:?}", self.request_timeout),
            }),
        }
    }

    fn explain(&self, operation: Operation, error: &kube::Error) -> ClusterError {
        let kube::Error::Api(status) = error else {
            return ClusterError::Unreachable {
                operation,
                server: self.server.clone(),
                message: causes(error),
            };
        };
        let message = status.message.clone();
        match status.code {
            401 => ClusterError::Refused {
                operation,
                message: format!("the credentials are not accepted ({message})"),
            },
            // Admission answers by 403 as well; no Role helps against it.
            403 if message.contains("admission") || message.contains("denied request:") => {
                ClusterError::Refused { operation, message }
            }
            403 => ClusterError::Forbidden { operation, message },
            404 => ClusterError::NotFound { operation },
            // A JSON patch whose `test` fails is answered by 422.
            409 | 422 => ClusterError::Conflict { operation, message },
            code => ClusterError::Refused {
                operation,
                message: format!("{message} (HTTP status {code})"),
            },
        }
    }
}

fn parameters() -> kube::api::PatchParams {
    kube::api::PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..kube::api::PatchParams::default()
    }
}
