//! A template that is read once and rendered often, and the facts that can be seen without rendering it.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::files::{FileId, Span};
use crate::jinja::front::SyntaxError;
use crate::jinja::front::expression::{Argument, Call};
use crate::jinja::front::lexer::{self, SegmentKind};
use crate::jinja::front::statement::{Marks, Rewritten, rewrite};
use crate::jinja::render::PRELUDE;
use crate::jinja::{JsonMap, RenderError, Rendered, SourceMap, error, library};
use crate::notes::{self, Notes};

/// The name under which the engine knows the template that is rendered.
pub const NAME: &str = "@";

/// Text with Jinja in it: a model, a test, a hook …
#[derive(Debug, Clone)]
pub struct Template {
    file: FileId,
    /// The part of the file that is the template.
    range: Range<usize>,
    text: Arc<str>,
    /// Made when it is needed; `None` if there is no Jinja in it.
    rewritten: Arc<OnceLock<Option<Rewritten>>>,
    facts: Arc<Facts>,
}

/// A `ref` with constant arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefCall {
    pub package: Option<String>,
    pub name: String,
    pub version: Option<Json>,
    /// The name as it is written, with its quotes.
    pub span: Span,
}

/// A `source` with constant arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceCall {
    pub source: String,
    pub table: String,
    /// The table as it is written, with its quotes.
    pub span: Span,
}

/// What a template says without being rendered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub refs: Vec<RefCall>,
    pub sources: Vec<SourceCall>,
    /// Every `config(…)` of constants, with the place of the call.
    pub configs: Vec<(JsonMap, Span)>,
    /// Every key of those, with the place of its value.
    pub config_keys: Vec<(String, Span)>,
    /// Every call by name, with the place of the name.
    pub calls: Vec<(String, Span)>,
    /// The facts are all that rendering would find out.
    pub is_static: bool,
}

impl Facts {
    /// The same of a part that begins at another place of another file.
    fn moved(mut self, file: FileId, from: usize, to: usize) -> Facts {
        let place = |span: &mut Span| {
            let range = span.range();
            *span = Span::new(file, range.start - from + to..range.end - from + to);
        };
        self.refs.iter_mut().for_each(|call| place(&mut call.span));
        self.sources.iter_mut().for_each(|call| place(&mut call.span));
        self.configs.iter_mut().for_each(|(_, span)| place(span));
        self.config_keys.iter_mut().for_each(|(_, span)| place(span));
        self.calls.iter_mut().for_each(|(_, span)| place(span));
        self
    }
}

impl Template {
    /// A whole file.
    pub fn new(file: FileId, text: Arc<str>) -> Result<Template, RenderError> {
        let range = 0..text.len();
        Template::part(file, text, range)
    }

    /// A part of a file, for instance the body of a snapshot block.
    pub fn part(file: FileId, text: Arc<str>, range: Range<usize>) -> Result<Template, RenderError> {
        let mut template = Template { file, range, text, rewritten: Arc::default(), facts: Arc::default() };
        let rewritten = template.rewrite()?;
        template.facts = Arc::new(template.facts_of(rewritten.as_ref()));
        template.rewritten = Arc::new(OnceLock::from(rewritten));
        Ok(template)
    }

    /// A part of a file, which is read only if the notes do not tell what it says.
    pub fn noted(
        file: FileId,
        text: Arc<str>,
        range: Range<usize>,
        notes: &Notes,
        key: &str,
    ) -> Result<Template, RenderError> {
        let sum = notes::digest(&text[range.clone()]);
        let note: Option<(String, usize, Facts)> = notes.find(key);
        if let Some((_, start, facts)) = note.filter(|(known, ..)| *known == sum) {
            let facts = facts.moved(file, start, range.start);
            return Ok(Template { file, range, text, rewritten: Arc::default(), facts: Arc::new(facts) });
        }
        let template = Template::part(file, text, range)?;
        notes.keep(key, &(sum, template.range.start, template.facts()));
        Ok(template)
    }

    fn rewrite(&self) -> Result<Option<Rewritten>, RenderError> {
        if !lexer::has_markers(self.source()) {
            return Ok(None);
        }
        let rewritten = rewrite(self.source(), PRELUDE, Marks::Yes).map_err(|mut error| {
            error.range = error.range.start + self.range.start..error.range.end + self.range.start;
            library::syntax_error(self.file, error)
        })?;
        Ok(Some(rewritten))
    }

    pub fn source(&self) -> &str {
        &self.text[self.range.clone()]
    }

    /// The whole file that the template is a part of.
    pub fn file_text(&self) -> &str {
        &self.text
    }

    /// `None` if there is no Jinja in it.
    pub(super) fn rewritten(&self) -> Result<Option<&Rewritten>, RenderError> {
        if self.rewritten.get().is_none() {
            let rewritten = self.rewrite()?;
            return Ok(self.rewritten.get_or_init(|| rewritten).as_ref());
        }
        Ok(self.rewritten.get().and_then(Option::as_ref))
    }

