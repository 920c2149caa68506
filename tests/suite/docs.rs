//! Pages of the docs that have a project in them show what medal prints for it: blocks fenced as `file PATH`, and
//! `console` blocks with commands. Set `UPDATE_DOCS=1` to write what medal prints now; read it before you commit.

use crate::suite::cli::{shown_by, with_outputs, without_times, words};
use crate::suite::support::{Project, repository};

/// The files of a page.
fn files(page: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(info) => {
                inside = info.starts_with("file ") && !inside;
                files.extend(info.strip_prefix("file ").map(|path| (path.to_string(), String::new())));
            }
            None if inside => files.last_mut().expect("a block has begun").1.extend([line, "\n"]),
            None => {}
        }
    }
    files
}

#[test]
fn pages_with_a_project_show_what_medal_prints() {
    let pages = std::fs::read_dir(repository("docs")).expect("the folder is there").flatten().map(|page| page.path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut wrong = Vec::new();
    for path in pages {
        let page = std::fs::read_to_string(&path).expect("the page can be read");
        let files = files(&page);
        if files.is_empty() {
            continue;
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let project = Project::of(&files);
        let now = with_outputs(&page, |command| {
            let words = words(command);
            match words[0].as_str() {
                "medal" => shown_by(&project, &words[1..].iter().map(String::as_str).collect::<Vec<_>>()),
                other => panic!("`{other}` is not medal's"),
            }
        });
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &now).expect("the page can be written");
        } else if without_times(&page) != without_times(&now) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "these pages differ from what medal prints: {wrong:?}");
}
