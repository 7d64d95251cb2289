//! The ServiceProxy, the nodes, the pools and the addresses as text.

use comfy_table::Table;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use mooring_api::condition::{ConditionStatus, ConditionType};
use mooring_api::node_proxy_state::NodeProxyStateStatus;
use mooring_api::service_proxy::ServiceProxyStatus;
use mooring_core::remediation::Safety;

use super::{in_format, or_dash, push_table, table};
use crate::args::{Format, StatusArguments};
use crate::status::{NodeShown, Shown};
use crate::style::Style;

mod addresses;
mod foreign;

/// What is listed of a kind for people; of more, only what is not as it should be.
const LISTED: usize = 50;

/// One screen, or everything as JSON or YAML.
pub(crate) fn status(
    shown: &Shown,
    arguments: &StatusArguments,
    now: Timestamp,
    style: Style,
) -> anyhow::Result<String> {
    match arguments.output {
        Format::Table => Ok(for_people(shown, arguments.all, now, style)),
        other => in_format(shown, other),
    }
}

fn for_people(shown: &Shown, all: bool, now: Timestamp, style: Style) -> String {
    let none = ServiceProxyStatus::default();
    let status = shown.service_proxy.status.as_ref().unwrap_or(&none);
    let mut text = headline(status, shown, style);
    push_table(&mut text, conditions(&status.conditions, now));
    push_table(&mut text, nodes(&shown.nodes, all));
    if shown.nodes.is_empty() {
        text.push_str("\nNo node has a NodeProxyState: no agent has reported yet.\n");
    } else if !all && shown.nodes.len() > LISTED {
        text.push_str(&format!(
            "\nOf {} nodes, those in trouble are shown; all of them: kubectl mooring status --all\n",
            shown.nodes.len()
        ));
    }
    addresses::push(&mut text, shown, all);
    foreign::push(&mut text, status, all);
    if !shown.incomplete.is_empty() {
        text.push('\n');
    }
    for line in &shown.incomplete {
        text.push_str(&format!("{} {line}\n", style.warning("incomplete:")));
    }
    text.push_str(&remediation(status, now));
    text
}

/// The condition that everything leads to, in one line with its message.
fn headline(status: &ServiceProxyStatus, shown: &Shown, style: Style) -> String {
    let safe = find(&status.conditions, ConditionType::SafeToAnnounce);
    let Some(safe) = safe else {
        return style.verdict(Safety::Unknown, "UNKNOWN (NoStatus)")
            + ": the operator has not written a status yet; see that its Pods run: kubectl -n mooring-system get pods\n";
    };
    let (safety, word) = match safe.status.as_str() {
        "True" => (Safety::Safe, "SAFE"),
        "False" => (Safety::NotSafe, "NOT SAFE"),
        _ => (Safety::Unknown, "UNKNOWN"),
    };
    let mut text = format!(
        "{}: {}\n",
        style.verdict(safety, &format!("{word} ({})", safe.reason)),
        safe.message
    );
    let behind = shown.service_proxy.metadata.generation > status.observed_generation;
    if behind {
        text.push_str(
            "The operator has not seen the latest change of the ServiceProxy yet; what follows is about the one before.\n",
        );
    }
    text
}

fn conditions(conditions: &[Condition], now: Timestamp) -> Option<Table> {
    let rows = ConditionType::OF_CLUSTER
        .into_iter()
        .filter(|kind| *kind != ConditionType::SafeToAnnounce)
        .filter_map(|kind| find(conditions, kind))
        .map(|condition| {
            vec![
                condition.type_.clone(),
                condition.status.clone(),
                condition.reason.clone(),
                age(&condition.last_transition_time, now),
                condition.message.clone(),
            ]
        });
    table(&["CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"], rows)
}

fn nodes(nodes: &[NodeShown], all: bool) -> Option<Table> {
    let every = all || nodes.len() <= LISTED;
    let rows = nodes
        .iter()
        .filter(|node| every || !trouble(node).is_empty())
        .map(node_row);
    let header = [
        "NODE",
        "MODE",
        "STRICTARP",
        "ARP_IGNORE",
        "ARP_ANNOUNCE",
        "UPLINKS",
        "KUBE-PROXY",
        "ADDRESSES",
        "TROUBLE",
    ];
    table(&header, rows)
}

fn node_row(node: &NodeShown) -> Vec<String> {
    let none = NodeProxyStateStatus::default();
    let status = node.state.status.as_ref().unwrap_or(&none);
    let proxy = status.kube_proxy.as_ref();
    let number = |value: Option<i32>| value.map(|value| value.to_string()).unwrap_or_default();
    let uplinks: Vec<&str> = status
        .uplinks
        .iter()
        .map(|uplink| uplink.name.as_str())
        .collect();
    vec![
        node.state.metadata.name.clone().unwrap_or_default(),
        or_dash(&status.mode.map(|mode| mode.to_string()).unwrap_or_default()),
        or_dash(
            &proxy
                .and_then(|proxy| proxy.strict_arp)
                .map(|on| on.to_string())
                .unwrap_or_default(),
        ),
        or_dash(&number(status.arp_ignore)),
        or_dash(&number(status.arp_announce)),
        or_dash(&uplinks.join(",")),
        or_dash(
            proxy
                .and_then(|proxy| proxy.version.as_deref())
                .unwrap_or_default(),
        ),
        addresses::count(node.addresses),
        or_dash(&trouble(node)),
    ]
}

/// That it is drained, about to go, or dies often, and the reasons of its conditions that do not hold.
fn trouble(node: &NodeShown) -> String {
    let conditions = node
        .state
        .status
        .iter()
        .flat_map(|status| &status.conditions);
    let mut reasons: Vec<&str> = conditions
        .filter(|condition| condition.status != ConditionStatus::True.as_str())
        .map(|condition| condition.reason.as_str())
        .collect();
    if !node.reporting {
        reasons.insert(0, "AgentNotReporting");
    }
    if node.dies_often.is_some() {
        reasons.insert(0, "DiesOften");
    }
    if let Some(exit) = node.exit {
        reasons.insert(0, exit);
    }
    if node.drained {
        reasons.insert(0, "Draining");
    }
    reasons.join(",")
}

/// What was done last.
fn remediation(status: &ServiceProxyStatus, now: Timestamp) -> String {
    let mut text = String::new();
    if let Some(last) = &status.last_remediation {
        let result = last
            .result
            .map_or_else(|| "under way".to_owned(), |result| format!("{result:?}"));
        text.push_str(&format!(
            "\nLast remediation, {} ago: {result}. {}\n",
            age(&last.time, now),
            last.message
        ));
    }
    text
}

fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == kind.as_str())
}

/// A time span as kubectl prints it: the two largest units, or one.
fn age(since: &Time, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.0.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => format!("{minutes}m{}s", seconds % 60),
        600..10_800 => format!("{minutes}m"),
        10_800..172_800 => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests;
