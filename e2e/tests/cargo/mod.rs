//! cargo, called from a test.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::process::Command;

/// cargo as it was called for the tests.
pub(crate) fn cargo() -> Command {
    unrelated(Command::new(env!("CARGO")))
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
