//! Turns macro files into the macros that are in them, each by itself.

use std::ops::Range;
use std::sync::Arc;

use crate::files::{FileId, Span};
use crate::jinja::front::SyntaxError;
use crate::jinja::front::blocks::{self, BlockKind, MacroTemplate, RawBlock};
use crate::jinja::front::lexer::{self, Lexed, SegmentKind};
use crate::jinja::{MacroFile, MacroInfo, MacroKind};
use crate::parallel;

type Read = Result<(MacroInfo, MacroTemplate), SyntaxError>;

/// A macro file and its macros, not yet among others.
#[derive(Clone)]
pub struct ReadFile {
    pub(super) file: MacroFile,
    pub(super) macros: Result<Vec<Read>, SyntaxError>,
}

impl ReadFile {
    pub fn of(file: &MacroFile) -> ReadFile {
        ReadFile { file: file.clone(), macros: read_macros(file) }
    }

    pub fn text(&self) -> &Arc<str> {
        &self.file.text
    }

    pub fn package(&self) -> &str {
        &self.file.package
    }

    pub fn path(&self) -> &str {
        &self.file.path
    }

    /// The same file under another number.
    pub fn numbered(&self, id: FileId) -> ReadFile {
        let mut read = self.clone();
        read.file.file = id;
        for (info, _) in read.macros.iter_mut().flatten().flatten() {
            (info.file, info.span.file, info.name_span.file) = (id, id, id);
        }
        read
    }
}

/// Reads macro files on all cores.
pub fn read(files: &[MacroFile]) -> Vec<ReadFile> {
    parallel::map(files, ReadFile::of)
}

/// The macros of a file, and what is wrong with those that cannot be read.
fn read_macros(file: &MacroFile) -> Result<Vec<Read>, SyntaxError> {
    let lexed = lexer::lex(&file.text)?;
    let mut taken = file.text.len() - file.text.trim_start().len();
    let mut macros = Vec::new();
    for block in blocks::find(&file.text, &lexed)? {
        let text = with_trimmed(&file.text, &lexed, &block, taken);
        taken = text.end;
        if matches!(block.kind, BlockKind::Snapshot | BlockKind::Docs) {
            continue;
        }
        let template = blocks::macro_template(&file.text, &lexed, &block);
        macros.push(template.map(|template| (info(file, &block, &template, text), template)));
    }
    Ok(macros)
}

/// A block with the white space that its outer tags trim: dbt counts it among the text of a macro.
fn with_trimmed(text: &str, lexed: &Lexed, block: &RawBlock, taken: usize) -> Range<usize> {
    let tags = &lexed.segments[block.segments.clone()];
    let (before, after) = (&text[taken..block.range.start], &text[block.range.end..]);
    let start = match tags.first() {
        Some(first) if first.trims_before => taken + before.trim_end().len(),
        _ => block.range.start,
    };
    let end = match tags.last() {
        Some(last) if last.trims_after && after.trim().is_empty() => block.range.end,
        Some(last) if last.trims_after => text.len() - after.trim_start().len(),
        _ => block.range.end,
    };
    start..end
}

fn info(file: &MacroFile, block: &RawBlock, template: &MacroTemplate, text: Range<usize>) -> MacroInfo {
    let (name, kind) = match block.kind {
        BlockKind::Test => (format!("test_{}", block.name), MacroKind::Test),
        BlockKind::Materialization => {
            let adapter = template.adapter.clone();
            let name = format!("materialization_{}_{}", block.name, adapter.as_deref().unwrap_or("default"));
            (name, MacroKind::Materialization { adapter })
        }
        _ => (block.name.clone(), MacroKind::Macro),
    };
    MacroInfo {
        unique_id: format!("macro.{}.{name}", file.package),
        package: file.package.clone(),
        name,
        file: file.file,
        path: file.path.clone(),
        span: Span::new(file.file, block.range.clone()),
        name_span: Span::new(file.file, block.name_range.clone()),
        text: Arc::from(&file.text[text]),
        kind,
        arguments: template.parameters.iter().map(|(name, _)| name.clone()).collect(),
        calls: Vec::new(),
    }
}

impl MacroInfo {
    /// The ranges of `text` that are put out as they are written.
    pub fn literal_parts(&self) -> Vec<Range<usize>> {
        let segments = lexer::lex(&self.text).map(|lexed| lexed.segments).unwrap_or_default();
        let literal = segments.into_iter().filter(|segment| segment.kind == SegmentKind::Data);
        literal.map(|segment| segment.range).collect()
    }
}
