//! `{% docs %}` blocks, and descriptions that quote them with `{{ doc('name') }}`.

use std::sync::LazyLock;

use fancy_regex::Regex;
use indexmap::IndexMap;

use crate::project::Project;

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
}

pub fn collect(project: &Project) -> DocsBlocks {
    let mut docs = DocsBlocks::default();
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
    /// A block by name, seen from a package: the named package, else the own one, else any.
    pub fn find(&self, package: Option<&str>, from: &str, name: &str) -> Option<&Doc> {
        let get = |package: &str| self.blocks.get(&format!("doc.{package}.{name}"));
        match package {
            Some(package) => get(package),
            None => get(from).or_else(|| self.blocks.values().find(|doc| doc.name == name)),
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

    /// A description with its `{{ doc(…) }}` calls replaced; an unknown block stays as it is written.
    pub fn describe(&self, description: &str, from: &str) -> String {
        if !description.contains("{{") {
            return description.to_string();
        }
        let replaced =
            CALL.replace_all(description, |found: &fancy_regex::Captures<'_, str>| match self.called(found, from) {
                Some(doc) => doc.text.clone(),
                None => found.get(0).map_or(String::new(), |whole| whole.as_str().to_string()),
            });
        // Of a template, which this is, the line break at its end does not count.
        replaced.strip_suffix('\n').unwrap_or(&replaced).to_string()
    }
}
