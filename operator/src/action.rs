//! Carries out what a step decided. Each write fails harmlessly if the object is not the one that was decided on.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::{DeleteParams, PatchParams, Preconditions};
use mooring_core::kube_proxy::snapshot;
use mooring_core::remediation::run::Action;
use mooring_core::remediation::{Patch, PodRef};

use crate::cluster::{ApiError, Cluster, FIELD_MANAGER, Operation, bounded};

/// What an action left behind, as the API server answered: what is known is then never older than what was written.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    /// The ConfigMap after the patch.
    ConfigMap(snapshot::ConfigMap),
    /// The Pod, being deleted.
    Terminating(snapshot::Pod),
    /// The Pod is gone.
    Gone(PodRef),
}

/// Does it.
pub(crate) async fn carry_out(cluster: &Cluster, action: &Action) -> Result<Written, ApiError> {
    match action {
        Action::Patch(patch) => {
            let written = patch_config_map(cluster, patch).await?;
            tracing::info!(
                config_map = %patch.location.config_map, key = patch.location.key, diff = patch.diff(),
                "config map patched"
            );
            Ok(written)
        }
        Action::Restore(patch) => {
            let written = patch_config_map(cluster, patch).await?;
            tracing::warn!(
                config_map = %patch.location.config_map, key = patch.location.key, "config map restored"
            );
            Ok(written)
        }
        Action::DeletePod(pod) => delete_pod(cluster, pod).await,
    }
}

async fn patch_config_map(cluster: &Cluster, patch: &Patch) -> Result<Written, ApiError> {
    let id = &patch.location.config_map;
    let operation = Operation::on("patch", "", "configmaps", &id.namespace, &id.name);
    let body: json_patch::Patch =
        serde_json::from_value(patch.json_patch()).map_err(|error| ApiError::Refused {
            operation: operation.clone(),
            message: error.to_string(),
        })?;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &id.namespace);
    let parameters = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let body = kube::api::Patch::Json::<()>(body);
    let written = bounded(operation, api.patch(&id.name, &parameters, &body)).await?;
    Ok(Written::ConfigMap(mooring_api::config_map(&written)))
}

/// Deletes this very Pod; one that is gone already is fine.
async fn delete_pod(cluster: &Cluster, pod: &PodRef) -> Result<Written, ApiError> {
    let operation = Operation::on("delete", "", "pods", &pod.id.namespace, &pod.id.name);
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &pod.id.namespace);
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(pod.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match bounded(operation, api.delete(&pod.id.name, &parameters)).await {
        Ok(answer) => {
            tracing::info!(pod = %pod.id, uid = pod.uid, node = pod.node, "pod deleted");
            Ok(match answer.left() {
                Some(mut object) => {
                    object.metadata.managed_fields = None;
                    Written::Terminating(mooring_api::pod(&object))
                }
                None => Written::Gone(pod.clone()),
            })
        }
        Err(ApiError::NotFound { .. } | ApiError::Conflict { .. }) => {
            Ok(Written::Gone(pod.clone()))
        }
        Err(error) => Err(error),
    }
}
