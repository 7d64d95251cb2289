//! Why a Service has the addresses that it has, or none.

use mooring_core::ipam::outcome::{Note, Outcome, State as Decided};
use mooring_core::ipam::request;
use mooring_core::ipam::service::Service;

use super::{
    Address, Explanation, Kind, Look, Reason, State, Step, berth, ingress, is_published, live,
    remedy, wish,
};

/// The whole story of a Service.
pub(crate) fn service(look: &Look, service: &Service) -> Explanation {
    let decided = look.decision.outcomes.get(&service.id);
    let outcome = &decided.cloned().unwrap_or_else(|| undecided(look, service));
    let ours = outcome.state != Decided::NotOurs;
    let mut reasons = Vec::new();
    if ours && let Some(asked) = wish::of(&look.snapshot, service) {
        reasons.push(wish::standing(&look.snapshot, service, &asked));
        reasons.extend(wish::wishes(&look.snapshot, service, &asked));
    }
    reasons.extend(outcome.notes.iter().map(|note| of_note(note, ours)));
    if !ours && !service.ingress.is_empty() {
        reasons.push(Reason::new(
            Step::Publication,
            "NotByMooring",
            format!(
                "its status says {}, which Mooring leaves alone",
                ingress(service)
            ),
        ));
    }
    let mut addresses: Vec<Address> = Vec::new();
    for address in &outcome.addresses {
        reasons.extend(publication(look, service, outcome, *address));
        reasons.extend(berth::reasons(look, *address));
        addresses.push(berth::address(look, *address));
    }
    let differences = live::differences(look, Some(service), &outcome.addresses);
    let settled = differences.is_empty();
    reasons.extend(differences);
    reasons.sort_by_key(|reason| reason.step);
    let mut remedies = remedy::of_service(look, service, outcome);
    remedies.extend(
        addresses
            .iter()
            .flat_map(|address| remedy::of_nodes(look, address)),
    );
    Explanation {
        kind: Kind::Service,
        subject: service.id.to_string(),
        state: state(outcome.state),
        summary: summary(look, outcome, &addresses),
        settled,
        reasons,
        addresses,
        remedies,
        incomplete: look.gaps.clone(),
    }
}

/// Of a Service that addresses are nothing to: nothing was decided about it.
fn undecided(look: &Look, service: &Service) -> Outcome {
    let reason = request::request(service, look.snapshot.others).err();
    Outcome {
        state: Decided::NotOurs,
        addresses: Vec::new(),
        wanting: Vec::new(),
        notes: reason.map(Note::NotOurs).into_iter().collect(),
    }
}

fn state(state: Decided) -> State {
    match state {
        Decided::NotOurs => State::NotOurs,
        Decided::Pending => State::Pending,
        Decided::Withheld => State::Withheld,
        Decided::Assigned => State::Assigned,
        Decided::AssignedOtherwise => State::AssignedOtherwise,
    }
}

fn summary(look: &Look, outcome: &Outcome, addresses: &[Address]) -> String {
    let text = outcome.headline().message;
    let nodes: Vec<String> = addresses
        .iter()
        .map(|address| match &address.node {
            Some(node) if !look.nodes_seen => {
                format!("{} is planned for node {node}", address.address)
            }
            Some(node) => format!("{} belongs to node {node}", address.address),
            None if !look.nodes_seen => {
                format!("where {} belongs is not known", address.address)
            }
            None => format!("no node can have {}", address.address),
        })
        .collect();
    match outcome.state {
        Decided::NotOurs => format!("Mooring has nothing to do with it: {text}"),
        Decided::Assigned | Decided::AssignedOtherwise if !nodes.is_empty() => {
            format!("{text}; {}", nodes.join(", "))
        }
        _ => text,
    }
}

fn of_note(note: &Note, ours: bool) -> Reason {
    let step = match note {
        _ if !ours => Step::Standing,
        Note::NotOurs(_) | Note::PoolNotHere | Note::NoAutoAssign | Note::ForeignStatus(_) => {
            Step::Standing
        }
        Note::Problem(_) => Step::Request,
        Note::Withheld { .. } | Note::Switching { .. } | Note::StatusRepaired => Step::Publication,
        _ => Step::Allocation,
    };
    Reason::new(step, note.as_str(), note.to_string())
}

/// That its address is held back is a note of its own.
fn publication(
    look: &Look,
    service: &Service,
    outcome: &Outcome,
    address: std::net::IpAddr,
) -> Option<Reason> {
    let withheld = outcome
        .notes
        .iter()
        .any(|note| matches!(note, Note::Withheld { address: held, .. } if *held == address));
    if withheld {
        return None;
    }
    if is_published(service, address) {
        return Some(Reason::new(
            Step::Publication,
            "Published",
            format!("{address} is in the Service's status"),
        ));
    }
    let planned = look
        .decision
        .statuses
        .iter()
        .any(|write| write.service == service.id);
    Some(Reason::new(
        Step::Publication,
        "ToBePublished",
        if planned {
            format!("{address} may be published: it is to be written to the Service's status now")
        } else {
            format!("{address} is not in the Service's status yet")
        },
    ))
}
