//! The Leases of Fenced addresses: what [`mooring_core::fencing`] asks of the API server, and what that answers.
//!
//! Each is asked for by its name, and without a `resourceVersion`, so that the API server answers with what etcd has now. What
//! is written bears the version that it takes the place of: the API server refuses it if there is another one by then.
//!
//! A Lease is owned by the ExternalIP of its address, so that Kubernetes' garbage collector removes it after that. Whoever still
//! counts on one that is removed is safe: see [`mooring_core::fencing`].

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use mooring_api::ExternalIP;
use mooring_core::fencing::{Answer, Call, PATIENCE, Record, Request, Seen, lease_name};
use mooring_core::ipam::object_name;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::mpsc;

use super::{FIELD_MANAGER, Trouble};

/// Begins to ask what is sent here. `tell` is called with each answer. It ends when nobody can ask any more.
pub(crate) fn start(
    client: Client,
    namespace: &str,
    tell: impl Fn(&Request, Answer) + Clone + Send + 'static,
) -> mpsc::UnboundedSender<Request> {
    let (sender, mut requests) = mpsc::unbounded_channel::<Request>();
    let leases = Leases {
        api: Api::namespaced(client.clone(), namespace),
        owners: Api::all(client),
    };
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let (leases, tell) = (leases.clone(), tell.clone());
            tokio::spawn(async move {
                let answer = match tokio::time::timeout(PATIENCE, leases.ask(&request)).await {
                    Ok(answer) => answer,
                    Err(_) => Answer::Lost(format!("no answer within {} s", PATIENCE.as_secs())),
                };
                tell(&request, answer);
            });
        }
    });
    sender
}

#[derive(Clone)]
struct Leases {
    api: Api<Lease>,
    owners: Api<ExternalIP>,
}

// === impl Leases ===

impl Leases {
    async fn ask(&self, request: &Request) -> Answer {
        let name = lease_name(request.address);
        let result = match &request.call {
            Call::Look => self.api.get_opt(&name).await,
            Call::Write {
                version,
                record,
                new,
            } => {
                let body = body(&name, version.as_deref(), record, *new);
                let written = match version {
                    Some(_) => {
                        let parameters = PatchParams {
                            field_manager: Some(FIELD_MANAGER.to_owned()),
                            ..PatchParams::default()
                        };
                        let patch = Patch::Merge(&body);
                        self.api.patch(&name, &parameters, &patch).await
                    }
                    None => self.create(request.address, body).await,
                };
                written.map(Some)
            }
        };
        answer(result)
    }

    /// There is nothing to answer for without an ExternalIP.
    async fn create(&self, address: IpAddr, body: Value) -> kube::Result<Lease> {
        let owner = self.owners.get_metadata(&object_name::of(address)).await?;
        let mut lease: Lease = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
        lease.metadata.owner_references = owner.owner_ref(&()).map(|owner| vec![owner]);
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        self.api.create(&parameters, &lease).await
    }
}

fn answer(result: kube::Result<Option<Lease>>) -> Answer {
    match result {
        Ok(lease) => Answer::Is(lease.as_ref().map(seen)),
        Err(error) => match Trouble::from(&error) {
            Trouble::Conflict(_) | Trouble::NotFound => Answer::Conflict,
            trouble => Answer::Lost(trouble.to_string()),
        },
    }
}

fn seen(lease: &Lease) -> Seen {
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.clone());
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
    let transitions = spec.and_then(|spec| spec.lease_transitions);
    Seen {
        version: lease.resource_version().unwrap_or_default(),
        record: Record {
            holder: holder.filter(|holder| !holder.is_empty()),
            duration: Duration::from_secs(seconds.and_then(|of| of.try_into().ok()).unwrap_or(0)),
            transitions: transitions.and_then(|of| of.try_into().ok()).unwrap_or(0),
        },
    }
}

/// What is written. The times are for whoever reads it: nobody counts by them.
fn body(name: &str, version: Option<&str>, record: &Record, new: bool) -> Value {
    let now = MicroTime(Timestamp::now());
    let mut body = json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "mooring"}},
        "spec": {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": record.duration.as_secs(),
            "leaseTransitions": record.transitions,
            "renewTime": now,
        },
    });
    if let Some(version) = version {
        body["metadata"]["resourceVersion"] = version.into();
    }
    if new {
        body["spec"]["acquireTime"] = json!(now);
    }
    body
}

#[cfg(test)]
mod tests;
