//! `testbed`: a real Kubernetes cluster in one command.

mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(commands::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            testbed::cache::note(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
