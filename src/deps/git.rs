//! Turns a repository and a revision into a folder with its files, through the program `git`, as dbt does.

use std::path::Path;
use std::process::{Command, Stdio};

/// Fetches one revision (a commit, tag or branch) into an empty folder; returns its commit. No hook and no submodule
/// of the repository runs or is fetched, and links become files with the link's text.
///
/// # Errors
/// What git says.
pub fn checkout(url: &str, revision: &str, into: &Path) -> Result<String, String> {
    if url.starts_with('-') || revision.starts_with('-') {
        return Err(format!("`{url}` at `{revision}` is no address of a repository"));
    }
    std::fs::create_dir_all(into).map_err(|error| error.to_string())?;
    git(into, &["init", "--quiet", "--template="])?;
    git(into, &["fetch", "--quiet", "--no-tags", "--depth", "1", "--", url, revision])?;
    git(into, &["-c", "core.symlinks=false", "checkout", "--quiet", "--force", "FETCH_HEAD"])?;
    let commit = git(into, &["rev-parse", "HEAD"])?;
    std::fs::remove_dir_all(into.join(".git")).map_err(|error| error.to_string())?;
    Ok(commit.trim().to_string())
}

fn git(dir: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]);
    command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    // Where medal runs inside of a git hook, these name the repository of the hook.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| format!("the program `git` cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
    Err(format!("git says: {}", lines.join("; ")))
}
