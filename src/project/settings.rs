//! Turns `dbt_project.yml` and `medal.yml` into Settings: what the project says about itself as a whole.

use std::path::{Path, PathBuf};

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::files::{FileId, ProjectFiles, Span};
use crate::jinja::JsonMap;
use crate::project::config_keys;
use crate::project::fields::Fields;
use crate::project::render::YamlRenderer;
use crate::project::version::Requirement;
use crate::yaml::{self, Value, Yaml};

/// The two names of a project file. Either may be absent, not both.
pub const DBT_FILE: &str = "dbt_project.yml";
pub const MEDAL_FILE: &str = "medal.yml";

/// The trees of configuration in a project file, one a kind of resource.
pub const CONFIG_TREES: [&str; 9] =
    ["models", "seeds", "snapshots", "data_tests", "sources", "exposures", "unit_tests", "analyses", "functions"];

/// What a project or package says of itself, rendered.
#[derive(Debug, Clone)]
pub struct Settings {
    pub name: String,
    pub version: Option<Json>,
    /// The project file that holds the name.
    pub file: FileId,
    /// The folders that `models:` and the like configure, and where they are written.
    pub config_folders: IndexMap<String, Vec<(Vec<String>, Span)>>,
    /// Where the texts of `model-paths`, `on-run-start` and the like are written.
    pub places: Vec<(String, Span)>,
    pub profile: Option<String>,
    pub paths: Paths,
    pub target_path: String,
    pub packages_install_path: String,
    pub clean_targets: Vec<String>,
    /// `quoting:`, per part of a name.
    pub quoting: JsonMap,
    pub on_run_start: Vec<String>,
    pub on_run_end: Vec<String>,
    pub query_comment: Option<Json>,
    /// Namespace to search order of `adapter.dispatch`.
    pub dispatch: Vec<(String, Vec<String>)>,
    pub vars: JsonMap,
    pub flags: JsonMap,
    /// By the names of `CONFIG_TREES`; keys still have their `+`.
    pub configs: IndexMap<String, Json>,
    /// Those of them that have Jinja in them, as written.
    pub written_configs: IndexMap<String, Json>,
    pub restrict_access: bool,
    /// `require-dbt-version`, and where it is written.
    pub required_versions: Vec<(Requirement, Span)>,
    /// `layers:` of `medal.yml`, as written.
    pub layers: Option<Yaml>,
    /// Whether there is a `medal.yml` and no `dbt_project.yml`: medal's own, stricter defaults hold.
    pub native: bool,
    /// Inline `targets:` and the name of the one to use.
    pub targets: Option<Yaml>,
    pub target: Option<String>,
}

/// The folders of a project, relative to it.
#[derive(Debug, Clone)]
pub struct Paths {
    pub models: Vec<String>,
    pub seeds: Vec<String>,
    pub tests: Vec<String>,
    pub analyses: Vec<String>,
    pub macros: Vec<String>,
    pub snapshots: Vec<String>,
    /// Functions are not built; they are looked for, to say so.
    pub functions: Vec<String>,
    pub docs: Vec<String>,
}

impl Paths {
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let Paths { models, seeds, tests, analyses, macros, snapshots, docs, .. } = self;
        [models, seeds, tests, analyses, macros, snapshots, docs].into_iter().flatten()
    }
}

/// The project file(s) of a folder, merged but not yet rendered.
pub struct RawSettings {
    pub yaml: Yaml,
    pub native: bool,
    pub file: FileId,
}

/// Reads the project file(s) of a folder; `None` (with a diagnostic) if there is none that can be read.
pub fn read(dir: &Path, files: &ProjectFiles, sink: &mut Diagnostics) -> Option<RawSettings> {
    let dbt = read_one(&dir.join(DBT_FILE), files, sink);
    let medal = read_one(&dir.join(MEDAL_FILE), files, sink);
    match (dbt, medal) {
        (Found::Yes(mut dbt), Found::Yes(medal)) => {
            merge(&mut dbt, medal, sink);
            Some(RawSettings { file: dbt.span.file, yaml: dbt, native: false })
        }
        (Found::Yes(dbt), Found::No) => Some(RawSettings { file: dbt.span.file, yaml: dbt, native: false }),
        (Found::No, Found::Yes(medal)) => Some(RawSettings { file: medal.span.file, yaml: medal, native: true }),
        (Found::No, Found::No) => {
            let message = format!("there is no `{DBT_FILE}` or `{MEDAL_FILE}` in `{}`", dir.display());
            let help = "run medal in a project's folder, name one with `--project-dir`, or make one with `medal init`";
            sink.push(Diagnostic::error(Code::NoProject, None, message).help(help));
            None
        }
        (Found::Bad, _) | (_, Found::Bad) => None,
    }
}

