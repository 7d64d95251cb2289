//! Where YAML parsers disagree: everything that libyaml's descendants (kube-proxy's) and YAML 1.2 parsers (ours) do not
//! read alike is refused here, by looking at the text of tokens and at what stands between them.

use std::borrow::Cow;
use std::ops::Range;

use super::source::{line_at, line_end, line_start};
use super::tree::Style;
use super::{Reason, Refusal};

/// What the last token was, if it was a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyBefore {
    /// Written as `? key`.
    pub(super) explicit: bool,
    /// In quotes.
    pub(super) quoted: bool,
}

fn ambiguous<T>(text: &str, at: usize, message: &str) -> Result<T, Refusal> {
    Err(Refusal::at(line_at(text, at), Reason::Ambiguous, message))
}

/// Checks what stands between two tokens: comments need a blank before them, a colon needs one behind it, and a key must
/// have its colon on the same line. Nothing but indicators, properties and comments may stand there, and the header of a
/// block text if one follows. Returns whether there is an explicit key indicator `?`.
pub(super) fn gap(
    text: &str,
    range: Range<usize>,
    key: &mut Option<KeyBefore>,
    flow: bool,
    header: bool,
) -> Result<bool, Refusal> {
    let bytes = text.as_bytes();
    let mut explicit = false;
    let mut broken = false;
    let mut at = range.start;
    while at < range.end {
        match bytes[at] {
            b'\n' => broken = true,
            b'#' => {
                if at > 0
                    && !matches!(bytes[at - 1], b' ' | b'\t' | b'\n')
                    && !text[..at].ends_with('\u{feff}')
                {
                    return ambiguous(
                        text,
                        at,
                        "a comment without a blank before `#` is not read alike by all parsers; add a blank",
                    );
                }
                at = line_end(text, at);
                continue;
            }
            b'?' => explicit = true,
            b':' => {
                if let Some(key) = key.take() {
                    if broken && !key.explicit {
                        return ambiguous(
                            text,
                            at,
                            "a colon on another line than its key is not read alike by all parsers; join the lines",
                        );
                    }
                    let blank = bytes
                        .get(at + 1)
                        .is_none_or(|next| matches!(next, b' ' | b'\t' | b'\r' | b'\n'));
                    if !blank && (!flow || !key.quoted) {
                        return ambiguous(
                            text,
                            at,
                            "a colon without a blank behind it is not read alike by all parsers; add a blank",
                        );
                    }
                }
            }
            b' ' | b'\t' | b'\r' | b'-' | b',' | b'{' | b'}' | b'[' | b']' => {}
            b'.' if text[..at].ends_with(['\n', '.']) => {}
            b'&' | b'!' => {
                let rest = &text[at..range.end];
                at += rest
                    .find([' ', '\t', '\r', '\n', ',', '}', ']'])
                    .unwrap_or(rest.len());
                continue;
            }
            b'|' | b'>' | b'+' | b'0'..=b'9' if header => {}
            b'%' if line_start(text, at) == at => {
                at = line_end(text, at);
                continue;
            }
            _ => {
                return ambiguous(
                    text,
                    at,
                    "this is not read alike by all parsers; write it as plain `key: value` lines, with quotes if needed",
                );
            }
        }
        at += 1;
    }
    Ok(explicit)
}

/// Checks the text of a scalar token.
pub(super) fn scalar(
    text: &str,
    span: Range<usize>,
    value: &str,
    style: Style,
    flow: bool,
) -> Result<(), Refusal> {
    let raw = &text[span.clone()];
    match style {
        Style::Plain => {
            if raw.starts_with([
                '%', '@', '`', '|', '>', '&', '*', '!', '#', '"', '\'', '{', '}', '[', ']', ',',
            ]) || (flow && (raw.contains('?') || raw.starts_with(':') || raw == "-"))
            {
                return ambiguous(
                    text,
                    span.start,
                    "this value is not read alike by all parsers without quotes; quote it",
                );
            }
            if raw.ends_with(':')
                || [": ", ":\t", ":\n", ":\r"]
                    .iter()
                    .any(|colon| raw.contains(colon))
            {
                return Err(Refusal::at(
                    line_at(text, span.start),
                    Reason::NotYaml,
                    "a value that ends with a colon is read as a key by kube-proxy, which does not start; quote it",
                ));
            }
            if !raw.contains('\n') && raw != value {
                return ambiguous(
                    text,
                    span.start,
                    "this value cannot be located in the text; quote it",
                );
            }
        }
        Style::Quoted => {
            let quote = raw.chars().next();
            if raw.len() < 2
                || !matches!(quote, Some('"' | '\''))
                || raw.chars().next_back() != quote
            {
                return ambiguous(
                    text,
                    span.start,
                    "this quoted value cannot be located in the text; write it on one line",
                );
            }
            if quote == Some('"') {
                escapes(text, span)?;
            }
        }
        Style::Block if flow => {
            return ambiguous(
                text,
                span.start,
                "a block text inside brackets is no YAML for kube-proxy; put it in quotes",
            );
        }
        Style::Block => {}
    }
    Ok(())
}

