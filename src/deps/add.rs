//! Turns `--add-package` into an edit of the file that lists the packages, which leaves everything else as it is.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::FileId;
use crate::yaml::{self, Value, Yaml};

/// Where a new package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Hub,
    Git,
    Local,
}

/// The text of a package file with one more package. An entry of the same package is replaced.
pub fn add(
    file: FileId,
    text: &str,
    kind: Kind,
    name: &str,
    version: Option<&str>,
    sink: &mut Diagnostics,
) -> Option<String> {
    let entry = entry(kind, name, version);
    let yaml = match text.trim().is_empty() {
        true => None,
        false => Some(yaml::parse(file, text, sink)?),
    };
    let Some((key, list)) =
        yaml.as_ref().and_then(|yaml| yaml.entries().iter().find(|(key, _)| key.name == "packages"))
    else {
        return Some(format!("{}packages:\n{}", ended(text), indented(&entry, 2)));
    };
    let own_lines = list.items().iter().all(|item| text[..item.span.range().start].trim_end().ends_with('-'));
    if !matches!(list.value, Value::List(_) | Value::Null) || !own_lines {
        let message = "the packages are not listed one below the other, so that none can be added";
        let problem = Diagnostic::error(Code::InvalidValue, list.span, message);
        sink.push(problem.help("write each as a line that begins with `- `"));
        return None;
    }
    if list.items().is_empty() {
        let rest = text[key.span.range().start..].split_once('\n').map_or("", |(_, rest)| rest);
        return Some(format!("{}packages:\n{}{rest}", &text[..key.span.range().start], indented(&entry, 2)));
    }
    Some(edited(text, list, name, &entry))
}

fn edited(text: &str, list: &Yaml, name: &str, entry: &[String]) -> String {
    let line_of = |item: &Yaml| {
        let dash = text[..item.span.range().start].rfind('-').unwrap_or_default();
        (text[..dash].matches('\n').count(), dash - text[..dash].rfind('\n').map_or(0, |at| at + 1))
    };
    let (_, indent) = line_of(&list.items()[0]);
    let lines: Vec<&str> = text.lines().collect();
    let ends = |from: usize| {
        let deeper = |line: &&str| line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
        let block = lines[from + 1..].iter().take_while(|line| deeper(line)).count();
        from + 1 + block
            - lines[from + 1..from + 1 + block].iter().rev().take_while(|line| line.trim().is_empty()).count()
    };
    let last = list.items().last().map_or(0, |item| ends(line_of(item).0));
    let same: Vec<_> = list.items().iter().filter(|item| is_same(item, name)).map(|item| line_of(item).0).collect();
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at == last {
            out.push_str(&indented(entry, indent));
        }
        if !same.iter().any(|from| (*from..ends(*from)).contains(&at)) {
            out.push_str(line);
            out.push('\n');
        }
    }
    if last == lines.len() {
        out.push_str(&indented(entry, indent));
    }
    out
}

/// Whether an entry is the package with this name, from wherever: `dbt-labs/dbt_utils` is also
/// `https://github.com/dbt-labs/dbt-utils.git`.
fn is_same(item: &Yaml, name: &str) -> bool {
    let kinds = ["package", "git", "local", "tarball"];
    let Some(own) = kinds.iter().find_map(|kind| item.get(kind)?.as_str()) else { return false };
    let words = |text: &str| -> Vec<String> {
        let text = text.strip_suffix(".git").unwrap_or(text).replace('-', "_");
        text.split('/').map(str::to_string).collect()
    };
    words(own).last() == words(name).last()
}

fn entry(kind: Kind, name: &str, version: Option<&str>) -> Vec<String> {
    let (key, version_key) = match kind {
        Kind::Hub => ("package", "version"),
        Kind::Git => ("git", "revision"),
        Kind::Local => ("local", "version"),
    };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = vec![format!("{key}: {}", if kind == Kind::Hub { name.to_string() } else { quoted(name) })];
    match version {
        Some(range) if range.contains(',') => {
            let parts: Vec<String> = range.split(',').map(|part| quoted(part.trim())).collect();
            lines.push(format!("{version_key}: [{}]", parts.join(", ")));
        }
        Some(version) if kind != Kind::Local => lines.push(format!("{version_key}: {}", quoted(version))),
        _ => {}
    }
    lines
}

fn indented(entry: &[String], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let line = |(at, line): (usize, &String)| format!("{pad}{}{line}\n", if at == 0 { "- " } else { "  " });
    entry.iter().enumerate().map(line).collect()
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_string() } else { format!("{text}\n") }
}

#[cfg(test)]
mod tests {
    use super::{Kind, add};
    use crate::diagnostic::Diagnostics;
    use crate::files::FileId;

    fn added(text: &str, kind: Kind, name: &str, version: Option<&str>) -> String {
        add(FileId(0), text, kind, name, version, &mut Diagnostics::default()).unwrap_or_default()
    }

    #[test]
    fn a_package_is_added_below_the_others_and_comments_stay() {
        let text = "# ours\npackages:\n- local: ../a  # first\n\n# end\nprojects: []\n";
        assert_eq!(
            added(text, Kind::Hub, "dbt-labs/dbt_utils", Some(">=1.0.0,<2.0.0")),
            "# ours\npackages:\n- local: ../a  # first\n- package: dbt-labs/dbt_utils\n  version: [\">=1.0.0\", \"<2.0.0\"]\n\n# end\nprojects: []\n"
        );
    }

    #[test]
    fn an_entry_of_the_same_package_is_replaced() {
        let text = "packages:\n  - git: https://github.com/dbt-labs/dbt-utils.git\n    revision: 1.0.0\n  - local: b\n";
        assert_eq!(
            added(text, Kind::Hub, "dbt-labs/dbt_utils", Some("1.3.0")),
            "packages:\n  - local: b\n  - package: dbt-labs/dbt_utils\n    version: \"1.3.0\"\n"
        );
    }

    #[test]
    fn a_list_is_begun_where_there_is_none() {
        let expected = "packages:\n  - local: \"../a\"\n";
        assert_eq!(added("", Kind::Local, "../a", None), expected);
        assert_eq!(added("packages: []\n", Kind::Local, "../a", None), expected);
        assert_eq!(added("packages: [{local: b}]\n", Kind::Local, "../a", None), "");
    }
}
