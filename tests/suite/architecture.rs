//! The guards of `docs/architecture.md`: who may use what. A wrong guard is changed here and there, not dodged.

use std::path::{Path, PathBuf};

use crate::suite::support::repository;

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, all: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(dir).expect("the folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("the file is there");
                all.push((path, text));
            }
        }
    }
    let mut all = Vec::new();
    walk(&repository("src"), &mut all);
    all.sort();
    all
}

/// The room of a file: `manifest` for `src/manifest.rs` and everything below `src/manifest/`.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(repository("src")).expect("the file is below src");
    let first = below.components().next().expect("the file has a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_string()
}

/// Whether a file holds unit tests only: `tests.rs`, and what is below a folder `tests`.
fn is_test(path: &Path) -> bool {
    let below = path.strip_prefix(repository("src")).expect("the file is below src");
    below.ends_with("tests.rs") || below.components().any(|part| part.as_os_str() == "tests")
}

/// The text of a file without comments and without its unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn layer_order() -> Vec<String> {
    let lib = std::fs::read_to_string(repository("src/lib.rs")).expect("lib.rs is there");
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.map(str::to_string).collect()
}

#[test]
fn a_module_uses_only_the_modules_before_it() {
    let order = layer_order();
    let place = |name: &str| order.iter().position(|module| module == name);
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = place(&room(&path)) else { continue };
        for used in code(&text).split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if place(&name).is_some_and(|other| other > own) {
                wrong.push(format!("{} uses crate::{name}", path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_library_is_used_in_its_room_only() {
    let homes: [(&str, &[&str]); 8] = [
        ("duckdb::", &["adapter"]),
        ("sqlparser::", &["sql", "adapter"]),
        ("petgraph::", &["manifest"]),
        ("minijinja::", &["jinja"]),
        ("saphyr_parser::", &["yaml"]),
        ("std::env::", &["cli", "main"]),
        ("annotate_snippets::", &["cli"]),
        ("ureq::", &["deps"]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (library, rooms) in homes {
            let used = code(&text).lines().any(|line| {
                line.match_indices(library)
                    .any(|(at, _)| !line[..at].ends_with("adapter::") && !line[..at].ends_with(':'))
            });
            if used && !rooms.contains(&room(&path).as_str()) {
                wrong.push(format!("{} uses {library}", path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_file_says_what_it_is_and_the_library_prints_nothing() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let shown = path.display();
        if is_test(&path) {
            continue;
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{shown} does not begin with a //! line"));
        }
        let code = code(&text);
        for word in ["println!", "eprintln!", "print!", ".unwrap()", "dbg!", "todo!", "HashMap", "HashSet"] {
            let cli_prints = word.contains("print") && ["cli", "main"].contains(&room(&path).as_str());
            if code.contains(word) && !cli_prints {
                wrong.push(format!("{shown} has {word}"));
            }
        }
        if text.contains("use super::*") {
            wrong.push(format!("{shown} has a glob import of its parent"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_code_has_an_example_and_an_explanation() {
    for code in medal::diagnostic::code::Code::ALL {
        assert!(code.explanation().trim().len() > 20, "{} needs an explanation", code.name());
    }
}
