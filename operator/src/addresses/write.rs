//! One write: its body, which names the version that was decided on, and how it is carried out.

use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use mooring_api::external_ip::ExternalIPSpec;
use mooring_api::external_ip_pool::{ExternalIPPoolSpec, ExternalIPPoolStatus};
use mooring_api::{ExternalIP, ExternalIPPool, NodeProxyState, antrea_pool};
use mooring_core::external_ip::Berthed;
use mooring_core::ipam::allocate::STATUS_WRITER;
use mooring_core::ipam::object_name;
use mooring_core::ipam::plan::StatusWrite;
use mooring_core::ipam::service::Ingress;
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::placement::{UNREST_ANNOTATION, Unrest};
use serde_json::{Map, Value, json};

use super::copies::Versioned;
use super::source::{self, Change};
use crate::cache::Update;
use crate::cluster::{ApiError, Cluster, Operation, bounded};

/// Keeps a pool while Services have addresses of it.
pub(super) const IN_USE: &str = "mooring.dev/addresses-in-use";

const OURS: &str = "mooring.dev";

/// The version of an object that was decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub version: String,
}

/// Something to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Write {
    /// A claim to an address that nobody has.
    Create(Berthed),
    /// New holders, a release, or another node.
    Update(Berthed, Seen),
    /// The claim to an address that has rested.
    Delete { name: String, seen: Seen },
    /// The addresses of a Service.
    Publish(StatusWrite, Seen),
    /// The finalizers of a pool.
    Finalizers {
        pool: String,
        seen: Seen,
        finalizers: Vec<String>,
    },
    /// The status of a pool.
    PoolStatus {
        pool: String,
        seen: Seen,
        status: ExternalIPPoolStatus,
    },
    /// The status of a pool of Antrea's.
    AntreaStatus {
        pool: String,
        version: String,
        seen: Seen,
        status: Value,
    },
    /// What is said about an address.
    Remarks { name: String, body: Value },
    /// What is remembered of the deaths of a node. Nobody else writes it.
    Unrest { node: String, unrest: Unrest },
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// The object as it is now.
    Now(Box<Change>),
    /// The object is gone.
    Gone { key: String, uid: String },
    /// The object is being deleted, and somebody's finalizer keeps it.
    Kept,
}

/// Why a write did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The object is not the one that was decided on. It was read again; `None` if even that failed.
    Overtaken(Option<Box<Change>>),
    /// Anything else.
    Error(ApiError),
}

// === impl Seen ===

impl Seen {
    /// The version that is known.
    pub(super) fn of<T>(object: &Versioned<T>) -> Self {
        Self {
            uid: object.uid.clone(),
            version: object.version.clone(),
        }
    }

    fn metadata(&self) -> Value {
        json!({"uid": self.uid, "resourceVersion": self.version})
    }
}

// === impl Write ===

