//! `{% docs %}` blocks, and descriptions that quote them with `{{ doc('name') }}`.

use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::map::IndexMap;
use fancy_regex::Regex;
use serde_json::Value as Json;

use crate::files::FileId;
use crate::jinja::{Host, HostError, JsonMap, Library, LibraryOptions, Scope, ScopeValue, Template};
use crate::project::render::Environment;
use crate::project::{Project, target_json, vars};

/// A docs block of a package.
#[derive(Debug, Clone)]
pub struct Doc {
    pub id: String,
    pub name: String,
    pub package: String,
    pub path: String,
    pub text: String,
}

/// All docs blocks, by unique id (`doc.package.name`).
#[derive(Debug, Clone, Default)]
pub struct DocsBlocks {
    pub blocks: IndexMap<String, Doc>,
    surroundings: Surroundings,
}

/// What descriptions may ask for besides docs blocks.
#[derive(Clone, Default)]
struct Surroundings {
    environment: Environment,
    target: Json,
    /// By package: where it looks for a block that has no package.
    order: IndexMap<String, [String; 2]>,
    /// By package.
    vars: IndexMap<String, JsonMap>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

/// Answers the template that a description is.
struct Describing {
    docs: DocsBlocks,
    package: String,
}

impl Host for Describing {
    fn var(&self, name: &str) -> Option<Json> {
        self.docs.surroundings.vars.get(&self.package)?.get(name).cloned()
    }

    fn env_var(&self, name: &str) -> Result<Option<String>, HostError> {
        self.docs.surroundings.environment.public(name)
    }

    fn doc(&self, package: Option<&str>, name: &str) -> Result<String, HostError> {
        Ok(self.docs.find(package, &self.package, name).map(|doc| doc.text.clone()).unwrap_or_default())
    }
}

pub fn collect(project: &Project) -> DocsBlocks {
    let root = &project.root().settings.vars;
    let visible = |name: &str, own: &JsonMap| vars::visible(name, root, own, &project.cli_vars);
    let packages = project.packages.iter();
    let surroundings = Surroundings {
        environment: project.environment.clone(),
        target: target_json(&project.target),
        order: project
            .packages
            .keys()
            .map(|name| (name.clone(), project.search_order(name).map(str::to_string)))
            .collect(),
        vars: packages.map(|(name, package)| (name.clone(), visible(name, &package.settings.vars))).collect(),
    };
    let mut docs = DocsBlocks { surroundings, ..DocsBlocks::default() };
    for package in project.packages.values() {
        for block in &package.docs {
            let id = format!("doc.{}.{}", package.name, block.name);
            let doc = Doc {
                id: id.clone(),
                name: block.name.clone(),
                package: package.name.clone(),
                path: block.path.clone(),
                text: block.text.clone(),
            };
            docs.blocks.insert(id, doc);
        }
    }
    docs
}

static CALL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\{\{-?\s*doc\(\s*['"]([^'"]+)['"]\s*(?:,\s*['"]([^'"]+)['"]\s*)?\)\s*-?\}\}"#;
    Regex::new(pattern).expect("the pattern is valid")
});

impl DocsBlocks {
    /// A block by name, seen from a package: of the named package, else as dbt searches packages, else any.
    pub fn find(&self, package: Option<&str>, from: &str, name: &str) -> Option<&Doc> {
        let get = |package: &str| self.blocks.get(&format!("doc.{package}.{name}"));
        match package {
            Some(package) => get(package),
            None => {
                let mut order = self.surroundings.order.get(from).into_iter().flatten();
                order.find_map(|package| get(package)).or_else(|| self.blocks.values().find(|doc| doc.name == name))
            }
        }
    }

    /// The docs blocks that a description quotes, by unique id.
    pub fn quoted(&self, description: &str, from: &str) -> Vec<String> {
        let found = |found: fancy_regex::Captures<'_, str>| Some(self.called(&found, from)?.id.clone());
        if !description.contains("{{") {
            return Vec::new();
        }
        CALL.captures_iter(description).filter_map(Result::ok).filter_map(found).collect()
    }

    /// The block that a `{{ doc(…) }}` names.
    fn called(&self, call: &fancy_regex::Captures<'_, str>, from: &str) -> Option<&Doc> {
        let first = call.get(1).map_or("", |group| group.as_str());
        match call.get(2) {
            Some(name) => self.find(Some(first), from, name.as_str()),
            None => self.find(None, from, first),
        }
    }

    /// A description with its `{{ doc(…) }}` calls replaced, and other Jinja rendered; what cannot be found or rendered
    /// stays as it is written.
    pub fn describe(&self, description: &str, from: &str) -> String {
        let is_template = |text: &str| ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark));
        if !is_template(description) {
            return description.to_string();
        }
        if is_template(&CALL.replace_all(description, "")) {
            return self.rendered(description, from).unwrap_or_else(|| description.to_string());
        }
        let replaced =
            CALL.replace_all(description, |found: &fancy_regex::Captures<'_, str>| match self.called(found, from) {
                Some(doc) => doc.text.clone(),
                None => found.get(0).map_or(String::new(), |whole| whole.as_str().to_string()),
            });
        // Of a template, which this is, the line break at its end does not count.
        replaced.strip_suffix('\n').unwrap_or(&replaced).to_string()
    }

    fn rendered(&self, description: &str, from: &str) -> Option<String> {
        let (library, _) = Library::new(&[], LibraryOptions::default());
        let mut scope = Scope { package: from.to_string(), ..Scope::default() };
        scope.values.insert("target".to_string(), ScopeValue::Json(self.surroundings.target.clone()));
        let host = Arc::new(Describing { docs: self.clone(), package: from.to_string() });
        let template = Template::new(FileId(0), description.into()).ok()?;
        Some(library.render(&template, &scope, host).ok()?.text)
    }
}
