//! `explain`: why a Service has its address, or none; who has an address.

use std::sync::Arc;

use mooring_core::ipam::service::Service;
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};

use crate::args::{Connection, ExplainArguments};
use crate::cluster::{Cluster, ClusterError};
use crate::look::{self, Seen};
use crate::output::Output;
use crate::subject::Subject;
use crate::{explanation, near, render};

/// The status for a Service that is not there, and for an argument that is none.
const EXIT_NOT_FOUND: u8 = 1;
/// The status for an explanation with gaps.
const EXIT_INCOMPLETE: u8 = 2;

/// Reads, decides as the operator does, and prints why.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &ExplainArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let subject: Subject = match arguments.subject.parse() {
        Ok(subject) => subject,
        Err(problem) => return refuse(out, &problem.to_string()),
    };
    let cluster = Cluster::connect(connection).await?;
    let wanted = match service_name(&subject, connection, &cluster) {
        Ok(wanted) => wanted,
        Err(problem) => return refuse(out, &problem),
    };
    let now = Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second());
    let seen = look::read(&cluster, now).await.map_err(installed)?;
    let found = match (&subject, wanted) {
        (Subject::Address(address), _) => explanation::address(&seen.look, *address),
        (Subject::Service { .. }, wanted) => {
            let id = wanted.unwrap_or_default();
            match service(&seen, &id) {
                Some(service) => explanation::service(&seen.look, service),
                None => return refuse(out, &near::missing(&id, &seen.services)),
            }
        }
    };
    let text = render::explanation(&found, arguments.output, out.style)?;
    out.bytes(text.as_bytes())?;
    Ok(if found.incomplete.is_empty() {
        0
    } else {
        EXIT_INCOMPLETE
    })
}

/// The Service that is asked about, with its namespace.
fn service_name(
    subject: &Subject,
    connection: &Connection,
    cluster: &Cluster,
) -> Result<Option<ObjectName>, String> {
    let Subject::Service { namespace, name } = subject else {
        return Ok(None);
    };
    match (namespace, &connection.namespace) {
        (Some(said), Some(flag)) if said != flag => Err(format!(
            "{said}/{name} is in namespace {said}, and --namespace says {flag}: leave one of them out"
        )),
        (Some(said), _) => Ok(Some(ObjectName::new(said, name))),
        (None, Some(flag)) => Ok(Some(ObjectName::new(flag, name))),
        (None, None) => Ok(Some(ObjectName::new(cluster.namespace(), name))),
    }
}

fn service<'s>(seen: &'s Seen, id: &ObjectName) -> Option<&'s Arc<Service>> {
    seen.services.iter().find(|service| service.id == *id)
}

fn refuse(out: &mut Output, problem: &str) -> anyhow::Result<u8> {
    out.error(problem);
    Ok(EXIT_NOT_FOUND)
}

/// Without its kinds there is nothing to explain, and nothing to move.
pub(crate) fn installed(error: anyhow::Error) -> anyhow::Error {
    let hint = match error.downcast_ref() {
        Some(ClusterError::NotFound { operation }) if operation.group == "mooring.dev" => format!(
            "this cluster has no {}.{}, so Mooring gives no address to any Service: install it with kubectl apply -k manifests",
            operation.resource, operation.group
        ),
        _ => return error,
    };
    anyhow::anyhow!(hint)
}
