//! cargo, called from a test.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder with the programs of this workspace, built if they are not fresh.
pub(crate) fn programs() -> PathBuf {
    // The whole workspace with a test: cargo then chooses those features of the dependencies that it has chosen for the
    // tests, and builds none of them once more.
    run(&["build", "--workspace", "--bins", "--test", "dependencies"]);
    let testbed = Path::new(env!("CARGO_BIN_EXE_testbed"));
    testbed.parent().expect("a folder").to_owned()
}

/// The program of the tests that cargo calls by these words, as in `--test host`, built if it is not fresh.
pub(crate) fn tests(words: [&str; 2]) -> PathBuf {
    let arguments = ["test", "--workspace", words[0], words[1]];
    let output = run(&[&arguments[..], &["--no-run", "--message-format=json"]].concat());
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| {
            message["profile"]["test"] == true && message["target"]["name"] == words[1]
        })
        .find_map(|message| Some(message["executable"].as_str()?.into()))
        .expect("cargo names the program that it built")
}

/// cargo, as it was called for the tests.
fn run(arguments: &[&str]) -> Output {
    let mut cargo = unrelated(Command::new(env!("CARGO")));
    let output = cargo.arg("--quiet").args(arguments).output();
    let output = output.expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo {}:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A command that knows nothing of what cargo tells a test of its own package: libraries whose build scripts look at that
/// would be built anew.
pub(crate) fn unrelated(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_")) {
        if !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}
