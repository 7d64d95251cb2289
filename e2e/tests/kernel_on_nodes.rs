//! `mooring-kernel`'s suite on a node's own kernel, which has the IPVS that the machine's may lack: there, too, its
//! model and the real thing give the same answers.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; what the suite prints is the result"
)]

mod cargo;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testbed::Bed;

#[test]
fn the_model_of_a_host_behaves_as_a_kernel_with_ipvs_does() {
    let suite = suite();
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "kernel")
        .nodes(1)
        .light()
        .start()
        .unwrap();
    // A node has a /tmp of its own, so the program goes where it certainly sees it.
    let folder = bed.see(Path::new("/run/testbed/nodes/n1"));
    std::fs::copy(suite, folder.join("suite")).unwrap();
    let script = "/tb/suite --nocapture";
    let ran = bed.exec("n1", script, Duration::from_secs(180)).unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    println!("{said}");
    assert_eq!(ran.status, 0, "{said}");
    assert!(said.contains("test result: ok."), "{said}");
    assert!(
        !said.contains("SKIPPED"),
        "this kernel has all that the suite needs:\n{said}"
    );
    bed.down().unwrap();
}

/// Builds the suite and returns the path of its program.
fn suite() -> String {
    let output = cargo::cargo()
        .args(["test", "-p", "mooring-kernel", "--test", "host", "--no-run"])
        .arg("--message-format=json")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(message["executable"].as_str()?.to_owned()))
        .unwrap()
}