enum Found {
    Yes(Yaml),
    No,
    Bad,
}

fn read_one(path: &Path, files: &ProjectFiles, sink: &mut Diagnostics) -> Found {
    if !path.is_file() {
        return Found::No;
    }
    let file = match files.read(path) {
        Ok(file) => file,
        Err(error) => {
            sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string()));
            return Found::Bad;
        }
    };
    let before = sink.has_errors();
    match yaml::parse_file(file, &files.get(file).text, sink) {
        Some(yaml) => Found::Yes(yaml),
        None if !before && sink.has_errors() => Found::Bad,
        None => {
            sink.push(Diagnostic::error(Code::InvalidYaml, Span::start_of(file), "this project file is empty"));
            Found::Bad
        }
    }
}

fn merge(dbt: &mut Yaml, medal: Yaml, sink: &mut Diagnostics) {
    let (Value::Map(own), Value::Map(other)) = (&mut dbt.value, medal.value) else { return };
    for (key, value) in other {
        if let Some((first, _)) = own.iter().find(|(own, _)| own.name == key.name) {
            let message = format!("`{}` stands in `{MEDAL_FILE}` and in `{DBT_FILE}`", key.name);
            let problem = Diagnostic::error(Code::KeyInBothFiles, key.span, message)
                .related(first.span, "it stands here too")
                .help("keep it in one of the two files");
            sink.push(problem);
        } else {
            own.push((key, value));
        }
    }
}

/// The name of the profile, before the project is rendered (the profile itself may be needed for that).
pub fn profile_name(raw: &RawSettings) -> Option<String> {
    raw.yaml.get("profile").and_then(|name| name.as_str().map(str::to_string))
}

/// Renders and reads every key of a project file.
pub fn settle(raw: &RawSettings, renderer: &YamlRenderer, sink: &mut Diagnostics) -> Settings {
    const AS_WRITTEN: [&str; 10] = [
        "on-run-start",
        "on-run-end",
        "query-comment",
        "pre-hook",
        "post-hook",
        "pre_hook",
        "post_hook",
        "layers",
        "targets",
        "vars",
    ];
    let yaml = renderer.yaml(&raw.yaml, &AS_WRITTEN, sink);
    let mut fields = Fields::new(&yaml, "a project file", sink);
    fields.ignore(&[
        "config-version",
        "dbt-cloud",
        "log-path",
        "asset-paths",
        "test-paths",
        "check-paths",
        "skill-paths",
        "metrics",
        "semantic-models",
        "semantic_models",
        "saved-queries",
        "saved_queries",
        "packages",
        "tests",
        "anchors",
        "docs-paths",
        "info_schema",
    ]);
    let name = fields.name().map_or_else(|| "project".to_string(), |(name, _)| name);
    let paths = paths(&mut fields);
    let target_path = fields.text("target-path").unwrap_or_else(|| "target".to_string());
    let clean = fields.texts("clean-targets").unwrap_or_else(|| vec![target_path.clone()]);
    let (mut configs, mut written_configs, mut config_folders) =
        (IndexMap::default(), IndexMap::default(), IndexMap::default());
    for tree in CONFIG_TREES {
        configs.insert(tree.to_string(), Json::Object(fields.json_map(tree)));
        if let Some(written) = yaml.get(tree) {
            config_keys::check_tree(written, fields.sink);
            config_folders.insert(tree.to_string(), config_keys::folders(written));
            let as_written = raw.yaml.get(tree).map_or(Json::Null, Yaml::to_json);
            if as_written != written.to_json() {
                written_configs.insert(tree.to_string(), as_written);
            }
        }
    }
    if let (Some(tests), Some(Json::Object(tree))) = (yaml.get("tests"), configs.get_mut("data_tests"))
        && let (Json::Object(tests), true) = (tests.to_json(), tree.is_empty())
    {
        *tree = tests;
    }
    let settings = Settings {
        name,
        version: fields.get("version").map(Yaml::to_json),
        file: raw.file,
        places: places(&yaml),
        config_folders,
        profile: fields.text("profile"),
        paths,
        target_path,
        packages_install_path: fields.text("packages-install-path").unwrap_or_else(|| "dbt_packages".to_string()),
        clean_targets: clean,
        quoting: fields.json_map("quoting"),
        on_run_start: fields.texts("on-run-start").unwrap_or_default(),
        on_run_end: fields.texts("on-run-end").unwrap_or_default(),
        query_comment: fields.get("query-comment").map(Yaml::to_json),
        dispatch: dispatch(&mut fields),
        vars: fields.json_map("vars"),
        flags: fields.json_map("flags"),
        configs,
        written_configs,
        restrict_access: fields.flag("restrict-access").unwrap_or(false),
        required_versions: required_versions(&mut fields),
        layers: fields.get("layers").cloned(),
        native: raw.native,
        targets: fields.get("targets").cloned(),
        target: fields.text("target"),
    };
    fields.finish(Severity::Error);
    settings
}

