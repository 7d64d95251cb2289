//! Since when nodes lack their agent or their kube-proxy, and whether they died. Only whoever looks all the time can tell.

use std::collections::BTreeMap;

use mooring_core::external_ip::ClusterNode;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::placement::{Life, is_unserved};

/// Since when, by node. What began before this process did is taken to begin with it.
#[derive(Debug, Default)]
pub(super) struct Lapses {
    silent: BTreeMap<String, Timestamp>,
    unserved: BTreeMap<String, Timestamp>,
    lives: BTreeMap<String, Life>,
}

// === impl Lapses ===

impl Lapses {
    /// Tells every node since when it lacks something, and forgets what it does not lack any more.
    pub(super) fn note(&mut self, nodes: &mut [ClusterNode], now: Timestamp) {
        let mut next = Self::default();
        for node in nodes {
            let name = &node.view.name;
            if let Some(before) = self.lives.get(name) {
                node.life.follow(before, node.view.ready, now);
            }
            next.lives.insert(name.clone(), node.life.clone());
            let since =
                |former: &BTreeMap<String, Timestamp>| former.get(name).copied().unwrap_or(now);
            if !node.view.reporting {
                let since = since(&self.silent);
                next.silent.insert(name.clone(), since);
                node.silent_since = Some(since);
            }
            if is_unserved(&node.view) {
                let since = since(&self.unserved);
                next.unserved.insert(name.clone(), since);
                node.unserved_since = Some(since);
            }
        }
        *self = next;
    }
}

#[cfg(test)]
mod tests {
    use mooring_core::condition::{Condition, KubeProxyHealthyReason};
    use mooring_core::node::{NodeReport, NodeView};

    use super::*;

    fn node(reporting: bool, serves: bool) -> ClusterNode {
        let reason = if serves {
            KubeProxyHealthyReason::Healthy
        } else {
            KubeProxyHealthyReason::NotRunning
        };
        let report = NodeReport {
            conditions: vec![Condition::new(reason, "")],
            ..NodeReport::default()
        };
        ClusterNode {
            view: NodeView {
                name: "n1".to_owned(),
                ready: true,
                reporting,
                report: Some(report),
            },
            labels: BTreeMap::new(),
            cordoned: false,
            draining: false,
            exit: None,
            life: Life::default(),
            silent_since: None,
            unserved_since: None,
            addresses: Vec::new(),
            pod_cidrs: Vec::new(),
        }
    }

    #[test]
    fn a_boot_that_nobody_announced_is_remembered_until_the_process_ends() {
        let mut lapses = Lapses::default();
        let mut look = |boot: &str, second| {
            let mut nodes = [node(true, true)];
            nodes[0].life.boot = boot.to_owned();
            lapses.note(&mut nodes, Timestamp::from_unix_seconds(second));
            nodes[0].life.restarted.map(Timestamp::unix_seconds)
        };
        assert_eq!(look("a", 10), None);
        assert_eq!(look("b", 20), Some(20));
        assert_eq!(look("b", 30), Some(20));
    }

    #[test]
    fn a_lapse_begins_when_it_is_first_seen_and_ends_when_it_is_over() {
        let mut lapses = Lapses::default();
        let mut look = |reporting, serves, second| {
            let mut nodes = [node(reporting, serves)];
            lapses.note(&mut nodes, Timestamp::from_unix_seconds(second));
            let seconds = |since: Option<Timestamp>| since.map(Timestamp::unix_seconds);
            (
                seconds(nodes[0].silent_since),
                seconds(nodes[0].unserved_since),
            )
        };
        assert_eq!(look(true, true, 10), (None, None));
        assert_eq!(look(false, true, 20), (Some(20), None));
        assert_eq!(look(false, false, 30), (Some(20), Some(30)));
        assert_eq!(look(true, false, 40), (None, Some(30)));
        assert_eq!(look(false, true, 50), (Some(50), None));
    }
}
