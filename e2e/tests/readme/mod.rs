//! Output that stands in the README, held to what is really printed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

/// Fails unless the README's block `<!-- NAME -->` is `output` up to the conditions of a status, but for what differs from
/// cluster to cluster (times, hashes, numbers, whether it was seen that several answered before the repair); how long each step
/// of a repair took, and which events came, is not compared. With `MOORING_REWRITE=1` it puts `output` there instead.
#[track_caller]
pub(crate) fn hold(name: &str, output: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let start = readme.find(&begin).unwrap() + begin.len();
    let stop = readme.find(&end).unwrap();
    let trimmed: Vec<&str> = output.lines().map(str::trim_end).collect();
    let block = format!("```text\n{}\n```\n", trimmed.join("\n").trim_end());
    if std::env::var_os("MOORING_REWRITE").is_some() {
        let text = format!("{}{block}{}", &readme[..start], &readme[stop..]);
        return fs::write(&path, text).unwrap();
    }
    assert_eq!(
        steady(&readme[start..stop]),
        steady(&block),
        "the README's block {name} is not what is printed; MOORING_REWRITE=1 puts it there"
    );
}

/// The lines without what changes: words with a digit in them, blanks, since when several answered, and what follows the
/// conditions.
fn steady(text: &str) -> Vec<String> {
    text.lines()
        .take_while(|line| !line.starts_with("  Last Remediation:"))
        .filter(|line| !line.starts_with("    Disputed Since:"))
        .map(|line| {
            let words = line.split_whitespace().map(|word| {
                match word.contains(|c: char| c.is_ascii_digit()) {
                    true => "#",
                    false => word,
                }
            });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}
