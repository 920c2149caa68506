//! Turns the text of a macro, snapshot or docs file into its top-level blocks, and a macro block into a template.

use std::ops::Range;

use serde_json::Value as Json;

use crate::jinja::front::SyntaxError;
use crate::jinja::front::edits::Edits;
use crate::jinja::front::expression::Parser;
use crate::jinja::front::lexer::{Lexed, Segment, SegmentKind, TokenKind};
use crate::jinja::front::statement::parameters::parameters;
use crate::jinja::front::statement::{Marks, Rewriter, Rewritten};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    Macro,
    Test,
    Materialization,
    Snapshot,
    Docs,
}

const KINDS: [(&str, &str, BlockKind); 6] = [
    ("macro", "endmacro", BlockKind::Macro),
    ("test", "endtest", BlockKind::Test),
    ("data_test", "enddata_test", BlockKind::Test),
    ("materialization", "endmaterialization", BlockKind::Materialization),
    ("snapshot", "endsnapshot", BlockKind::Snapshot),
    ("docs", "enddocs", BlockKind::Docs),
];

/// A block of a file, by offsets and segments.
#[derive(Debug, Clone)]
pub struct RawBlock {
    pub kind: BlockKind,
    pub name: String,
    pub name_range: Range<usize>,
    pub range: Range<usize>,
    pub body: Range<usize>,
    /// The segments of the block, with its first and last tag.
    pub segments: Range<usize>,
}

/// The top-level blocks of a file, in order; other text between them is ignored, as in dbt.
pub fn find(source: &str, lexed: &Lexed) -> Result<Vec<RawBlock>, SyntaxError> {
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(segment) = lexed.segments.get(index) {
        let first = index;
        index += 1;
        let Some((keyword, end, kind)) =
            KINDS.iter().find(|(keyword, _, _)| word(source, lexed, segment, 0) == *keyword)
        else {
            continue;
        };
        let name_range = lexed.tokens[segment.tokens.clone()].get(1).filter(|token| token.kind == TokenKind::Name);
        let Some(name_range) = name_range.map(|token| token.start..token.end) else {
            return Err(SyntaxError::new(segment.range.clone(), format!("this `{keyword}` block has no name")));
        };
        let mut depth = 1;
        while depth > 0 {
            let Some(next) = lexed.segments.get(index) else {
                return Err(SyntaxError::new(segment.range.clone(), format!("this `{keyword}` block is not closed"))
                    .help(format!("add `{{% {end} %}}`")));
            };
            let next_word = word(source, lexed, next, 0);
            depth += usize::from(next_word == *keyword);
            depth -= usize::from(next_word == *end);
            index += 1;
        }
        let last = &lexed.segments[index - 1];
        found.push(RawBlock {
            kind: *kind,
            name: source[name_range.clone()].to_string(),
            name_range,
            range: segment.range.start..last.range.end,
            body: segment.range.end..last.range.start,
            segments: first..index,
        });
    }
    Ok(found)
}

/// A token of a tag, by number.
fn word<'a>(source: &'a str, lexed: &Lexed, segment: &Segment, index: usize) -> &'a str {
    match lexed.tokens[segment.tokens.clone()].get(index) {
        Some(token) if segment.kind == SegmentKind::Tag => &source[token.start..token.end],
        _ => "",
    }
}

/// What a macro does with a parameter that the caller leaves out.
#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    Undefined,
    Constant(Json),
    /// Evaluated in the macro, because it names other things.
    Computed,
}

/// A macro as a template of its own, which hands the macro over to `__reg`.
#[derive(Debug, Clone)]
pub struct MacroTemplate {
    pub rewritten: Rewritten,
    pub parameters: Vec<(String, Default)>,
    pub uses_varargs: bool,
    pub uses_kwargs: bool,
    pub uses_caller: bool,
    /// `adapter='duckdb'` of a materialization.
    pub adapter: Option<String>,
}

