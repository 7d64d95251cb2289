//! The edit: one replaced token, or one run of inserted text, at an exact place.
//!
//! Nothing here has to be right: whatever comes out goes through [`super::proof`]. It has to be minimal.

use std::ops::Range;

use super::config::Reading;
use super::scalar::{Tag, Value};
use super::source::{line_end, line_start};
use super::tree::{Id, Kind, Style, Tree};
use super::{Reason, Refusal};

/// Text to put in the place of a range of the old text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
    pub(super) reason: Reason,
}

impl Edit {
    fn replace(range: Range<usize>, text: impl Into<String>, reason: Reason) -> Self {
        Self {
            range,
            text: text.into(),
            reason,
        }
    }

    fn insert(at: usize, text: impl Into<String>, reason: Reason) -> Self {
        Self::replace(at..at, text, reason)
    }

    /// The text after the edit.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut after = String::with_capacity(text.len() + self.text.len());
        after.push_str(&text[..self.range.start]);
        after.push_str(&self.text);
        after.push_str(&text[self.range.end..]);
        after
    }
}

/// The edits that would do, the nicest first.
pub(super) fn plan(reading: &Reading<'_>) -> Result<Vec<Edit>, Refusal> {
    let tree = &reading.tree;
    let planner = Planner { tree };
    let Some(ipvs) = tree.get(tree.root, "ipvs") else {
        return planner.add_section(reading);
    };
    let node = &tree.nodes[ipvs.value];
    if ipvs.merged {
        return Err(Refusal::at(
            tree.line(ipvs.key),
            Reason::Merged,
            "the `ipvs` section comes from a merge key (`<<`), and a second one would hide it; write the section out \
             under `ipvs:` and set `strictARP: true` there",
        ));
    }
    if node.aliases > 0 || matches!(node.kind, Kind::Alias(_)) {
        return Err(shared(tree.line(ipvs.value), "the `ipvs` section"));
    }
    if tree.value(ipvs.value) == Some(Value::Null) {
        return planner.fill_section(ipvs.key, ipvs.value);
    }
    let own = tree.own(ipvs.value, "strictARP");
    match (tree.get(ipvs.value, "strictARP"), own.first()) {
        (Some(entry), Some(&(key, _))) if entry.merged => Err(Refusal::at(
            tree.line(key),
            Reason::MergeOverrides,
            format!(
                "kube-proxy applies merge keys in the order of the text, so the `strictARP` on line {} overrides this one; \
                 move `strictARP: true` below the `<<` line",
                tree.line(entry.key)
            ),
        )),
        (Some(entry), Some(_)) => planner.set_value(entry.key, entry.value),
        _ => planner.add_key(ipvs.key, ipvs.value),
    }
}

fn shared(line: usize, what: &str) -> Refusal {
    Refusal::at(
        line,
        Reason::Shared,
        format!(
            "{what} is used in another place too, by an anchor (`&`) and its alias (`*`), so that an edit would change both; \
             write it out in both places, then set `strictARP: true`"
        ),
    )
}

struct Planner<'t, 'a> {
    tree: &'t Tree<'a>,
}

impl Planner<'_, '_> {
    fn text(&self) -> &str {
        self.tree.text
    }

    fn no_place<T>(&self, id: Id) -> Result<T, Refusal> {
        Err(Refusal::at(
            self.tree.line(id),
            Reason::NoPlace,
            "there is no place near here where `strictARP: true` could be put without changing more than a line; \
             set it by hand under `ipvs:`",
        ))
    }

    fn start(&self, id: Id) -> usize {
        self.tree.nodes[id].span.start
    }

    /// The indentation of a node that is the first thing on its line.
    fn indent(&self, id: Id) -> Option<&str> {
        let start = self.start(id);
        let lead = &self.text()[line_start(self.text(), start)..start];
        let lead = lead.trim_start_matches('\u{feff}');
        lead.bytes().all(|byte| byte == b' ').then_some(lead)
    }