    fn known(&self) -> Option<&Rewritten> {
        self.rewritten.get().and_then(Option::as_ref)
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range.start + self.range.start..range.end + self.range.start)
    }

    /// A place of the rewritten text as a place of the file; `None` in what was put before the text.
    pub(super) fn place(&self, range: Range<usize>) -> Option<Span> {
        self.known()?.map.source(range).map(|range| self.span(error::widened(self.source(), range)))
    }

    /// Text without Jinja.
    pub(super) fn as_it_is(&self) -> Rendered {
        let segments = vec![(0, self.span(0..self.range.len()), true)];
        Rendered { text: self.source().to_string(), map: SourceMap { segments } }
    }

    /// The marks that a render has reported, as places.
    pub(super) fn source_map(&self, marks: &[(usize, usize)], length: usize) -> SourceMap {
        let known = self.known().map(|rewritten| rewritten.marks.as_slice()).unwrap_or_default();
        let mut segments: Vec<(u32, Span, bool)> = Vec::with_capacity(marks.len());
        for (offset, number) in marks.iter().filter(|(offset, _)| *offset < length) {
            let Some(mark) = known.get(*number) else { continue };
            let start = u32::try_from(*offset).unwrap_or(u32::MAX);
            // What has put out nothing has no place in the text.
            if segments.last().is_some_and(|(last, ..)| *last == start) {
                segments.pop();
            }
            segments.push((start, self.span(mark.range.clone()), mark.own));
        }
        SourceMap { segments }
    }

    /// A map as it is written down: the places without the file, from where the template begins.
    pub(super) fn written(&self, map: &SourceMap) -> Vec<(u32, usize, usize, bool)> {
        let place = |(start, span, own): &(u32, Span, bool)| {
            let range = span.range();
            (*start, range.start - self.range.start, range.end - self.range.start, *own)
        };
        map.segments.iter().map(place).collect()
    }

    /// The same back.
    pub(super) fn map_of(&self, written: Vec<(u32, usize, usize, bool)>) -> SourceMap {
        let segment = |(start, from, to, own)| (start, self.span(from..to), own);
        SourceMap { segments: written.into_iter().map(segment).collect() }
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    fn facts_of(&self, rewritten: Option<&Rewritten>) -> Facts {
        let Some(rewritten) = rewritten else { return Facts { is_static: true, ..Facts::default() } };
        let mut facts = Facts { is_static: rewritten.only_plain_calls, ..Facts::default() };
        for call in &rewritten.calls {
            facts.calls.push((call.name.clone(), self.span(call.name_range.clone())));
            let understood = match call.name.as_str() {
                "ref" | "builtins.ref" => self.reference(call).map(|call| facts.refs.push(call)),
                "source" | "builtins.source" => self.source_call(call).map(|call| facts.sources.push(call)),
                "config" => self.config(call, &mut facts),
                _ => Some(()),
            };
            facts.is_static &= understood.is_some();
        }
        facts
    }

    fn reference(&self, call: &Call) -> Option<RefCall> {
        let arguments = call.arguments.as_deref()?;
        let names: Vec<&Argument> = arguments.iter().filter(|argument| argument.keyword.is_none()).collect();
        let mut version = None;
        for argument in arguments {
            match argument.keyword.as_deref() {
                None => {}
                Some("v" | "version") => version = Some(argument.value.clone()),
                // Which state of it is read changes nothing of what is read.
                Some("as_of") => {}
                Some(_) => return None,
            }
        }
        let (package, name) = match names[..] {
            [name] => (None, name),
            [package, name] => (Some(package.value.as_str()?.to_string()), name),
            _ => return None,
        };
        Some(RefCall { package, name: name.value.as_str()?.to_string(), version, span: self.span(name.range.clone()) })
    }

    fn source_call(&self, call: &Call) -> Option<SourceCall> {
        let [source, table] = call.arguments.as_deref()? else { return None };
        if source.keyword.is_some() || table.keyword.is_some() {
            return None;
        }
        let (source, name) = (source.value.as_str()?.to_string(), table.value.as_str()?.to_string());
        Some(SourceCall { source, table: name, span: self.span(table.range.clone()) })
    }

    fn config(&self, call: &Call, facts: &mut Facts) -> Option<()> {
        let mut values = JsonMap::new();
        let mut keys = Vec::new();
        for argument in call.arguments.as_deref()? {
            let span = self.span(argument.range.clone());
            match (&argument.keyword, &argument.value) {
                (Some(key), value) => {
                    values.insert(key.clone(), value.clone());
                    keys.push((key.clone(), span));
                }
                (None, Json::Object(map)) => {
                    keys.extend(map.keys().map(|key| (key.clone(), span)));
                    values.extend(map.clone());
                }
                _ => return None,
            }
        }
        facts.configs.push((values, self.span(call.range.clone())));
        facts.config_keys.extend(keys);
        Some(())
    }
}

/// A YAML value as a template; true if it is one `{{ }}` and nothing else, whose value is kept as it is.
pub fn rewrite_value(text: &str) -> Result<(String, bool), SyntaxError> {
    let lexed = lexer::lex(text)?;
    let mut others = lexed.segments.iter().filter(|segment| segment.kind != SegmentKind::Comment);
    let single = others.next().filter(|segment| segment.kind == SegmentKind::Expression);
    match (single, others.next()) {
        (Some(segment), None) => {
            let inner = &lexed.tokens[segment.tokens.clone()];
            let range = inner.first().map_or(0..0, |first| first.start..inner[inner.len() - 1].end);
            let source = format!("{{% do __yield(({})) %}}", &text[range]);
            Ok((rewrite(&source, PRELUDE, Marks::No)?.text, true))
        }
        _ => Ok((rewrite(text, PRELUDE, Marks::No)?.text, false)),
    }
}