/// A text with commas, or a list of texts.
fn required_versions(fields: &mut Fields<'_, '_>) -> Vec<(Requirement, Span)> {
    let Some(value) = fields.get("require-dbt-version") else { return Vec::new() };
    let mut versions = Vec::new();
    for item in value.items() {
        for text in item.as_str().unwrap_or_default().split(',') {
            match Requirement::parse(text) {
                Some(version) => versions.push((version, item.span)),
                None => {
                    let message = format!("`{}` is no version: write it like `>=1.8.0`", text.trim());
                    fields.sink.push(Diagnostic::error(Code::InvalidValue, item.span, message));
                }
            }
        }
    }
    versions
}

fn paths(fields: &mut Fields<'_, '_>) -> Paths {
    let mut paths = |key: &'static str, old: &'static str, default: &[&str]| {
        let written = fields.texts(key).or_else(|| if old.is_empty() { None } else { fields.texts(old) });
        written.unwrap_or_else(|| default.iter().map(|path| path.to_string()).collect())
    };
    let models = paths("model-paths", "source-paths", &["models"]);
    let seeds = paths("seed-paths", "data-paths", &["seeds"]);
    let tests = paths("test-paths", "", &["tests"]);
    let analyses = paths("analysis-paths", "", &["analyses"]);
    let macros = paths("macro-paths", "", &["macros"]);
    let snapshots = paths("snapshot-paths", "", &["snapshots"]);
    let functions = paths("function-paths", "", &["functions"]);
    let mut docs = paths("docs-paths", "", &[]);
    if docs.is_empty() {
        docs = [&models, &seeds, &tests, &analyses, &macros, &snapshots].into_iter().flatten().cloned().collect();
    }
    Paths { models, seeds, tests, analyses, macros, snapshots, functions, docs }
}

fn dispatch(fields: &mut Fields<'_, '_>) -> Vec<(String, Vec<String>)> {
    let entries = fields.list("dispatch");
    let mut orders = Vec::new();
    for entry in entries {
        let mut entry = Fields::new(entry, "an entry of `dispatch`", fields.sink);
        let namespace = entry.text("macro_namespace").unwrap_or_default();
        let order = entry.texts("search_order").unwrap_or_default();
        entry.finish(Severity::Error);
        orders.push((namespace, order));
    }
    orders
}

fn places(yaml: &Yaml) -> Vec<(String, Span)> {
    let has_places =
        |key: &str| key.ends_with("-paths") || ["clean-targets", "on-run-start", "on-run-end"].contains(&key);
    let lists = yaml.entries().iter().filter(|(key, _)| has_places(&key.name));
    let texts =
        lists.flat_map(|(_, list)| list.items()).filter_map(|item| Some((item.as_str()?.to_string(), item.span)));
    texts.collect()
}

impl Settings {
    /// Where the project file gives a path or a hook.
    pub fn place_of(&self, text: &str) -> Span {
        let found = self.places.iter().find(|(written, _)| written == text);
        found.map_or_else(|| Span::start_of(self.file), |(_, span)| *span)
    }
}

/// A folder of the project's files. In a dbt project it may be a link: orchestrators run links to a project's folders.
pub fn folder(dir: &Path, path: &str, settings: &Settings, sink: &mut Diagnostics) -> Option<PathBuf> {
    let is_link = || dir.join(path).symlink_metadata().is_ok_and(|found| found.is_symlink());
    let is_name = matches!(Path::new(path).components().collect::<Vec<_>>()[..], [std::path::Component::Normal(_)]);
    match !settings.native && is_name && is_link() {
        true => Some(dir.join(path)),
        false => inside(dir, path, settings.place_of(path), sink),
    }
}

/// A path of the project, which must stay below the project's folder.
pub fn inside(dir: &Path, path: &str, place: Span, sink: &mut Diagnostics) -> Option<PathBuf> {
    let joined = dir.join(path);
    let climbs = Path::new(path).components().any(|part| matches!(part, std::path::Component::ParentDir));
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let leaves = match (real(&joined), real(dir)) {
        (Some(path), Some(dir)) => !path.starts_with(dir),
        _ => climbs || Path::new(path).is_absolute(),
    };
    if leaves {
        let message = format!("the path `{path}` leaves the project's folder");
        let problem = Diagnostic::error(Code::PathOutsideProject, place, message);
        sink.push(problem.help("move what is there into the project"));
        return None;
    }
    Some(joined)
}
