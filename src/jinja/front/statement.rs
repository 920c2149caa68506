//! Turns a template, segment by segment, into edits and facts; keeps the stack of open blocks.

pub mod parameters;
mod tags;

use std::ops::Range;

use crate::jinja::front::SyntaxError;
use crate::jinja::front::edits::{EditMap, Edits};
use crate::jinja::front::expression::{Call, Kind, Parser};
use crate::jinja::front::lexer::{self, Lexed, Segment, SegmentKind, Token, TokenKind};

/// A template for minijinja, and what the original says.
#[derive(Debug, Clone)]
pub struct Rewritten {
    pub text: String,
    pub map: EditMap,
    pub calls: Vec<Call>,
    /// Nothing but text, comments and `{{ }}` with one call of constants each.
    pub only_plain_calls: bool,
    /// Ranges of the template to which the render reports where their text begins.
    pub marks: Vec<Mark>,
}

/// A part of the template whose place in the rendered text is wanted.
#[derive(Debug, Clone)]
pub struct Mark {
    pub range: Range<usize>,
    /// The text is the template's own, byte by byte.
    pub own: bool,
}

/// Whether the rewritten template tells where its texts begin (`__mark`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    Yes,
    No,
}

/// Rewrites a whole template; `prelude` is put before it.
pub fn rewrite(source: &str, prelude: &str, marks: Marks) -> Result<Rewritten, SyntaxError> {
    let lexed = lexer::lex(source)?;
    let mut rewriter = Rewriter::new(source, &lexed);
    rewriter.segments(0..lexed.segments.len(), marks)?;
    rewriter.finish(prelude, 0..source.len())
}

struct Open {
    /// `for`, `if` …
    keyword: &'static str,
    range: Range<usize>,
    has_else: bool,
}

pub struct Rewriter<'a> {
    source: &'a str,
    lexed: &'a Lexed,
    pub edits: Edits,
    pub calls: Vec<Call>,
    marks: Vec<Mark>,
    open: Vec<Open>,
    only_plain_calls: bool,
}

/// Bytes of a text between tags that are worth counting.
const LONG: usize = 1000;

/// Tags that open a block, and the tags that close it.
const BLOCKS: [(&str, &str); 9] = [
    ("for", "endfor"),
    ("if", "endif"),
    ("set", "endset"),
    ("call", "endcall"),
    ("macro", "endmacro"),
    ("filter", "endfilter"),
    ("with", "endwith"),
    ("block", "endblock"),
    ("autoescape", "endautoescape"),
];