    /// The line break in use at `at`, the end of a line.
    fn line_break(&self, at: usize) -> &'static str {
        let rest = &self.text()[at..];
        if rest.starts_with("\r\n") || (rest.is_empty() && self.text().contains("\r\n")) {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// The offset behind the colon of a key, if it stands on the line of the key.
    fn behind_colon(&self, key: Id) -> Option<usize> {
        let end = self.tree.nodes[key].span.end;
        let rest = &self.text()[end..];
        let colon = rest.find(|character| character != ' ' && character != '\t')?;
        rest[colon..].starts_with(':').then_some(end + colon + 1)
    }

    fn step(&self) -> &'static str {
        let columns = |id: Id| self.indent(id).map(str::len);
        let root = self.tree.map(self.tree.root).unwrap_or_default();
        let outer = root.first().and_then(|&(key, _)| columns(key)).unwrap_or(0);
        let inner = root
            .iter()
            .filter(|&&(_, value)| !self.tree.nodes[value].flow)
            .find_map(|&(_, value)| columns(self.tree.map(value)?.first()?.0));
        match inner {
            Some(inner) if inner > outer => &"        "[..(inner - outer).min(8)],
            _ => "  ",
        }
    }

    fn quoted(&self) -> bool {
        let first = self.tree.map(self.tree.root).and_then(<[_]>::first);
        self.tree.json
            || (self.tree.nodes[self.tree.root].flow
                && first.is_some_and(|&(key, _)| {
                    matches!(self.tree.nodes[key].kind, Kind::Scalar(_, Style::Quoted))
                }))
    }

    /// `"ipvs": ` or `ipvs: ` or `"ipvs":`, as the text around has it.
    fn name(&self, name: &str) -> String {
        let spaced = !self.tree.json || {
            let first = self.tree.map(self.tree.root).and_then(<[_]>::first);
            first.is_none_or(|&(key, value)| {
                self.text()[self.tree.nodes[key].span.end..self.start(value)].contains(' ')
            })
        };
        match (self.quoted(), spaced) {
            (true, true) => format!("\"{name}\": "),
            (true, false) => format!("\"{name}\":"),
            (false, _) => format!("{name}: "),
        }
    }

    fn section(&self) -> String {
        format!("{{{}true}}", self.name("strictARP"))
    }

    // === an existing strictARP ===

    fn set_value(&self, key: Id, value: Id) -> Result<Vec<Edit>, Refusal> {
        let node = &self.tree.nodes[value];
        if node.aliases > 0 {
            return Err(shared(self.tree.line(value), "the value of `strictARP`"));
        }
        let reason = Reason::ValueReplaced;
        let fits = match node.kind {
            Kind::Alias(_) => true,
            Kind::Scalar(_, style) => {
                style != Style::Block && matches!(node.tag, None | Some(Tag::Bool))
            }
            _ => false,
        };
        if !fits {
            return self.no_place(value);
        }
        if !node.span.is_empty() {
            return Ok(vec![Edit::replace(node.span.clone(), "true", reason)]);
        }
        match self.behind_colon(key) {
            Some(at) if node.anchor.is_none() && node.tag.is_none() => {
                Ok(vec![Edit::insert(at, " true", reason)])
            }
            _ => self.no_place(value),
        }
    }

    // === an ipvs section without the key ===

    fn fill_section(&self, key: Id, value: Id) -> Result<Vec<Edit>, Refusal> {
        let node = &self.tree.nodes[value];
        let reason = Reason::KeyAdded;
        if node.tag.is_some() || node.anchor.is_some() {
            return self.no_place(value);
        }
        if !node.span.is_empty() {
            return Ok(vec![Edit::replace(
                node.span.clone(),
                self.section(),
                reason,
            )]);
        }
        let Some(at) = self.behind_colon(key) else {
            return self.no_place(value);
        };
        if self.tree.nodes[self.tree.root].flow {
            return Ok(vec![Edit::insert(
                at,
                format!(" {}", self.section()),
                reason,
            )]);
        }
        let Some(indent) = self.indent(key) else {
            return self.no_place(value);
        };
        let end = line_end(self.text(), at);
        let line = format!(
            "{}{indent}{}strictARP: true",
            self.line_break(end),
            self.step()
        );
        Ok(vec![Edit::insert(end, line, reason)])
    }

