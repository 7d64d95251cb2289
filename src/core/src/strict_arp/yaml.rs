//! From the first YAML document to a tree with byte offsets, over the events of `saphyr-parser`.
//!
//! kube-proxy reads with a descendant of libyaml (YAML 1.1), this parser follows YAML 1.2. What the two read differently
//! is refused: see [`super::guard`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::guard::{self, KeyBefore};
use super::scalar::{self, Tag, Value};
use super::source::line_at;
use super::tree::{Id, Kind, Node, Style, Tree, merge_fits};
use super::{Reason, Refusal};

/// Deeper than any configuration, and shallow enough for every parser involved.
pub(super) const MAX_DEPTH: usize = 100;

/// Reads the one document at `range` of `text`.
pub(super) fn read(text: &str, range: Range<usize>) -> Result<Tree<'_>, Refusal> {
    let body = guard::without_tabs_behind_colons(&text[range.clone()]);
    let mut composer = Composer::new(text, range);
    let mut parser = Parser::new_from_str(&body);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let line = composer.first_line + error.marker().line().saturating_sub(1);
            guard::syntax(text, line, error.info())
        })?;
        composer.take(event, span)?;
    }
    composer.finish()
}

struct Frame {
    id: Id,
    flow: bool,
    key: Option<Id>,
}

struct Composer<'a> {
    text: &'a str,
    /// The byte offset of each character of the document, if they differ.
    offsets: Option<Vec<u32>>,
    base: usize,
    first_line: usize,
    nodes: Vec<Node<'a>>,
    sizes: Vec<usize>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Id>,
    root: Option<Id>,
    documents: usize,
    flow_depth: usize,
    /// Where the last token ended: between it and the next one there are only indicators and comments.
    cursor: usize,
    key_before: Option<KeyBefore>,
}

