//! The border: bytes in, text that all YAML parsers cut into the same lines and documents out.

use std::ops::Range;

use super::{Reason, Refusal};

/// How kube-proxy will read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The first character that is not white space is `{`: JSON, and nothing else is tried.
    Json,
    /// Everything else.
    Yaml,
}

/// A text that passed the border.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The whole text, including a byte order mark.
    pub(super) text: &'a str,
    /// How kube-proxy will read it.
    pub(super) format: Format,
    /// Where the first document is: the only one that kube-proxy reads.
    pub(super) first: Range<usize>,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl<'a> Source<'a> {
    /// Checks the characters and finds the first document.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + count_lines(&bytes[..error.valid_up_to()]);
            Refusal::at(
                line,
                Reason::NotUtf8,
                "the bytes are not UTF-8, so kube-proxy cannot read them; store the configuration as UTF-8 text",
            )
        })?;
        check_characters(text)?;
        if text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty() {
            return Err(nothing_here());
        }
        if text.trim_start().starts_with('{') {
            return Ok(Self {
                text,
                format: Format::Json,
                first: 0..text.len(),
            });
        }
        let start = if text.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len_utf8()
        } else {
            0
        };
        let end = first_document_end(text, start)?;
        Ok(Self {
            text,
            format: Format::Yaml,
            first: start..end,
        })
    }

    /// The text of the first document.
    pub(super) fn body(&self) -> &'a str {
        &self.text[self.first.clone()]
    }

    /// What follows the first document.
    pub(super) fn tail(&self) -> &'a str {
        &self.text[self.first.end..]
    }
}

/// The number of the line that holds `offset`, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + count_lines(&text.as_bytes()[..offset.min(text.len())])
}

/// Where the line that holds `offset` starts.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// Where the line that holds `offset` ends, its line break not included.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    if end > offset && text.as_bytes()[end - 1] == b'\r' && end < text.len() {
        end - 1
    } else {
        end
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

fn nothing_here() -> Refusal {
    Refusal::whole(
        Reason::NoConfiguration,
        "there is no configuration here (nothing but blanks and comments), so kube-proxy would not start; \
         check that this is the key that kube-proxy mounts",
    )
}

fn check_characters(text: &str) -> Result<(), Refusal> {
    for (at, character) in text.char_indices() {
        if matches!(character, ' '..='~' | '\n' | '\t') {
            continue;
        }
        let refuse = |reason, message: String| Err(Refusal::at(line_at(text, at), reason, message));
        match character {
            '\0' => {
                return refuse(
                    Reason::NulByte,
                    "a NUL byte: kube-proxy cannot read this; it is binary data, not a configuration".into(),
                );
            }
            '\r' if text.as_bytes().get(at + 1) == Some(&b'\n') => {}
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                return refuse(
                    Reason::UnusualLineBreak,
                    format!(
                        "the character U+{:04X} is a line break for kube-proxy and none for other programs; \
                         replace it by a plain line feed",
                        u32::from(character)
                    ),
                );
            }
            BYTE_ORDER_MARK if at == 0 => {}
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | BYTE_ORDER_MARK | '\u{fffe}' | '\u{ffff}' => {
                return refuse(
                    Reason::ControlCharacter,
                    format!(
                        "the character U+{:04X} must not be in YAML, kube-proxy would not start; remove it",
                        u32::from(character)
                    ),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// A `---` or `...` at the start of a line, followed by white space or nothing.
fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Finds where the first document ends: markers end a document wherever they stand, so text is enough.
fn first_document_end(text: &str, start: usize) -> Result<usize, Refusal> {
    let mut at = start;
    let mut started = false;
    for line in text[start..].split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']).trim_end();
        let refuse = |reason, message: &str| Err(Refusal::at(line_at(text, at), reason, message));
        if is_marker(line, "---") {
            if started {
                return Ok(at);
            }
            started = true;
            let rest = line[3..].trim();
            if !(rest.is_empty() || rest.starts_with(['#', '{'])) {
                return refuse(
                    Reason::Ambiguous,
                    "content on the line of the marker `---` is not read alike by all parsers; start it on a new line",
                );
            }
        } else if is_marker(line, "...") {
            if !started {
                return Err(nothing_here());
            }
            return Ok(at);
        } else if line.starts_with('%') {
            let version = line
                .strip_prefix("%YAML ")
                .map(|rest| rest.split('#').next().unwrap_or_default().trim());
            if started || version != Some("1.1") {
                return refuse(
                    Reason::Directive,
                    "a line that starts with `%` is a directive, and kube-proxy knows only `%YAML 1.1` before `---`; \
                     remove it",
                );
            }
        } else if !content.is_empty() {
            check_tabs(line).map_err(|message| {
                Refusal::at(line_at(text, at), Reason::TabIndentation, message)
            })?;
            started |= !content.starts_with('#');
        } else {
            check_tabs(line).map_err(|message| {
                Refusal::at(line_at(text, at), Reason::TabIndentation, message)
            })?;
        }
        at += line.len();
    }
    if started { Ok(at) } else { Err(nothing_here()) }
}

/// A tab must not indent: not at the start of a line and not after the indicators `-`, `?` and `:` there.
fn check_tabs(line: &str) -> Result<(), &'static str> {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.starts_with('\t') {
            return Err(
                "a tab is used for indentation, with which kube-proxy does not start; replace it by spaces",
            );
        }
        let mut characters = rest.chars();
        match (characters.next(), characters.next()) {
            (Some('-' | '?' | ':'), Some(' ' | '\t')) => rest = &rest[1..],
            _ => return Ok(()),
        }
    }
}
