//! Pages of the docs that have a project in them show what medal prints for it: blocks fenced as `file PATH`, and
//! `console` blocks with commands of medal, and `cp` for what lands. Set `UPDATE_DOCS=1` to write what medal prints now; read it before you commit.

use crate::suite::cli::{shown_by, with_outputs, without_times, words};
use crate::suite::support::{Project, repository};

/// The files of a page, each with the number of commands that stand before it.
fn files(page: &str) -> Vec<(usize, String, String)> {
    let mut files: Vec<(usize, String, String)> = Vec::new();
    let mut inside = false;
    let mut commands = 0;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(info) => {
                inside = info.starts_with("file ") && !inside;
                files.extend(info.strip_prefix("file ").map(|path| (commands, path.to_string(), String::new())));
            }
            None if inside => files.last_mut().expect("a block has begun").2.extend([line, "\n"]),
            None => commands += usize::from(line.starts_with("$ ")),
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
        if files.is_empty() && !page.contains("\n$ medal init ") {
            continue;
        }
        let project = Project::of(&[]);
        let mut commands = 0;
        let now = with_outputs(&page, |command| {
            let land = files.iter().filter(|(before, ..)| *before == commands);
            land.for_each(|(_, path, text)| project.write(path, text));
            commands += 1;
            let words = words(command);
            match words[0].as_str() {
                "medal" => shown_by(&project, &words[1..].iter().map(String::as_str).collect::<Vec<_>>()),
                "cp" => {
                    let copied =
                        std::process::Command::new("cp").args(&words[1..]).current_dir(project.path()).status();
                    assert!(copied.expect("`cp` can be started").success(), "{command}");
                    String::new()
                }
                other => panic!("`{other}` is neither medal nor cp"),
            }
        });
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &now).expect("the page can be written");
        } else if let Some(lines) = first_difference(&without_times(&page), &without_times(&now)) {
            wrong.push(format!("{}:\n  written: {}\n  printed: {}", path.display(), lines.0, lines.1));
        }
    }
    assert!(wrong.is_empty(), "these pages differ from what medal prints:\n{}", wrong.join("\n"));
}

/// The first line that the two texts do not share.
fn first_difference<'a>(written: &'a str, printed: &'a str) -> Option<(&'a str, &'a str)> {
    let end = std::iter::repeat("");
    let longest = written.lines().count().max(printed.lines().count());
    let pairs = written.lines().chain(end.clone()).zip(printed.lines().chain(end));
    pairs.take(longest).find(|(written, printed)| written != printed)
}
