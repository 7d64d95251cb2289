//! A crate's own tests, run in a node of a light bed: its kernel has what the machine's may lack.

use std::path::Path;
use std::time::Duration;

use testbed::Bed;

/// Runs the program with these arguments in the one node of a bed that is called after the `story`. Fails if a test does, or
/// skips what it needs; returns how many passed.
pub(crate) fn run(story: &str, program: &Path, arguments: &str, limit: Duration) -> usize {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), story)
        .nodes(1)
        .light()
        .start()
        .unwrap();
    // A node has a /tmp of its own, so the program goes where it certainly sees it.
    let folder = bed.see(Path::new("/run/testbed/nodes/n1"));
    std::fs::copy(program, folder.join("suite")).unwrap();
    let ran = bed
        .exec("n1", &format!("/tb/suite {arguments}"), limit)
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    println!("{said}");
    assert_eq!(ran.status, 0, "{said}");
    assert!(
        !said.contains("SKIPPED"),
        "this kernel has all that the tests need:\n{said}"
    );
    bed.down().unwrap();
    passed(&said)
}

/// From the last line, as in `test result: ok. 12 passed; 0 failed; 0 ignored; ...`.
fn passed(said: &str) -> usize {
    let result = said.rsplit_once("test result: ok. ");
    let count = result.and_then(|(_, rest)| rest.split_once(" passed; 0 failed; 0 ignored;"));
    let count = count.and_then(|(count, _)| count.parse().ok());
    count.unwrap_or_else(|| panic!("not every test ran and passed:\n{said}"))
}
