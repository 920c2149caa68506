//! Every mistake that `tests/errors/*.md` shows is reported exactly as the file says.
//!
//! A file has blocks fenced as `file PATH` or `packed ARCHIVE PATH` (a file in a `.tar.gz`), then `run COMMAND` (the default is `parse`), then `output`. A word of the
//! command may stand between single quotes; `run` may stand several times. Below `file`, `\r`, `\t` and `\u{…}` stand
//! for letters that an editor would lose. Set `UPDATE_ERRORS=1` to write what medal says now into the files; read it
//! before you commit.

use std::fmt::Write;

use crate::suite::support::{Entry, Project, repository};

struct Case {
    files: Vec<(String, String)>,
    /// An archive, the path of a file in it, and its text.
    packed: Vec<(String, String, String)>,
    commands: Vec<Vec<String>>,
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
    let mut case = Case { files: Vec::new(), packed: Vec::new(), commands: Vec::new(), output: String::new() };
    for (info, text) in blocks(markdown) {
        match info.split_once(' ').unwrap_or((&info, "")) {
            ("file", path) => case.files.push((letters(path), letters(&text))),
            ("packed", names) => {
                let (archive, path) = names.split_once(' ').expect("an archive and a path");
                case.packed.push((archive.to_string(), path.to_string(), text));
            }
            ("run", command) => case.commands.push(words(command)),
            ("output", _) => case.output = text,
            _ => {}
        }
    }
    if case.commands.is_empty() {
        case.commands.push(vec!["parse".to_string()]);
    }
    case
}

/// Reads `\r`, `\t` and `\u{feff}`.
fn letters(text: &str) -> String {
    let text = text.replace("\\r", "\r").replace("\\t", "\t");
    let mut parts = text.split("\\u{");
    let mut read = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (number, rest) = part.split_once('}').expect("a letter's number ends with `}`");
        read.extend(u32::from_str_radix(number, 16).ok().and_then(char::from_u32));
        read.push_str(rest);
    }
    read
}

/// The words of a command, of which some stand between single quotes.
fn words(command: &str) -> Vec<String> {
    let quoted = |(at, part): (usize, &str)| match at % 2 {
        0 => part.split_whitespace().map(str::to_string).collect(),
        _ => vec![part.to_string()],
    };
    command.split('\'').enumerate().flat_map(quoted).collect()
}

fn run(case: &Case) -> String {
    let named = |name: &str| case.files.iter().any(|(path, _)| path == name);
    let mut files: Vec<(&str, &str)> = Vec::new();
    if !named("medal.yml") {
        files.extend(crate::suite::support::DBT);
    }
    files.retain(|(path, _)| !named(path));
    files.extend(case.files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let project = Project::of(&files);
    for (archive, path, text) in &case.packed {
        project.pack(archive, path, Entry::File(text));
    }
    let mut output = String::new();
    for command in &case.commands {
        let arguments = ["--log-level", "warn"].into_iter().chain(command.iter().map(String::as_str));
        let ran = project.medal(&arguments.collect::<Vec<_>>());
        let folder = project.path().display().to_string();
        output.push_str(&timeless(&ran.stderr.replace(&folder, "PROJECT")));
        let _ = writeln!(output, "exit code {}", ran.code.unwrap_or(-1));
    }
    output
}

/// A text without the time of day, without durations and without the versions of this run.
fn timeless(text: &str) -> String {
    let pattern = |pattern: &str| fancy_regex::Regex::new(pattern).expect("the pattern is right");
    let text = pattern(r"(?m)^\d\d:\d\d:\d\d ?").replace_all(text, "12:00:00 ").into_owned();
    let text = pattern(r"\d+\.\d\ds").replace_all(&text, "0.01s").into_owned();
    let text = pattern(r"__medal_[0-9a-f]{8}").replace_all(&text, "__medal_11111111").into_owned();
    pattern(r"version `[0-9a-f]{8}`").replace_all(&text, "version `22222222`").into_owned()
}

#[test]
fn every_mistake_is_reported_as_its_page_shows() {
    let mut paths: Vec<_> = std::fs::read_dir(repository("tests/errors"))
        .expect("the folder is there")
        .flatten()
        .map(|e| e.path())
        .collect();
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

#[test]
fn every_code_has_a_page_that_shows_it() {
    let pages = std::fs::read_dir(repository("tests/errors")).expect("the folder is there").flatten();
    let shown: String = pages.map(|page| std::fs::read_to_string(page.path()).expect("the file is there")).collect();
    let missing = medal::diagnostic::code::Code::ALL.iter().map(|code| code.name());
    let missing: Vec<&str> = missing.filter(|name| !shown.contains(&format!("[{name}]"))).collect();
    assert!(missing.is_empty(), "no page of tests/errors shows {missing:?}");
}
