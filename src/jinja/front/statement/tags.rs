//! The tags of Jinja, each rewritten into what minijinja does: blocks that open and close, `set`, `for`, `call` and the rest.

use crate::jinja::front::SyntaxError;
use crate::jinja::front::expression::Kind;
use crate::jinja::front::lexer::Segment;
use crate::jinja::front::statement::parameters::{parameters, targets};
use crate::jinja::front::statement::{Open, Rewriter};

impl Rewriter<'_> {
    pub(super) fn push(&mut self, keyword: &'static str, segment: &Segment) -> Result<(), SyntaxError> {
        self.open.push(Open { keyword, range: segment.range.clone(), has_else: false });
        Ok(())
    }

    pub(super) fn close(&mut self, keyword: &str, segment: &Segment) -> Result<(), SyntaxError> {
        match self.open.pop() {
            Some(open) if open.keyword == keyword => {
                // Jinja2 looks at nothing but the first word of an end tag; minijinja wants the tag to end there.
                let tokens = &self.lexed.tokens[segment.tokens.clone()];
                if let [_, second, ..] = tokens {
                    self.edits.replace(second.start..tokens[tokens.len() - 1].end, "");
                }
                Ok(())
            }
            Some(open) => Err(SyntaxError::new(
                segment.range.clone(),
                format!("`end{keyword}` stands where the end of `{}` should be", open.keyword),
            )
            .help(format!("add `{{% end{} %}}` before it", open.keyword))),
            None => Err(SyntaxError::new(segment.range.clone(), format!("`end{keyword}` without `{keyword}`"))),
        }
    }

    pub(super) fn condition(&mut self, segment: &Segment, opens: bool) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        let value = parser.tuple(true)?;
        // minijinja takes no conditional expression as a condition.
        let range = value.range;
        parser.edits.wrap(range, "(", ")");
        parser.finish()?;
        if opens {
            return self.push("if", segment);
        }
        match self.open.last() {
            Some(Open { keyword: "if", has_else: false, .. }) => Ok(()),
            _ => Err(SyntaxError::new(segment.range.clone(), "`elif` without `if`")),
        }
    }

    pub(super) fn alternative(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        parser.finish()?;
        match self.open.last_mut() {
            Some(open) if matches!(open.keyword, "if" | "for") && !open.has_else => {
                open.has_else = true;
                Ok(())
            }
            _ => Err(SyntaxError::new(segment.range.clone(), "`else` without `if` or `for`")),
        }
    }

    pub(super) fn loop_control(&mut self, keyword: &str, segment: &Segment) -> Result<(), SyntaxError> {
        if self.open.iter().any(|open| open.keyword == "for") {
            return Ok(());
        }
        Err(SyntaxError::new(segment.range.clone(), format!("`{keyword}` stands outside of a loop")))
    }

    /// `set a = …`, `set a, b = …`, `set ns.a = …`, or a block.
    pub(super) fn set(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        targets(&mut parser, "=")?;
        if parser.done() || parser.is("|") {
            while parser.skip("|") {
                parser.filter()?;
            }
            parser.finish()?;
            return self.push("set", segment);
        }
        parser.expect("=")?;
        let value = parser.tuple(true)?;
        if value.needs_binding() {
            parser.edits.wrap(value.range, "__n(", ")");
        }
        parser.finish()
    }

    /// `do …`: minijinja wants a call there.
    pub(super) fn run(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        let value = parser.tuple(true)?;
        if value.kind != Kind::Call {
            parser.edits.wrap(value.range, "__do(", ")");
        }
        parser.finish()
    }

    /// `for x in …`: `__it` makes a sized list and refuses what Python refuses.
    pub(super) fn for_loop(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        targets(&mut parser, "in")?;
        parser.expect("in")?;
        let value = parser.tuple(false)?;
        parser.edits.wrap(value.range, "__it(", ")");
        if parser.skip("if") {
            parser.expression()?;
        }
        parser.skip("recursive");
        parser.finish()?;
        self.push("for", segment)
    }

    pub(super) fn call(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        if parser.is("(") {
            parameters(&mut parser)?;
        }
        let value = parser.expression()?;
        if value.kind != Kind::Call {
            return Err(SyntaxError::new(value.range, "a `call` block needs a call, for instance `statement('main')`"));
        }
        parser.finish()?;
        self.push("call", segment)
    }

    pub(super) fn filter(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        parser.filter()?;
        while parser.skip("|") {
            parser.filter()?;
        }
        parser.finish()?;
        self.push("filter", segment)
    }

    pub(super) fn with(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        while !parser.done() && !parser.is(":") {
            targets(&mut parser, "=")?;
            parser.expect("=")?;
            let value = parser.expression()?;
            parser.edits.wrap(value.range, "__n(", ")");
            if !parser.skip(",") {
                break;
            }
        }
        parser.finish()?;
        self.push("with", segment)
    }

    /// A macro inside a model or another macro: a plain macro of minijinja.
    pub(super) fn local_macro(&mut self, segment: &Segment) -> Result<(), SyntaxError> {
        let mut parser = self.parser(segment);
        parser.next();
        parser.name("the name of the macro")?;
        parameters(&mut parser)?;
        parser.finish()?;
        self.push("macro", segment)
    }
}
