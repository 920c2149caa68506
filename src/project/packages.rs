//! Turns `packages.yml`, or `packages:` of `dependencies.yml`, into the packages that a project asks for.
//!
//! Source: <https://docs.getdbt.com/docs/build/packages>.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::files::{FileId, ProjectFiles, Span};
use crate::project::fields::Fields;
use crate::project::render::YamlRenderer;
use crate::project::version::Requirement;
use crate::yaml::{self, Value, Yaml};

pub const PACKAGES_FILE: &str = "packages.yml";
pub const DEPENDENCIES_FILE: &str = "dependencies.yml";

/// A package as a project asks for it.
#[derive(Debug, Clone)]
pub struct PackageSpec {
    pub source: PackageSource,
    /// The name that the entry gives the package. A lock always has it.
    pub name: Option<String>,
    /// What a native project lets the package do: `hooks`, `materializations`.
    pub allow: Vec<String>,
    /// Where the entry stands, if it is in a file of the project.
    pub span: Option<Span>,
    /// The entry as dbt serialises it to see whether `packages.yml` has changed since the lock was written.
    pub for_hash: Json,
}

/// Where a package comes from. Texts are rendered; `written` is the text with its Jinja, for the lock.
#[derive(Debug, Clone, PartialEq)]
pub enum PackageSource {
    Local { path: String },
    Tarball { url: String, written: String },
    Git { url: String, written: String, revision: Option<String>, subdirectory: Option<String>, warn_unpinned: bool },
    Hub { package: String, versions: Vec<Requirement>, prerelease: bool },
}

/// The packages that a project lists, and in which file.
#[derive(Debug)]
pub struct PackageList {
    pub file: FileId,
    /// Name of the file.
    pub path: &'static str,
    pub specs: Vec<PackageSpec>,
}

/// Reads the list of a folder; `None` if it lists no packages.
pub fn read(
    dir: &Path,
    files: &ProjectFiles,
    renderer: &YamlRenderer,
    native: bool,
    sink: &mut Diagnostics,
) -> Option<PackageList> {
    let (path, file, list) = find(dir, "", files, sink)?;
    let specs = specs(&list, renderer, native, sink);
    Some(PackageList { file, path, specs })
}

/// The list as it is written, and the file that it is in. `shown` is the folder for messages, or empty.
pub fn find(
    dir: &Path,
    shown: &str,
    files: &ProjectFiles,
    sink: &mut Diagnostics,
) -> Option<(&'static str, FileId, Yaml)> {
    let mut open = |name: &str| {
        let shown = if shown.is_empty() { name.to_string() } else { format!("{shown}/{name}") };
        open(&dir.join(name), &shown, files, sink)
    };
    let (packages, dependencies) = (open(PACKAGES_FILE), open(DEPENDENCIES_FILE));
    for yaml in [&packages, &dependencies].into_iter().flatten() {
        refuse_projects(yaml, sink);
    }
    if let Some(yaml) = &packages {
        let mut fields = Fields::new(yaml, "a package file", sink);
        fields.ignore(&["packages", "projects"]);
        fields.finish(Severity::Error);
    }
    let key = |yaml: &Yaml| yaml.entries().iter().find(|(key, _)| key.name == "packages").cloned();
    match (packages.as_ref().and_then(key), dependencies.as_ref().and_then(key)) {
        (Some((first, _)), Some((second, _))) => {
            let message = format!("`packages` stands in `{DEPENDENCIES_FILE}` and in `{PACKAGES_FILE}`");
            let problem = Diagnostic::error(Code::KeyInBothFiles, second.span, message);
            sink.push(problem.related(first.span, "it stands here too").help("keep it in one of the two files"));
            None
        }
        (Some((key, list)), None) => Some((PACKAGES_FILE, key.span.file, list)),
        (None, Some((key, list))) => Some((DEPENDENCIES_FILE, key.span.file, list)),
        (None, None) => None,
    }
}

fn open(path: &Path, shown: &str, files: &ProjectFiles, sink: &mut Diagnostics) -> Option<Yaml> {
    if !path.is_file() {
        return None;
    }
    match files.read_as(path, shown) {
        Ok(file) => yaml::parse(file, &files.get(file).text, sink),
        Err(error) => {
            sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string()));
            None
        }
    }
}

fn refuse_projects(yaml: &Yaml, sink: &mut Diagnostics) {
    if let Some((key, _)) = yaml.entries().iter().find(|(key, list)| key.name == "projects" && !list.items().is_empty())
    {
        let message = "`projects` refers to projects of dbt Cloud, which medal cannot reach";
        let help = "install the other project as a package: `packages:` with `git:` or `local:`";
        sink.push(Diagnostic::error(Code::Unsupported, key.span, message).help(help));
    }
}

/// Reads the entries of a list. An entry with a mistake is left out, and told of.
pub fn specs(list: &Yaml, renderer: &YamlRenderer, native: bool, sink: &mut Diagnostics) -> Vec<PackageSpec> {
    if !matches!(list.value, Value::List(_) | Value::Null) {
        let message = format!("`packages` is a list, and this is {}", list.kind());
        sink.push(Diagnostic::error(Code::InvalidValue, list.span, message));
        return Vec::new();
    }
    list.items().iter().filter_map(|entry| spec(entry, renderer, native, sink)).collect()
}