/// Only the escapes that both families of parsers know.
fn escapes(text: &str, span: Range<usize>) -> Result<(), Refusal> {
    let mut characters = text[span.clone()].char_indices();
    while let Some((at, character)) = characters.next() {
        if character != '\\' {
            continue;
        }
        let known = match characters.next() {
            Some((_, 'u')) => {
                let digits: String = characters.clone().take(4).map(|(_, digit)| digit).collect();
                !(digits.starts_with(['d', 'D'])
                    && digits[1..].starts_with(|digit: char| digit > '7'))
            }
            Some((_, escape)) => "0abtnvfre \t\"\\N_LPxU\r\n".contains(escape),
            None => false,
        };
        if !known {
            return ambiguous(
                text,
                span.start + at,
                "an escape in this quoted text is unknown to kube-proxy's parser or to others; write the character",
            );
        }
    }
    Ok(())
}

/// The same text, byte for byte, for parsers that do not take a tab right behind a colon, as kube-proxy's does.
///
/// Inside quotes this changes what the text says, but alike before and after an edit.
pub(super) fn without_tabs_behind_colons(text: &str) -> Cow<'_, str> {
    if text.contains(":\t") {
        Cow::Owned(text.replace(":\t", ": "))
    } else {
        Cow::Borrowed(text)
    }
}

/// Where the text in quotes that starts at `start` ends.
pub(super) fn quoted_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.get(start)?;
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Skips anchor and tag in front of a value.
pub(super) fn skip_properties(text: &str, range: Range<usize>) -> usize {
    let mut at = range.start;
    while at < range.end && text[at..range.end].starts_with(['&', '!']) {
        let rest = &text[at..range.end];
        at += rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        loop {
            let rest = &text[at..range.end];
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            at += blanks;
            if blanks > 0 && text[at..range.end].starts_with('#') {
                at = line_end(text, at).min(range.end);
            } else {
                break;
            }
        }
    }
    at
}

/// The name of the anchor between two tokens.
pub(super) fn anchor(text: &str, range: Range<usize>) -> Result<&str, Refusal> {
    let mut at = range.start;
    while at < range.end {
        match text.as_bytes()[at] {
            b'#' => at = line_end(text, at),
            b'&' => return name(text, at, "&"),
            _ => at += 1,
        }
    }
    ambiguous(
        text,
        range.start,
        "an anchor cannot be located in the text; remove it",
    )
}

/// The name of an anchor or alias: letters, digits, `_` and `-`, then white space or a closing bracket.
pub(super) fn name<'a>(text: &'a str, at: usize, sigil: &str) -> Result<&'a str, Refusal> {
    let rest = text[at..].strip_prefix(sigil).unwrap_or_default();
    let end = rest
        .find(|character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-'))
        })
        .unwrap_or(rest.len());
    let closed = rest[end..].is_empty()
        || rest[end..].starts_with([' ', '\t', '\r', '\n'])
        || (sigil == "*" && rest[end..].starts_with([',', ']', '}']));
    if end == 0 || !closed {
        return ambiguous(
            text,
            at,
            "kube-proxy knows only letters, digits, `_` and `-` in the name of an anchor or alias; rename it",
        );
    }
    Ok(&rest[..end])
}

/// Where the closing bracket behind `at` ends.
pub(super) fn bracket_after(text: &str, mut at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'}' | b']' => return Some(at + 1),
            b'#' => at = line_end(text, at),
            _ => at += 1,
        }
    }
    None
}

/// What to say about text that is no YAML: the parser's words, and what is most often behind them.
pub(super) fn syntax(text: &str, line: usize, problem: &str) -> Refusal {
    let lines = || text.split('\n').enumerate();
    let template = lines().find(|(_, content)| {
        content
            .split_once("{{")
            .is_some_and(|(before, _)| !before.contains(['"', '\'', '#']))
    });
    if let Some((at, _)) = template {
        return Refusal::at(
            at + 1,
            Reason::Template,
            "this is a template that was not rendered (`{{ ... }}`), and kube-proxy does not start with it; \
             render it, or quote it if it is meant as text",
        );
    }
    let content = lines()
        .find(|(at, _)| at + 1 == line)
        .map_or("", |(_, content)| content)
        .trim();
    let hint = if content.contains(": ::") || content.ends_with(':') && content.contains(": ") {
        "; quote a value that starts or ends with a colon"
    } else if content.contains('\u{a0}') {
        "; there is a no-break space where a blank belongs"
    } else if content.contains('\t') {
        "; there is a tab where blanks belong"
    } else if content.split('#').next().is_some_and(|bare| {
        bare.contains(':') && !bare.contains(": ") && !bare.trim_end().ends_with(':')
    }) {
        "; a colon needs a blank behind it"
    } else {
        ""
    };
    Refusal::at(
        line,
        Reason::NotYaml,
        format!(
            "this is not YAML that can be read with certainty ({problem}){hint}; kube-proxy may not start with it"
        ),
    )
}

/// The line of `offset` in `text`, its line break not included.
pub(super) fn line_of(text: &str, offset: usize) -> &str {
    &text[line_start(text, offset)..line_end(text, offset)]
}
