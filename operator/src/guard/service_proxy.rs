//! The ServiceProxy as an object: made once, held while there is something to put back, let go.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use mooring_api::ServiceProxy;
use mooring_api::service_proxy::{CLUSTER, ServiceProxySpec, Sysctls};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::{Note, NoteTarget};
use serde_json::{Value, json};

use super::Guard;
use super::farewell::{FINALIZER, Farewell, farewell, holds};
use crate::cache::Update;
use crate::cluster::{ApiError, FIELD_MANAGER, Operation, bounded};
use crate::world::Change;

/// On the Lease: there was a ServiceProxy once. Whoever deletes it is not overruled.
const CREATED: &str = "mooring.dev/created-service-proxy";

// === impl Guard ===

impl Guard {
    /// There is none. On a fresh installation one is made; one that somebody deleted stays away.
    pub(super) async fn without_service_proxy(&mut self) -> Result<(), ApiError> {
        self.context.metrics.forget();
        if !self.marked {
            self.marked = self.lease_is_marked().await?;
        }
        if self.marked {
            if !self.idle_said {
                self.idle_said = true;
                tracing::warn!(
                    "nothing is guarded, as the service proxy `cluster` was deleted; create it again to have it guarded"
                );
            }
            return Ok(());
        }
        let proxy = ServiceProxy {
            metadata: ObjectMeta {
                name: Some(CLUSTER.to_owned()),
                ..ObjectMeta::default()
            },
            spec: ServiceProxySpec::default(),
            status: None,
        };
        let api: Api<ServiceProxy> = Api::all(self.context.cluster.client.clone());
        let operation = Operation::of("create", "mooring.dev", "serviceproxies", None);
        match bounded(operation, api.create(&parameters(), &proxy)).await {
            Ok(made) => {
                tracing::info!("service proxy created, with every default");
                self.know_service_proxy(Some(made));
            }
            Err(ApiError::Conflict { .. }) => self.read_service_proxy().await?,
            Err(error) => return Err(error),
        }
        self.stale = true;
        Ok(())
    }

    /// Notes on the Lease that there is a ServiceProxy, whoever made it.
    pub(super) async fn remember_service_proxy(&mut self) -> Result<(), ApiError> {
        if self.marked || self.lease_is_marked().await? {
            self.marked = true;
            return Ok(());
        }
        let change = json!({"metadata": {"annotations": {CREATED: "true"}}});
        let api = self.lease_api();
        let lease = &self.context.lease;
        let (parameters, change) = (PatchParams::default(), Patch::Merge(&change));
        let request = api.patch(lease, &parameters, &change);
        bounded(self.lease_operation("patch"), request).await?;
        self.marked = true;
        Ok(())
    }

    async fn lease_is_marked(&self) -> Result<bool, ApiError> {
        let api = self.lease_api();
        let lease = bounded(self.lease_operation("get"), api.get(&self.context.lease)).await?;
        let annotations = lease.metadata.annotations.unwrap_or_default();
        Ok(annotations.contains_key(CREATED))
    }

    fn lease_api(&self) -> Api<Lease> {
        let cluster = &self.context.cluster;
        Api::namespaced(cluster.client.clone(), &cluster.namespace)
    }

    fn lease_operation(&self, verb: &'static str) -> Operation {
        let namespace = &self.context.cluster.namespace;
        Operation::on(
            verb,
            "coordination.k8s.io",
            "leases",
            namespace,
            &self.context.lease,
        )
    }

    /// Puts the finalizer on or takes it off, as needed; true if it wrote.
    pub(super) async fn hold(&mut self, proxy: &ServiceProxy) -> Result<bool, ApiError> {
        let enforces = proxy.spec.strict_arp.sysctls == Sysctls::Enforce;
        let needed = holds(enforces, self.views.nodes(&self.world));
        let there = finalizers(proxy).iter().any(|name| name == FINALIZER);
        if needed == there {
            return Ok(false);
        }
        self.set_finalizer(proxy, needed).await?;
        Ok(true)
    }