    fn add_key(&self, key: Id, value: Id) -> Result<Vec<Edit>, Refusal> {
        let entry = format!("{}true", self.name("strictARP"));
        if self.tree.nodes[value].flow {
            return Ok(vec![self.insert_in_brackets(
                value,
                &entry,
                Reason::KeyAdded,
            )]);
        }
        let entries = self.tree.map(value).unwrap_or_default();
        let Some(&(first, _)) = entries.first() else {
            return self.no_place(value);
        };
        let Some(indent) = self.indent(first) else {
            return self.no_place(value);
        };
        let text = self.text();
        let merge = entries.iter().rfind(|(key, _)| self.tree.is_merge(*key));
        let under = match merge {
            Some(&(_, source)) => Some(line_end(text, self.tree.nodes[source].span.end)),
            None => self
                .behind_colon(key)
                .map(|at| line_end(text, at))
                .filter(|&end| {
                    let between = &text[end..line_start(text, self.start(first)).max(end)];
                    between
                        .lines()
                        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
                }),
        };
        Ok(vec![match under {
            Some(end) => Edit::insert(
                end,
                format!("{}{indent}{entry}", self.line_break(end)),
                Reason::KeyAdded,
            ),
            None => {
                let at = line_start(text, self.start(first));
                let end = line_end(text, at);
                Edit::insert(
                    at,
                    format!("{indent}{entry}{}", self.line_break(end)),
                    Reason::KeyAdded,
                )
            }
        }])
    }

    fn insert_in_brackets(&self, map: Id, entry: &str, reason: Reason) -> Edit {
        let entries = self.tree.map(map).unwrap_or_default();
        let merge = entries
            .iter()
            .rposition(|(key, _)| self.tree.is_merge(*key));
        let next = merge.map_or(0, |at| at + 1);
        let Some(&(key, _)) = entries.get(next) else {
            return match entries.last() {
                Some(&(_, last)) => {
                    Edit::insert(self.tree.nodes[last].span.end, format!(", {entry}"), reason)
                }
                None => Edit::insert(self.start(map) + 1, entry, reason),
            };
        };
        let text = self.text();
        let start = self.start(key);
        let line = line_start(text, start);
        let lead = &text[line..start];
        if lead.trim().is_empty() && line > self.start(map) {
            let ending = self.line_break(line_end(text, start));
            return Edit::insert(line, format!("{lead}{entry},{ending}"), reason);
        }
        let blank = if entry.contains(' ') { " " } else { "" };
        Edit::insert(start, format!("{entry},{blank}"), reason)
    }

    // === no ipvs section ===

    fn add_section(&self, reading: &Reading<'_>) -> Result<Vec<Edit>, Refusal> {
        let root = self.tree.root;
        let reason = Reason::SectionAdded;
        if self.tree.nodes[root].flow {
            let entry = format!("{}{}", self.name("ipvs"), self.section());
            return Ok(vec![self.insert_in_brackets(root, &entry, reason)]);
        }
        let entries = self.tree.map(root).unwrap_or_default();
        let Some((indent, &(last, _))) = entries
            .first()
            .and_then(|&(key, _)| self.indent(key))
            .zip(entries.last())
        else {
            return self.no_place(root);
        };
        let text = self.text();
        let lines = |ending: &str| {
            format!(
                "{indent}ipvs:{ending}{indent}{}strictARP: true",
                self.step()
            )
        };
        let mut edits = Vec::new();
        // Under the mode, where a person would look for it.
        if let Some(mode) = self.tree.get(root, "mode").filter(|entry| !entry.merged)
            && let Some(colon) = self.behind_colon(mode.key)
        {
            let value = &self.tree.nodes[mode.value];
            let end = line_end(text, colon.max(value.span.end));
            let ending = self.line_break(end);
            edits.push(Edit::insert(
                end,
                format!("{ending}{}", lines(ending)),
                reason,
            ));
        }
        // At the end of the document: behind the last token, or behind everything if that is a block scalar.
        let end = line_end(text, self.tree.nodes[root].span.end);
        let ending = self.line_break(end);
        edits.push(Edit::insert(
            end,
            format!("{ending}{}", lines(ending)),
            reason,
        ));
        let end = reading.source.first.end;
        edits.push(Edit::insert(
            end,
            format!("{}{ending}", lines(ending)),
            reason,
        ));
        // Before the last key.
        let at = line_start(text, self.start(last));
        let ending = self.line_break(line_end(text, at));
        edits.push(Edit::insert(
            at,
            format!("{}{ending}", lines(ending)),
            reason,
        ));
        Ok(edits)
    }
}
