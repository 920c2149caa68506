//! Turns template text into segments (data, comments, expressions, tags) and the tokens inside them.

use std::ops::Range;

use crate::jinja::front::SyntaxError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    Data,
    Comment,
    Raw,
    Expression,
    Tag,
}

/// A piece of a template. Segments follow each other without gaps.
#[derive(Debug, Clone)]
pub struct Segment {
    pub kind: SegmentKind,
    pub range: Range<usize>,
    /// The tokens of an expression or a tag, as a range of `Lexed::tokens`.
    pub tokens: Range<usize>,
    /// `{{-`: white space before is dropped.
    pub trims_before: bool,
    /// `-}}`: white space after is dropped.
    pub trims_after: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Name,
    Int,
    Float,
    Str,
    Operator,
}

#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

pub struct Lexed {
    pub segments: Vec<Segment>,
    pub tokens: Vec<Token>,
    /// Bytes that only look like spaces (U+00A0 …) inside tags.
    pub odd_spaces: Vec<Range<usize>>,
}

/// Whether a text has anything that Jinja would look at; without it, dbt gives the text back as it is.
pub fn has_markers(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| matches!(pair, b"{{" | b"{%" | b"{#" | b"}}" | b"%}" | b"#}"))
}

pub fn lex(text: &str) -> Result<Lexed, SyntaxError> {
    let mut lexer = Lexer { text, at: 0, out: Lexed { segments: vec![], tokens: vec![], odd_spaces: vec![] } };
    while lexer.at < text.len() {
        lexer.segment()?;
    }
    Ok(lexer.out)
}

/// Like `lex`, for files in which only blocks matter: what cannot be read outside or inside of them is text.
pub fn lex_blocks(text: &str) -> Result<Lexed, SyntaxError> {
    let mut lexer = Lexer { text, at: 0, out: Lexed { segments: vec![], tokens: vec![], odd_spaces: vec![] } };
    while lexer.at < text.len() {
        let (start, tokens) = (lexer.at, lexer.out.tokens.len());
        if lexer.segment().is_err() {
            lexer.out.tokens.truncate(tokens);
            lexer.push(SegmentKind::Data, start..start + 2, 0..0);
        }
    }
    Ok(lexer.out)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    out: Lexed,
}

/// The place of the next `{{`, `{%` or `{#`.
fn next_open(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'{') {
        at += found;
        if matches!(bytes.get(at + 1), Some(b'{' | b'%' | b'#')) {
            return Some(at);
        }
        at += 1;
    }
    None
}

