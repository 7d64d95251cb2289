//! Findings as text.

use comfy_table::{Table, presets};
use mooring_core::proxy_mode::ProxyMode;
use mooring_core::remediation::freshness::Freshness;
use mooring_core::remediation::{Assessment, Safety};
use serde::Serialize;

use crate::args::Format;
use crate::style::Style;

mod explanation;
mod relocate;
mod status;

pub(crate) use explanation::explanation;
pub(crate) use relocate::{departure, drained, moved, seconds};
pub(crate) use status::status;

/// The assessment in the form that was asked for, with a line end.
pub(crate) fn assessment(
    found: &Assessment,
    format: Format,
    style: Style,
) -> anyhow::Result<String> {
    match format {
        Format::Table => Ok(for_people(found, style)),
        other => in_format(found, other),
    }
}

/// For programs, with a line end.
fn in_format(shown: &impl Serialize, format: Format) -> anyhow::Result<String> {
    let mut text = match format {
        Format::Yaml => serde_saphyr::to_string(shown)?,
        Format::Json | Format::Table => serde_json::to_string_pretty(shown)?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The verdict in one line.
pub(crate) fn verdict(found: &Assessment, style: Style) -> String {
    let word = match found.verdict {
        Safety::Safe => "SAFE",
        Safety::NotSafe => "NOT SAFE",
        Safety::Unknown => "UNKNOWN",
    };
    format!(
        "{}: {}\n",
        style.verdict(found.verdict, &format!("{word} ({})", found.reason)),
        found.message
    )
}

/// What to do about the verdict, if there is something.
pub(crate) fn next_step(found: &Assessment) -> String {
    found
        .next_step
        .iter()
        .map(|next| format!("Next: {next}\n"))
        .collect()
}

/// What else is to be known, one line each.
pub(crate) fn warnings(found: &Assessment, style: Style) -> String {
    found
        .warnings
        .iter()
        .map(|notice| {
            let mark = style.warning("warning:");
            format!("{mark} {}: {}\n", notice.reason, notice.message)
        })
        .collect()
}

fn for_people(found: &Assessment, style: Style) -> String {
    let mut text = verdict(found, style);
    text.push_str(&next_step(found));
    push_table(&mut text, workloads(found));
    push_table(&mut text, config_maps(found));
    push_table(&mut text, pods(found));
    push_table(&mut text, live(found));
    let warnings = warnings(found, style);
    if !warnings.is_empty() {
        text.push('\n');
        text.push_str(&warnings);
    }
    text
}

fn workloads(found: &Assessment) -> Option<Table> {
    let rows = found.workloads.iter().map(|workload| {
        let skipped = workload.skipped.map(|skipped| skipped.to_string());
        vec![
            format!("{} {}/{}", workload.kind, workload.namespace, workload.name),
            workload.pods.to_string(),
            or_dash(&workload.source),
            skipped
                .or_else(|| workload.reason.map(|reason| reason.to_string()))
                .unwrap_or_default(),
        ]
    });
    table(&["KUBE-PROXY", "PODS", "CONFIGURED BY", "STATE"], rows)
}

fn config_maps(found: &Assessment) -> Option<Table> {
    let rows = found.config_maps.iter().map(|map| {
        let changed = map.changed_at.map(|time| time.to_string());
        vec![
            format!("{}/{}", map.namespace, map.name),
            map.key.clone(),
            match (map.mode, map.strict_arp) {
                (Some(mode), _) => mode.to_string(),
                (None, Some(_)) => "(default)".to_owned(),
                (None, None) => "?".to_owned(),
            },
            match (map.strict_arp, map.mode) {
                (Some(on), Some(ProxyMode::Ipvs)) => on.to_string(),
                (Some(on), _) => format!("{on} (unused)"),
                (None, _) => "?".to_owned(),
            },
            or_dash(changed.as_deref().unwrap_or_default()),
            or_dash(map.changed_by.as_deref().unwrap_or_default()),
            or_dash(map.managed_by.as_deref().unwrap_or_default()),
        ]
    });
    let header = [
        "CONFIGMAP",
        "KEY",
        "MODE",
        "STRICTARP",
        "LAST CHANGED",
        "BY",
        "MANAGED BY",
    ];
    table(&header, rows)
}

fn pods(found: &Assessment) -> Option<Table> {
    let rows = found.pods.iter().map(|pod| {
        vec![
            pod.node.clone(),
            pod.pod.clone(),
            or_dash(
                &pod.started_at
                    .map(|time| time.to_string())
                    .unwrap_or_default(),
            ),
            match pod.freshness {
                Freshness::AfterChange => "yes",
                Freshness::BeforeChange => "NO: restart pending",
                Freshness::Unknown => "?",
            }
            .to_owned(),
            match (pod.ready, &pod.trouble) {
                (true, _) => "yes".to_owned(),
                (false, Some(trouble)) => format!("NO: {trouble}"),
                (false, None) => "NO".to_owned(),
            },
        ]
    });
    let header = ["NODE", "POD", "STARTED", "AFTER LAST CHANGE", "READY"];
    table(&header, rows)
}

fn live(found: &Assessment) -> Option<Table> {
    let yes_no = |value: Option<bool>| match value {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "?",
    };
    let rows = found.nodes.iter().map(|node| {
        vec![
            node.node.clone(),
            node.mode.map_or("?".to_owned(), |mode| mode.to_string()),
            node.strict_arp.map_or("-".to_owned(), |on| on.to_string()),
            yes_no(node.quiet).to_owned(),
            or_dash(&if node.reporting {
                node.trouble.join(", ")
            } else {
                "its agent does not report".to_owned()
            }),
        ]
    });
    let header = [
        "NODE",
        "LIVE MODE",
        "STARTED WITH STRICTARP",
        "QUIET",
        "TROUBLE",
    ];
    table(&header, rows)
}

/// Adds a table behind an empty line.
fn push_table(text: &mut String, table: Option<Table>) {
    let Some(table) = table else { return };
    text.push('\n');
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// A table without frames, as kubectl prints them; none without rows.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Option<Table> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    let mut empty = true;
    for row in rows {
        table.add_row(row);
        empty = false;
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    (!empty).then_some(table)
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

#[cfg(test)]
#[path = "render/tests.rs"]
mod tests;
