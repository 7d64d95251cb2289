//! What would let a node have an address that no node can have.

use mooring_core::placement::{EXCLUDE_LABEL, Exit, Obstacle, UNREST_ANNOTATION};

use super::{Address, Look, Remedy, Role, berth};

/// Of each kind of obstacle one remedy, for the first node that has it: what helps there helps the others.
pub(crate) fn of_nodes(look: &Look, address: &Address) -> Vec<Remedy> {
    if !look.nodes_seen || address.nodes.iter().any(|node| node.role != Role::Unable) {
        return Vec::new();
    }
    let verdicts = berth::verdicts(look, address.address);
    if verdicts.is_empty() {
        return vec![Remedy::by(
            format!(
                "add a Linux node: there is none that could have {}",
                address.address
            ),
            "kubectl get nodes -o wide",
        )];
    }
    let mut kinds: Vec<&str> = Vec::new();
    let mut remedies = Vec::new();
    for (node, obstacles) in &verdicts {
        for obstacle in obstacles {
            if !kinds.contains(&obstacle.as_str()) {
                kinds.push(obstacle.as_str());
                remedies.push(of_obstacle(node, obstacle));
            }
        }
    }
    remedies
}

fn of_obstacle(node: &str, obstacle: &Obstacle) -> Remedy {
    let describe = || format!("kubectl describe node {node}");
    match obstacle {
        Obstacle::NotSelected { pool, mismatch } => Remedy::by(
            format!(
                "give node {node} the label that pool {pool} selects ({mismatch}), or change spec.nodeSelector of the pool"
            ),
            format!("kubectl label node {node} --overwrite LABEL=VALUE"),
        ),
        Obstacle::ExcludedByLabel => Remedy::by(
            format!("let node {node} have external IPs"),
            format!("kubectl label node {node} {EXCLUDE_LABEL}-"),
        ),
        Obstacle::Draining => Remedy::by(
            format!("let node {node} have external IPs again: it is drained"),
            format!("kubectl mooring drain {node} --undo"),
        ),
        Obstacle::Exiting(exit) => exiting(node, *exit),
        Obstacle::NoUplinkInSubnet { subnets } if subnets.is_empty() => Remedy::say(format!(
            "give an uplink of node {node} an address of this family, or take the address from a pool of the other family"
        )),
        Obstacle::NoUplinkInSubnet { subnets } => Remedy::say(format!(
            "take an address of the subnets that node {node} is in: {}",
            subnets.join(", ")
        )),
        Obstacle::NoSuchInterface { .. } => Remedy::by(
            format!(
                "name an interface of node {node} in spec.interfaces of the pool; it has these"
            ),
            format!("kubectl get nodeproxystate {node} -o jsonpath='{{.status.uplinks[*].name}}'"),
        ),
        Obstacle::NoLocalEndpoint { services } => {
            let first = services.first().map(String::as_str).unwrap_or_default();
            let (namespace, name) = first.split_once('/').unwrap_or(("", first));
            Remedy::by(
                format!(
                    "see that a Pod of {first} is ready on a node that can have the address, or let any node forward to it"
                ),
                format!(
                    "kubectl -n {namespace} patch service {name} -p '{{\"spec\":{{\"externalTrafficPolicy\":\"Cluster\"}}}}'"
                ),
            )
        }
        Obstacle::NotReady => Remedy::by(format!("see why node {node} is not ready"), describe()),
        Obstacle::AgentNotReporting | Obstacle::AgentRestarting => Remedy::by(
            format!("see why the agent on node {node} does not report"),
            format!(
                "kubectl get pods -A -l app.kubernetes.io/name=mooring-agent --field-selector spec.nodeName={node}"
            ),
        ),
        Obstacle::KubeProxyUnhealthy { .. }
        | Obstacle::KubeProxyRestarting { .. }
        | Obstacle::GateClosed { .. }
        | Obstacle::ProxyNotProgrammed => Remedy::by(
            format!("see what node {node} reports about its service proxy"),
            format!("kubectl describe nodeproxystate {node}"),
        ),
        Obstacle::DiesOften(_) => Remedy::by(
            format!("see why node {node} dies; once that is mended, have it forgiven"),
            format!("kubectl annotate nodeproxystate {node} {UNREST_ANNOTATION}-"),
        ),
        Obstacle::Cordoned | Obstacle::CordonMoves { .. } => Remedy::by(
            format!("let node {node} take addresses again"),
            format!("kubectl uncordon {node}"),
        ),
    }
}

fn exiting(node: &str, exit: Exit) -> Remedy {
    match exit {
        Exit::ShuttingDown | Exit::ShutDown => Remedy::by(
            format!("start node {node} again, or wait until it is back"),
            format!("kubectl get node {node} -w"),
        ),
        Exit::OutOfService => Remedy::by(
            format!("take node {node} into service again, if it is well"),
            format!("kubectl taint node {node} node.kubernetes.io/out-of-service-"),
        ),
        Exit::ToBeDeleted => Remedy::by(
            format!("add a node, as node {node} is about to be deleted"),
            "kubectl get nodes -o wide",
        ),
    }
}
