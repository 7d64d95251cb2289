//! The addresses that somebody else handed out, as text.

use mooring_api::service_proxy::{Finding, ForeignAddress, ServiceProxyStatus};

use super::LISTED;
use crate::render::{or_dash, push_table, table};

/// One line about all of them, and those that are not as they should be.
pub(super) fn push(text: &mut String, status: &ServiceProxyStatus, all: bool) {
    let found = &status.foreign_addresses;
    if found.is_empty() {
        return;
    }
    text.push_str(&format!("\n{}\n", summary(status)));
    let wrong = |one: &&ForeignAddress| !matches!(one.seen, Finding::OneResponder);
    let listed = if all { found.len() } else { LISTED };
    let rows = found.iter().filter(|one| all || wrong(one)).take(listed);
    push_table(text, table(&HEADER, rows.map(row)));
}

const HEADER: [&str; 4] = ["ADDRESS OF OTHERS", "SERVICE", "SEEN", "ANSWERED BY"];

fn summary(status: &ServiceProxyStatus) -> String {
    let found = &status.foreign_addresses;
    let count = |seen| found.iter().filter(|one| one.seen == seen).count();
    let rows = [
        (Finding::OneResponder, "answered by one host"),
        (Finding::SeveralResponders, "answered by SEVERAL"),
        (Finding::NoResponder, "answered by nobody"),
        (Finding::NotWitnessed, "not known yet"),
        (Finding::OutOfSight, "on no segment of two nodes"),
    ];
    let parts: Vec<String> = rows
        .into_iter()
        .map(|(seen, text)| (count(seen), text))
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{count} {text}"))
        .collect();
    let left_out = match status.foreign_addresses_left_out {
        Some(count) => format!("; {count} more are not looked after"),
        None => String::new(),
    };
    let plural = if found.len() == 1 { "" } else { "es" };
    format!(
        "{} address{plural} that somebody else handed out: {}{left_out}",
        found.len(),
        parts.join(", ")
    )
}

fn row(one: &ForeignAddress) -> Vec<String> {
    let responders = one
        .responders
        .iter()
        .map(|responder| match &responder.node {
            Some(node) => format!("{node} ({})", responder.mac),
            None => format!("{} (no node)", responder.mac),
        });
    let responders: Vec<String> = responders.collect();
    vec![
        one.address.clone(),
        one.service.clone(),
        format!("{:?}", one.seen),
        or_dash(&responders.join(", ")),
    ]
}
