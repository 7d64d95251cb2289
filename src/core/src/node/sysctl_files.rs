//! Which file under `sysctl.d` sets an ARP sysctl when the node starts, and whenever somebody runs `sysctl --system`.
//!
//! As in sysctl.d(5): files are taken in the order of their names, whatever directory they are in, and the last line for a
//! key wins; a file hides those of the same name in directories of lower rank; a line for exactly this key wins over one
//! with wildcards. `/etc/sysctl.conf` comes last, as sysctl(8) takes it.

use super::ArpSetting;

/// The directories, the one of highest rank first: a file there hides files of the same name in the others.
pub const DIRECTORIES: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// The file that is taken after all others.
pub const LAST_FILE: &str = "/etc/sysctl.conf";

/// A file, with the lines that set ARP sysctls. One without such lines has to be handed in as well, as it may hide another
/// one; only files whose names end in `.conf` count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlFile {
    /// Where it is on the node, as in `/etc/sysctl.d/99-cni.conf`.
    pub path: String,
    /// The lines.
    pub lines: Vec<SysctlLine>,
}

/// A line that sets ARP sysctls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlLine {
    /// Its number, counted from 1.
    pub number: usize,
    /// The interface, or a pattern for interfaces; `all` and `default` are among them.
    pub interface: String,
    /// The setting.
    pub setting: ArpSetting,
    /// The value; `None` for a line without one (`-key`), which exempts its key from patterns.
    pub value: Option<i32>,
}

/// What a sysctl is set to, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetBy<'a> {
    /// The file.
    pub path: &'a str,
    /// The line.
    pub line: &'a SysctlLine,
    /// The value.
    pub value: i32,
}

// === impl SysctlFile ===

impl SysctlFile {
    /// Reads a file; lines that set anything else, or that cannot be read, are left out.
    pub fn parse(path: impl Into<String>, text: &str) -> Self {
        let lines = text
            .lines()
            .enumerate()
            .flat_map(|(index, line)| parse_line(index + 1, line))
            .collect();
        Self {
            path: path.into(),
            lines,
        }
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The rank of its directory, the highest first.
    fn rank(&self) -> usize {
        let directory = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        DIRECTORIES
            .iter()
            .position(|known| *known == directory)
            .unwrap_or(DIRECTORIES.len())
    }
}

/// What the files set for an interface, or for `all`; `None` if no line does.
pub fn set_by<'a>(
    files: &'a [SysctlFile],
    interface: &str,
    setting: ArpSetting,
) -> Option<SetBy<'a>> {
    let mut order: Vec<&SysctlFile> = files
        .iter()
        .filter(|file| !files.iter().any(|other| hides(other, file)))
        .collect();
    order.sort_by_key(|file| (file.path == LAST_FILE, file.name(), file.rank()));
    let lines = || {
        order
            .iter()
            .flat_map(|file| file.lines.iter().map(|line| (file.path.as_str(), line)))
            .filter(|(_, line)| line.setting == setting)
    };
    let exact = lines().rfind(|(_, line)| line.interface == interface);
    let decided = exact.or_else(|| lines().rfind(|(_, line)| matches(&line.interface, interface)));
    let (path, line) = decided?;
    let value = line.value?;
    Some(SetBy { path, line, value })
}

/// `file` is not taken, as `other` has the same name in a directory of higher rank.
fn hides(other: &SysctlFile, file: &SysctlFile) -> bool {
    file.path != LAST_FILE
        && other.path != LAST_FILE
        && other.name() == file.name()
        && other.rank() < file.rank()
}

// === lines ===

fn parse_line(number: usize, line: &str) -> Option<SysctlLine> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return None;
    }
    let (minus, rest) = match line.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (key, value) = match rest.split_once('=') {
        Some((key, value)) => (key, Some(value.trim().parse().ok()?)),
        None if minus => (rest, None),
        None => return None,
    };
    let parts = parts(key.trim());
    let [net, ipv4, conf, interface, setting] = parts.as_slice() else {
        return None;
    };
    if !(matches(net, "net") && matches(ipv4, "ipv4") && matches(conf, "conf")) {
        return None;
    }
    let setting = ArpSetting::BOTH
        .into_iter()
        .find(|known| setting == known.as_str())?;
    Some(SysctlLine {
        number,
        interface: interface.clone(),
        setting,
        value,
    })
}

/// The parts of a key. The separator is the first of `.` and `/` in it; with dots between the parts, a slash inside one
/// stands for a dot.
fn parts(key: &str) -> Vec<String> {
    let separator = key.chars().find(|c| matches!(c, '.' | '/')).unwrap_or('.');
    key.trim_start_matches('/')
        .split(separator)
        .map(|part| match separator {
            '.' => part.replace('/', "."),
            _ => part.to_owned(),
        })
        .collect()
}

/// The pattern of a shell (`*`, `?`, `[a-z]`, `[!a-z]`) fits the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // The set of pattern positions that the text read so far can have reached.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_stars(&pattern, &mut reached);
    for letter in text {
        let mut next = vec![false; pattern.len() + 1];
        for at in (0..pattern.len()).filter(|at| reached[*at]) {
            match pattern[at] {
                '*' => next[at] = true,
                '?' => next[at + 1] = true,
                '[' => match bracket(&pattern[at..], letter) {
                    Some((true, length)) => next[at + length] = true,
                    Some((false, _)) => {}
                    None => next[at + 1] |= letter == '[',
                },
                plain => next[at + 1] |= plain == letter,
            }
        }
        skip_stars(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

fn skip_stars(pattern: &[char], reached: &mut [bool]) {
    for at in 0..pattern.len() {
        if reached[at] && pattern[at] == '*' {
            reached[at + 1] = true;
        }
    }
}

/// Whether a letter is in the bracket at the start of the pattern, and how long that is; `None` if it is never closed.
fn bracket(pattern: &[char], letter: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = if negated { 2 } else { 1 };
    let close = (first + 1..pattern.len()).find(|at| pattern[*at] == ']')?;
    let inside = &pattern[first..close];
    let mut found = false;
    let mut at = 0;
    while at < inside.len() {
        match inside.get(at + 1..at + 3) {
            Some(['-', high]) => {
                found |= (inside[at]..=*high).contains(&letter);
                at += 3;
            }
            _ => {
                found |= inside[at] == letter;
                at += 1;
            }
        }
    }
    Some((found != negated, close + 1))
}

#[cfg(test)]
mod tests;
