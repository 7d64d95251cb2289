//! A second opinion: `yaml-edit`, a lossless editor, makes the same edit on every text of the corpus that was edited, and
//! the two results are compared.

#![allow(clippy::print_stdout, reason = "the comparison is worth reading")]

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::str::FromStr;

use mooring_core::strict_arp::{Verdict, decide, read};
use yaml_edit::path::{AliasPolicy, YamlPath};

#[path = "strict_arp/corpus.rs"]
mod corpus;

/// The text as `yaml-edit` has it, if it takes it.
fn edited(text: &str) -> Option<String> {
    let text = text.to_owned();
    catch_unwind(move || {
        let file = yaml_edit::YamlFile::from_str(&text).ok()?;
        let document = file.documents().next()?;
        document
            .try_set_path_with("ipvs.strictARP", true, AliasPolicy::Expand)
            .ok()?;
        Some(file.to_string())
    })
    .ok()
    .flatten()
}

/// How many lines two texts do not share.
fn changed_lines(before: &str, after: &str) -> usize {
    similar::TextDiff::from_lines(before, after)
        .iter_all_changes()
        .filter(|change| change.tag() != similar::ChangeTag::Equal)
        .count()
}

#[test]
fn yaml_edit_never_edits_less_and_never_finds_another_value() {
    let mut counts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for case in corpus::cases() {
        let context = corpus::context(&case.context);
        let decision = decide(&case.input, &context);
        if decision.verdict() != Verdict::Patched {
            continue;
        }
        let before = String::from_utf8(case.input.clone()).unwrap();
        let ours = decision.text().unwrap();
        let outcome = match edited(&before) {
            None => "refused or failed",
            Some(theirs) if theirs == ours => "the same bytes",
            Some(theirs) => match read(theirs.as_bytes()) {
                Err(_) => "kube-proxy would not start",
                Ok(config) if !config.strict_arp => "strictARP is not set",
                Ok(_) if changed_lines(&before, &theirs) > changed_lines(&before, ours) => {
                    "set, but more lines changed"
                }
                Ok(_) => "set, at another place or with other blanks",
            },
        };
        let fewer = edited(&before).is_some_and(|theirs| {
            read(theirs.as_bytes()).is_ok_and(|config| config.strict_arp)
                && changed_lines(&before, &theirs) < changed_lines(&before, ours)
        });
        assert!(!fewer, "{}: yaml-edit changes fewer lines", case.name);
        counts.entry(outcome).or_default().push(case.name);
    }
    for (outcome, names) in &counts {
        println!(
            "yaml-edit: {:3} {outcome}: {}",
            names.len(),
            names.join(" ")
        );
    }
    assert!(counts["the same bytes"].len() > 50, "{counts:?}");
}