/// Rewrites a macro, test or materialization block.
pub fn macro_template(source: &str, lexed: &Lexed, block: &RawBlock) -> Result<MacroTemplate, SyntaxError> {
    let head = &lexed.segments[block.segments.start];
    let mut calls = Vec::new();
    let (parameters, prologue, adapter) = head_of(source, lexed, block, head, &mut calls)?;
    let names = |name: &str| {
        let body = lexed.segments[block.segments.clone()].iter().skip(1).flat_map(|segment| segment.tokens.clone());
        body.map(|index| lexed.tokens[index])
            .any(|token| token.kind == TokenKind::Name && &source[token.start..token.end] == name)
    };
    let (uses_varargs, uses_kwargs, uses_caller) = (names("varargs"), names("kwargs"), names("caller"));

    let mut rewriter = Rewriter::new(source, lexed);
    rewriter.calls = calls;
    let mut list: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    list.extend(uses_varargs.then_some("varargs"));
    list.extend(uses_kwargs.then_some("kwargs"));
    let open = &source[head.range.start..head.range.start + 2 + usize::from(head.trims_before)];
    let close = if head.trims_after { "-%}" } else { "%}" };
    let mut text = format!("{open} macro __m({}) {}", list.join(", "), if prologue.is_empty() { close } else { "%}" });
    text.push_str(&prologue);
    if !prologue.is_empty() && head.trims_after {
        text.push_str("{% do __do(0) -%}");
    }
    rewriter.edits.replace(head.range.clone(), text);
    rewriter.segments(block.segments.start + 1..block.segments.end - 1, Marks::No)?;
    let last = &lexed.segments[block.segments.end - 1];
    let open = if last.trims_before { "{%-" } else { "{%" };
    rewriter.edits.replace(last.range.clone(), format!("{open} endmacro %}}{{% do __reg(__m) %}}"));
    let rewritten = rewriter.finish("", block.range.clone())?;
    Ok(MacroTemplate { rewritten, parameters, uses_varargs, uses_kwargs, uses_caller, adapter })
}

type Head = (Vec<(String, Default)>, String, Option<String>);

/// The parameters of the block, and the template text that computes the defaults which are not constant.
fn head_of(
    source: &str,
    lexed: &Lexed,
    block: &RawBlock,
    head: &Segment,
    calls: &mut Vec<crate::jinja::front::expression::Call>,
) -> Result<Head, SyntaxError> {
    let mut edits = Edits::default();
    let tokens = &lexed.tokens[head.tokens.start + 2..head.tokens.end];
    let end = head.range.end - 2 - usize::from(head.trims_after);
    let mut parser = Parser::new(source, tokens, end, &mut edits, calls);
    if block.kind == BlockKind::Materialization {
        let adapter = materialization_adapter(&mut parser)?;
        return Ok((Vec::new(), String::new(), adapter));
    }
    let list = parameters(&mut parser)?;
    parser.finish()?;
    let mut prologue = String::new();
    let mut computed = Vec::new();
    let mut out = Vec::new();
    for parameter in list {
        let default = match parameter.default {
            None => Default::Undefined,
            Some(expression) => match expression.kind {
                crate::jinja::front::expression::Kind::Constant(value) => Default::Constant(value),
                _ => {
                    computed.push((parameter.name.clone(), expression.range));
                    Default::Computed
                }
            },
        };
        out.push((parameter.name, default));
    }
    for (name, range) in computed {
        let mut edits = Edits::default();
        let first = lexed.tokens[head.tokens.clone()].iter().position(|token| token.start >= range.start).unwrap_or(0);
        let count = lexed.tokens[head.tokens.clone()]
            .iter()
            .filter(|token| token.start >= range.start && token.end <= range.end)
            .count();
        let tokens = &lexed.tokens[head.tokens.clone()][first..first + count];
        Parser::new(source, tokens, range.end, &mut edits, &mut Vec::new()).expression()?;
        let (text, _) = edits.apply("", source, range);
        prologue.push_str(&format!("{{% if {name} is __missing %}}{{% set {name} = __n(({text})) %}}{{% endif %}}"));
    }
    Ok((out, prologue, None))
}

/// `, default`, `, adapter='duckdb'`, `, supported_languages=[…]`.
fn materialization_adapter(parser: &mut Parser) -> Result<Option<String>, SyntaxError> {
    let mut adapter = None;
    while parser.skip(",") {
        let name = parser.name("`default` or `adapter=`")?;
        if !parser.skip("=") {
            continue;
        }
        let value = parser.expression()?;
        if &parser.source[name] == "adapter" {
            adapter = value.constant().and_then(Json::as_str).map(str::to_string);
        }
    }
    parser.finish()?;
    Ok(adapter)
}
