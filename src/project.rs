//! Turns ProjectFiles into a Project: everything that the user wrote, read and placed, and nothing bound yet.

pub mod config;
pub mod config_keys;
pub mod fields;
pub mod layers;
pub mod package;
pub mod profile;
pub mod properties;
pub mod render;
pub mod settings;
pub mod vars;
pub mod versions;

use std::path::Path;

use indexmap::IndexMap;
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
use crate::yaml;

/// Everything that the user wrote.
pub struct Project {
    /// The project itself first, then the packages it has installed, by name.
    pub packages: IndexMap<String, Package>,
    pub target: Target,
    pub layers: Layers,
    pub cli_vars: JsonMap,
    pub environment: Environment,
}

impl Project {
    pub fn root(&self) -> &Package {
        &self.packages[0]
    }

    /// A medal project without a `dbt_project.yml`.
    pub fn is_native(&self) -> bool {
        self.root().settings.native
    }
}

/// What a caller says about the run before the project is read.
#[derive(Clone, Default)]
pub struct LoadRequest {
    pub profile: ProfileRequest,
    pub cli_vars: JsonMap,
    pub environment: Environment,
}

/// Reads a project and its installed packages. `None` if it has no project file or no target, with diagnostics.
pub fn load(files: &ProjectFiles, request: &LoadRequest, sink: &mut Diagnostics) -> Option<Project> {
    let raw = settings::read(files.root(), files, sink)?;
    let for_profile = YamlRenderer::for_profile(&request.environment, &request.cli_vars);
    let target = profile::find(&raw, &request.profile, &for_profile, files, sink)?;
    let renderer = YamlRenderer::for_project(&request.environment, &request.cli_vars, &target_json(&target));
    let settings = settings::settle(&raw, &renderer, sink);
    let native = settings.native;
    let layers = layers::read(settings.layers.as_ref(), native, sink);

    let mut packages = IndexMap::new();
    let mut installed = installed(files, &settings, &renderer, sink);
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
        target,
        layers,
        cli_vars: request.cli_vars.clone(),
        environment: request.environment.clone(),
    })
}

type Installed = Vec<(std::path::PathBuf, settings::Settings)>;

/// The packages below `packages-install-path`, by name.
fn installed(
    files: &ProjectFiles,
    root: &settings::Settings,
    renderer: &YamlRenderer,
    sink: &mut Diagnostics,
) -> Installed {
    let folder = files.root().join(&root.packages_install_path);
    let mut dirs: Vec<_> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|dir| dir.join(settings::DBT_FILE).is_file() || dir.join(settings::MEDAL_FILE).is_file())
        .collect();
    dirs.sort();
    let mut installed: Installed = Vec::new();
    for dir in dirs {
        let Some(raw) = settings::read(&dir, files, sink) else { continue };
        let settings = settings::settle(&raw, renderer, sink);
        if settings.name != root.name && installed.iter().all(|(_, other)| other.name != settings.name) {
            installed.push((dir, settings));
        }
    }
    demand_packages(files, root, installed.len(), sink);
    installed
}

/// A project that lists packages and has none installed cannot work; say so once.
fn demand_packages(files: &ProjectFiles, root: &settings::Settings, count: usize, sink: &mut Diagnostics) {
    for name in ["packages.yml", "dependencies.yml"] {
        let path = files.root().join(name);
        if count > 0 || !path.is_file() {
            continue;
        }
        let Ok(file) = files.read(&path) else { continue };
        let lists = yaml::parse(file, &files.get(file).text, sink)
            .and_then(|yaml| yaml.get("packages").map(|packages| !packages.items().is_empty()))
            .unwrap_or(false);
        if lists {
            let message =
                format!("packages are listed here, and none is installed in `{}`", root.packages_install_path);
            let help =
                format!("run `dbt deps`, or put each package into a folder below `{}/`", root.packages_install_path);
            sink.push(Diagnostic::error(Code::MissingPackage, Span::start_of(file), message).help(help));
        }
    }
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