impl<'a> Rewriter<'a> {
    pub fn new(source: &'a str, lexed: &'a Lexed) -> Rewriter<'a> {
        Rewriter {
            source,
            lexed,
            edits: Edits::default(),
            calls: Vec::new(),
            marks: Vec::new(),
            open: Vec::new(),
            only_plain_calls: true,
        }
    }

    pub fn finish(mut self, prelude: &str, range: Range<usize>) -> Result<Rewritten, SyntaxError> {
        for space in &self.lexed.odd_spaces {
            self.edits.replace(space.clone(), " ");
        }
        let (mut text, mut map) = self.edits.apply(prelude, self.source, range);
        let Rewriter { mut calls, mut marks, only_plain_calls, .. } = self;
        // A project keeps all its templates, ten thousand perhaps.
        text.shrink_to_fit();
        map.shrink_to_fit();
        calls.shrink_to_fit();
        marks.shrink_to_fit();
        Ok(Rewritten { text, map, calls, only_plain_calls, marks })
    }

    /// Rewrites the segments of a range, in which every block must be closed.
    pub fn segments(&mut self, range: Range<usize>, marks: Marks) -> Result<(), SyntaxError> {
        for index in range {
            let segment = &self.lexed.segments[index];
            if marks == Marks::Yes && !self.captures() {
                self.mark(index);
            } else if segment.kind == SegmentKind::Data && segment.range.len() > LONG {
                self.count(index);
            }
            match segment.kind {
                SegmentKind::Expression => self.output(segment)?,
                SegmentKind::Tag => self.tag(segment)?,
                SegmentKind::Raw => self.only_plain_calls = false,
                SegmentKind::Data | SegmentKind::Comment => {}
            }
        }
        match self.open.pop() {
            None => Ok(()),
            Some(open) => {
                let end = BLOCKS.iter().find(|(keyword, _)| *keyword == open.keyword).map_or("", |(_, end)| end);
                Err(SyntaxError::new(open.range, format!("this `{}` block is not closed", open.keyword))
                    .help(format!("add `{{% {end} %}}`")))
            }
        }
    }

    /// Whether text that is written here goes into a value instead of the output.
    fn captures(&self) -> bool {
        self.open.iter().any(|open| matches!(open.keyword, "set" | "call" | "macro" | "filter" | "block"))
    }

    /// Tells the render to report where this segment's text begins. The tag stands where `-` trims nothing that it
    /// would not trim without it: after the white space that the tag before drops, before what the next tag drops.
    fn mark(&mut self, index: usize) {
        let segments = &self.lexed.segments;
        let segment = &segments[index];
        let before = index.checked_sub(1).map(|at| &segments[at]);
        let (at, range, own) = match segment.kind {
            SegmentKind::Data => {
                let range = self.kept(index);
                if range.is_empty() {
                    return;
                }
                (range.start, range, true)
            }
            SegmentKind::Expression => {
                let at = match before.filter(|before| before.kind == SegmentKind::Data && segment.trims_before) {
                    Some(data) => {
                        let after_tag = index.checked_sub(2).is_some_and(|at| segments[at].trims_after);
                        trimmed(self.source, data, after_tag, true).end
                    }
                    None => segment.range.start,
                };
                (at, segment.range.clone(), false)
            }
            _ => return,
        };
        self.edits.insert(at, format!("{{% do __mark({}) %}}", self.marks.len()));
        self.marks.push(Mark { range, own });
    }

    /// Counts a long text that goes into a value: in a loop it adds up, and the output knows nothing of it.
    fn count(&mut self, index: usize) {
        let range = self.kept(index);
        if !range.is_empty() {
            self.edits.insert(range.start, format!("{{% do __data({}) %}}", range.len()));
        }
    }

    /// The part of a text that the tags beside it do not drop.
    fn kept(&self, index: usize) -> Range<usize> {
        let segments = &self.lexed.segments;
        let before = index.checked_sub(1).is_some_and(|at| segments[at].trims_after);
        let after = segments.get(index + 1).is_some_and(|next| next.trims_before);
        trimmed(self.source, &segments[index], before, after)
    }

    fn parser<'b>(&'b mut self, segment: &'b Segment) -> Parser<'b>
    where
        'a: 'b,
    {
        let tokens: &'b [Token] = &self.lexed.tokens[segment.tokens.clone()];
        let end = segment.range.end - 2 - usize::from(segment.trims_after);
        Parser::new(self.source, tokens, end, &mut self.edits, &mut self.calls)
    }

    /// `{{ … }}`.
    fn output(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        let value = parser.tuple(true)?;
        parser.finish()?;
        let is_plain = value.kind == Kind::Call
            && self.calls.last().is_some_and(|call| {
                call.range == value.range
                    && call.arguments.is_some()
                    && matches!(call.name.as_str(), "ref" | "source" | "config")
            });
        self.only_plain_calls &= is_plain;
        Ok(())
    }

    /// `{% … %}`.
    pub fn tag(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        self.only_plain_calls = false;
        let keyword = match self.lexed.tokens[segment.tokens.clone()].first() {
            Some(token) if token.kind == TokenKind::Name => &self.source[token.start..token.end],
            Some(token) => return Err(SyntaxError::new(token.start..token.end, "expected the name of a tag")),
            None => return Err(SyntaxError::new(segment.range.clone(), "this tag is empty")),
        };
        if let Some((open, _)) = BLOCKS.iter().find(|(_, end)| *end == keyword) {
            return self.close(open, segment);
        }
        match keyword {
            "set" => self.set(segment),
            "do" => self.run(segment),
            "for" => self.for_loop(segment),
            "if" => self.condition(segment, true),
            "elif" => self.condition(segment, false),
            "else" => self.alternative(segment),
            "call" => self.call(segment),
            "filter" => self.filter(segment),
            "with" => self.with(segment),
            "macro" => self.local_macro(segment),
            "block" => self.push("block", segment),
            "autoescape" => self.push("autoescape", segment),
            "break" | "continue" => self.loop_control(keyword, segment),
            "include" | "import" | "from" | "extends" => Ok(()),
            _ => {
                let range = self.lexed.tokens[segment.tokens.start].start..self.lexed.tokens[segment.tokens.start].end;
                Err(SyntaxError::new(range, format!("Jinja has no tag `{keyword}`")))
            }
        }
    }
}

/// The range of a data segment without the white space that the tags around it drop.
fn trimmed(source: &str, segment: &Segment, start: bool, end: bool) -> Range<usize> {
    let text = &source[segment.range.clone()];
    let trimmed = if start { text.trim_start() } else { text };
    let from = segment.range.end - trimmed.len();
    let trimmed = if end { trimmed.trim_end() } else { trimmed };
    from..from + trimmed.len()
}