    /// Lets a deleted ServiceProxy go as soon as the agents have put back what they raised, or cannot be asked.
    pub(super) async fn say_farewell(
        &mut self,
        proxy: &ServiceProxy,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if !finalizers(proxy).iter().any(|name| name == FINALIZER) {
            return Ok(());
        }
        let deleted = proxy.metadata.deletion_timestamp.as_ref();
        let deleted = deleted.map_or(now, mooring_api::timestamp);
        match farewell(self.views.nodes(&self.world), deleted, now) {
            Farewell::Wait { nodes } => {
                if self.farewell_said != nodes {
                    tracing::info!(
                        nodes = nodes.join(", "),
                        "service proxy waits for sysctls to be put back"
                    );
                    self.farewell_said = nodes;
                }
                self.wake = self
                    .wake
                    .min(tokio::time::Instant::now() + super::FAREWELL_GAP);
                Ok(())
            }
            Farewell::Go { unasked } => {
                if !unasked.is_empty() {
                    self.tell(&[left_raised(&unasked)]).await;
                }
                self.set_finalizer(proxy, false).await
            }
        }
    }

    async fn set_finalizer(&mut self, proxy: &ServiceProxy, on: bool) -> Result<(), ApiError> {
        let mut names = finalizers(proxy).to_vec();
        names.retain(|name| name != FINALIZER);
        if on {
            names.push(FINALIZER.to_owned());
        }
        let change: Value = json!({"metadata": {
            "resourceVersion": proxy.metadata.resource_version,
            "finalizers": names,
        }});
        let api: Api<ServiceProxy> = Api::all(self.context.cluster.client.clone());
        let operation = Operation::on_global("patch", "mooring.dev", "serviceproxies", CLUSTER);
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let change = Patch::Merge(&change);
        let request = api.patch(CLUSTER, &parameters, &change);
        match bounded(operation, request).await {
            // A deleted object whose last finalizer goes is gone.
            Ok(left) if left.metadata.deletion_timestamp.is_some() => {
                tracing::info!(finalizer = FINALIZER, "service proxy released");
                self.read_service_proxy().await?;
            }
            Ok(written) => {
                tracing::info!(finalizer = FINALIZER, on, "finalizer set");
                self.know_service_proxy(Some(written));
            }
            Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {
                self.read_service_proxy().await?;
            }
            Err(error) => return Err(error),
        }
        self.stale = true;
        Ok(())
    }

    /// Reads it past the watch, which may be behind.
    pub(super) async fn read_service_proxy(&mut self) -> Result<(), ApiError> {
        let api: Api<ServiceProxy> = Api::all(self.context.cluster.client.clone());
        let operation = Operation::on_global("get", "mooring.dev", "serviceproxies", CLUSTER);
        let found = bounded(operation, api.get_opt(CLUSTER)).await?;
        self.know_service_proxy(found);
        Ok(())
    }

    /// What was read or written is known from now on, whenever the watch brings it.
    pub(super) fn know_service_proxy(&mut self, proxy: Option<ServiceProxy>) {
        let key = CLUSTER.to_owned();
        let update = match proxy {
            Some(mut proxy) => {
                proxy.metadata.managed_fields = None;
                Update::Set(key, Box::new(proxy))
            }
            None => Update::Gone(key),
        };
        self.take_in(Change::ServiceProxy(update));
    }
}

fn finalizers(proxy: &ServiceProxy) -> &[String] {
    proxy.metadata.finalizers.as_deref().unwrap_or_default()
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn left_raised(nodes: &[String]) -> Note {
    Note::warning(
        NoteTarget::ServiceProxy,
        "SysctlsLeftRaised",
        format!(
            "this object goes, but the agents of these nodes could not be asked to put back the sysctls that they had \
             raised: {}. They keep arp_ignore 1 and arp_announce 2 until a restart; to put them back now, set \
             net.ipv4.conf.*.arp_ignore and arp_announce there to what the NodeProxyState says they were",
            nodes.join(", ")
        ),
    )
}
