//! Turns `profiles.yml`, or the `targets:` of `medal.yml`, into the Target to run on.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::adapter::{self, Target};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::files::{ProjectFiles, Span};
use crate::project::render::{YamlRenderer, yaml_error};
use crate::project::settings::{RawSettings, profile_name};
use crate::yaml::{self, Yaml};

/// Where to look for the profile, and which one is asked for.
#[derive(Debug, Clone, Default)]
pub struct ProfileRequest {
    pub profiles_dir: Option<PathBuf>,
    pub home: Option<PathBuf>,
    pub profile: Option<String>,
    pub target: Option<String>,
    pub threads: Option<usize>,
    /// The folder that relative paths of a profile start from: where the command was given.
    pub working_dir: PathBuf,
}

/// Finds and renders the target; `None` with a diagnostic if there is none.
pub fn find(
    raw: &RawSettings,
    request: &ProfileRequest,
    renderer: &YamlRenderer,
    files: &ProjectFiles,
    sink: &mut Diagnostics,
) -> Option<Target> {
    if let Some(targets) = raw.yaml.get("targets").filter(|_| request.profile.is_none()) {
        let name = chosen(raw.yaml.get("target"), request, renderer, sink)?.unwrap_or_else(|| first_key(targets));
        let project = text(raw.yaml.get("name"), renderer).unwrap_or_default();
        let base = files.root().to_path_buf();
        return output(&project, targets, &name, request, base, renderer, sink);
    }
    let Some(profile) = request.profile.clone().or_else(|| profile_name(raw)) else {
        let message = "the project names no `profile` and has no `targets`";
        let help = "write `profile: NAME` into the project file, or give `--profile NAME`";
        sink.push(Diagnostic::error(Code::UnknownProfile, Span::start_of(raw.file), message).help(help));
        return None;
    };
    let folders = folders(request, files.root());
    let Some(path) = folders.iter().map(|dir| dir.join("profiles.yml")).find(|path| path.is_file()) else {
        let looked = folders.iter().map(|dir| format!("`{}`", dir.display())).collect::<Vec<_>>().join(", ");
        let message = format!("there is no `profiles.yml` for the profile `{profile}`");
        let help = format!("medal looked in {looked}; write one there, or name its folder with `--profiles-dir`");
        sink.push(Diagnostic::error(Code::UnknownProfile, None, message).help(help));
        return None;
    };
    let profiles = read(&path, files, sink)?;
    let Some(found) = profiles.get(&profile) else {
        let shown = files.get(profiles.span.file).path;
        let message = format!("the profile `{profile}` is not in `{shown}`");
        let written = raw.yaml.get("profile").filter(|_| request.profile.is_none()).map(|name| name.span);
        let place = written.unwrap_or(Span::start_of(profiles.span.file));
        let problem = Diagnostic::error(Code::UnknownProfile, place, message);
        let names = profiles.entries().iter().map(|(key, _)| key.name.as_str());
        sink.push(suggest(problem, &profile, names));
        return None;
    };
    let name = chosen(found.get("target"), request, renderer, sink)?;
    let Some(outputs) = found.get("outputs") else {
        let message = format!("the profile `{profile}` has no `outputs`");
        sink.push(Diagnostic::error(Code::InvalidValue, found.span, message));
        return None;
    };
    let name = name.unwrap_or_else(|| "default".to_string());
    output(&profile, outputs, &name, request, request.working_dir.clone(), renderer, sink)
}

fn folders(request: &ProfileRequest, root: &Path) -> Vec<PathBuf> {
    match &request.profiles_dir {
        Some(dir) => vec![dir.clone()],
        None => {
            let home = request.home.iter().map(|home| home.join(".dbt"));
            let mut folders: Vec<PathBuf> =
                [request.working_dir.clone(), root.to_path_buf()].into_iter().chain(home).collect();
            folders.dedup();
            folders
        }
    }
}

fn read(path: &Path, files: &ProjectFiles, sink: &mut Diagnostics) -> Option<Yaml> {
    match files.read(path) {
        Ok(file) => yaml::parse(file, &files.get(file).text, sink),
        Err(error) => {
            sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string()));
            None
        }
    }
}

fn text(value: Option<&Yaml>, renderer: &YamlRenderer) -> Option<String> {
    match renderer.text(value?.as_str()?) {
        Ok(Json::String(text)) => Some(text),
        Ok(other) => Some(other.to_string()),
        Err(_) => None,
    }
}

