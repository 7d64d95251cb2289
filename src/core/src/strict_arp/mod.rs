//! The edit that sets `ipvs.strictARP: true` in the text of kube-proxy's configuration, or the reason why not.
//!
//! ```text
//! bytes ─ source ─ yaml │ json ─ schema, validity ─ mode ─ splice ─ proof ─ Decision
//!         (lines,  (tree with     (does kube-proxy   (is it   (one      (two readers,
//!          first    byte offsets)  start with this?)  needed?) place)    before = after
//!          document)                                                     but for one value)
//! ```
//!
//! The text is somebody else's, and kube-proxy does not start with a broken one. So:
//!
//! - The text is judged as kube-proxy judges it at its next start: its YAML 1.1 booleans, its order of merge keys, its
//!   taking JSON for everything that starts with `{`, its reading of the first document only, the types and values that it
//!   demands of every field. A text with which it would not start is refused, with the reason and the line.
//! - An edit replaces one token, or inserts one line (two where `ipvs:` itself is new). All other bytes stay: comments,
//!   order, quotes, line ends, other documents.
//! - An edit is only handed out once `proof` has shown, by two readers that share no code, that nothing but
//!   `ipvs.strictARP` changes. What cannot be proved is refused.
//!
//! Which engine does what: `saphyr-parser` gives events with positions, `splice` puts the text in, `serde-saphyr` (or
//! `serde_json`) proves it. `yaml-edit`, a lossless editor, is held against the splice in a test: over the corpus it gives
//! the same bytes for most texts and spreads the rest over more lines or another place (a null section, brackets over
//! several lines, a last line without line end); what it edits wrongly (shared anchors, duplicate keys) is refused here
//! before there is an edit. It would add a second engine and no text, and takes too long for a megabyte.
//!
//! Texts up to 64 KiB are proved whole. In larger ones the entries that the edit cannot reach are left out of the proof
//! (see `window`), so that a megabyte is decided in less than 100 ms; with anchors, aliases or tags in it, or with an
//! edit inside brackets, a large text is proved whole and takes longer.

mod address;
mod config;
mod decision;
mod guard;
mod json;
mod proof;
mod reason;
mod scalar;
mod schema;
mod source;
mod splice;
#[cfg(test)]
mod tests;
mod tree;
mod validity;
mod window;
mod yaml;

pub use config::{ConfiguredMode, ProxyConfig};
pub use decision::{Decision, Refusal, Warning};
pub use reason::{Reason, Verdict, WarningReason};

use config::{Reading, StrictArp};

use crate::proxy_mode::ProxyMode;

/// What is known beside the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// The mode in which kube-proxy runs now, if known.
    pub live_mode: Option<ProxyMode>,
    /// Edit although the configured mode is not ipvs.
    pub force_mode: bool,
}

/// What kube-proxy will read from this text at its next start, or why it will not start (or cannot be foreseen).
pub fn read(text: &[u8]) -> Result<ProxyConfig, Refusal> {
    config::read(text)?.config()
}

/// Decides what is to be done with the text of the key that kube-proxy mounts.
pub fn decide(text: &[u8], context: &Context) -> Decision {
    let mut reading = match config::read(text) {
        Ok(reading) => reading,
        Err(refusal) => return Decision::refused(refusal, Vec::new()),
    };
    let mut warnings = std::mem::take(&mut reading.warnings);
    warnings.extend(mode_warnings(&reading, context));
    let decided = outcome(&reading, context, &mut warnings);
    match decided {
        Ok((reason, verdict, message, line, after)) => Decision {
            verdict,
            reason,
            message,
            line,
            warnings,
            before: Some(reading.source.text.to_owned()),
            after,
        },
        Err(refusal) => Decision::refused(refusal, warnings),
    }
}

type Outcome = (Reason, Verdict, String, Option<usize>, Option<String>);

