//! Turns property files into sources, exposures and groups.

use std::collections::BTreeSet;

use crate::map::IndexMap;
use serde_json::json;

use crate::adapter::relation::Relation;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, Span};
use crate::jinja::{JsonMap, Template};
use crate::manifest::docs::DocsBlocks;
use crate::manifest::external;
use crate::manifest::ingest;
use crate::manifest::nodes::{Drafts, columns, merge_trees};
use crate::manifest::{Disabled, Exposure, Group, RefArguments, Source, freshness, names};
use crate::project::Project;
use crate::project::config::{Config, Defaults};
use crate::project::properties::{ExposureProperties, GroupProperties, Properties, SourceProperties, SourceTable};

type Sources = IndexMap<String, Source>;
type Exposures = IndexMap<String, Exposure>;
type Groups = IndexMap<String, Group>;

/// Everything that is declared in YAML alone.
pub fn collect(
    project: &Project,
    docs: &DocsBlocks,
    drafts: &mut Drafts,
    sink: &mut Diagnostics,
) -> (Sources, Exposures, Groups) {
    let (mut sources, mut exposures, mut groups) = (Sources::default(), Exposures::default(), Groups::default());
    for package in project.packages.values() {
        for file in &package.properties {
            let place = Place { project, docs, package: &package.name, file, folders: folders(package, &file.path) };
            for (source, table) in file.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t))) {
                let source = place.source(source, table, sink);
                if source.config.flag("enabled") {
                    insert(&mut sources, source.id.clone(), source, table.node.span, |other| other.span, sink);
                } else {
                    drafts.disabled.push(switched_off(&source));
                }
            }
            for properties in &file.exposures {
                let exposure = place.exposure(properties, sink);
                exposures.insert(exposure.id.clone(), exposure);
            }
            for properties in &file.groups {
                let group = place.group(properties);
                groups.insert(group.id.clone(), group);
            }
        }
    }
    (sources, exposures, groups)
}

fn insert<T>(
    all: &mut IndexMap<String, T>,
    id: String,
    item: T,
    span: Span,
    span_of: impl Fn(&T) -> Span,
    sink: &mut Diagnostics,
) {
    if let Some(other) = all.get(&id) {
        let problem = Diagnostic::error(Code::DuplicateName, span, format!("`{id}` is declared twice"));
        sink.push(problem.related(span_of(other), "it is declared here too").help("rename one of them"));
        return;
    }
    all.insert(id, item);
}

fn switched_off(source: &Source) -> Disabled {
    Disabled {
        id: source.id.clone(),
        name: format!("{}.{}", source.source_name, source.name),
        package: source.package.clone(),
        original_path: source.path.clone(),
        resource_type: "source",
        fqn: Vec::new(),
    }
}

/// The folders of a property file below the folder of its kind.
fn folders(package: &crate::project::package::Package, path: &str) -> Vec<String> {
    let mut parts: Vec<String> = package.below_folder(path).split('/').map(str::to_string).collect();
    parts.pop();
    parts
}

struct Place<'a> {
    project: &'a Project,
    docs: &'a DocsBlocks,
    package: &'a str,
    file: &'a Properties,
    folders: Vec<String>,
}

