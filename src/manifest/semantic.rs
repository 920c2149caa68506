//! Turns what property files say of the semantic layer into semantic models, metrics and saved queries, and binds them.
//!
//! Source of the rules: <https://docs.getdbt.com/docs/build/semantic-models> and the pages on metrics beside it.

use std::collections::BTreeSet;

use crate::map::{IndexMap, IndexSet};
use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, Span};
use crate::jinja::{JsonMap, Template};
use crate::manifest::docs::DocsBlocks;
use crate::manifest::refable::Binder;
use crate::manifest::{Disabled, Manifest, RefArguments};
use crate::project::Project;
use crate::project::config::{Config, Defaults};
use crate::project::package::Package;
use crate::project::properties::Properties;
use crate::project::semantic::{SemanticKind, SemanticProperties};

/// A semantic model, a metric or a saved query.
#[derive(Debug, Clone)]
pub struct Semantic {
    /// `metric.shop.revenue`.
    pub id: String,
    pub kind: SemanticKind,
    pub name: String,
    pub package: String,
    pub original_path: String,
    /// Below the folder of its kind.
    pub path: String,
    pub fqn: Vec<String>,
    /// Database and schema of exports that name none.
    pub place: (String, String),
    pub span: Span,
    pub config: Config,
    /// As it is written, with docs blocks in its descriptions.
    pub written: JsonMap,
    pub refs: Vec<RefArguments>,
    pub depends_on: Vec<String>,
    /// Of a metric: the measures that it is made of, also through other metrics.
    pub measures: Vec<Json>,
}

/// By unique id.
pub type Semantics = IndexMap<String, Semantic>;

/// Everything that the packages describe, not bound yet; what is switched off apart.
pub fn collect(project: &Project, docs: &DocsBlocks, sink: &mut Diagnostics) -> (Semantics, Vec<Disabled>) {
    let (mut semantics, mut disabled) = (Semantics::default(), Vec::new());
    for package in project.packages.values() {
        for file in &package.properties {
            let drafts = file.semantics.iter().flat_map(|properties| draft(project, package, file, properties, docs));
            for item in drafts {
                if !item.config.flag("enabled") {
                    disabled.push(switched_off(&item));
                } else if let Some(other) = semantics.get(&item.id) {
                    let message = format!("`{}` is declared twice", item.id);
                    let problem = Diagnostic::error(Code::DuplicateName, item.span, message);
                    sink.push(problem.related(other.span, "it is declared here too").help("rename one of them"));
                } else {
                    semantics.insert(item.id.clone(), item);
                }
            }
        }
    }
    (semantics, disabled)
}

fn switched_off(item: &Semantic) -> Disabled {
    Disabled {
        id: item.id.clone(),
        name: item.name.clone(),
        package: item.package.clone(),
        original_path: item.original_path.clone(),
        resource_type: item.kind.resource_type(),
        fqn: item.fqn.clone(),
    }
}

/// One entry, and a metric for each measure that asks for one with `create_metric`.
fn draft(
    project: &Project,
    package: &Package,
    file: &Properties,
    properties: &SemanticProperties,
    docs: &DocsBlocks,
) -> Vec<Semantic> {
    let target = &project.target;
    let mut config = Config::new(Defaults::Source);
    config.merge(properties.config.clone());
    let mut written = properties.written.clone();
    describe(&mut written, docs, &package.name);
    let path = package.below_folder(&file.path).to_string();
    let item = |kind: SemanticKind, name: &str, config: Config, written: JsonMap| {
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        let parts = folders.split('/').filter(|part| !part.is_empty());
        let fqn = [package.name.as_str()].into_iter().chain(parts).chain([name]).map(str::to_string).collect();
        Semantic {
            id: format!("{}.{}.{name}", kind.resource_type(), package.name),
            kind,
            name: name.to_string(),
            package: package.name.clone(),
            original_path: file.path.clone(),
            path: path.clone(),
            fqn,
            place: (target.database.clone(), target.schema.clone()),
            span: properties.span,
            config,
            written,
            refs: Vec::new(),
            depends_on: Vec::new(),
            measures: Vec::new(),
        }
    };
    let measures = list(&written, "measures").filter(|measure| measure.get("create_metric") == Some(&Json::Bool(true)));
    let made: Vec<(String, JsonMap)> = measures.filter_map(metric_of_measure).collect();
    let metrics = made.into_iter().map(|(name, metric)| item(SemanticKind::Metric, &name, config.clone(), metric));
    let metrics: Vec<Semantic> = metrics.collect();
    [item(properties.kind, &properties.name, config, written)].into_iter().chain(metrics).collect()
}

