//! What is told as a Kubernetes Event.

use crate::kube_proxy::snapshot::ObjectName;

/// Something that happened, for an Event. Notes are made from the difference between the former, persisted state and the
/// new one, so that an operator that starts again repeats none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The object that the Event is about.
    pub target: NoteTarget,
    /// Whether somebody has to look.
    pub kind: NoteKind,
    /// The reason, in one word.
    pub reason: &'static str,
    /// For people: what is, why it matters, what to do.
    pub message: String,
}

/// The object that a note is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteTarget {
    /// The ServiceProxy of the cluster.
    ServiceProxy,
    /// A ConfigMap with kube-proxy's configuration.
    ConfigMap(ObjectName),
    /// A node.
    Node(String),
    /// A Service.
    Service(ObjectName),
}

/// The type of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// For the record.
    Normal,
    /// Somebody has to look.
    Warning,
}

impl NoteKind {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

impl Note {
    /// A note for the record.
    pub fn normal(target: NoteTarget, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            target,
            kind: NoteKind::Normal,
            reason,
            message: message.into(),
        }
    }

    /// A note that somebody has to look at.
    pub fn warning(target: NoteTarget, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: NoteKind::Warning,
            ..Self::normal(target, reason, message)
        }
    }
}
