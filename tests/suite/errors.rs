//! Every mistake that `tests/errors/*.md` shows is reported exactly as the file says.
//!
//! A file has blocks fenced as `file PATH`, then `run COMMAND` (the default is `parse`), then `output`. Set
//! `UPDATE_ERRORS=1` to write what medal says now into the files; read it before you commit.

use std::fmt::Write;

use crate::suite::support::{Project, repository};

struct Case {
    files: Vec<(String, String)>,
    arguments: Vec<String>,
    output: String,
}

/// The blocks of a Markdown file: what stands behind the fence, and the text inside.
fn blocks(markdown: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in markdown.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(info), None) => open = Some((info.trim().to_string(), String::new())),
            (None, Some((info, mut text))) => {
                let _ = writeln!(text, "{line}");
                open = Some((info, text));
            }
            (None, None) => {}
        }
    }
    blocks
}

fn case(markdown: &str) -> Case {
    let mut case = Case { files: Vec::new(), arguments: vec!["parse".to_string()], output: String::new() };
    for (info, text) in blocks(markdown) {
        let words: Vec<&str> = info.split_whitespace().collect();
        match words.as_slice() {
            ["file", path] => case.files.push((path.to_string(), text)),
            ["run", arguments @ ..] => case.arguments = arguments.iter().map(|word| word.to_string()).collect(),
            ["output"] => case.output = text,
            _ => {}
        }
    }
    case
}

fn run(case: &Case) -> String {
    let named = |name: &str| case.files.iter().any(|(path, _)| path == name);
    let mut files: Vec<(&str, &str)> = Vec::new();
    if !named("dbt_project.yml") && !named("medal.yml") {
        files.extend(crate::suite::support::DBT);
    }
    files.extend(case.files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let project = Project::of(&files);
    let arguments: Vec<&str> = ["--quiet"].into_iter().chain(case.arguments.iter().map(String::as_str)).collect();
    let ran = project.medal(&arguments);
    let folder = project.path().display().to_string();
    format!("{}exit code {}\n", ran.stderr.replace(&folder, "PROJECT"), ran.code.unwrap_or(-1))
}

#[test]
fn every_mistake_is_reported_as_its_page_shows() {
    let mut paths: Vec<_> =
        std::fs::read_dir(repository("tests/errors")).expect("the folder is there").flatten().map(|e| e.path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut wrong = Vec::new();
    for path in paths {
        let markdown = std::fs::read_to_string(&path).expect("the file is there");
        let case = case(&markdown);
        let output = run(&case);
        if output == case.output {
            continue;
        }
        if std::env::var_os("UPDATE_ERRORS").is_some() {
            let start = markdown.find("```output").unwrap_or(markdown.len());
            let text = format!("{}```output\n{output}```\n", &markdown[..start]);
            std::fs::write(&path, text).expect("the file can be written");
        } else {
            wrong.push(format!("{}\n--- said\n{output}--- expected\n{}", path.display(), case.output));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
