use std::path::PathBuf;

use super::*;
use crate::args::Color;
use crate::explanation::fixture::states;

/// Set to anything, it has the goldens written instead of compared.
const WRITE: &str = "MOORING_WRITE_GOLDENS";

fn golden(name: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "src/render/explanation/golden",
        &format!("{name}.txt"),
    ]
    .iter()
    .collect()
}

fn text(found: &Explanation) -> String {
    explanation(found, Format::Table, Style::new(Color::Never, false)).expect("renders")
}

#[test]
fn every_state_reads_as_in_its_golden() {
    for (name, found) in states() {
        let (path, text) = (golden(name), text(&found));
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &text).expect("a golden is written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, expected,
            "{name}; to write it anew: {WRITE}=1 cargo test -p mooring-cli"
        );
    }
}

#[test]
fn no_golden_is_left_over() {
    let known: Vec<PathBuf> = states().iter().map(|(name, _)| golden(name)).collect();
    let folder = golden("any").parent().expect("a folder").to_owned();
    for entry in std::fs::read_dir(folder).expect("the goldens") {
        let path = entry.expect("an entry").path();
        assert!(known.contains(&path), "{}", path.display());
    }
}

#[test]
fn no_line_ends_with_blanks_and_colour_is_on_the_verdict_only() {
    for (name, found) in states() {
        let plain = text(&found);
        assert!(plain.lines().all(|line| line.trim_end() == line), "{name}");
        let painted =
            explanation(&found, Format::Table, Style::new(Color::Always, false)).expect("renders");
        let marks = painted.matches('\x1b').count();
        assert_eq!(marks, 2 + 2 * found.incomplete.len(), "{name}");
    }
}

#[test]
fn of_a_thousand_nodes_the_first_are_shown() {
    let (_, mut found) = states().pop().expect("a state");
    found.addresses[0].nodes = (0..1000)
        .map(|number| NodeStanding {
            node: format!("n{number}"),
            role: Role::Successor,
            rank: Some(number),
            obstacles: Vec::new(),
        })
        .collect();
    let text = text(&found);
    assert!(
        text.contains("... and 970 more nodes; all of them: -o json"),
        "{text}"
    );
    assert!(text.lines().count() < 60);
}

#[test]
fn json_and_yaml_say_the_same() {
    for (name, found) in states() {
        let in_format =
            |format| explanation(&found, format, Style::new(Color::Never, false)).expect("renders");
        let json: serde_json::Value = serde_json::from_str(&in_format(Format::Json)).expect("JSON");
        let yaml: serde_json::Value =
            serde_saphyr::from_str(&in_format(Format::Yaml)).expect("YAML");
        assert_eq!(json, yaml, "{name}");
    }
}
