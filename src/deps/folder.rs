//! Turns a folder of a package into the digest of its content, and moves such folders about.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use tempfile::TempDir;

use crate::hash;
use crate::project::is_project;

/// The digest of all files below a folder: that of the lines `sha256sum` prints for them in the order of their paths,
/// so that anybody can calculate it: `find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`.
///
/// # Errors
/// If the folder cannot be read, or has something in it that is no file.
pub fn sha256(dir: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for path in files(dir)? {
        let shown = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        lines.push((shown, hash::sha256_of(std::fs::File::open(&path)?)?));
    }
    lines.sort();
    Ok(hash::sha256(&lines.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect::<String>()))
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkBuilder::new(dir).standard_filters(false).follow_links(false).build() {
        let entry = entry.map_err(io::Error::other)?;
        match entry.file_type() {
            Some(kind) if kind.is_file() => files.push(entry.into_path()),
            Some(kind) if kind.is_dir() => {}
            _ => return Err(io::Error::other(format!("`{}` is no file", entry.path().display()))),
        }
    }
    Ok(files)
}

/// A folder inside of another one, for what is not ready yet. It goes away with everything that is still in it.
/// dbt takes no folder for a package whose name starts with two underscores.
pub fn staging(folder: &Path) -> io::Result<TempDir> {
    std::fs::create_dir_all(folder)?;
    tempfile::Builder::new().prefix("__medal").tempdir_in(folder)
}

/// Names of the packages in a folder, except those given.
pub fn others(folder: &Path, names: &[&str]) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut others: Vec<String> = entries
        .filter(|entry| is_project(&entry.path()) || entry.path().is_symlink())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !names.contains(&name.as_str()))
        .collect();
    others.sort();
    others
}

/// Writes a file beside the old one, and then takes its place, so that there is never half of it.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".medal").make_in(dir, |path| std::fs::File::create_new(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Moves what is at a place, if anything, to where it is deleted with the rest. A link is deleted, not followed.
pub fn set_aside(place: &Path, staging: &Path) -> io::Result<()> {
    if place.is_symlink() {
        return std::fs::remove_file(place).or_else(|_| std::fs::remove_dir(place));
    }
    if !place.exists() {
        return Ok(());
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::fs::rename(place, staging.join(format!("old {name}")))
}

/// Makes a folder appear at a second place, as dbt does with local packages.
pub fn link(dir: &Path, place: &Path) -> io::Result<()> {
    let dir = std::fs::canonicalize(dir)?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(dir, place);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_dir(dir, place);
}
