//! `mooring-agent`'s tests of the thread that answers, on a node's own kernel, which has the VLANs and bonds that the
//! machine's may lack.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; what the tests print is the result"
)]

mod cargo;
mod crate_tests;

use std::time::Duration;

/// How many tests need a kernel that the machine may not have; they are ignored elsewhere.
const ONLY_HERE: usize = 4;

#[test]
fn the_thread_that_answers_goes_on_when_links_change() {
    let tests = cargo::tests(["--bin", "mooring-agent"]);
    let limit = Duration::from_secs(120);
    // A node has one core, and all that they do is wait.
    let all = "moor::tests:: --include-ignored --test-threads 16";
    let passed = crate_tests::run("agent", &tests, all, limit);
    assert!(passed > ONLY_HERE, "{passed} tests ran");
}
