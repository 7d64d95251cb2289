//! How far a rollout is, told from the pods seen at each look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::kube_proxy::snapshot::Pod;

use super::plan::Rollout;

/// A process that starts, fails and starts again this often will not come up by waiting.
const HOPELESS_RESTARTS: i32 = 2;

/// Follows one rollout. Feed it every look at the DaemonSet's pods; it says what is new, once.
#[derive(Debug, Clone)]
pub struct Progress {
    container: String,
    /// Old pods by uid: node and name.
    old: BTreeMap<String, (String, String)>,
    stopping: BTreeSet<String>,
    gone: BTreeSet<String>,
    started: BTreeSet<String>,
    ready: BTreeSet<String>,
    /// What was last said about the trouble of a node.
    trouble: BTreeMap<String, String>,
    failed: Option<Trouble>,
}

/// Why a pod does not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The node.
    pub node: String,
    /// The pod.
    pub pod: String,
    /// The kubelet's reason and message, and how the process ended last time.
    pub why: String,
}

/// Something new in a rollout; prints as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An old pod is being stopped.
    OldPodStopping {
        /// The node.
        node: String,
        /// The pod.
        pod: String,
    },
    /// An old pod is gone.
    OldPodGone {
        /// The node.
        node: String,
        /// The pod.
        pod: String,
    },
    /// A new pod was created.
    NewPodStarting {
        /// The node.
        node: String,
        /// The pod.
        pod: String,
    },
    /// A new pod is Ready.
    NewPodReady {
        /// The node.
        node: String,
        /// The pod.
        pod: String,
        /// Nodes done so far.
        done: usize,
        /// Nodes in all.
        total: usize,
    },
    /// A new pod has trouble to start.
    Trouble(Trouble),
}

/// The state of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These nodes are not done.
    Waiting(Vec<String>),
    /// All are done.
    Done,
    /// A new pod will not come up by waiting.
    Failed(Trouble),
}

// === impl Progress ===

impl Progress {
    /// Before the first look.
    pub fn new(rollout: &Rollout) -> Self {
        Self {
            container: rollout.container.clone(),
            old: rollout
                .pods
                .iter()
                .map(|pod| (pod.uid.clone(), (pod.node.clone(), pod.id.name.clone())))
                .collect(),
            stopping: BTreeSet::new(),
            gone: BTreeSet::new(),
            started: BTreeSet::new(),
            ready: BTreeSet::new(),
            trouble: BTreeMap::new(),
            failed: None,
        }
    }

    /// Takes a look at the DaemonSet's pods and returns what is new.
    pub fn observe(&mut self, pods: &[Pod]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut seen: Vec<&Pod> = pods.iter().collect();
        seen.sort_by_key(|pod| &pod.metadata.id.name);
        for (uid, (node, pod)) in &self.old {
            let (node, pod) = (node.clone(), pod.clone());
            match seen.iter().find(|other| other.metadata.uid == *uid) {
                None if self.gone.insert(uid.clone()) => {
                    events.push(Event::OldPodGone { node, pod });
                }
                Some(other) if other.metadata.terminating && self.stopping.insert(uid.clone()) => {
                    events.push(Event::OldPodStopping { node, pod });
                }
                _ => {}
            }
        }
        let nodes: BTreeSet<String> = self.nodes().map(str::to_owned).collect();
        for pod in seen {
            let Some(node) = pod.node.clone().filter(|node| nodes.contains(node)) else {
                continue;
            };
            if !self.old.contains_key(&pod.metadata.uid) && !pod.metadata.terminating {
                self.observe_new(node, pod, nodes.len(), &mut events);
            }
        }
        events
    }

    fn observe_new(&mut self, node: String, pod: &Pod, total: usize, events: &mut Vec<Event>) {
        let name = pod.metadata.id.name.clone();
        if self.started.insert(pod.metadata.uid.clone()) {
            events.push(Event::NewPodStarting {
                node: node.clone(),
                pod: name.clone(),
            });
        }
        if pod.ready {
            self.trouble.remove(&node);
            if self.ready.insert(node.clone()) {
                events.push(Event::NewPodReady {
                    node,
                    pod: name,
                    done: self.ready.len(),
                    total,
                });
            }
            return;
        }
        self.ready.remove(&node);
        let Some((why, hopeless)) = trouble(pod, &self.container) else {
            return;
        };
        let trouble = Trouble {
            node: node.clone(),
            pod: name,
            why,
        };
        if hopeless {
            self.failed = Some(trouble.clone());
        }
        if self.trouble.insert(node, trouble.why.clone()).as_ref() != Some(&trouble.why) {
            events.push(Event::Trouble(trouble));
        }
    }

    /// The state after the last look.
    pub fn outcome(&self) -> Outcome {
        if let Some(trouble) = &self.failed {
            return Outcome::Failed(trouble.clone());
        }
        let waiting: BTreeSet<&str> = self
            .nodes()
            .filter(|node| !self.ready.contains(*node))
            .chain(
                self.old
                    .iter()
                    .filter(|(uid, _)| !self.gone.contains(*uid))
                    .map(|(_, (node, _))| node.as_str()),
            )
            .collect();
        if waiting.is_empty() {
            Outcome::Done
        } else {
            Outcome::Waiting(waiting.into_iter().map(str::to_owned).collect())
        }
    }

    /// What is known about why a node is not done, if anything.
    pub fn trouble_on(&self, node: &str) -> Option<&str> {
        self.trouble.get(node).map(String::as_str)
    }

    fn nodes(&self) -> impl Iterator<Item = &str> {
        self.old.values().map(|(node, _)| node.as_str())
    }
}

/// Why a pod's kube-proxy does not run, in the kubelet's words, and whether waiting is hopeless.
pub(super) fn trouble(pod: &Pod, container: &str) -> Option<(String, bool)> {
    let status = pod.container(container)?;
    let (reason, message) = status.waiting.as_ref()?;
    if matches!(
        reason.as_str(),
        "" | "ContainerCreating" | "PodInitializing"
    ) {
        return None;
    }
    let mut why = reason.clone();
    if !message.is_empty() {
        why.push_str(": ");
        why.push_str(message);
    }
    if let Some((code, text)) = &status.last_exit {
        why.push_str(&format!(" (the last run ended with status {code}"));
        if !text.is_empty() {
            why.push_str(&format!(", {}", text.trim()));
        }
        why.push(')');
    }
    let hopeless = reason == "CrashLoopBackOff" && status.restarts >= HOPELESS_RESTARTS;
    Some((why, hopeless))
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: pod {}: {}", self.node, self.pod, self.why)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldPodStopping { node, pod } => {
                write!(f, "node {node}: old pod {pod} is stopping")
            }
            Self::OldPodGone { node, pod } => write!(f, "node {node}: old pod {pod} is gone"),
            Self::NewPodStarting { node, pod } => {
                write!(f, "node {node}: new pod {pod} is starting")
            }
            Self::NewPodReady {
                node,
                pod,
                done,
                total,
            } => write!(f, "node {node}: new pod {pod} is Ready ({done} of {total})"),
            Self::Trouble(trouble) => trouble.fmt(f),
        }
    }
}

#[cfg(test)]
#[path = "progress/tests.rs"]
mod tests;
