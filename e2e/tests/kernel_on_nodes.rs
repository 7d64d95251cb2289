//! `mooring-kernel`'s suite on a node's own kernel, which has the IPVS that the machine's may lack: there, too, its
//! model and the real thing give the same answers.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; what the suite prints is the result"
)]

mod cargo;
mod crate_tests;

use std::time::Duration;

#[test]
fn the_model_of_a_host_behaves_as_a_kernel_with_ipvs_does() {
    let suite = cargo::tests(["--test", "host"]);
    let limit = Duration::from_secs(180);
    let passed = crate_tests::run("kernel", &suite, "--nocapture", limit);
    assert!(passed > 0);
}
