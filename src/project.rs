//! Turns ProjectFiles into a Project: everything that the user wrote, read and placed, and nothing bound yet.

pub mod config;
pub mod config_keys;
pub mod fields;
pub mod flags;
pub mod freshness;
pub mod ignored;
pub mod layers;
pub mod package;
pub mod packages;
pub mod profile;
pub mod properties;
pub mod render;
pub mod secrets;
pub mod semantic;
pub mod settings;
pub mod unit_tests;
pub mod vars;
pub mod version;
pub mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::adapter::Target;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{ProjectFiles, Span};
use crate::jinja::JsonMap;
use crate::project::layers::Layers;
use crate::project::package::Package;
use crate::project::profile::ProfileRequest;
use crate::project::render::{Environment, YamlRenderer};
use crate::yaml::{self, Yaml};

/// Everything that the user wrote.
pub struct Project {
    /// The project itself first, then the packages it has installed, by name.
    pub packages: IndexMap<String, Package>,
    pub target: Arc<Target>,
    pub layers: Layers,
    pub cli_vars: JsonMap,
    pub environment: Environment,
    /// `flags` of Jinja.
    pub flags: Arc<JsonMap>,
    /// `selectors.yml`, rendered.
    pub selectors: Option<Yaml>,
}

impl Project {
    pub fn root(&self) -> &Package {
        &self.packages[0]
    }

    /// Values of the environment and of the profile that must not be shown.
    pub fn secrets(&self) -> Vec<String> {
        let mut found = self.environment.secrets();
        found.extend(secrets::of_target(&self.target.settings));
        found
    }

    /// Those of them that are taken out of files too: a word such as `postgres` may be a password, and is a name as well.
    pub fn secrets_in_files(&self) -> Vec<String> {
        let mut found = self.environment.secrets();
        let is_word = |text: &String| text.chars().all(|char| char.is_alphabetic() || char == '_');
        found.extend(secrets::of_target(&self.target.settings).into_iter().filter(|text| !is_word(text)));
        found
    }

    /// A medal project without a `dbt_project.yml`.
    pub fn is_native(&self) -> bool {
        self.root().settings.native
    }
}

impl Project {
    /// `invocation_args_dict` of Jinja: the flags by the names that the artifacts have for them, and the variables.
    pub fn invocation_args(&self) -> impl Fn() -> Json + Send + Sync + 'static {
        let (flags, vars) = (self.flags.clone(), self.cli_vars.clone());
        move || {
            let args = flags.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
            Json::Object(args.chain([("vars".to_string(), Json::Object(vars.clone()))]).collect())
        }
    }

    /// The packages in which a name without a package is looked for, seen from a package: the root project's counts
    /// more, unless a flag says otherwise.
    /// Source: `_packages_to_search` of dbt-core.
    pub fn search_order<'p>(&'p self, from: &'p str) -> [&'p str; 2] {
        let root = self.root();
        let flag = root.settings.flags.get("require_ref_searches_node_package_before_root");
        if flag == Some(&Json::Bool(true)) { [from, &root.name] } else { [&root.name, from] }
    }

    /// Whether packages may replace built-in materializations. dbt 1.8 and later say no, unless a flag is set.
    pub fn packages_override(&self) -> bool {
        let flag = "require_explicit_package_overrides_for_builtin_materializations";
        self.root().settings.flags.get(flag) == Some(&Json::Bool(false))
    }
}

/// What a caller says about the run before the project is read.
#[derive(Clone, Default)]
pub struct LoadRequest {
    pub profile: ProfileRequest,
    pub cli_vars: JsonMap,
    pub environment: Environment,
    /// Whether `require-dbt-version` counts.
    pub version_check: bool,
    /// `flags` of Jinja.
    pub flags: JsonMap,
}

/// Reads a project and its installed packages. `None` if it has no project file or no target, with diagnostics.
pub fn load(files: &ProjectFiles, request: &LoadRequest, sink: &mut Diagnostics) -> Option<Project> {
    let raw = settings::read(files.root(), files, sink)?;
    let for_profile = YamlRenderer::for_profile(&request.environment, &request.cli_vars);
    let target = profile::find(&raw, &request.profile, &for_profile, files, sink)?;
    let renderer = YamlRenderer::for_project(&request.environment, &request.cli_vars, &target_json(&target));
    let settings = settings::settle(&raw, &renderer, sink);
    flags::read(&raw.yaml, sink);
    let native = settings.native;
    let layers = layers::read(settings.layers.as_ref(), native, sink);

    let selectors = selectors(files, &renderer, sink);
    let mut packages = IndexMap::default();
    demand_version(&settings, request.version_check, sink);
    let mut installed = installed(files, &settings, &renderer, request, sink);
    installed.insert(0, (files.root().to_path_buf(), settings));
    let root_vars = installed[0].1.vars.clone();
    for (dir, settings) in installed {
        let vars = vars::visible(&settings.name, &root_vars, &settings.vars, &request.cli_vars);
        let renderer = YamlRenderer::for_project(&request.environment, &vars, &target_json(&target));
        let package = package::load(&dir, settings, &renderer, files, sink);
        packages.insert(package.name.clone(), package);
    }
    Some(Project {
        packages,
        target: Arc::new(target),
        layers,
        cli_vars: request.cli_vars.clone(),
        environment: request.environment.clone(),
        flags: Arc::new(request.flags.clone()),
        selectors,
    })
}