impl Write {
    /// What it writes, for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Create(_) => "claim",
            Self::Update(..) => "claim_update",
            Self::Delete { .. } => "claim_delete",
            Self::Publish(..) => "service_status",
            Self::Finalizers { .. } => "pool_finalizer",
            Self::PoolStatus { .. } => "pool_status",
            Self::AntreaStatus { .. } => "antrea_pool_status",
            Self::Remarks { .. } => "remarks",
            Self::Unrest { .. } => "unrest",
        }
    }

    /// The object, by which a failed write is held back.
    pub(super) fn object(&self) -> String {
        match self {
            Self::Create(berthed) | Self::Update(berthed, _) => {
                claim(&object_name::of(berthed.claim.address))
            }
            Self::Delete { name, .. } => claim(name),
            Self::Publish(status, _) => service(&status.service),
            Self::Finalizers { pool, .. } | Self::PoolStatus { pool, .. } => format!("pool {pool}"),
            Self::AntreaStatus { pool, .. } => format!("Antrea's pool {pool}"),
            Self::Remarks { name, .. } => conditions(name),
            Self::Unrest { node, .. } => format!("unrest of {node}"),
        }
    }

    /// What RBAC knows it by.
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Create(_) => Operation::of("create", OURS, "externalips", None),
            Self::Update(..) => Operation::of("patch", OURS, "externalips", None),
            Self::Delete { .. } => Operation::of("delete", OURS, "externalips", None),
            Self::Publish(..) => Operation::of("patch", "", "services/status", None),
            Self::Finalizers { .. } => Operation::of("patch", OURS, "externalippools", None),
            Self::PoolStatus { .. } => {
                Operation::of("update", OURS, "externalippools/status", None)
            }
            Self::AntreaStatus { .. } => {
                Operation::of("patch", antrea_pool::GROUP, "externalippools/status", None)
            }
            Self::Remarks { .. } => Operation::of("patch", OURS, "externalips/status", None),
            Self::Unrest { .. } => Operation::of("patch", OURS, "nodeproxystates", None),
        }
    }

    /// Does it. If the object is another one by now, it is read again.
    pub(super) async fn carry_out(&self, cluster: &Cluster) -> Result<Written, Failure> {
        match self.send(&cluster.client).await {
            Ok(written) => Ok(written),
            Err(ApiError::Conflict { .. }) => Err(Failure::Overtaken(
                self.read(&cluster.client).await.ok().map(Box::new),
            )),
            Err(ApiError::NotFound { .. }) if !matches!(self, Self::Create(_)) => Err(
                Failure::Overtaken(self.read(&cluster.client).await.ok().map(Box::new)),
            ),
            Err(error) => Err(Failure::Error(error)),
        }
    }

    async fn send(&self, client: &Client) -> Result<Written, ApiError> {
        let operation = self.operation();
        let addresses: Api<ExternalIP> = Api::all(client.clone());
        let pools: Api<ExternalIPPool> = Api::all(client.clone());
        let change = match self {
            Self::Create(berthed) => {
                let name = object_name::of(berthed.claim.address);
                let object = ExternalIP::new(&name, spec(berthed));
                let made = bounded(operation, addresses.create(&creating(), &object)).await?;
                address_now(&made)
            }
            Self::Update(berthed, seen) => {
                let name = object_name::of(berthed.claim.address);
                let body = json!({"metadata": seen.metadata(), "spec": spec_patch(&spec(berthed))});
                let (parameters, body) = (merging(), Patch::Merge(&body));
                let request = addresses.patch(&name, &parameters, &body);
                address_now(&bounded(operation, request).await?)
            }
            Self::Delete { name, seen } => {
                let parameters = DeleteParams::default().preconditions(Preconditions {
                    uid: Some(seen.uid.clone()),
                    resource_version: Some(seen.version.clone()),
                });
                let answer = bounded(operation, addresses.delete(name, &parameters)).await?;
                return Ok(match answer.left() {
                    Some(left) if left.metadata.finalizers.is_some() => Written::Kept,
                    _ => Written::Gone {
                        key: name.clone(),
                        uid: seen.uid.clone(),
                    },
                });
            }
            Self::Publish(status, seen) => {
                let api: Api<Service> = Api::namespaced(client.clone(), &status.service.namespace);
                let body = json!({
                    "metadata": seen.metadata(),
                    "status": {"loadBalancer": {"ingress": ingress(&status.ingress)}},
                });
                let body = Patch::Merge(&body);
                let parameters = merging();
                let request = api.patch_status(&status.service.name, &parameters, &body);
                let written = bounded(operation, request).await?;
                Change::Services(Update::Set(
                    status.service.to_string(),
                    source::trimmed_service(&written),
                ))
            }
            Self::Finalizers {
                pool,
                seen,
                finalizers,
            } => {
                let body = json!([
                    {"op": "test", "path": "/metadata/uid", "value": seen.uid},
                    {"op": "test", "path": "/metadata/resourceVersion", "value": seen.version},
                    {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
                ]);
                let body = serde_json::from_value(body).map_err(|error| ApiError::Refused {
                    operation: operation.clone(),
                    message: error.to_string(),
                })?;
                let body = Patch::Json::<()>(body);
                let written = bounded(operation, pools.patch(pool, &merging(), &body)).await?;
                if written.metadata.deletion_timestamp.is_some() && finalizers.is_empty() {
                    return Ok(Written::Gone {
                        key: pool.clone(),
                        uid: seen.uid.clone(),
                    });
                }
                pool_now(&written)
            }
            Self::PoolStatus { pool, seen, status } => {
                let body = pool_with(pool, seen, status);
                let parameters = creating();
                let request = pools.replace_status(pool, &parameters, &body);
                pool_now(&bounded(operation, request).await?)
            }
            Self::AntreaStatus {
                pool,
                version,
                seen,
                status,
            } => {
                let body = json!({"metadata": seen.metadata(), "status": status});
                let (parameters, body) = (merging(), Patch::Merge(&body));
                let api = antrea_pools(client, version);
                let request = api.patch_status(pool, &parameters, &body);
                antrea_now(&bounded(operation, request).await?)
            }
            Self::Remarks { name, body } => {
                let body = Patch::Apply(body);
                let parameters = PatchParams {
                    force: true,
                    ..merging()
                };
                let request = addresses.patch_status(name, &parameters, &body);
                address_now(&bounded(operation, request).await?)
            }
            Self::Unrest { node, unrest } => {
                let api: Api<NodeProxyState> = Api::all(client.clone());
                let body = Patch::Merge(unrest_patch(unrest));
                let parameters = merging();
                let request = api.patch(node, &parameters, &body);
                report_now(&bounded(operation, request).await?)
            }
        };
        Ok(Written::Now(Box::new(change)))
    }

    /// The object as it is now.
    async fn read(&self, client: &Client) -> Result<Change, ApiError> {
        let address = async |name: &str| {
            let api: Api<ExternalIP> = Api::all(client.clone());
            let operation = Operation::of("get", OURS, "externalips", None);
            let found = bounded(operation, api.get_opt(name)).await?;
            let gone = Change::Addresses(Update::Gone(name.to_owned()));
            Ok(found.map_or(gone, |found| address_now(&found)))
        };
        match self {
            Self::Create(berthed) | Self::Update(berthed, _) => {
                address(&object_name::of(berthed.claim.address)).await
            }
            Self::Delete { name, .. } | Self::Remarks { name, .. } => address(name).await,
            Self::Publish(status, _) => {
                let api: Api<Service> = Api::namespaced(client.clone(), &status.service.namespace);
                let operation = Operation::of("get", "", "services", None);
                let found = bounded(operation, api.get_opt(&status.service.name)).await?;
                let key = status.service.to_string();
                Ok(Change::Services(match found {
                    Some(found) => Update::Set(key, source::trimmed_service(&found)),
                    None => Update::Gone(key),
                }))
            }
            Self::Finalizers { pool, .. } | Self::PoolStatus { pool, .. } => {
                let api: Api<ExternalIPPool> = Api::all(client.clone());
                let operation = Operation::of("get", OURS, "externalippools", None);
                let found = bounded(operation, api.get_opt(pool)).await?;
                let gone = Change::Pools(Update::Gone(pool.clone()));
                Ok(found.map_or(gone, |found| pool_now(&found)))
            }
            Self::Unrest { node, .. } => {
                let api: Api<NodeProxyState> = Api::all(client.clone());
                let operation = Operation::of("get", OURS, "nodeproxystates", None);
                let found = bounded(operation, api.get_opt(node)).await?;
                let gone = Change::Reports(Update::Gone(node.clone()));
                Ok(found.map_or(gone, |found| report_now(&found)))
            }
            Self::AntreaStatus { pool, version, .. } => {
                let operation = Operation::of("get", antrea_pool::GROUP, "externalippools", None);
                let api = antrea_pools(client, version);
                let found = bounded(operation, api.get_opt(pool)).await?;
                let gone = Change::AntreaPools(Update::Gone(pool.clone()));
                Ok(found.map_or(gone, |found| antrea_now(&found)))
            }
        }
    }
}