impl Place<'_> {
    fn fqn(&self, names: &[&str]) -> Vec<String> {
        let names = names.iter().map(|name| name.to_string());
        [self.package.to_string()].into_iter().chain(self.folders.iter().cloned()).chain(names).collect()
    }

    fn source(&self, source: &SourceProperties, table: &SourceTable, sink: &mut Diagnostics) -> Source {
        let fqn = self.fqn(&[&source.name, &table.node.name]);
        let mut config = Config::new(Defaults::Source);
        let in_yaml = written(source, table, sink);
        let told = in_yaml.contains_key("freshness");
        merge_trees(&mut config, self.project, self.package, "sources", &fqn, |config| config.merge(in_yaml));
        if let Some(of_project_file) = config.get("freshness").filter(|_| !told) {
            sink.extend(freshness::mistakes(of_project_file, table.node.span));
        }
        let target = &self.project.target;
        let identifier = table.identifier.clone().unwrap_or_else(|| table.node.name.clone());
        let database = source.database.as_deref().unwrap_or(&target.database);
        let schema = source.schema.as_deref().unwrap_or(&source.name);
        let mut relation = Relation::new(database, schema, &identifier);
        let mut quoting = source.quoting.clone();
        quoting.extend(table.quoting.clone());
        let mut all = self.project.root().settings.quoting.clone();
        all.extend(quoting.clone());
        relation.quote = names::quoting(&all, None);
        match external::location(&config, source, table, &relation) {
            Ok(location) => relation.expression = location.or_else(|| ingest::reader(config.get("meta")?.as_object()?)),
            Err(message) => sink.push(Diagnostic::error(Code::InvalidValue, table.node.span, message)),
        }
        let describe = |text: &str| (self.docs.describe(text, self.package), self.docs.quoted(text, self.package));
        let (description, doc_blocks) = describe(&table.node.description);
        Source {
            id: format!("source.{}.{}.{}", self.package, source.name, table.node.name),
            package: self.package.to_string(),
            source_name: source.name.clone(),
            name: table.node.name.clone(),
            identifier,
            fqn,
            path: self.file.path.clone(),
            span: table.node.span,
            relation,
            quoting,
            loader: table.loader.clone().unwrap_or_else(|| source.loader.clone()),
            description,
            doc_blocks,
            written_place: source.written_place.clone(),
            source_description: describe(&source.description).0,
            source_meta: source.meta.clone(),
            columns: columns(&table.node.columns, describe),
            config,
            external: table.external.clone(),
        }
    }

    fn exposure(&self, properties: &ExposureProperties, sink: &mut Diagnostics) -> Exposure {
        let fqn = self.fqn(&[&properties.name]);
        let mut config = Config::new(Defaults::Source);
        merge_trees(&mut config, self.project, self.package, "exposures", &fqn, |config| {
            config.merge(properties.config.clone());
        });
        let (refs, source_refs) = references(&properties.depends_on, sink);
        Exposure {
            id: format!("exposure.{}.{}", self.package, properties.name),
            package: self.package.to_string(),
            fqn,
            path: self.file.path.clone(),
            relative: self.project.packages[self.package].below_folder(&self.file.path).to_string(),
            properties: ExposureProperties {
                description: self.docs.describe(&properties.description, self.package),
                ..properties.clone()
            },
            config,
            depends_on: Vec::new(),
            refs,
            source_refs,
        }
    }
}

impl Place<'_> {
    fn group(&self, properties: &GroupProperties) -> Group {
        let mut config = Config::new(Defaults::Source);
        let fqn = self.fqn(&[&properties.name]);
        merge_trees(&mut config, self.project, self.package, "models", &fqn, |config| {
            config.merge(properties.config.clone());
        });
        Group {
            id: format!("group.{}.{}", self.package, properties.name),
            package: self.package.to_string(),
            path: self.file.path.clone(),
            properties: properties.clone(),
            config,
        }
    }
}

/// What a source and its table say of their configuration: the table's word counts, and tags and meta add up.
fn written(source: &SourceProperties, table: &SourceTable, sink: &mut Diagnostics) -> JsonMap {
    let mut both = Config::new(Defaults::Source);
    both.merge(source.config.clone());
    both.merge(table.node.config.clone());
    let tags: BTreeSet<&str> = both.texts("tags").into_iter().collect();
    let more = [("meta", json!(both.get("meta"))), ("tags", json!(tags))];
    let mut config = both.written().clone();
    config.extend(freshness::settle(&source.freshness, &table.freshness, sink));
    config.extend(more.map(|(key, value)| (key.to_string(), value)));
    config
}

/// `ref('x')` and `source('a', 'b')` as texts of a YAML list.
fn references(texts: &[(String, Span)], sink: &mut Diagnostics) -> (Vec<RefArguments>, Vec<[String; 2]>) {
    let (mut refs, mut sources) = (Vec::new(), Vec::new());
    for (text, span) in texts {
        let call = format!("{{{{ {text} }}}}");
        let facts = Template::new(FileId(0), call.into()).map(|template| template.facts().clone());
        let Ok(facts) = facts else {
            let message = format!("`{text}` is neither a `ref(…)` nor a `source(…)`");
            sink.push(Diagnostic::error(Code::InvalidValue, *span, message));
            continue;
        };
        refs.extend(facts.refs.iter().map(RefArguments::from));
        sources.extend(facts.sources.into_iter().map(|call| [call.source, call.table]));
    }
    (refs, sources)
}
