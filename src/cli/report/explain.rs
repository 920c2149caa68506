//! Turns the Markdown of a Code into text for a terminal.

use crate::cli::report::paint::Paint;
use crate::diagnostic::code::Code;

/// Paragraphs are filled up to this column.
const WIDTH: usize = 80;

/// The explanation of a code, its name above it.
pub fn explain(code: Code, paint: Paint) -> String {
    let mut text = paint.strong(code.name());
    for paragraph in paragraphs(code.explanation()) {
        text.push_str("\n\n");
        text.push_str(&fill(&paragraph, WIDTH, "").join("\n"));
    }
    text
}

/// Every code with the first sentence of its explanation.
pub fn list(paint: Paint) -> String {
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or(0);
    let entry = |code: &Code| {
        let first = paragraphs(code.explanation()).into_iter().next().unwrap_or_default();
        let indent = " ".repeat(width + 2);
        let lines = fill(&first, WIDTH + 20, &indent).join("\n");
        let name = format!("{:width$}  ", code.name());
        format!("{}{}", paint.strong(&name), lines.trim_start())
    };
    Code::ALL.iter().map(entry).collect::<Vec<_>>().join("\n")
}

/// Paragraphs are set apart by empty lines.
fn paragraphs(markdown: &str) -> Vec<String> {
    let lines: Vec<&str> = markdown.lines().map(str::trim).collect();
    lines.split(|line| line.is_empty()).map(|lines| lines.join(" ")).filter(|text| !text.is_empty()).collect()
}

/// Lines of words, each behind the indent and not longer than the width where words allow it.
fn fill(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{explain, list};
    use crate::cli::report::paint::Paint;
    use crate::diagnostic::code::Code;

    #[test]
    fn a_code_is_explained_in_paragraphs() {
        assert_snapshot!(explain(Code::LayerReads, Paint { colors: false }), @r#"
        layer-reads

        A model reads a layer that its own layer must not read, for instance gold reads
        bronze.

        Every layer says in `layers: … reads:` which layers it may read. Put the missing
        step between, or move the model to the layer it belongs to.
        "#);
    }

    #[test]
    fn the_list_has_every_code_once() {
        let list = list(Paint { colors: false });
        for code in Code::ALL {
            assert_eq!(list.lines().filter(|line| line.starts_with(&format!("{} ", code.name()))).count(), 1);
        }
        assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
    }
}