/// What a failed write of a claim is held back by.
pub(super) fn claim(name: &str) -> String {
    format!("external IP {name}")
}

/// What a failed write of what is said about an address is held back by.
pub(super) fn conditions(name: &str) -> String {
    format!("conditions of {name}")
}

/// What a failed write of a Service is held back by.
pub(super) fn service(id: &ObjectName) -> String {
    format!("service {id}")
}

fn creating() -> PostParams {
    PostParams {
        field_manager: Some(STATUS_WRITER.to_owned()),
        ..PostParams::default()
    }
}

fn merging() -> PatchParams {
    PatchParams {
        field_manager: Some(STATUS_WRITER.to_owned()),
        ..PatchParams::default()
    }
}

fn antrea_pools(client: &Client, version: &str) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &antrea_pool::resource(version))
}

fn address_now(object: &ExternalIP) -> Change {
    let key = crate::cache::key(object);
    Change::Addresses(match source::external_ip(object) {
        Some(address) => Update::Set(key, address),
        None => Update::Gone(key),
    })
}

fn report_now(object: &NodeProxyState) -> Change {
    let key = crate::cache::key(object);
    Change::Reports(match source::report(object) {
        Some(report) => Update::Set(key, report),
        None => Update::Gone(key),
    })
}

fn unrest_patch(unrest: &Unrest) -> Value {
    json!({"metadata": {"annotations": {UNREST_ANNOTATION: unrest.to_string()}}})
}