/// The name of the target that is asked for, or else written; `None` with a diagnostic if that cannot be rendered.
fn chosen(
    written: Option<&Yaml>,
    request: &ProfileRequest,
    renderer: &YamlRenderer,
    sink: &mut Diagnostics,
) -> Option<Option<String>> {
    let (None, Some(written)) = (&request.target, written) else { return Some(request.target.clone()) };
    match renderer.text(written.as_str().unwrap_or_default()) {
        Ok(Json::String(name)) => Some(Some(name).filter(|name| !name.is_empty())),
        Ok(other) => Some(Some(other.to_string())),
        Err(error) => {
            sink.push(yaml_error(&error, written.span));
            None
        }
    }
}

fn first_key(yaml: &Yaml) -> String {
    yaml.entries().first().map_or_else(|| "default".to_string(), |(key, _)| key.name.clone())
}

fn suggest<'a>(problem: Diagnostic, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    match nearest(word, known.clone()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("it has: {}", known.collect::<Vec<_>>().join(", "))),
    }
}

fn output(
    profile: &str,
    outputs: &Yaml,
    name: &str,
    request: &ProfileRequest,
    base: PathBuf,
    renderer: &YamlRenderer,
    sink: &mut Diagnostics,
) -> Option<Target> {
    let Some(found) = outputs.get(name) else {
        let message = format!("the profile `{profile}` has no target `{name}`");
        let names = outputs.entries().iter().map(|(key, _)| key.name.as_str());
        sink.push(suggest(Diagnostic::error(Code::UnknownProfile, outputs.span, message), name, names));
        return None;
    };
    let Json::Object(settings) = renderer.yaml(found, &[], sink).to_json() else {
        sink.push(Diagnostic::error(Code::InvalidValue, found.span, format!("the target `{name}` is not a mapping")));
        return None;
    };
    let word = |key: &str| settings.get(key).and_then(Json::as_str).map(str::to_string);
    let Some(kind) = word("type") else {
        let message = format!("the target `{name}` has no `type`");
        sink.push(Diagnostic::error(Code::InvalidValue, found.span, message).help("write `type: duckdb`"));
        return None;
    };
    if !adapter::KINDS.contains(&kind.as_str()) {
        let place = found.get("type").map_or(found.span, |kind| kind.span);
        let message = format!("the target `{name}` has the type `{kind}`, which medal does not know");
        let problem = Diagnostic::error(Code::UnknownProfile, place, message);
        sink.push(problem.help(format!("the types there are: {}", adapter::KINDS.join(", "))));
        return None;
    }
    if !check(found, &settings, sink) {
        return None;
    }
    let threads = settings.get("threads").and_then(threads_of);
    let default = adapter::default_database(&kind, &settings);
    Some(Target {
        profile_name: profile.to_string(),
        name: name.to_string(),
        kind,
        database: word("database").unwrap_or(default),
        schema: word("schema").unwrap_or_else(|| "main".to_string()),
        threads: request.threads.or(threads).unwrap_or(1).max(1),
        settings,
        base,
    })
}

/// Whether a target can be used. Tells of misspelt keys, and of values that would otherwise be passed over.
fn check(target: &Yaml, settings: &Map<String, Json>, sink: &mut Diagnostics) -> bool {
    let mut usable = true;
    for (key, value) in target.entries() {
        let wrong = |wanted: &str| {
            let message = format!("`{}` of a target is {wanted}", key.name);
            Some(Diagnostic::error(Code::InvalidValue, value.span, message))
        };
        let problem = match (key.name.as_str(), settings.get(&key.name)) {
            ("threads", Some(value)) if threads_of(value).is_none_or(|threads| threads == 0) => {
                wrong("a whole number from 1")
            }
            ("schema" | "database" | "path", Some(value)) if !value.is_string() && !value.is_null() => wrong("a text"),
            (name, _) if !adapter::TARGET_KEYS.contains(&name) && !adapter::UNSUPPORTED_KEYS.contains(&name) => {
                let message = format!("`{name}` is not a key of a target");
                let problem = Diagnostic::warning(Code::UnknownKey, key.span, message);
                let near = nearest(name, adapter::TARGET_KEYS);
                Some(Diagnostic { help: near.map(|near| format!("did you mean `{near}`?")), ..problem })
            }
            _ => None,
        };
        usable &= problem.as_ref().is_none_or(|problem| problem.severity == Severity::Warning);
        sink.extend(problem);
    }
    usable
}

fn threads_of(value: &Json) -> Option<usize> {
    match value {
        Json::Number(number) => number.as_u64().map(|threads| threads as usize),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
