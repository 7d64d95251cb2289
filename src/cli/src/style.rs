//! Colour.

use std::env;

use mooring_core::remediation::Safety;

use crate::args::Color;

/// Paints text, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colored: bool,
}

impl Style {
    /// For a stream that is or is not a terminal.
    pub(crate) fn new(color: Color, terminal: bool) -> Self {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colored: match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => terminal && !no_color,
            },
        }
    }

    /// Bold, in the colour of the verdict.
    pub(crate) fn verdict(self, safety: Safety, text: &str) -> String {
        let code = match safety {
            Safety::Safe => "1;32",
            Safety::NotSafe => "1;31",
            Safety::Unknown => "1;33",
        };
        self.paint(code, text)
    }

    /// Something to know.
    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something went wrong.
    pub(crate) fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// A unified diff.
    pub(crate) fn diff(self, diff: &str) -> String {
        if !self.colored {
            return diff.to_owned();
        }
        diff.split_inclusive('\n')
            .map(|line| {
                let text = line.trim_end_matches('\n');
                let painted = match text.as_bytes().first() {
                    Some(b'+') => self.paint("32", text),
                    Some(b'-') => self.paint("31", text),
                    Some(b'@') => self.paint("36", text),
                    _ => text.to_owned(),
                };
                format!("{painted}{}", &line[text.len()..])
            })
            .collect()
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colored {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_nothing_is_added() {
        let style = Style::new(Color::Auto, false);
        assert_eq!(style.verdict(Safety::Safe, "x"), "x");
        assert_eq!(style.diff("-a\n+b\n"), "-a\n+b\n");
    }

    #[test]
    fn a_painted_diff_keeps_its_line_ends() {
        let style = Style::new(Color::Always, false);
        assert_eq!(
            style.diff("-a\n+b\n c"),
            "\x1b[31m-a\x1b[0m\n\x1b[32m+b\x1b[0m\n c"
        );
    }
}
