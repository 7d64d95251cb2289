//! Whether Antrea's Egress is in use: asked of Antrea's own API, and only where the answer can decide.

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};

use crate::cluster::{ApiError, Cluster, Operation, bounded};

const GROUP: &str = "crd.antrea.io";
/// Egress was v1alpha2 up to Antrea 1.12, and is v1beta1 since.
const VERSIONS: [&str; 2] = ["v1beta1", "v1alpha2"];

/// There is at least one Egress. Where Antrea has no such API, there is none.
pub(crate) async fn egress_in_use(cluster: &Cluster) -> Result<bool, ApiError> {
    for version in VERSIONS {
        let kind = GroupVersionKind::gvk(GROUP, version, "Egress");
        let resource = ApiResource::from_gvk_with_plural(&kind, "egresses");
        let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
        let operation = Operation::of("list", GROUP, "egresses", None);
        let parameters = ListParams::default().limit(1);
        match bounded(operation, api.list(&parameters)).await {
            Ok(list) if list.items.is_empty() => {}
            Ok(_) => return Ok(true),
            Err(ApiError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
