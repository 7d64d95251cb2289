//! Where the cluster is not as it was decided to be.

use std::net::IpAddr;

use mooring_core::ipam::service::Service;
use mooring_core::placement::Placement;

use super::{Look, Operator, Reason, Step, ingress};

/// What is still to be done about a Service, if it is about one, and about addresses.
pub(super) fn differences(
    look: &Look,
    service: Option<&Service>,
    addresses: &[IpAddr],
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut differs = |reason, message: String| {
        reasons.push(Reason::new(Step::Progress, reason, message));
    };
    let decision = &look.decision;
    for address in addresses {
        let is = |berthed: &&mooring_core::external_ip::Berthed| berthed.claim.address == *address;
        if decision.create.iter().any(|berthed| is(&berthed)) {
            differs(
                "NotClaimed",
                format!("{address} is decided, and its ExternalIP is not created yet"),
            );
            continue;
        }
        if decision.delete.contains(address) {
            differs(
                "NotDeleted",
                format!("{address} has rested, and its ExternalIP is not deleted yet"),
            );
            continue;
        }
        if !look.nodes_seen {
            continue;
        }
        let planned = look
            .known(*address)
            .and_then(|known| known.planned.as_deref());
        let belongs = decision.placements.get(address).and_then(Placement::node);
        if let Some(berthed) = decision.update.iter().find(is) {
            let known = look.known(*address);
            differs(
                "NotUpdated",
                if planned == belongs && known.is_some_and(|known| known.claim == berthed.claim) {
                    format!(
                        "the ExternalIP of {address} does not yet name those that take it over while its node is gone"
                    )
                } else if planned == belongs {
                    format!("the ExternalIP of {address} does not list the right Services yet")
                } else {
                    let name = |node: Option<&str>| {
                        node.map_or("no node".to_owned(), |node| format!("node {node}"))
                    };
                    format!(
                        "the ExternalIP of {address} says {} in spec.node, and it belongs to {}",
                        name(planned),
                        name(belongs)
                    )
                },
            );
        }
        let taken_by = look
            .known(*address)
            .and_then(|known| known.taken_by.as_deref());
        if let (Some(taken_by), Some(belongs)) = (taken_by, belongs)
            && taken_by != belongs
        {
            differs(
                "NotMoved",
                format!(
                    "node {taken_by} still answers for {address}, and it belongs to node {belongs}; if this lasts, see what \
                     mooring-agent logs on both"
                ),
            );
        }
    }
    let write = service.and_then(|service| {
        let write = decision
            .statuses
            .iter()
            .find(|write| write.service == service.id)?;
        Some((service, write))
    });
    if let Some((service, write)) = write {
        let wanted: Vec<&str> = write
            .ingress
            .iter()
            .filter_map(|entry| entry.ip.as_deref().or(entry.hostname.as_deref()))
            .collect();
        let name = |text: &str| {
            if text.is_empty() {
                "no address".to_owned()
            } else {
                text.to_owned()
            }
        };
        differs(
            "StatusNotWritten",
            format!(
                "the Service's status says {}, and is to say {}",
                name(&ingress(service)),
                name(&wanted.join(", "))
            ),
        );
    }
    // A move is the agents' to carry out.
    if reasons.iter().any(|reason| reason.reason != "NotMoved") {
        reasons.push(operator(&look.operator));
    }
    reasons
}

fn operator(operator: &Operator) -> Reason {
    let (reason, message) = match operator {
        Operator::Runs => (
            "OperatorRuns",
            "the operator runs, so this should be done within seconds: ask again; if it stays, see its log: kubectl -n \
             mooring-system logs -l app.kubernetes.io/name=mooring-operator",
        ),
        Operator::Stopped => (
            "OperatorNotRunning",
            "no Pod of the operator is ready, so nobody does this: see why with kubectl get pods -A -l \
             app.kubernetes.io/name=mooring-operator",
        ),
        Operator::Unseen => (
            "OperatorNotSeen",
            "whether the operator runs could not be read, so nobody can say when this is done",
        ),
    };
    Reason::new(Step::Progress, reason, message)
}