fn metric_of_measure(measure: &Json) -> Option<(String, JsonMap)> {
    let name = measure.get("name")?.as_str()?;
    let or =
        |key: &str, other: String| measure.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(json!(other));
    let metric = json!({
        "name": name,
        "label": or("label", name.to_string()),
        "type": "simple",
        "type_params": {"measure": name, "expr": or("expr", name.to_string())},
        "description": or("description", format!("Metric created from measure {name}")),
    });
    Some((name.to_string(), metric.as_object()?.clone()))
}

/// Fills docs blocks into the descriptions of an entry and of its parts.
fn describe(written: &mut JsonMap, docs: &DocsBlocks, package: &str) {
    for (key, value) in written {
        match value {
            Json::String(text) if key == "description" => *text = docs.describe(text, package),
            Json::Array(parts) => {
                parts.iter_mut().filter_map(Json::as_object_mut).for_each(|part| describe(part, docs, package));
            }
            _ => {}
        }
    }
}

fn list<'a>(written: &'a JsonMap, key: &str) -> impl Iterator<Item = &'a Json> {
    written.get(key).and_then(Json::as_array).into_iter().flatten()
}

/// Finds what each of them reads: a semantic model its model, a metric its measures and metrics, a saved query its
/// metrics.
pub fn bind(project: &Project, manifest: &Manifest, mut semantics: Semantics, sink: &mut Diagnostics) -> Semantics {
    if semantics.is_empty() {
        return semantics;
    }
    let binder = Binder::new(project, &manifest.nodes, &manifest.sources, &manifest.disabled);
    for item in semantics.values_mut().filter(|item| item.kind == SemanticKind::Model) {
        let text = item.written.get("model").and_then(Json::as_str).unwrap_or_default();
        let template = Template::new(FileId(0), format!("{{{{ {text} }}}}").into());
        let refs = template.map(|template| template.facts().refs.clone()).unwrap_or_default();
        item.refs = refs.iter().map(RefArguments::from).collect();
        match item.refs.first().and_then(|call| binder.find(call, &item.package).ok()) {
            Some(id) => item.depends_on = vec![id.to_string()],
            None => {
                let message = format!("the semantic model `{}` is of `{text}`, which does not exist", item.name);
                sink.push(Diagnostic::error(Code::UnknownRef, item.span, message));
            }
        }
    }
    let reader = Reader { semantics: &semantics };
    let mut told = BTreeSet::new();
    let mut bound = IndexMap::default();
    for item in semantics.values().filter(|item| item.kind != SemanticKind::Model) {
        let mut reading = Reading::default();
        reader.read(item, &mut Vec::new(), &mut reading);
        reading.problems.retain(|(span, message)| told.insert((*span, message.clone())));
        sink.extend(
            reading.problems.drain(..).map(|(span, message)| Diagnostic::error(Code::UnknownRef, span, message)),
        );
        bound.insert(item.id.clone(), reading);
    }
    for (id, reading) in bound {
        let item = &mut semantics[&id];
        item.depends_on = reading.depends_on.into_iter().collect();
        item.measures = reading.measures;
    }
    semantics
}

/// What a metric or a saved query reads.
#[derive(Default)]
struct Reading {
    depends_on: IndexSet<String>,
    measures: Vec<Json>,
    problems: Vec<(Span, String)>,
}