impl Lexer<'_> {
    fn segment(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let open = next_open(self.text, start).unwrap_or(self.text.len());
        if open > start {
            self.push(SegmentKind::Data, start..open, 0..0);
            return Ok(());
        }
        match self.text.as_bytes()[start + 1] {
            b'#' => self.comment(start),
            b'{' => self.tag(start, SegmentKind::Expression, "}}"),
            _ => match self.raw_end(start) {
                Some(end) => self.raw(start, end),
                None => self.tag(start, SegmentKind::Tag, "%}"),
            },
        }
    }

    fn push(&mut self, kind: SegmentKind, range: Range<usize>, tokens: Range<usize>) {
        let bytes = self.text.as_bytes();
        let marked = kind != SegmentKind::Data;
        let trims_before = marked && bytes.get(range.start + 2) == Some(&b'-');
        let trims_after = marked && range.end >= range.start + 5 && bytes[range.end - 3] == b'-';
        self.at = range.end;
        self.out.segments.push(Segment { kind, range, tokens, trims_before, trims_after });
    }

    fn comment(&mut self, start: usize) -> Result<(), SyntaxError> {
        let Some(found) = self.text[start + 2..].find("#}") else {
            return Err(SyntaxError::new(start..start + 2, "this comment is not closed").help("add `#}`"));
        };
        self.push(SegmentKind::Comment, start..start + 2 + found + 2, 0..0);
        Ok(())
    }

    /// If a `{% raw %}` tag starts here, the offset after it.
    fn raw_end(&self, start: usize) -> Option<usize> {
        let rest = self.text[start + 2..].trim_start_matches(['-', '+']).trim_start();
        let rest = rest.strip_prefix("raw")?.trim_start();
        let rest = rest.strip_prefix("%}").or_else(|| rest.strip_prefix("-%}")).or_else(|| rest.strip_prefix("+%}"))?;
        Some(self.text.len() - rest.len())
    }

    fn raw(&mut self, start: usize, body: usize) -> Result<(), SyntaxError> {
        let mut from = body;
        while let Some(found) = self.text[from..].find("{%") {
            let rest = self.text[from + found + 2..].trim_start_matches(['-', '+']).trim_start();
            let rest = rest.strip_prefix("endraw").map(str::trim_start).unwrap_or_default();
            let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
            if let Some(rest) = rest.strip_prefix("%}") {
                self.push(SegmentKind::Raw, start..self.text.len() - rest.len(), 0..0);
                return Ok(());
            }
            from += found + 2;
        }
        Err(SyntaxError::new(start..body, "this `raw` block is not closed").help("add `{% endraw %}`"))
    }

    fn tag(&mut self, start: usize, kind: SegmentKind, close: &str) -> Result<(), SyntaxError> {
        let first = self.out.tokens.len();
        let mut at = start + 2;
        if matches!(self.text.as_bytes().get(at), Some(b'-' | b'+')) {
            at += 1;
        }
        let mut brackets: Vec<usize> = Vec::new();
        loop {
            let rest = &self.text[at..];
            let Some(next) = rest.chars().next() else {
                if let Some(open) = brackets.first() {
                    return Err(self.not_closed(*open));
                }
                let open = &self.text[start..start + 2];
                return Err(SyntaxError::new(start..start + 2, format!("this `{open}` is not closed"))
                    .help(format!("add `{close}`")));
            };
            if brackets.is_empty() {
                let signs: &[char] = if kind == SegmentKind::Tag { &['-', '+'] } else { &['-'] };
                let ended = rest.strip_prefix(signs).unwrap_or(rest);
                if let Some(after) = ended.strip_prefix(close) {
                    let end = self.text.len() - after.len();
                    self.push(kind, start..end, first..self.out.tokens.len());
                    return Ok(());
                }
            }
            if next.is_whitespace() {
                if !next.is_ascii_whitespace() {
                    self.out.odd_spaces.push(at..at + next.len_utf8());
                }
                at += next.len_utf8();
                continue;
            }
            let token = self.token(at, next)?;
            if token.kind == TokenKind::Operator {
                self.bracket(next, token.start, &mut brackets, close)?;
            }
            at = token.end;
            self.out.tokens.push(token);
        }
    }

    fn not_closed(&self, open: usize) -> SyntaxError {
        let bracket = &self.text[open..open + 1];
        SyntaxError::new(open..open + 1, format!("this `{bracket}` is not closed"))
    }

    /// Keeps the open brackets of a tag, of which each must be closed by its own kind.
    fn bracket(&self, found: char, at: usize, open: &mut Vec<usize>, close: &str) -> Result<(), SyntaxError> {
        let expected = match found {
            '(' | '[' | '{' => {
                open.push(at);
                return Ok(());
            }
            ')' => b'(',
            ']' => b'[',
            '}' => b'{',
            _ => return Ok(()),
        };
        match open.pop() {
            Some(bracket) if self.text.as_bytes()[bracket] == expected => Ok(()),
            Some(bracket) => Err(self.not_closed(bracket)),
            None => Err(SyntaxError::new(at..at + 1, format!("this `{found}` closes nothing"))
                .help(format!("the tag ends with `{close}`"))),
        }
    }

    fn token(&self, start: usize, first: char) -> Result<Token, SyntaxError> {
        let rest = &self.text[start..];
        let (kind, length) = match first {
            '\'' | '"' => (TokenKind::Str, self.string_length(start, first)?),
            '0'..='9' => number(rest),
            _ if first == '_' || first.is_alphabetic() => (TokenKind::Name, name_length(rest)),
            _ => (TokenKind::Operator, operator_length(rest)),
        };
        if length == 0 {
            return Err(SyntaxError::new(
                start..start + first.len_utf8(),
                format!("`{first}` has no meaning in a Jinja expression"),
            ));
        }
        Ok(Token { kind, start, end: start + length })
    }

    fn string_length(&self, start: usize, quote: char) -> Result<usize, SyntaxError> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            match *byte {
                b'\\' => at += 2,
                byte if byte == quote as u8 => return Ok(at + 1 - start),
                _ => at += 1,
            }
        }
        Err(SyntaxError::new(start..start + 1, "this text is not closed").help(format!("add the closing `{quote}`")))
    }
}

fn name_length(rest: &str) -> usize {
    rest.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(rest.len())
}

fn number(rest: &str) -> (TokenKind, usize) {
    let bytes = rest.as_bytes();
    let digits =
        |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'_').count();
    if bytes[0] == b'0' && matches!(bytes.get(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B')) {
        let end = 2 + bytes[2..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        return (TokenKind::Int, end);
    }
    let mut end = digits(0);
    let mut kind = TokenKind::Int;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
        kind = TokenKind::Float;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
            kind = TokenKind::Float;
        }
    }
    (kind, end)
}

fn operator_length(rest: &str) -> usize {
    const TWO: [&str; 6] = ["//", "**", "==", "!=", ">=", "<="];
    if TWO.iter().any(|operator| rest.starts_with(operator)) {
        return 2;
    }
    usize::from(
        rest.starts_with([
            '+', '-', '/', '*', '%', '~', '[', ']', '(', ')', '{', '}', '>', '<', '=', '.', ':', '|', ',',
        ]),
    )
}
