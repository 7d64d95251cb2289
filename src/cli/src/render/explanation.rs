//! Explanations as text.

use comfy_table::Table;

use super::{in_format, or_dash, push_table, table};
use crate::args::Format;
use crate::explanation::{Address, Explanation, Kind, NodeStanding, Role, State};
use crate::style::Style;

/// Nodes that are listed for people, for each address.
const NODES: usize = 30;

/// Everything that led there, for people or for programs.
pub(crate) fn explanation(
    found: &Explanation,
    format: Format,
    style: Style,
) -> anyhow::Result<String> {
    match format {
        Format::Table => Ok(for_people(found, style)),
        other => in_format(found, other),
    }
}

fn for_people(found: &Explanation, style: Style) -> String {
    let kind = match found.kind {
        Kind::Service => "Service ",
        Kind::Address => "",
    };
    let mark = style.verdict(found.safety(), word(found.state));
    let mut text = format!("{mark}: {kind}{}: {}\n", found.subject, found.summary);
    if found.kind == Kind::Address {
        text = format!("{mark}: {}\n", found.summary);
    }
    for line in &found.incomplete {
        text.push_str(&format!("{} {line}\n", style.warning("incomplete:")));
    }
    push_table(&mut text, reasons(found));
    for address in &found.addresses {
        push_table(&mut text, nodes(address));
        let more = address.nodes.len().saturating_sub(NODES);
        if more > 0 {
            text.push_str(&format!(
                "... and {more} more nodes; all of them: -o json\n"
            ));
        }
    }
    if !found.remedies.is_empty() {
        text.push_str("\nWhat would change it:\n");
    }
    for remedy in &found.remedies {
        text.push_str(&format!("- {}\n", remedy.message));
        if let Some(command) = &remedy.command {
            text.push_str(&format!("    {command}\n"));
        }
    }
    text
}

fn word(state: State) -> &'static str {
    match state {
        State::NotOurs => "NOT MOORING'S",
        State::Pending => "PENDING",
        State::Withheld => "WITHHELD",
        State::Assigned => "ASSIGNED",
        State::AssignedOtherwise => "ASSIGNED OTHERWISE",
        State::InUse => "IN USE",
        State::Resting => "RESTING",
        State::Free => "FREE",
        State::Blocked => "NOT HANDED OUT",
        State::Foreign => "SOMEBODY ELSE'S",
        State::InNoPool => "IN NO POOL",
    }
}

fn reasons(found: &Explanation) -> Option<Table> {
    let rows = found.reasons.iter().map(|reason| {
        vec![
            format!("{:?}", reason.step),
            reason.reason.to_owned(),
            reason.message.clone(),
        ]
    });
    table(&["STEP", "REASON", "MESSAGE"], rows)
}

fn nodes(address: &Address) -> Option<Table> {
    let rows = address.nodes.iter().take(NODES).map(row);
    let header = format!("FOR {}", address.address);
    table(&["NODE", &header, "WHAT KEEPS IT AWAY"], rows)
}

fn row(standing: &NodeStanding) -> Vec<String> {
    let role = match (standing.role, standing.rank) {
        (Role::Owner, _) => "owner".to_owned(),
        (Role::Successor, rank) => format!("successor {}", rank.unwrap_or_default()),
        (Role::Unable, _) => "cannot have it".to_owned(),
    };
    let obstacles: Vec<String> = standing
        .obstacles
        .iter()
        .map(|obstacle| format!("{}: {}", obstacle.reason, obstacle.message))
        .collect();
    vec![standing.node.clone(), role, or_dash(&obstacles.join("; "))]
}

#[cfg(test)]
mod tests;
