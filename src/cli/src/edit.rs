//! `strict-arp edit`: the decision about a text, as a filter.

use std::io::{self, Read};

use anyhow::Context as _;
use mooring_core::strict_arp::{Context, Verdict, decide};

use crate::args::EditArguments;
use crate::output::Output;

/// The status for a refusal; 2 is taken by usage errors.
const EXIT_REFUSED: u8 = 3;

/// Reads standard input to its end, decides, writes.
pub(crate) fn run(arguments: &EditArguments, out: &mut Output) -> anyhow::Result<u8> {
    let mut text = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut text)
        .context("cannot read the configuration from stdin")?;
    let context = Context {
        live_mode: arguments.live_mode,
        force_mode: arguments.force_mode,
    };
    let decision = decide(&text, &context);
    let refused = decision.verdict() == Verdict::Refused;
    if arguments.json {
        out.line(&serde_json::to_string(&decision)?)?;
    } else {
        for warning in decision.warnings() {
            out.warning(&format!("{}: {}", warning.reason, warning.message));
        }
        match decision.text() {
            Some(text) if !refused => {
                out.bytes(text.as_bytes())?;
                out.note(&format!(
                    "{}: {}: {}",
                    decision.verdict(),
                    decision.reason(),
                    decision.message()
                ));
            }
            _ => out.error(&format!(
                "refused: {}: {}",
                decision.reason(),
                decision.message()
            )),
        }
    }
    Ok(if refused { EXIT_REFUSED } else { 0 })
}