struct Reader<'a> {
    semantics: &'a Semantics,
}

impl<'a> Reader<'a> {
    /// `open` holds the metrics that lead here, so that a circle is found.
    fn read(&self, item: &'a Semantic, open: &mut Vec<&'a str>, reading: &mut Reading) {
        if open.contains(&item.id.as_str()) {
            reading.problems.push((item.span, format!("the metric `{}` is made of itself", item.name)));
            return;
        }
        open.push(&item.id);
        for measure in own_measures(item) {
            let name = measure.get("name").and_then(Json::as_str).unwrap_or_default();
            match self.model_of(name, &item.package) {
                Some(model) => drop(reading.depends_on.insert(model.id.clone())),
                None => {
                    let message =
                        format!("the metric `{}` is of the measure `{name}`, which does not exist", item.name);
                    reading.problems.push((item.span, message));
                }
            }
            note(&mut reading.measures, measure);
        }
        for name in metrics_of(item) {
            match self.metric(name, &item.package) {
                Some(metric) => {
                    reading.depends_on.insert(metric.id.clone());
                    let mut below = Reading::default();
                    self.read(metric, open, &mut below);
                    below.measures.into_iter().for_each(|measure| note(&mut reading.measures, measure));
                    reading.problems.append(&mut below.problems);
                }
                None => {
                    let what = item.kind.resource_type().replace('_', " ");
                    let message = format!("the {what} `{}` is of the metric `{name}`, which does not exist", item.name);
                    reading.problems.push((item.span, message));
                }
            }
        }
        open.pop();
    }

    /// The semantic model that has a measure; one of the same package comes first.
    fn model_of(&self, measure: &str, package: &str) -> Option<&'a Semantic> {
        let has = |item: &&Semantic| {
            let mut names = list(&item.written, "measures").filter_map(|measure| measure.get("name")?.as_str());
            item.kind == SemanticKind::Model && names.any(|name| name == measure)
        };
        let mut found = self.semantics.values().filter(has);
        found.clone().find(|item| item.package == package).or_else(|| found.next())
    }

    fn metric(&self, name: &str, package: &str) -> Option<&'a Semantic> {
        let own = self.semantics.get(&format!("metric.{package}.{name}"));
        own.or_else(|| self.semantics.values().find(|item| item.kind == SemanticKind::Metric && item.name == name))
    }
}

fn note(measures: &mut Vec<Json>, measure: Json) {
    if !measures.contains(&measure) {
        measures.push(measure);
    }
}

/// A key of `type_params`, if it says something.
fn parameter<'a>(item: &'a Semantic, key: &str) -> Option<&'a Json> {
    item.written.get("type_params")?.get(key).filter(|value| !value.is_null())
}

/// The measures that a metric names itself, each as a mapping.
fn own_measures(item: &Semantic) -> Vec<Json> {
    let conversion = parameter(item, "conversion_type_params");
    let of_conversion = |key: &str| conversion.and_then(|conversion| conversion.get(key));
    let written = [parameter(item, "measure"), of_conversion("base_measure"), of_conversion("conversion_measure")];
    written.into_iter().flatten().map(named).collect()
}

/// A bare name as a mapping.
pub fn named(written: &Json) -> Json {
    if written.is_string() { json!({"name": written}) } else { written.clone() }
}

/// The names of the metrics that a ratio, a derived metric or a saved query is made of.
fn metrics_of(item: &Semantic) -> Vec<&str> {
    let from = match item.kind {
        SemanticKind::SavedQuery => item.written.get("query_params").and_then(|params| params.get("metrics")),
        _ => parameter(item, "metrics"),
    };
    let listed = from.and_then(Json::as_array).into_iter().flatten();
    let parts = [parameter(item, "numerator"), parameter(item, "denominator")].into_iter().flatten();
    parts.chain(listed).filter_map(|part| part.as_str().or_else(|| part.get("name")?.as_str())).collect()
}