fn outcome(
    reading: &Reading<'_>,
    context: &Context,
    warnings: &mut Vec<Warning>,
) -> Result<Outcome, Refusal> {
    if let StrictArp::Wrong(found) = &reading.strict_arp {
        return Err(config::not_a_boolean(reading.strict_arp_line, found));
    }
    if let Some((reason, message)) = not_needed(reading, context) {
        if let StrictArp::Quoted(found) = &reading.strict_arp {
            return Err(config::not_a_boolean(reading.strict_arp_line, found));
        }
        return Ok((reason, Verdict::NotNeeded, message, reading.mode_line, None));
    }
    if let StrictArp::Is(true, token) = &reading.strict_arp {
        if let Some(token) = token
            .as_deref()
            .filter(|token| !token.eq_ignore_ascii_case("true"))
        {
            warnings.push(Warning {
                reason: WarningReason::Yaml11Boolean,
                message: format!(
                    "line {}: `{token}` is true for kube-proxy, but a text for tools that follow YAML 1.2; write `true`",
                    reading.strict_arp_line.unwrap_or(1)
                ),
                line: reading.strict_arp_line,
            });
        }
        let message =
            "kube-proxy reads `ipvs.strictARP: true` from this text; nothing to do".to_owned();
        return Ok((
            Reason::StrictArpIsTrue,
            Verdict::Already,
            message,
            reading.strict_arp_line,
            None,
        ));
    }
    let mut failure = None;
    for edit in splice::plan(reading)? {
        match proof::prove(reading, &edit) {
            Ok(after) => {
                warnings.extend(edit_warnings(reading, &edit));
                let inserted = edit.text.len() - edit.text.trim_start_matches(['\r', '\n']).len();
                let line = source::line_at(&after, edit.range.start + inserted);
                let message = match edit.reason {
                    Reason::ValueReplaced => {
                        format!("line {line}: `ipvs.strictARP` is set to true")
                    }
                    Reason::KeyAdded => {
                        format!("line {line}: `strictARP: true` is added to the `ipvs` section")
                    }
                    _ => format!("line {line}: an `ipvs` section with `strictARP: true` is added"),
                };
                let message = format!("{message}; it takes effect when kube-proxy restarts");
                return Ok((
                    edit.reason,
                    Verdict::Patched,
                    message,
                    Some(line),
                    Some(after),
                ));
            }
            Err(reason) => {
                failure.get_or_insert((
                    source::line_at(reading.source.text, edit.range.start),
                    reason,
                ));
            }
        }
    }
    let (line, failure) = failure.unwrap_or((1, proof::Failure::NotConfined));
    Err(Refusal::at(
        line,
        Reason::NotProved,
        format!(
            "setting `ipvs.strictARP` here cannot be proved to be safe: {}; set it by hand, in plain `key: value` lines",
            failure.describe()
        ),
    ))
}

/// Why `strictARP` does not matter with this mode.
fn not_needed(reading: &Reading<'_>, context: &Context) -> Option<(Reason, String)> {
    if context.force_mode {
        return None;
    }
    let ignored = "ipvs.strictARP has no effect in this mode";
    match reading.mode {
        ConfiguredMode::Known(ProxyMode::Ipvs) => None,
        ConfiguredMode::Unset if context.live_mode == Some(ProxyMode::Ipvs) => None,
        ConfiguredMode::Unset => Some((
            Reason::ModeUnset,
            format!(
                "`mode` is unset: kube-proxy takes iptables up to 1.39 and nftables from 1.40, and {ignored}"
            ),
        )),
        ConfiguredMode::Known(ProxyMode::Iptables) => Some((
            Reason::ModeIptables,
            format!("`mode` is iptables, and {ignored}"),
        )),
        ConfiguredMode::Known(ProxyMode::Nftables) => Some((
            Reason::ModeNftables,
            format!("`mode` is nftables, and {ignored}"),
        )),
        ConfiguredMode::Known(ProxyMode::Kernelspace) => Some((
            Reason::ModeKernelspace,
            format!("`mode` is kernelspace, that of Windows nodes, and {ignored}"),
        )),
    }
}

fn mode_warnings(reading: &Reading<'_>, context: &Context) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |reason, message: String| {
        warnings.push(Warning {
            reason,
            message,
            line: reading.mode_line,
        });
    };
    match (reading.mode, context.live_mode) {
        (ConfiguredMode::Known(configured), Some(live)) if configured != live => warn(
            WarningReason::ModeMismatch,
            format!(
                "the configured mode is {configured}, but kube-proxy runs in {live}: it was not restarted since the \
                 configuration changed, or reads another one; this decision is about {configured}, the next start"
            ),
        ),
        (ConfiguredMode::Unset, Some(ProxyMode::Ipvs)) => warn(
            WarningReason::ModeMismatch,
            "`mode` is unset, which never means ipvs, but kube-proxy runs in ipvs: it reads another configuration or was \
             not restarted; write the mode out"
                .into(),
        ),
        (ConfiguredMode::Unset, _) => warn(
            WarningReason::ModeUnset,
            "`mode` is unset, so kube-proxy's version decides: iptables up to 1.39, nftables from 1.40; write it out \
             before an upgrade"
                .into(),
        ),
        _ => {}
    }
    if context.force_mode && reading.mode != ConfiguredMode::Known(ProxyMode::Ipvs) {
        warn(
            WarningReason::ForcedMode,
            "the edit is forced: in the configured mode kube-proxy does not look at `ipvs.strictARP`".into(),
        );
    }
    warnings
}

fn edit_warnings(reading: &Reading<'_>, edit: &splice::Edit) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let text = reading.source.text;
    if let StrictArp::Quoted(found) = &reading.strict_arp {
        let line = reading.strict_arp_line;
        warnings.push(Warning {
            reason: WarningReason::QuotedBoolean,
            message: format!(
                "line {}: the value was {found} in quotes, a string, with which kube-proxy does not start: pods that were \
                 restarted since are down",
                line.unwrap_or(1)
            ),
            line,
        });
    }
    let rest = &text[edit.range.end..source::line_end(text, edit.range.end)];
    if edit.reason == Reason::ValueReplaced
        && !reading.tree.json
        && let Some((_, comment)) = rest.split_once('#')
    {
        let line = source::line_at(text, edit.range.start);
        warnings.push(Warning {
            reason: WarningReason::CommentOnLine,
            message: format!(
                "line {line}: the comment `#{}` may say why the value was what it was; it is kept, check that it still holds",
                comment.trim_end()
            ),
            line: Some(line),
        });
    }
    warnings
}