/// The keys that say where a package comes from; an entry has one of them.
const KINDS: [&str; 5] = ["package", "git", "local", "tarball", "private"];

fn spec(written: &Yaml, renderer: &YamlRenderer, native: bool, sink: &mut Diagnostics) -> Option<PackageSpec> {
    let entry = renderer.yaml(written, &[], sink);
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| entry.get(kind).is_some()).collect();
    let [kind] = kinds[..] else {
        let message = "an entry of `packages` has one of `package`, `git`, `local`, `tarball`";
        sink.push(Diagnostic::error(Code::InvalidValue, written.span, message));
        return None;
    };
    let mut reader =
        Reader { fields: Fields::new(&entry, "a package", sink), hash: serde_json::Map::new(), wrong: false };
    let source = reader.source(kind, written)?;
    let name = reader.fields.text("name");
    if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
        let span = entry.get("name").map_or(written.span, |name| name.span);
        let message = format!("`{name}` is no name of a package: it has letters, digits and `_`");
        reader.fields.sink.push(Diagnostic::error(Code::InvalidValue, span, message));
        return None;
    }
    if let Some(name) = &name {
        reader.hash.insert("name".to_string(), json!(name));
    }
    let allow = if native { reader.fields.texts("allow").unwrap_or_default() } else { Vec::new() };
    reader.hash.insert("unrendered".to_string(), written.to_json());
    let Reader { fields, hash, wrong } = reader;
    fields.finish(Severity::Error);
    (!wrong).then(|| PackageSpec { source, name, allow, span: Some(written.span), for_hash: Json::Object(hash) })
}

/// Whether a text can be the name of a project, and so of a folder.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// An entry that is being read.
struct Reader<'y, 's> {
    fields: Fields<'y, 's>,
    hash: serde_json::Map<String, Json>,
    wrong: bool,
}

impl Reader<'_, '_> {
    fn source(&mut self, kind: &'static str, written: &Yaml) -> Option<PackageSource> {
        let as_written =
            |url: &str| written.get(kind).and_then(Yaml::as_str).map_or_else(|| url.to_string(), str::to_string);
        let value = self.text(kind).filter(|text| !text.is_empty());
        let Some(value) = value else {
            return self.refuse(written.span, format!("`{kind}` of a package says where it is, and is empty"));
        };
        Some(match kind {
            "local" => PackageSource::Local { path: value },
            "tarball" => {
                if self.fields.get("name").is_none() {
                    return self.refuse(written.span, "a tarball needs a `name`".to_string());
                }
                PackageSource::Tarball { written: as_written(&value), url: value }
            }
            "git" => PackageSource::Git {
                written: as_written(&value),
                url: value,
                revision: self.text("revision"),
                subdirectory: self.text("subdirectory"),
                warn_unpinned: self.hashed("warn-unpinned") != Json::Bool(false),
            },
            "package" => self.hub(value)?,
            _ => {
                let span = self.fields.get(kind).map_or(written.span, |value| value.span);
                let problem = Diagnostic::error(Code::Unsupported, span, "private packages come from dbt Cloud");
                self.fields.sink.push(problem.help("give the repository with `git:`"));
                return None;
            }
        })
    }

    fn hub(&mut self, package: String) -> Option<PackageSource> {
        let value = self.fields.get("package")?;
        if !package.contains('/') {
            let message = format!("`{package}` names no owner, as packages of the hub do: `dbt-labs/dbt_utils`");
            return self.refuse(value.span, message);
        }
        self.hashed("install_prerelease");
        self.hash.entry("install_prerelease").and_modify(|value| {
            if value.is_null() {
                *value = Json::Bool(false);
            }
        });
        let prerelease = self.hash.get("install_prerelease") == Some(&Json::Bool(true));
        self.hashed("version");
        let Some(written) = self.fields.get("version") else {
            let message = format!("`{package}` needs a `version`, for instance `[\">=1.0.0\", \"<2.0.0\"]`");
            return self.refuse(value.span, message);
        };
        let mut versions = Vec::new();
        for item in written.items() {
            let text = match &item.value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => String::new(),
            };
            match Requirement::parse(&text) {
                Some(version) => versions.push(version),
                None => {
                    let message = format!("`{text}` is no version: write three numbers, for instance `1.3.0`");
                    let problem = Diagnostic::error(Code::InvalidValue, item.span, message);
                    self.fields.sink.push(problem.help("a range is a list: `[\">=1.0.0\", \"<2.0.0\"]`"));
                    self.wrong = true;
                }
            }
        }
        Some(PackageSource::Hub { package, versions, prerelease })
    }

    /// A value, which counts for the hash also where it is absent.
    fn hashed(&mut self, key: &'static str) -> Json {
        let value = self.fields.get(key).map_or(Json::Null, Yaml::to_json);
        self.hash.insert(key.to_string(), value.clone());
        value
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        self.hashed(key);
        self.fields.text(key)
    }

    fn refuse<T>(&mut self, span: Span, message: String) -> Option<T> {
        self.fields.sink.push(Diagnostic::error(Code::InvalidValue, span, message));
        None
    }
}
