//! The Leases of Fenced addresses: what [`mooring_core::fencing`] asks of the API server, and what that answers.
//!
//! Each is asked for by its name, and without a `resourceVersion`, so that the API server answers with what etcd has now. What
//! is written bears the version that it takes the place of: the API server refuses it if there is another one by then.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use mooring_core::fencing::{Answer, Call, PATIENCE, Record, Request, Seen, lease_name};
use serde_json::{Value, json};
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
    let api: Api<Lease> = Api::namespaced(client, namespace);
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let (api, tell) = (api.clone(), tell.clone());
            tokio::spawn(async move {
                let answer = match tokio::time::timeout(PATIENCE, ask(&api, &request)).await {
                    Ok(answer) => answer,
                    Err(_) => Answer::Lost(format!("no answer within {} s", PATIENCE.as_secs())),
                };
                tell(&request, answer);
            });
        }
    });
    sender
}

async fn ask(api: &Api<Lease>, request: &Request) -> Answer {
    let name = lease_name(request.address);
    let result = match &request.call {
        Call::Look => api.get_opt(&name).await,
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
                    api.patch(&name, &parameters, &Patch::Merge(&body)).await
                }
                None => create(api, body).await,
            };
            written.map(Some)
        }
    };
    answer(result)
}

async fn create(api: &Api<Lease>, body: Value) -> kube::Result<Lease> {
    let lease = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    api.create(&parameters, &lease).await
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
