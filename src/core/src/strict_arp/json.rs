//! From JSON to a tree with byte offsets, by the rules of Go's decoder: strict, with nothing behind the object.

use std::borrow::Cow;

use super::source::line_at;
use super::tree::{Id, Kind, Node, Style, Tree};
use super::yaml::MAX_DEPTH;
use super::{Reason, Refusal};

/// Reads the whole text as one JSON value.
pub(super) fn read(text: &str) -> Result<Tree<'_>, Refusal> {
    let mut reader = Reader {
        text,
        at: 0,
        nodes: Vec::new(),
    };
    let root = reader.value(0)?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(Refusal::at(
            line_at(text, reader.at),
            Reason::TrailingData,
            "there is more text behind the JSON object, with which kube-proxy does not start; remove it",
        ));
    }
    Ok(Tree {
        text,
        nodes: reader.nodes,
        root,
        json: true,
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: Vec<Node<'a>>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn fail<T>(&self, expected: &str) -> Result<T, Refusal> {
        Err(Refusal::at(
            line_at(self.text, self.at),
            Reason::NotJson,
            format!(
                "kube-proxy reads this text as JSON because it starts with `{{`, and it is not JSON: expected {expected}; \
                 correct it, or write it as YAML without the outer braces"
            ),
        ))
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<(), Refusal> {
        self.blanks();
        if self.peek() != Some(byte) {
            return self.fail(expected);
        }
        self.at += 1;
        Ok(())
    }

    fn push(&mut self, kind: Kind<'a>, start: usize, flow: bool) -> Id {
        self.nodes.push(Node {
            kind,
            span: start..self.at,
            flow,
            anchor: None,
            tag: None,
            aliases: 0,
        });
        self.nodes.len() - 1
    }

    fn value(&mut self, depth: usize) -> Result<Id, Refusal> {
        self.blanks();
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(Refusal::at(
                line_at(self.text, self.at),
                Reason::TooDeep,
                "maps and lists are nested more than 100 deep; this is no configuration of kube-proxy",
            ));
        }
        match self.peek() {
            Some(b'{') => {
                let entries = self.object(depth)?;
                Ok(self.push(Kind::Map(entries), start, true))
            }
            Some(b'[') => {
                let items = self.array(depth)?;
                Ok(self.push(Kind::Seq(items), start, true))
            }
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                let text = &self.text[start..self.at];
                Ok(self.push(
                    Kind::Scalar(Cow::Borrowed(text), Style::Plain),
                    start,
                    false,
                ))
            }
            _ => {
                for word in ["true", "false", "null"] {
                    if self.text[start..].starts_with(word) {
                        self.at += word.len();
                        return Ok(self.push(
                            Kind::Scalar(Cow::Borrowed(word), Style::Plain),
                            start,
                            false,
                        ));
                    }
                }
                self.fail("a value")
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Id, Id)>, Refusal> {
        let mut entries = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(entries);
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return self.fail("a key in double quotes");
            }
            let key = self.string()?;
            self.expect(b':', "`:` behind the key")?;
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(entries);
                }
                _ => return self.fail("`,` or `}`"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Id>, Refusal> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(items);
                }
                _ => return self.fail("`,` or `]`"),
            }
        }
    }

    fn string(&mut self) -> Result<Id, Refusal> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                            self.at += 1
                        }
                        Some(b'u') => {
                            let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                            if !digits
                                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                            {
                                return self.fail("four hexadecimal digits");
                            }
                            self.at += 5;
                        }
                        _ => return self.fail("a known escape"),
                    }
                }
                Some(0x20..) => self.at += 1,
                _ => return self.fail("the end of the text in quotes"),
            }
        }
        self.at += 1;
        let raw = &self.text[start..self.at];
        let text = if escaped {
            // Go replaces a lone surrogate; no known key or value holds one, so any text that differs will do.
            Cow::Owned(serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()))
        } else {
            Cow::Borrowed(&raw[1..raw.len() - 1])
        };
        Ok(self.push(Kind::Scalar(text, Style::Quoted), start, false))
    }

    fn digits(&mut self) -> Result<(), Refusal> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fail("a digit");
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Refusal> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
}
