//! Damages texts in the ways in which people, templates and tools damage YAML, from a seed, so that every run is the same.
//!
//! Needs nothing but `std`: include it by `#[path]` wherever mutated inputs are wanted.

/// A small generator of numbers (xorshift*), enough for tests.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator that gives the same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `limit`, which must not be 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Tokens that change what YAML means.
const TOKENS: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\r",
    ":",
    ": ",
    ",",
    ", ",
    "#",
    " #",
    " # off",
    "-",
    "- ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "\"",
    "'",
    "|",
    ">",
    "|+\n",
    "&a ",
    "*a",
    "*b ",
    "!!bool ",
    "!!str ",
    "!x ",
    "<<: *b",
    "<<: ",
    "---\n",
    "\n---\n",
    "...\n",
    "%YAML 1.1\n",
    "~",
    "null",
    "true",
    "false",
    "yes",
    "no",
    "y",
    "0",
    "1.0",
    "1e3",
    "0x1f",
    ".inf",
    "::",
    "\u{feff}",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "ü",
    "\0",
    "\\",
    "\\u0041",
    "\\/",
    "@",
    "`",
    "%",
    "{{ .x }}",
    "=",
    "strictARP",
    "ipvs",
    "mode",
    "ipvs:",
    "strictARP: true",
    "strictARP: false",
    "\n  strictARP: false\n",
    "kind",
    "\nmode: ipvs\n",
    "\nipvs:\n",
    "\nipvs:\n  strictARP: true\n",
    "strictArp",
    "KubeProxyConfiguration",
    "scheduler: rr",
];

/// Values to put behind a colon.
const VALUES: &[&str] = &[
    "true",
    "false",
    "True",
    "FALSE",
    "yes",
    "no",
    "on",
    "Off",
    "y",
    "N",
    "null",
    "~",
    "",
    "\"true\"",
    "'false'",
    "0",
    "1",
    "tRUE",
    "{}",
    "[]",
    "!!bool true",
    "!!str false",
    "*a",
    "&a false",
    "ipvs",
    "iptables",
    "\"ipvs\"",
    "30s",
    "-1s",
    "5",
    "5.0",
    "\"\"",
    "10.0.0.0/8",
    "[10.0.0.0/8]",
    "{strictARP: false}",
    "{strictARP: true, scheduler: rr}",
    "|\n    text",
    "false # c",
    "&b",
    "::",
    "0.0.0.0",
    "a: b",
    "a b",
    "{a: b",
    "# c",
    "false\n    true",
    "1_000",
    "0o17",
    "2001-01-01",
];

/// One input, damaged one to three times.
pub(crate) fn mutant(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut text = random.pick(corpus).clone();
    for _ in 0..=[0, 0, 1, 2][random.below(4)] {
        let other = random.pick(corpus);
        damage(random, &mut text, other);
    }
    text
}

/// One damage; `other` lends lines.
fn damage(random: &mut Random, text: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(text.len() + 1);
    match random.below(16) {
        0 => {
            let token = random.pick(TOKENS);
            text.splice(at..at, token.bytes());
        }
        1 if at < text.len() => {
            text.remove(at);
        }
        2 => {
            let end = (at + 1 + random.below(12)).min(text.len());
            text.drain(at..end);
        }
        3 if at < text.len() => {
            let token = random.pick(TOKENS);
            text.splice(at..=at, token.bytes());
        }
        4 if random.below(4) == 0 => text.truncate(at),
        5 | 6 => value(random, text),
        _ => lines(random, text, other),
    }
}

/// Another value behind the colon of a random line.
fn value(random: &mut Random, text: &mut Vec<u8>) {
    let colons: Vec<usize> = text
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b':')
        .map(|(at, _)| at)
        .collect();
    if colons.is_empty() {
        return;
    }
    let at = *random.pick(&colons);
    let end = text[at..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r' | b',' | b'}'))
        .map_or(text.len(), |to| at + to);
    let value = format!(": {}", random.pick(VALUES));
    text.splice(at..end, value.bytes());
}

/// Damage by whole lines.
fn lines(random: &mut Random, text: &mut Vec<u8>, other: &[u8]) {
    let mut lines: Vec<Vec<u8>> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    if lines.is_empty() {
        return;
    }
    let (from, to) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(11) {
        0 => {
            lines.remove(from);
        }
        1 => lines.insert(to, lines[from].clone()),
        2 => lines.swap(from, to),
        3 => {
            let line = lines.remove(from);
            lines.insert(to.min(lines.len()), line);
        }
        4 => {
            lines[from].splice(0..0, b"  "[..=random.below(2)].iter().copied());
        }
        5 => {
            let blanks = lines[from].iter().take_while(|byte| **byte == b' ').count();
            lines[from].drain(..blanks.min(1 + random.below(2)));
        }
        6 => {
            let lent: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
            if !lent.is_empty() {
                lines.insert(to, random.pick(&lent).to_vec());
            }
        }
        7 => {
            let end = lines[from]
                .iter()
                .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
                .map_or(0, |end| end + 1);
            let tail: &&str = random.pick(&[
                " # strictARP: false",
                "  ",
                "\t",
                "\t# c",
                ",",
                " # was true",
                "\r",
            ]);
            lines[from].splice(end..end, tail.bytes());
        }
        8 => lines.insert(
            to,
            random
                .pick(&[
                    &b"# c\n"[..],
                    b"\n",
                    b"---\n",
                    b"  # c\n",
                    b"x: &a false\n",
                    b"y: *a\n",
                    b"z: &b\n  strictARP: true\n",
                    b"  <<: *b\n",
                ])
                .to_vec(),
        ),
        9 => {
            let colon: &&str = random.pick(&[":", " : ", ":\t", ":  ", ": \"", ":\n      "]);
            let line = String::from_utf8_lossy(&lines[from]).replacen(": ", colon, 1);
            lines[from] = line.into_bytes();
        }
        _ => {
            let line = String::from_utf8_lossy(&lines[from]).into_owned();
            let quote: &char = random.pick(&['"', '\'']);
            if let Some((key, rest)) = line.split_once(':') {
                let blanks = key.len() - key.trim_start().len();
                lines[from] =
                    format!("{}{quote}{}{quote}:{rest}", &key[..blanks], key.trim()).into_bytes();
            }
        }
    }
    *text = lines.concat();
}
