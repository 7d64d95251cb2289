//! That a node is about to go, as Kubernetes tells it before its Pods are gone.

use std::fmt;

/// The reason by which a kubelet says that its node is not ready; another writer of the condition has its own.
const KUBELET_NOT_READY: &str = "KubeletNotReady";
/// What the message says while the node shuts down, alone or in a list of problems
/// (`ShutdownStatus` in k8s.io/kubernetes/pkg/kubelet/nodeshutdown/nodeshutdown_manager_linux.go).
const SHUTTING_DOWN: &str = "node is shutting down";

/// Why a node is about to go, or is gone for good. Prints as a clause about the node, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// Its kubelet shuts it down: it has stopped taking Pods, and gives those that run some time.
    ShuttingDown,
    /// Somebody took it out of service, so that its Pods and volumes are freed.
    OutOfService,
    /// Its provider says that the machine is off.
    ShutDown,
    /// The cluster autoscaler is about to delete it.
    ToBeDeleted,
}

impl Exit {
    /// From the reason and the message of the condition `Ready` while that is not `True`, and the keys of the taints. What the
    /// kubelet says itself comes first, as it is about this very moment.
    pub fn of<'a>(
        not_ready: Option<(&str, &str)>,
        taints: impl IntoIterator<Item = &'a str>,
    ) -> Option<Self> {
        if let Some((KUBELET_NOT_READY, message)) = not_ready
            && message.contains(SHUTTING_DOWN)
        {
            return Some(Self::ShuttingDown);
        }
        taints.into_iter().filter_map(Self::by_taint).min()
    }

    /// The taint that says so; its effect does not matter.
    fn by_taint(key: &str) -> Option<Self> {
        match key {
            "node.kubernetes.io/out-of-service" => Some(Self::OutOfService),
            "node.cloudprovider.kubernetes.io/shutdown" => Some(Self::ShutDown),
            "ToBeDeletedByClusterAutoscaler" => Some(Self::ToBeDeleted),
            _ => None,
        }
    }

    /// The name of the reason, for conditions, events and `-o json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShuttingDown => "ShuttingDown",
            Self::OutOfService => "OutOfService",
            Self::ShutDown => "ShutDown",
            Self::ToBeDeleted => "ToBeDeleted",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShuttingDown => {
                "its kubelet shuts it down, so that its addresses belong to other nodes until it is ready again"
            }
            Self::OutOfService => {
                "it was taken out of service (taint node.kubernetes.io/out-of-service), so that its addresses belong to other nodes \
                 until the taint is removed"
            }
            Self::ShutDown => {
                "its provider says that it is off (taint node.cloudprovider.kubernetes.io/shutdown), so that its addresses belong \
                 to other nodes"
            }
            Self::ToBeDeleted => {
                "the cluster autoscaler is about to delete it (taint ToBeDeletedByClusterAutoscaler), so that its addresses belong \
                 to other nodes"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_that_shuts_down_is_told_from_one_that_has_other_problems() {
        let of = |reason, message| Exit::of(Some((reason, message)), []);
        let table = [
            ("KubeletNotReady", "node is shutting down", true),
            (
                "KubeletNotReady",
                "[container runtime is down, node is shutting down]",
                true,
            ),
            ("KubeletNotReady", "PLEG is not healthy", false),
            (
                "NodeStatusUnknown",
                "Kubelet stopped posting node status.",
                false,
            ),
            ("Custom", "node is shutting down", false),
        ];
        for (reason, message, shuts_down) in table {
            let expected = shuts_down.then_some(Exit::ShuttingDown);
            assert_eq!(of(reason, message), expected, "{reason}: {message}");
        }
        assert_eq!(Exit::of(None, []), None);
    }

    #[test]
    fn taints_tell_it_too_and_the_kubelet_comes_first() {
        let off = "node.cloudprovider.kubernetes.io/shutdown";
        let out = "node.kubernetes.io/out-of-service";
        assert_eq!(
            Exit::of(None, ["example.com/gpu", off]),
            Some(Exit::ShutDown)
        );
        assert_eq!(Exit::of(None, [off, out]), Some(Exit::OutOfService));
        assert_eq!(
            Exit::of(None, ["ToBeDeletedByClusterAutoscaler"]),
            Some(Exit::ToBeDeleted)
        );
        assert_eq!(
            Exit::of(Some(("KubeletNotReady", "node is shutting down")), [out]),
            Some(Exit::ShuttingDown)
        );
        assert_eq!(Exit::of(None, ["node.kubernetes.io/unschedulable"]), None);
    }
}
