//! What the agents know beyond the API, put into an assessment.

use crate::condition::{ConditionStatus, EffectiveReason};
use crate::node::NodeView;
use crate::remediation::finding::NodeFinding;
use crate::remediation::{Assessment, Notice, NoticeReason, Reason, Safety};

use super::effective::{Nodes, Quietness, disquiet, effective};

/// An assessment of what is configured, together with what the nodes do now. Without an agent that reports it stays as it
/// is.
///
/// A node that answers for what it does not own makes the cluster unsafe, whatever is configured. Nodes that all keep quiet
/// make it safe where the API does not show the configuration; where it shows one that is wrong they do not, as it takes
/// effect at the next restart.
pub fn confirm(mut found: Assessment, nodes: &[NodeView]) -> Assessment {
    if !nodes.iter().any(|node| node.reporting) {
        return found;
    }
    let known = Nodes::of(nodes);
    found.nodes = known.each.iter().map(finding).collect();
    let live = effective(&known);
    match live.status {
        ConditionStatus::False if found.verdict != Safety::NotSafe => {
            found.verdict = Safety::NotSafe;
            found.reason = Reason::NodesNotQuiet;
            found.message = live.message;
            found.next_step = Some(
                "restart kube-proxy on these nodes: with ipvs.strictARP true it sets the sysctls when it starts; if they are \
                 set back again, the NodeProxyState names the file that does it (kubectl describe nodeproxystates)"
                    .to_owned(),
            );
        }
        ConditionStatus::False => notice(&mut found, live.message),
        ConditionStatus::Unknown => notice(&mut found, live.message),
        ConditionStatus::True if hidden(found.reason) && all_answer(&known) => {
            found.verdict = Safety::Safe;
            found.message = format!(
                "{}, as their agents report; the API does not show how they are configured ({})",
                live.message, found.reason
            );
            found.reason = Reason::NodesQuiet;
            found.next_step = None;
        }
        ConditionStatus::True if live.is(EffectiveReason::Quiet) => {
            found.message = format!("{}; now, {}", found.message, live.message);
        }
        ConditionStatus::True => {}
    }
    found
}

fn notice(found: &mut Assessment, message: String) {
    found.warnings.push(Notice {
        reason: NoticeReason::Live,
        message,
    });
}

/// The assessment is Unknown because the API does not show what kube-proxy is told.
fn hidden(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::EmbeddedKubeProxy
            | Reason::KubeRouter
            | Reason::ConfigElsewhere
            | Reason::CommandHidden
            | Reason::ChangeTimeUnknown
    )
}

fn all_answer(nodes: &Nodes<'_>) -> bool {
    nodes
        .which(|state| !matches!(state, Quietness::Quiet | Quietness::NotNeeded))
        .is_empty()
}

fn finding((node, state): &(&NodeView, Quietness)) -> NodeFinding {
    let report = node.report.as_ref().filter(|_| node.reporting);
    NodeFinding {
        node: node.name.clone(),
        reporting: node.reporting,
        mode: report.map(|report| report.mode),
        strict_arp: report
            .and_then(|report| report.kube_proxy.as_ref())
            .and_then(|proxy| proxy.strict_arp),
        quiet: match state {
            Quietness::Quiet | Quietness::NotNeeded => Some(true),
            Quietness::Loud(_) | Quietness::LeftBehind(_) => Some(false),
            _ => None,
        },
        trouble: report
            .map(|report| disquiet(report).iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{NodeReport, Uplink};
    use crate::proxy_mode::LiveMode;
    use crate::remediation::Plan;

    fn assessed(reason: Reason) -> Assessment {
        Assessment {
            verdict: reason.safety(),
            reason,
            message: "as configured".to_owned(),
            next_step: None,
            config_maps: Vec::new(),
            workloads: Vec::new(),
            pods: Vec::new(),
            nodes: Vec::new(),
            warnings: Vec::new(),
            plan: Plan::default(),
        }
    }

    fn node(name: &str, arp_ignore: i32) -> NodeView {
        NodeView {
            name: name.to_owned(),
            ready: true,
            reporting: true,
            report: Some(NodeReport {
                mode: LiveMode::Ipvs,
                uplinks: vec![Uplink {
                    name: "eth0".to_owned(),
                    mac: "52:54:00:00:00:01".to_owned(),
                    subnets: Vec::new(),
                    addresses: Vec::new(),
                    gateways: Vec::new(),
                    arp_ignore,
                    arp_announce: 2,
                }],
                ..NodeReport::default()
            }),
        }
    }

    #[test]
    fn without_agents_nothing_changes() {
        let mut silent = node("n1", 0);
        silent.reporting = false;
        let before = assessed(Reason::Applied);
        assert_eq!(confirm(before.clone(), &[silent]), before);
    }

    #[test]
    fn a_node_that_answers_makes_a_configured_cluster_unsafe() {
        let found = confirm(assessed(Reason::Applied), &[node("n1", 1), node("n2", 0)]);
        assert_eq!(
            (found.verdict, found.reason),
            (Safety::NotSafe, Reason::NodesNotQuiet)
        );
        for part in ["n2", "eth0", "arp_ignore", "0"] {
            assert!(found.message.contains(part), "{}", found.message);
        }
        assert!(found.next_step.is_some());
        let quiet: Vec<Option<bool>> = found.nodes.iter().map(|node| node.quiet).collect();
        assert_eq!(quiet, [Some(true), Some(false)]);
    }

    #[test]
    fn a_wrong_configuration_stays_the_reason_and_the_nodes_are_a_warning() {
        let found = confirm(assessed(Reason::StrictArpOff), &[node("n1", 0)]);
        assert_eq!(found.reason, Reason::StrictArpOff);
        assert_eq!(found.warnings.len(), 1);
    }

    #[test]
    fn quiet_nodes_make_safe_what_the_api_does_not_show() {
        let found = confirm(assessed(Reason::EmbeddedKubeProxy), &[node("n1", 1)]);
        assert_eq!(
            (found.verdict, found.reason),
            (Safety::Safe, Reason::NodesQuiet)
        );
        let mut silent = node("n2", 1);
        silent.reporting = false;
        let found = confirm(
            assessed(Reason::EmbeddedKubeProxy),
            &[node("n1", 1), silent],
        );
        assert_eq!(found.verdict, Safety::Unknown);
        let found = confirm(assessed(Reason::StrictArpOffByFlags), &[node("n1", 1)]);
        assert_eq!(found.verdict, Safety::NotSafe);
    }
}
