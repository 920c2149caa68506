//! Turns an artifact into a file that is either the old one or the new one, and never holds a secret.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::notes::News;

/// What stands where a secret was.
const HIDDEN: &str = "*****";

/// The file by which a folder is known to hold what can be made again (<https://bford.info/cachedir/>): backups leave
/// such a folder out, and `medal clean` may delete it.
const MARK: &str = "CACHEDIR.TAG";
const MARK_TEXT: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# medal writes this folder, and `medal clean` deletes it.\n";

/// Makes the target folder, and marks it as medal's own if it is new or empty.
pub fn make_target(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    if std::fs::read_dir(dir)?.next().is_none() {
        std::fs::write(dir.join(MARK), MARK_TEXT)?;
    }
    Ok(())
}

/// Whether a folder has medal's mark.
pub fn is_marked(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join(MARK)).is_ok_and(|text| text == MARK_TEXT)
}

/// Writes JSON beside the file and then takes its place, so that a reader never sees half of it.
pub fn write_json(path: &Path, artifact: &impl Serialize, secrets: &[String]) -> io::Result<()> {
    write_whole(path, |out| {
        if secrets.is_empty() {
            return serde_json::to_writer(out, artifact).map_err(io::Error::from);
        }
        let text = serde_json::to_string(artifact)?;
        out.write_all(hide(&text, &in_json(secrets)).as_bytes())
    })
}

/// Writes JSON in the same way, one object a line.
pub fn write_lines(path: &Path, objects: &[impl Serialize], secrets: &[String]) -> io::Result<()> {
    let secrets = in_json(secrets);
    write_whole(path, |out| {
        objects.iter().try_for_each(|object| writeln!(out, "{}", hide(&serde_json::to_string(object)?, &secrets)))
    })
}

/// Writes a text in the same way.
pub fn write_text(path: &Path, text: &str) -> io::Result<()> {
    write_whole(path, |out| out.write_all(text.as_bytes()))
}

/// Writes notes, which may be lost when the machine stops: nobody waits for the disk.
pub fn write_notes(path: &Path, news: &News) -> io::Result<()> {
    let folder = folder_of(path)?;
    match news {
        News::More(lines) => File::options().append(true).open(path)?.write_all(lines.as_bytes()),
        News::All(text) => {
            let mut file = beside(folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(path).map(drop).map_err(|error| error.error)
        }
    }
}

/// The folder of a file, which is made if it is not there.
fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    Ok(folder)
}

fn write_whole(path: &Path, fill: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> io::Result<()> {
    let mut file = beside(folder_of(path)?)?;
    let mut out = BufWriter::with_capacity(256 * 1024, file.as_file_mut());
    fill(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A file that is removed if it is not kept. Made by hand, because others shall be able to read it.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".").suffix(".tmp").make_in(folder, |path| File::create_new(path))
}

/// Secrets as they look inside a JSON text.
pub fn in_json(secrets: &[String]) -> Vec<String> {
    let quoted = secrets.iter().map(|secret| serde_json::to_string(secret).unwrap_or_default());
    quoted.map(|text| text.get(1..text.len().saturating_sub(1)).unwrap_or_default().to_string()).collect()
}

/// A text with every secret replaced; the longest first, since one may hold another.
pub fn hide<'t>(text: &'t str, secrets: &[String]) -> Cow<'t, str> {
    let mut secrets: Vec<&String> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(Cow::Borrowed(text), |text, secret| {
        if text.contains(secret.as_str()) { Cow::Owned(text.replace(secret.as_str(), HIDDEN)) } else { text }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::write_json;

    fn written(secrets: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("target/a.json");
        let secrets: Vec<String> = secrets.iter().map(|secret| secret.to_string()).collect();
        for _ in 0..2 {
            write_json(&path, &json!({"text": "token \"x\ny\" and x"}), &secrets).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path().join("target")).unwrap().count(), 1);
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left_behind() {
        assert_eq!(written(&[]), r#"{"text":"token \"x\ny\" and x"}"#);
    }

    #[test]
    fn a_secret_with_quotes_and_line_ends_is_hidden() {
        assert_eq!(written(&["x", "\"x\ny\""]), r#"{"te*****t":"token ***** and *****"}"#);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_json(&path, &1, &[]).unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(path), mode(plain));
    }
}