#[cfg(test)]
mod tests {
    use super::{Marks, rewrite};
    use proptest::prelude::*;

    fn rewritten(source: &str) -> String {
        rewrite(source, "", Marks::No).unwrap().text
    }

    fn message(source: &str) -> (String, String) {
        let error = rewrite(source, "", Marks::No).unwrap_err();
        (source[error.range].to_string(), error.message)
    }

    #[test]
    fn operators_become_functions_unless_a_number_is_written_there() {
        assert_eq!(rewritten("{{ a - b - c }}"), "{{ __sub(__sub(a , b) , c) }}");
        assert_eq!(rewritten("{{ (a + b) * 2 - 1 }}"), "{{ (__add(a , b)) * 2 - 1 }}");
        assert_eq!(rewritten("{{ '%s' % (a, 1) }}"), "{{ __mod('%s' , (a, 1)) }}");
    }

    #[test]
    fn what_is_stored_is_bound() {
        assert_eq!(rewritten("{% set a = [1] %}{% set b = 1, 2 %}"), "{% set a = __n([1]) %}{% set b = (1, 2) %}");
        assert_eq!(rewritten("{% for a, b in x if a %}{% endfor %}"), "{% for a, b in __it(x) if a %}{% endfor %}");
    }

    #[test]
    fn what_only_dbt_understands_is_dropped() {
        assert_eq!(rewritten("{% if x: %}{% else: %}{% endif %}"), "{% if (x) %}{% else %}{% endif %}");
        assert_eq!(rewritten("{{ +1 }}{{\u{a0}a }}"), "{{ 1 }}{{ a }}");
        assert_eq!(rewritten("{% do f(a) if b %}"), "{% do __do(f(a) if b) %}");
        let typed = "{% macro m(a: str, b: Optional[Dict[str, int]] = none) %}{% endmacro %}";
        assert_eq!(rewritten(typed), "{% macro m(a, b = none) %}{% endmacro %}");
    }

    #[test]
    fn text_that_looks_like_a_tag_is_text() {
        assert_eq!(rewritten("{{ '}}' ~ \"%}\" }}"), "{{ '}}' ~ \"%}\" }}");
        assert_eq!(rewritten("{% raw %}{{ a - b }}{% endraw %}"), "{% raw %}{{ a - b }}{% endraw %}");
        assert_eq!(rewritten("{# {{ a - b }} #}"), "{# {{ a - b }} #}");
        assert_eq!(rewritten("{{ {'a': {}} }}"), "{{ {'a': {}} }}");
    }

    #[test]
    fn a_mark_stands_where_it_changes_no_white_space() {
        let text = rewrite("a {{- b -}} c", "", Marks::Yes).unwrap().text;
        assert_eq!(text, "{% do __mark(0) %}a{% do __mark(1) %} {{- b -}} {% do __mark(2) %}c");
        let text = rewrite("{% set x %}a{{ b }}{% endset %}", "", Marks::Yes).unwrap().text;
        assert_eq!(text, "{% set x %}a{{ b }}{% endset %}");
    }

    #[test]
    fn mistakes_have_an_exact_place() {
        let is = |place: &str, text: &str| (place.to_string(), text.to_string());
        assert_eq!(message("{{ a"), is("{{", "this `{{` is not closed"));
        assert_eq!(message("{{ f(a }}"), is("(", "this `(` is not closed"));
        assert_eq!(message("{% if a %}"), is("{% if a %}", "this `if` block is not closed"));
        assert_eq!(message("{{ a b }}"), is("b", "expected the end of the tag, found `b`"));
        assert_eq!(message("{{ 'a }}"), is("'", "this text is not closed"));
        assert_eq!(message("{% endif %}"), is("{% endif %}", "`endif` without `if`"));
    }

    #[test]
    fn edited_places_lead_back_to_the_source() {
        let source = "x {{ a - b }} y {{ c }}";
        let found = rewrite(source, "prelude", Marks::No).unwrap();
        let at = found.text.find("c }}").unwrap();
        assert_eq!(found.map.source(at..at + 1), Some(19..20));
        assert_eq!(found.map.source(0..3), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "([a-z0-9 \\n'\"é]|\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}|-|\\+|set |if |for |in |end|macro |raw |[\\[\\](){}.,:|~*/%<>=\\\\])*") {
            let _ = rewrite(&text, "", Marks::Yes);
            let lexed = crate::jinja::front::lexer::lex_blocks(&text);
            if let Ok(lexed) = lexed {
                let _ = crate::jinja::front::blocks::find(&text, &lexed);
            }
        }
    }
}
