//! Text that users wrote, in messages to them.

use std::fmt;

/// How many characters of a text are shown.
const SHOWN: usize = 64;

/// A text as it stands in a message: in quotes, on one line, and not longer than a message can bear.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quoted(String);

impl Quoted {
    /// Of any text.
    pub fn new(text: &str) -> Self {
        let shown: String = text
            .chars()
            .take(SHOWN)
            .flat_map(char::escape_debug)
            .collect();
        let rest = if text.chars().nth(SHOWN).is_some() {
            "..."
        } else {
            ""
        };
        Self(format!("\"{shown}{rest}\""))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_on_one_line_and_is_cut() {
        assert_eq!(Quoted::new("a\n\"b\"").to_string(), r#""a\n\"b\"""#);
        let long = Quoted::new(&"ü".repeat(1000)).to_string();
        assert_eq!(long, format!("\"{}...\"", "ü".repeat(SHOWN)));
    }
}
