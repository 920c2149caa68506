//! Turns the macros of the Library into dbt's macro objects.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value as Json;

use crate::artifact::parts::{Docs, Identity};
use crate::files::ProjectFiles;
use crate::jinja::{JsonMap, MacroInfo, MacroKind};
use crate::manifest::Manifest;
use crate::project::Project;
use crate::project::properties::MacroProperties;

/// The `meta` of a macro that YAML does not describe.
static NO_META: LazyLock<JsonMap> = LazyLock::new(JsonMap::new);

#[derive(Serialize)]
pub struct MacroEntry<'a> {
    #[serde(flatten)]
    identity: Identity<'a>,
    macro_sql: &'a str,
    depends_on: MacroDependsOn<'a>,
    description: String,
    meta: &'a JsonMap,
    docs: Docs<'a>,
    config: MacroConfig<'a>,
    patch_path: Option<String>,
    arguments: Vec<Argument<'a>>,
    created_at: f64,
    supported_languages: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
struct MacroDependsOn<'a> {
    macros: Vec<&'a str>,
}

#[derive(Serialize)]
struct MacroConfig<'a> {
    meta: &'a JsonMap,
    docs: Docs<'a>,
}

/// An argument that YAML describes.
#[derive(Serialize)]
struct Argument<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    description: &'a str,
}

/// Where the fields of macros come from.
pub struct Macros<'a> {
    pub manifest: &'a Manifest,
    pub project: &'a Project,
    pub files: &'a ProjectFiles,
    pub created_at: f64,
}

impl<'a> Macros<'a> {
    pub fn entry(&self, info: &'a MacroInfo) -> MacroEntry<'a> {
        let properties = self.manifest.macro_properties.get(&info.unique_id);
        let docs = properties.map(|properties| &properties.docs);
        let meta = properties.map_or(&*NO_META, |properties| &properties.meta);
        MacroEntry {
            identity: Identity {
                name: &info.name,
                resource_type: "macro",
                package_name: &info.package,
                path: &info.path,
                original_file_path: &info.path,
                unique_id: &info.unique_id,
            },
            macro_sql: &info.text,
            depends_on: MacroDependsOn { macros: self.calls(info) },
            description: properties.map_or_else(String::new, |properties| {
                self.manifest.docs.describe(&properties.description, &info.package)
            }),
            config: MacroConfig { meta, docs: Docs::new(docs) },
            meta,
            docs: Docs::new(docs),
            patch_path: properties.and_then(|properties| self.patch_path(&info.package, properties)),
            arguments: self.arguments(info, properties),
            created_at: self.created_at,
            supported_languages: matches!(info.kind, MacroKind::Materialization { .. }).then_some(["sql"]),
        }
    }

    /// The arguments that YAML describes; with the flag `validate_macro_args`, else those that the macro takes.
    fn arguments(&self, info: &'a MacroInfo, properties: Option<&'a MacroProperties>) -> Vec<Argument<'a>> {
        let described = properties.map_or_else(Vec::new, described);
        let flag = self.project.root().settings.flags.get("validate_macro_args");
        if !described.is_empty() || flag != Some(&Json::Bool(true)) {
            return described;
        }
        info.arguments.iter().map(|name| Argument { name, kind: None, description: "" }).collect()
    }

    fn calls(&self, info: &'a MacroInfo) -> Vec<&'a str> {
        let calls = info.calls.iter().map(String::as_str);
        let found = self.manifest.library.resolve_calls(&info.package, calls);
        found.into_iter().map(|called| called.unique_id.as_str()).collect()
    }

    fn patch_path(&self, package: &str, properties: &MacroProperties) -> Option<String> {
        let file = properties.span.file;
        let found = self.project.packages.get(package)?.properties.iter().find(|other| other.file == file);
        let path = found.map_or_else(|| self.files.get(file).path.to_string(), |found| found.path.clone());
        Some(format!("{package}://{path}"))
    }
}

fn described(properties: &MacroProperties) -> Vec<Argument<'_>> {
    let written = properties.arguments.as_array().into_iter().flatten();
    let argument = |written| {
        let text = |key| Json::get(written, key).and_then(Json::as_str);
        Some(Argument { name: text("name")?, kind: text("type"), description: text("description").unwrap_or_default() })
    };
    written.filter_map(argument).collect()
}
