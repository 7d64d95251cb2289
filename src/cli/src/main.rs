//! `kubectl mooring`: the same decisions as the operator's, by hand.
//!
//! ```text
//! cluster ─ survey ─▶ core::remediation::assess ─▶ render          (check)
//!                            └─▶ plan ─ cluster writes ─ rollout ─▶ assess again   (fix)
//! cluster ─ ServiceProxy, NodeProxyStates, pools, ExternalIPs ─▶ render          (status)
//! cluster ─ look ─▶ core::external_ip::decide ─▶ explanation ─▶ render           (explain)
//!                └────▶ relocation, lingering ─ cluster writes ─ wait ─▶ render        (move, drain)
//! stdin ─▶ core::strict_arp::decide ─▶ stdout                      (strict-arp edit)
//! ```
//!
//! This crate reads, writes, asks and prints; it decides nothing itself.

mod args;
mod check;
mod cluster;
mod completion;
mod drain;
mod duration;
mod edit;
mod explain;
mod explanation;
mod fix;
mod health;
mod look;
mod near;
mod output;
mod patience;
mod relocate;
mod render;
mod rollout;
mod status;
mod style;
mod subject;
mod survey;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, StrictArp, Verb};
use output::Output;

/// The status for "could not tell" and for errors.
const EXIT_UNKNOWN: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::new(cli.color);
    let result = match &cli.verb {
        Verb::Check(arguments) => {
            in_runtime(async { check::run(&cli.connection, arguments, &mut out).await })
        }
        Verb::Status(arguments) => {
            in_runtime(async { status::run(&cli.connection, arguments, &mut out).await })
        }
        Verb::Explain(arguments) => {
            in_runtime(async { explain::run(&cli.connection, arguments, &mut out).await })
        }
        Verb::Move(arguments) => {
            in_runtime(async { relocate::run(&cli.connection, arguments, &mut out).await })
        }
        Verb::Drain(arguments) => {
            in_runtime(async { drain::run(&cli.connection, arguments, &mut out).await })
        }
        Verb::Fix(arguments) => {
            in_runtime(async { fix::run(&cli.connection, arguments, &mut out).await })
        }
        Verb::StrictArp(StrictArp::Edit(arguments)) => edit::run(arguments, &mut out),
        Verb::Completion(arguments) => completion::run(arguments, &mut out),
        Verb::Complete(arguments) => completion::candidates(arguments, &mut out),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            out.error(&format!("{error:#}"));
            ExitCode::from(EXIT_UNKNOWN)
        }
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<u8>>) -> anyhow::Result<u8> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
