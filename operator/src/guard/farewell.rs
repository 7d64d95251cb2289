//! The end of a ServiceProxy: sysctls that agents raised are put back before it goes.

use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::node::NodeView;

/// Holds a ServiceProxy until the agents have put back what they raised.
pub(super) const FINALIZER: &str = "mooring.dev/restore-sysctls";

/// How long that may take. The agents look every few seconds; a node that is off cannot be waited for.
pub(super) const PATIENCE_SECONDS: i64 = 60;

/// Whether the ServiceProxy may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Not yet: these nodes are still putting back what was raised.
    Wait {
        /// Their names.
        nodes: Vec<String>,
    },
    /// It may.
    Go {
        /// Nodes whose sysctls stay raised, as far as is known.
        unasked: Vec<String>,
    },
}

/// There is something to put back, or there may be.
pub(super) fn holds(enforces: bool, nodes: &[NodeView]) -> bool {
    enforces || nodes.iter().any(raised)
}

/// Decides for a ServiceProxy that was deleted at `deleted`.
pub(super) fn farewell(nodes: &[NodeView], deleted: Timestamp, now: Timestamp) -> Farewell {
    let names = |nodes: Vec<&NodeView>| nodes.into_iter().map(|node| node.name.clone()).collect();
    let raised: Vec<&NodeView> = nodes.iter().filter(|node| raised(node)).collect();
    let awaited: Vec<&NodeView> = raised
        .iter()
        .copied()
        .filter(|node| node.reporting)
        .collect();
    if awaited.is_empty() || now >= deleted.plus_seconds(PATIENCE_SECONDS) {
        Farewell::Go {
            unasked: names(raised),
        }
    } else {
        Farewell::Wait {
            nodes: names(awaited),
        }
    }
}

fn raised(node: &NodeView) -> bool {
    node.report
        .as_ref()
        .is_some_and(|report| !report.raised.is_empty())
}

#[cfg(test)]
#[path = "farewell/tests.rs"]
mod tests;
