//! Kubernetes Events: what `kubectl describe` shows below the object.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Resource as _};
use mooring_api::ServiceProxy;
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::remediation::{Note, NoteKind, NoteTarget};

use crate::cluster::{ApiError, Cluster, FIELD_MANAGER, Operation, bounded};
use crate::world::World;

mod delivery;

pub(crate) use delivery::{Outbox, deliver, outbox};

/// The API server refuses longer notes (`NoteLengthLimit` in k8s.io/kubernetes/pkg/apis/core/validation/events.go).
const LONGEST_NOTE: usize = 1024;
/// Events about objects without a namespace live here, as the kubelet's do.
const NO_NAMESPACE: &str = "default";

/// What an Event says about one object.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// The object.
    pub regarding: ObjectReference,
    /// Whether somebody has to look.
    pub kind: NoteKind,
    /// The reason, in one word.
    pub reason: &'static str,
    /// What Mooring did, or tried, in one word.
    pub action: &'static str,
    /// For people.
    pub message: String,
}

/// Writes Events under this replica's name.
#[derive(Clone)]
pub(crate) struct Recorder {
    cluster: Cluster,
    identity: String,
}

// === impl Recorder ===

impl Recorder {
    /// For a replica.
    pub(crate) fn new(cluster: Cluster, identity: String) -> Self {
        Self { cluster, identity }
    }

    /// The same in the log.
    pub(crate) fn log(&self, note: &Note) {
        let (object, reason) = (object(&note.target), note.reason);
        match note.kind {
            NoteKind::Normal => tracing::info!(object, reason, note = note.message, "event"),
            NoteKind::Warning => tracing::warn!(object, reason, note = note.message, "event"),
        }
    }

    /// Writes a note down.
    pub(crate) async fn publish(&self, note: &Note, world: &World) -> Result<(), ApiError> {
        let notice = Notice {
            regarding: regarding(&note.target, world),
            kind: note.kind,
            reason: note.reason,
            action: "Guard",
            message: note.message.clone(),
        };
        self.write(notice).await
    }

    /// Writes an Event.
    pub(crate) async fn write(&self, notice: Notice) -> Result<(), ApiError> {
        let event = event(notice, &self.identity);
        let namespace = event.metadata.namespace.as_deref().unwrap_or(NO_NAMESPACE);
        let operation = Operation::of("create", "events.k8s.io", "events", Some(namespace));
        let api: Api<Event> = Api::namespaced(self.cluster.client.clone(), namespace);
        bounded(operation, api.create(&PostParams::default(), &event)).await?;
        Ok(())
    }
}

/// The object of a note, for the log.
fn object(target: &NoteTarget) -> String {
    match target {
        NoteTarget::ServiceProxy => "ServiceProxy cluster".to_owned(),
        NoteTarget::ConfigMap(id) => format!("ConfigMap {id}"),
        NoteTarget::Node(name) => format!("Node {name}"),
        NoteTarget::Service(id) => format!("Service {id}"),
    }
}

fn regarding(target: &NoteTarget, world: &World) -> ObjectReference {
    match target {
        NoteTarget::ServiceProxy => match world.service_proxy() {
            Some(proxy) => proxy.object_ref(&()),
            None => ObjectReference {
                api_version: Some(ServiceProxy::api_version(&()).into_owned()),
                kind: Some(ServiceProxy::kind(&()).into_owned()),
                name: Some(mooring_api::service_proxy::CLUSTER.to_owned()),
                ..ObjectReference::default()
            },
        },
        NoteTarget::ConfigMap(id) => config_map(id, world),
        NoteTarget::Service(id) => {
            let known = world.services.get(&id.to_string());
            ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Service".to_owned()),
                namespace: Some(id.namespace.clone()),
                name: Some(id.name.clone()),
                uid: known.map(|ingress| ingress.uid.clone()),
                ..ObjectReference::default()
            }
        }
        // The kubelet refers to its node by the name in place of the uid, and `kubectl describe node` asks for that.
        NoteTarget::Node(name) => ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(name.clone()),
            uid: Some(name.clone()),
            ..ObjectReference::default()
        },
    }
}

fn config_map(id: &ObjectName, world: &World) -> ObjectReference {
    let known = world
        .config_maps
        .get(id)
        .and_then(|store| store.get(&id.to_string()));
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        namespace: Some(id.namespace.clone()),
        name: Some(id.name.clone()),
        uid: known.map(|map| map.metadata.uid.clone()),
        resource_version: known.map(|map| map.metadata.resource_version.clone()),
        ..ObjectReference::default()
    }
}

fn event(notice: Notice, identity: &str) -> Event {
    let now = jiff::Timestamp::now();
    let regarding = notice.regarding;
    let namespace = regarding.namespace.clone();
    Event {
        metadata: ObjectMeta {
            namespace: Some(namespace.unwrap_or_else(|| NO_NAMESPACE.to_owned())),
            name: Some(format!(
                "{}.{:x}",
                regarding.name.as_deref().unwrap_or("mooring"),
                now.as_nanosecond()
            )),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(notice.kind.as_str().to_owned()),
        reason: Some(notice.reason.to_owned()),
        action: Some(notice.action.to_owned()),
        note: Some(shortened(&notice.message)),
        regarding: Some(regarding),
        reporting_controller: Some(format!("mooring.dev/{FIELD_MANAGER}")),
        reporting_instance: Some(identity.chars().take(128).collect()),
        ..Event::default()
    }
}

/// As much of a note as the API server takes; conditions have the rest.
fn shortened(note: &str) -> String {
    const MORE: &str = " ...";
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let end = note.floor_char_boundary(LONGEST_NOTE - MORE.len());
    format!("{}{MORE}", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_to_what_the_api_server_takes() {
        let long = "é".repeat(1000);
        let cut = shortened(&long);
        assert!(cut.len() <= LONGEST_NOTE, "{}", cut.len());
        assert!(cut.ends_with("é ..."));
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn an_event_about_a_node_is_where_kubectl_describe_looks_for_it() {
        let notice = Notice {
            regarding: regarding(&NoteTarget::Node("n1".to_owned()), &World::default()),
            kind: NoteKind::Warning,
            reason: "NodeAnswers",
            action: "Guard",
            message: "why".to_owned(),
        };
        let event = event(notice, "me");
        let regarding = event.regarding.unwrap();
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(regarding.uid.as_deref(), Some("n1"));
        assert_eq!(event.type_.as_deref(), Some("Warning"));
    }
}