fn selectors(files: &ProjectFiles, renderer: &YamlRenderer, sink: &mut Diagnostics) -> Option<Yaml> {
    let path = files.root().join("selectors.yml");
    let file = path.is_file().then(|| files.read(&path))?;
    match file {
        Ok(file) => {
            let yaml = yaml::parse(file, &files.get(file).text, sink)?;
            Some(renderer.yaml(&yaml, &[], sink))
        }
        Err(error) => {
            sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string()));
            None
        }
    }
}

type Installed = Vec<(std::path::PathBuf, settings::Settings)>;

/// The packages below `packages-install-path`, by name.
fn installed(
    files: &ProjectFiles,
    root: &settings::Settings,
    renderer: &YamlRenderer,
    request: &LoadRequest,
    sink: &mut Diagnostics,
) -> Installed {
    let folder = install_path(files.root(), root, &request.environment);
    let mut dirs: Vec<_> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|dir| dir.join(settings::DBT_FILE).is_file() || dir.join(settings::MEDAL_FILE).is_file())
        .collect();
    dirs.sort();
    demand_packages(files, &folder, dirs.len(), sink);
    let mut installed: Installed = Vec::new();
    for dir in dirs {
        let Some(raw) = settings::read(&dir, files, sink) else { continue };
        let settings = settings::settle(&raw, renderer, sink);
        let known = [root].into_iter().chain(installed.iter().map(|(_, other)| other));
        if let Some(other) = known.into_iter().find(|other| other.name == settings.name) {
            let message = format!("two packages are called `{}`", settings.name);
            let problem = Diagnostic::error(Code::PackageConflict, Span::start_of(settings.file), message);
            sink.push(problem.related(Span::start_of(other.file), "the other one"));
            continue;
        }
        demand_version(&settings, request.version_check, sink);
        installed.push((dir, settings));
    }
    installed
}

/// A project that lists more packages than are installed cannot work; say so once.
fn demand_packages(files: &ProjectFiles, folder: &Path, count: usize, sink: &mut Diagnostics) {
    let Some((name, _, list)) = packages::find(files.root(), "", files, sink) else { return };
    let listed = list.items().len();
    if listed <= count {
        return;
    }
    let some = match count {
        0 => "none is".to_string(),
        1 => "1 is".to_string(),
        _ => format!("{count} are"),
    };
    let (shown, s) = (files.shown(folder), if listed == 1 { "" } else { "s" });
    let message = format!("`{name}` lists {listed} package{s}, and {some} installed in `{shown}`");
    sink.push(Diagnostic::error(Code::MissingPackage, list.span, message).help("run `medal deps`"));
}

/// What a project says of the versions of dbt that it works with.
fn demand_version(settings: &settings::Settings, check: bool, sink: &mut Diagnostics) {
    let unmet = |(required, _): &&(version::Requirement, Span)| !required.is_met_by(&version::DBT_VERSION);
    let Some((required, span)) = settings.required_versions.iter().find(unmet).filter(|_| check) else { return };
    let message =
        format!("`{}` works with dbt `{required}`, and medal is like dbt {}", settings.name, version::DBT_VERSION);
    let help = "take another version of it, or use `--no-version-check`";
    sink.push(Diagnostic::error(Code::VersionMismatch, *span, message).help(help));
}

/// Where packages are installed: `packages-install-path` of the project, or what the environment says.
pub fn install_path(root: &Path, settings: &settings::Settings, environment: &Environment) -> PathBuf {
    root.join(environment.get("DBT_PACKAGES_INSTALL_PATH").unwrap_or(&settings.packages_install_path))
}

/// `target` as Jinja sees it: dbt's keys, and the settings of the profile that are no secrets.
pub fn target_json(target: &Target) -> Json {
    let mut json = json!({
        "profile_name": target.profile_name,
        "target_name": target.name,
        "name": target.name,
        "type": target.kind,
        "database": target.database,
        "schema": target.schema,
        "threads": target.threads,
    });
    if let (Some(map), Some(path)) = (json.as_object_mut(), target.settings.get("path")) {
        map.insert("path".to_string(), path.clone());
    }
    json
}

/// Whether a folder holds a project.
pub fn is_project(dir: &Path) -> bool {
    dir.join(settings::DBT_FILE).is_file() || dir.join(settings::MEDAL_FILE).is_file()
}
