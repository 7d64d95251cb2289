//! The golden corpus: one file `cases/NAME.in.yaml` for each input, `cases/NAME.out.yaml` for each edited text, and one
//! line in `cases.txt` for each decision.

#![allow(
    dead_code,
    reason = "each test file that includes this uses a part of it"
)]

use std::fs;
use std::path::{Path, PathBuf};

use mooring_core::strict_arp::{Context, Decision};

/// One line of `cases.txt` with its input.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The name of the files.
    pub(crate) name: String,
    /// What is known beside the text, as written: `-`, `force`, `live=MODE`.
    pub(crate) context: String,
    /// The rest of the line: verdict, reason, line, warnings.
    pub(crate) expected: String,
    /// The bytes of `NAME.in.yaml`.
    pub(crate) input: Vec<u8>,
}

/// The folder of the corpus.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strict_arp")
}

/// All cases in the order of `cases.txt`.
pub(crate) fn cases() -> Vec<Case> {
    let table = fs::read_to_string(folder().join("cases.txt")).expect("cases.txt is there");
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || {
                words
                    .next()
                    .expect("name, context and expectation")
                    .to_owned()
            };
            let (name, context, expected) = (word(), word(), word());
            let path = folder().join("cases").join(format!("{name}.in.yaml"));
            let input =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Case {
                name,
                context,
                expected,
                input,
            }
        })
        .collect()
}

/// The context of a case.
pub(crate) fn context(text: &str) -> Context {
    Context {
        live_mode: text
            .strip_prefix("live=")
            .map(|mode| mode.parse().expect("a mode")),
        force_mode: text == "force",
    }
}

/// A decision as `cases.txt` has it.
pub(crate) fn summary(decision: &Decision) -> String {
    let warnings: Vec<_> = decision
        .warnings()
        .iter()
        .map(|warning| warning.reason.to_string())
        .collect();
    format!(
        "{} {} {} {}",
        decision.verdict(),
        decision.reason(),
        decision.line().map_or("-".into(), |line| line.to_string()),
        if warnings.is_empty() {
            "-".into()
        } else {
            warnings.join(",")
        }
    )
}