impl<'a> Composer<'a> {
    fn new(text: &'a str, range: Range<usize>) -> Self {
        let body = &text[range.clone()];
        let offsets = (!body.is_ascii()).then(|| {
            let end = u32::try_from(body.len()).unwrap_or(u32::MAX);
            body.char_indices()
                .map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX))
                .chain([end])
                .collect()
        });
        Self {
            text,
            offsets,
            base: range.start,
            first_line: line_at(text, range.start),
            nodes: Vec::new(),
            sizes: Vec::new(),
            frames: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            flow_depth: 0,
            cursor: range.start,
            key_before: None,
        }
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let at = |index: usize| match &self.offsets {
            Some(offsets) => offsets
                .get(index)
                .or(offsets.last())
                .map_or(0, |&at| at as usize),
            None => index,
        };
        let end = self.text.len() - self.base;
        let start = at(span.start.index()).min(end);
        self.base + start..self.base + at(span.end.index()).clamp(start, end)
    }

    fn refuse<T>(&self, at: usize, reason: Reason, message: &str) -> Result<T, Refusal> {
        Err(Refusal::at(line_at(self.text, at), reason, message))
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        let range = self.bytes(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.refuse(
                        range.start,
                        Reason::Ambiguous,
                        "parsers do not agree where this document ends; separate documents by a line `---`",
                    );
                }
                Ok(())
            }
            Event::Scalar(value, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                self.scalar(value, style, anchor, tag.as_deref(), range)
            }
            Event::Alias(anchor) => self.alias(anchor, range),
            Event::MappingStart(anchor, tag) => self.open(
                Kind::Map(Vec::new()),
                Tag::Map,
                anchor,
                tag.as_deref(),
                range,
            ),
            Event::SequenceStart(anchor, tag) => self.open(
                Kind::Seq(Vec::new()),
                Tag::Seq,
                anchor,
                tag.as_deref(),
                range,
            ),
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn tag(&self, tag: Option<&saphyr_parser::Tag>, at: usize) -> Result<Option<Tag>, Refusal> {
        let Some(tag) = tag else { return Ok(None) };
        match Tag::named(&tag.suffix) {
            Some(known) if tag.is_yaml_core_schema() => Ok(Some(known)),
            _ => self.refuse(
                at,
                Reason::UnsupportedTag,
                &format!("the tag {tag} is not one whose effect on kube-proxy is known; remove it"),
            ),
        }
    }

    /// Checks what stands between the last token and this one.
    fn gap(&mut self, start: usize, header: bool) -> Result<bool, Refusal> {
        let gap = self.cursor.min(start)..start;
        let flow = self.flow_depth > 0;
        guard::gap(self.text, gap, &mut self.key_before, flow, header)
    }

    fn scalar(
        &mut self,
        value: Cow<'_, str>,
        style: Style,
        anchor: usize,
        tag: Option<&saphyr_parser::Tag>,
        range: Range<usize>,
    ) -> Result<(), Refusal> {
        let tag = self.tag(tag, range.start)?;
        let explicit = self.gap(range.start, style == Style::Block)?;
        let from = self.cursor.min(range.start);
        let anchor_name = self.anchor_name(anchor, from..range.end)?;
        let mut start = range.start;
        if (anchor != 0 || tag.is_some()) && style != Style::Block {
            start = guard::skip_properties(self.text, range.clone());
        }
        let end = match style {
            Style::Quoted => guard::quoted_end(self.text, start).unwrap_or(range.end),
            // The parser counts blanks and line breaks behind a plain value in brackets to it.
            Style::Plain => start + self.text[start..range.end.max(start)].trim_end().len(),
            Style::Block => range.end,
        };
        let span = start..end.max(start);
        let flow = self.flow_depth > 0;
        guard::scalar(self.text, span.clone(), &value, style, flow)?;
        if tag.is_some_and(|tag| matches!(tag, Tag::Map | Tag::Seq))
            || scalar::resolve(&value, style, tag, false).is_err()
        {
            return self.refuse(
                start,
                Reason::WrongType,
                "the value does not fit its tag, with which kube-proxy does not start; remove the tag",
            );
        }
        if value.starts_with(['.', '+', '-'])
            && let Ok(Value::Float(number)) = scalar::resolve(&value, style, tag, false)
            && !number.is_finite()
        {
            return self.refuse(
                start,
                Reason::NotANumber,
                "kube-proxy cannot read infinity or not-a-number and does not start; quote or remove it",
            );
        }
        // The parser may place an empty value before the colon of its key, which is still to be checked then.
        if !span.is_empty() {
            self.cursor = span.end;
        }
        if self.awaits_key() {
            let null = matches!(scalar::resolve(&value, style, tag, false), Ok(Value::Null));
            let raw = &self.text[span.clone()];
            if null || style == Style::Block || raw.contains('\n') || raw.len() > 1000 {
                return self.refuse(
                    start,
                    Reason::UnsupportedKey,
                    "this key is null, long or broken over lines, which kube-proxy does not read as a key; \
                     write a plain text as key",
                );
            }
            if anchor != 0 || tag.is_some() {
                return self.refuse(
                    range.start,
                    Reason::UnsupportedKey,
                    "a key with an anchor or tag is not read alike by all parsers; write the key alone",
                );
            }
            if explicit && flow {
                return self.refuse(
                    start,
                    Reason::Ambiguous,
                    "an explicit key `?` in brackets is not read alike by all parsers; write `key: value`",
                );
            }
            self.key_before = Some(KeyBefore {
                explicit,
                quoted: style == Style::Quoted,
            });
        }
        let raw = &self.text[span.clone()];
        let value = if raw == value {
            Cow::Borrowed(raw)
        } else {
            Cow::Owned(value.into_owned())
        };
        self.add(
            Node {
                kind: Kind::Scalar(value, style),
                span,
                flow: false,
                anchor: anchor_name,
                tag,
                aliases: 0,
            },
            anchor,
            1,
        )
    }

    fn alias(&mut self, anchor: usize, range: Range<usize>) -> Result<(), Refusal> {
        self.gap(range.start, false)?;
        guard::name(self.text, range.start, "*")?;
        if self.awaits_key() {
            return self.refuse(
                range.start,
                Reason::UnsupportedKey,
                "an alias as a key is not read alike by all parsers; write the key out",
            );
        }
        let Some(&target) = self.anchors.get(&anchor) else {
            return self.refuse(
                range.start,
                Reason::NotYaml,
                "this alias has no anchor before it, and kube-proxy does not start; write the value out",
            );
        };
        if self.frames.iter().any(|frame| frame.id == target) {
            return self.refuse(
                range.start,
                Reason::NotYaml,
                "this alias stands for something that it is part of, and kube-proxy does not start; remove it",
            );
        }
        self.nodes[target].aliases += 1;
        self.cursor = range.end;
        let size = self.sizes[target];
        self.add(
            Node {
                kind: Kind::Alias(target),
                span: range,
                flow: false,
                anchor: None,
                tag: None,
                aliases: 0,
            },
            0,
            size,
        )
    }

    fn anchor_name(&self, anchor: usize, range: Range<usize>) -> Result<Option<&'a str>, Refusal> {
        if anchor == 0 {
            return Ok(None);
        }
        guard::anchor(self.text, range).map(Some)
    }

    fn awaits_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| {
            matches!(self.nodes[frame.id].kind, Kind::Map(_)) && frame.key.is_none()
        })
    }

    fn open(
        &mut self,
        kind: Kind<'a>,
        own_tag: Tag,
        anchor: usize,
        tag: Option<&saphyr_parser::Tag>,
        range: Range<usize>,
    ) -> Result<(), Refusal> {
        let tag = self.tag(tag, range.start)?;
        if tag.is_some_and(|tag| tag != own_tag) {
            return self.refuse(
                range.start,
                Reason::WrongType,
                "the tag does not fit what follows it; remove the tag",
            );
        }
        let properties = anchor != 0 || tag.is_some();
        let mut start = range.start;
        if properties {
            start = guard::skip_properties(self.text, range.clone());
        }
        let flow = start < range.end && self.text[start..].starts_with(['{', '[']);
        let gap_end = if flow { start + 1 } else { range.end };
        if self.awaits_key() {
            return self.refuse(
                start,
                if self.text[start..].starts_with("{{") || self.text[..start].ends_with('{') {
                    Reason::Template
                } else {
                    Reason::UnsupportedKey
                },
                "a map or list as a key, with which kube-proxy does not start; \
                 if this is a template (`{{ ... }}`), render it first, or quote it",
            );
        }
        let from = self.cursor.min(range.start);
        let anchor_name = self.anchor_name(anchor, from..range.end)?;
        if gap_end > self.cursor && (flow || properties) {
            self.gap(gap_end - usize::from(flow), false)?;
            self.cursor = gap_end;
        }
        if self.frames.len() >= MAX_DEPTH {
            return self.refuse(
                start,
                Reason::TooDeep,
                "maps and lists are nested more than 100 deep; this is no configuration of kube-proxy",
            );
        }
        if flow || self.flow_depth > 0 {
            self.flow_depth += 1;
        }
        let id = self.nodes.len();
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.nodes.push(Node {
            kind,
            span: start..start,
            flow: flow || self.flow_depth > 0,
            anchor: anchor_name,
            tag,
            aliases: 0,
        });
        self.sizes.push(1);
        self.frames.push(Frame {
            id,
            flow,
            key: None,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let frame = self
            .frames
            .pop()
            .expect("invariant: the parser closes what it opened");
        self.flow_depth = self.flow_depth.saturating_sub(1);
        let mut end = self.cursor;
        if frame.flow {
            end = guard::bracket_after(self.text, self.cursor).unwrap_or(end);
            // The rest of the gap is checked from behind the bracket on.
            guard::gap(
                self.text,
                self.cursor..end,
                &mut self.key_before,
                true,
                false,
            )?;
            self.cursor = end;
        }
        self.nodes[frame.id].span.end = end;
        let first = match &self.nodes[frame.id].kind {
            Kind::Map(entries) => entries.first().map(|&(key, _)| key),
            Kind::Seq(items) => items.first().copied(),
            _ => None,
        };
        if let (false, Some(first)) = (frame.flow, first) {
            self.nodes[frame.id].span.start = self.nodes[first].span.start;
        }
        self.attach(frame.id)
    }

    fn add(&mut self, node: Node<'a>, anchor: usize, size: usize) -> Result<(), Refusal> {
        let id = self.nodes.len();
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.nodes.push(node);
        self.sizes.push(size);
        self.attach(id)
    }

    /// Puts a finished node into what is open around it.
    fn attach(&mut self, id: Id) -> Result<(), Refusal> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(id);
            return Ok(());
        };
        let parent = frame.id;
        match &mut self.nodes[parent].kind {
            Kind::Seq(items) => items.push(id),
            Kind::Map(entries) => match frame.key.take() {
                None => frame.key = Some(id),
                Some(key) => {
                    entries.push((key, id));
                    self.check_merge(key, id)?;
                }
            },
            _ => {}
        }
        if let Some(frame) = self.frames.last()
            && frame.key != Some(id)
        {
            self.sizes[parent] = self.sizes[parent].saturating_add(self.sizes[id]);
        }
        Ok(())
    }

    fn check_merge(&self, key: Id, value: Id) -> Result<(), Refusal> {
        if merge_fits(&self.nodes, key, value) {
            return Ok(());
        }
        self.refuse(
            self.nodes[key].span.start,
            Reason::InvalidMerge,
            "the value of the merge key `<<` must be a map or a list of maps, else kube-proxy does not start",
        )
    }

    fn finish(self) -> Result<Tree<'a>, Refusal> {
        let Some(root) = self.root else {
            return Err(Refusal::whole(
                Reason::NoConfiguration,
                "the first document is empty, and kube-proxy reads only that one, so it would not start",
            ));
        };
        if self.sizes[root] > 2 * self.nodes.len() + 1000 {
            return Err(Refusal::whole(
                Reason::ExcessiveAliases,
                "aliases repeat more than there is text, which kube-proxy may take for an attack; write values out",
            ));
        }
        Ok(Tree {
            text: self.text,
            nodes: self.nodes,
            root,
            json: false,
        })
    }
}