fn pool_now(object: &ExternalIPPool) -> Change {
    let pool = source::own_pool(object);
    Change::Pools(Update::Set(crate::cache::key(object), pool))
}

fn antrea_now(object: &DynamicObject) -> Change {
    let key = object.metadata.name.clone().unwrap_or_default();
    Change::AntreaPools(match source::antrea_pool(object) {
        Some(pool) => Update::Set(key, pool),
        None => Update::Gone(key),
    })
}

fn spec(berthed: &Berthed) -> ExternalIPSpec {
    ExternalIPSpec {
        node: berthed.node.clone(),
        heirs: berthed.heirs.clone(),
        plan: berthed.plan,
        cause: berthed.cause.clone(),
        ..mooring_api::external_ip::spec(&berthed.claim, None)
    }
}

/// What a merge patch leaves out stays as it was, so that what is to go has to be said.
fn spec_patch(spec: &ExternalIPSpec) -> Value {
    let mut object = json!(spec);
    if let Some(fields) = object.as_object_mut() {
        for field in ["services", "node", "heirs", "plan", "cause", "released"] {
            fields.entry(field).or_insert(Value::Null);
        }
    }
    object
}

/// A pool to write the status of: the API server takes everything else from what it has.
fn pool_with(name: &str, seen: &Seen, status: &ExternalIPPoolStatus) -> ExternalIPPool {
    let mut pool = ExternalIPPool::new(name, ExternalIPPoolSpec::default());
    pool.metadata.uid = Some(seen.uid.clone());
    pool.metadata.resource_version = Some(seen.version.clone());
    pool.status = Some(status.clone());
    pool
}

/// The list is replaced as a whole; `null` takes it away.
fn ingress(entries: &[Ingress]) -> Value {
    if entries.is_empty() {
        return Value::Null;
    }
    let entry = |entry: &Ingress| {
        let fields = [
            ("ip", &entry.ip),
            ("hostname", &entry.hostname),
            ("ipMode", &entry.ip_mode),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some((name.to_owned(), json!(value)))
        });
        Value::Object(fields.collect::<Map<String, Value>>())
    };
    entries.iter().map(entry).collect()
}

#[cfg(test)]
#[path = "write/tests.rs"]
mod tests;
