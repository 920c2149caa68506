//! Turns tests that YAML lists below models, seeds, snapshots and sources into draft nodes.
//!
//! Names and unique ids are those that dbt makes, because selections, artifacts and other tools use them.

use std::collections::{BTreeMap, BTreeSet};

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::adapter::relation::{Relation, identifier};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::jinja::{JsonMap, Library};
use crate::manifest::builtin::{self, INTERNAL_PACKAGE};
use crate::manifest::nodes::{self, Drafts, fqn, macro_ids, merge_trees};
use crate::manifest::parse::{self, Listener, Said};
use crate::manifest::test_entry::{self, Parts, id_hash, synthesize};
use crate::manifest::{GenericTest, Kind, Node, RefArguments, Source, test_code};
use crate::parallel;
use crate::project::config::{self, Config, Defaults};
use crate::project::properties::{NodeProperties, Properties, TestProperties};
use crate::project::render::{YamlRenderer, yaml_error};
use crate::project::versions;
use crate::project::{Project, target_json};

/// What a test is written on.
struct Subject<'a> {
    /// `ref('orders')` or `source('raw', 'orders')`.
    call: String,
    name: String,
    is_source: bool,
    /// The unique id of a node or source; none if it is not there or is switched off.
    id: Option<String>,
    properties: &'a NodeProperties,
    tags: Vec<String>,
    /// What `call` refers to.
    said: Said,
}

struct Task<'a> {
    package: &'a str,
    file: &'a Properties,
    subject: &'a Subject<'a>,
    column: Option<(String, &'a [String])>,
    test: &'a TestProperties,
}

/// Drafts every generic test of the project.
pub fn draft(
    project: &Project,
    library: &Library,
    sources: &IndexMap<String, Source>,
    drafts: &mut Drafts,
    sink: &mut Diagnostics,
) {
    let subjects = subjects(project, sources, drafts, sink);
    let mut tasks = Vec::new();
    for (package, file, subject) in &subjects {
        tests_of(package, file, subject, &mut tasks);
    }
    let renderer = |package: &str| {
        let vars = parse::visible_vars(project, package);
        YamlRenderer::for_project(&project.environment, &vars, &target_json(&project.target))
    };
    let renderers = project.packages.keys().map(|package| (package.as_str(), renderer(package))).collect();
    let drafting = Drafting { project, library, renderers };
    drafts.nodes.reserve_exact(tasks.len());
    for (node, problems) in parallel::map(&tasks, |task| drafting.draft(task)) {
        sink.extend(problems);
        let Some(node) = node else { continue };
        let attached = node.generic_test().is_some_and(|test| test.attached.is_some());
        if node.config.flag("enabled") && attached {
            drafts.nodes.push(node);
        } else {
            drafts.disabled.push(nodes::disabled(&node));
        }
    }
}

type Subjects<'a> = Vec<(&'a str, &'a Properties, Subject<'a>)>;

fn subjects<'a>(
    project: &'a Project,
    sources: &IndexMap<String, Source>,
    drafts: &Drafts,
    sink: &mut Diagnostics,
) -> Subjects<'a> {
    let enabled: BTreeMap<&str, &str> =
        drafts.nodes.iter().map(|node| (node.id.as_str(), node.name.as_str())).collect();
    let disabled: BTreeSet<&str> = drafts.disabled.iter().map(|node| node.id.as_str()).collect();
    let mut described: BTreeMap<String, Span> = BTreeMap::new();
    let mut subjects = Vec::new();
    for package in project.packages.values() {
        let name = package.name.as_str();
        for file in &package.properties {
            let kinds = [
                ("model", &file.models),
                ("seed", &file.seeds),
                ("snapshot", &file.snapshots),
                ("analysis", &file.analyses),
                ("test", &file.singular_tests),
            ];
            for (kind, properties) in kinds.into_iter().flat_map(|(kind, all)| all.iter().map(move |p| (kind, p))) {
                let id = unique_id(kind, name, properties);
                if let Some(other) = described.insert(id.clone(), properties.span) {
                    sink.push(described_twice(properties, other));
                    continue;
                }
                let is_on = |id: &String| enabled.contains_key(id.as_str());
                let elsewhere = || ids_elsewhere(project, kind, properties).into_iter().find(is_on);
                let found = Some(id.clone()).filter(is_on).or_else(elsewhere);
                if found.is_none() && !disabled.contains(id.as_str()) {
                    if properties.relation.is_some() {
                        continue;
                    }
                    let alike = enabled.iter().filter(|(id, _)| id.starts_with(&format!("{kind}.")));
                    sink.push(unknown_patch(kind, properties, alike.map(|(_, name)| *name)));
                    continue;
                }
                let version = properties.version.as_ref();
                let asked = version.map(|version| Json::String(versions::text(&version.v)));
                let reference = RefArguments { package: None, name: properties.name.clone(), version: asked };
                let subject = Subject {
                    call: match version {
                        Some(version) => {
                            format!("ref('{}', version='{}')", properties.name, versions::text(&version.v))
                        }
                        None => format!("ref('{}')", properties.name),
                    },
                    said: Said { refs: vec![reference], ..Said::default() },
                    name: version.map_or(properties.name.clone(), |version| format!("{}_{version}", properties.name)),
                    is_source: false,
                    id: found,
                    tags: Vec::new(),
                    properties,
                };
                subjects.push((name, file, subject));
            }
            for (source, table) in file.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t))) {
                let id = format!("source.{name}.{}.{}", source.name, table.node.name);
                let subject = Subject {
                    call: format!("source('{}', '{}')", source.name, table.node.name),
                    name: format!("{}_{}", source.name, table.node.name),
                    is_source: true,
                    tags: [source.tags.as_slice(), &table.tags].concat(),
                    id: Some(id).filter(|id| sources.contains_key(id)),
                    properties: &table.node,
                    said: Said { sources: vec![[source.name.clone(), table.node.name.clone()]], ..Said::default() },
                };
                subjects.push((name, file, subject));
            }
        }
    }
    subjects
}

/// Of what a property file describes: `model.shop.orders`, or `model.shop.orders.v2`.
fn unique_id(kind: &str, package: &str, properties: &NodeProperties) -> String {
    let version = properties.version.as_ref().map_or(String::new(), |version| format!(".{version}"));
    format!("{kind}.{package}.{}{version}", properties.name)
}

/// What the same description may mean in other packages, as dbt has it.
fn ids_elsewhere(project: &Project, kind: &str, properties: &NodeProperties) -> Vec<String> {
    let is_own = properties.version.is_some() || properties.relation.is_some();
    if is_own || !["model", "seed", "snapshot"].contains(&kind) {
        return Vec::new();
    }
    project.packages.keys().map(|package| unique_id(kind, package, properties)).collect()
}

pub fn described_twice(properties: &NodeProperties, other: Span) -> Diagnostic {
    let message = format!("`{}` is described twice", properties.name);
    let problem = Diagnostic::error(Code::DuplicateName, properties.span, message);
    problem.related(other, "it is described here too").help("move all of it into one of the two entries")
}

fn unknown_patch<'a>(kind: &str, properties: &NodeProperties, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    if let Some(version) = &properties.version {
        let file = version.file_name(&properties.name);
        let message = format!(
            "no model is in a file `{file}.sql`, for version {} of `{}`",
            versions::text(&version.v),
            properties.name
        );
        return Diagnostic::warning(Code::UnknownPatch, properties.span, message)
            .event("NoNodeForYamlKey")
            .help("add that file, or name another with `defined_in`");
    }
    let message = format!("no {kind} is called `{}`", properties.name);
    let problem = Diagnostic::warning(Code::UnknownPatch, properties.span, message).event("NoNodeForYamlKey");
    let problem = problem.label("described here only");
    match nearest(&properties.name, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("remove this entry, or add the file that it describes"),
    }
}

fn tests_of<'a>(package: &'a str, file: &'a Properties, subject: &'a Subject<'a>, tasks: &mut Vec<Task<'a>>) {
    for column in &subject.properties.columns {
        let quoted = column.info.quote == Some(true);
        let name = if quoted { identifier(&column.info.name) } else { column.info.name.clone() };
        for test in &column.tests {
            let column = Some((name.clone(), column.info.tags.as_slice()));
            tasks.push(Task { package, file, subject, column, test });
        }
    }
    for test in &subject.properties.tests {
        let column = None;
        tasks.push(Task { package, file, subject, column, test });
    }
}

struct Drafting<'a> {
    project: &'a Project,
    library: &'a Library,
    /// By package, because each sees variables of its own.
    renderers: BTreeMap<&'a str, YamlRenderer>,
}

impl Drafting<'_> {
    fn draft(&self, task: &Task<'_>) -> (Option<Box<Node>>, Vec<Diagnostic>) {
        let column = task.column.as_ref().map(|(name, _)| name.as_str());
        let mut parts = test_entry::parts(task.test, column, &task.subject.call);
        let mut problems = self.render_config(task, &mut parts.config);
        let Some(found) = self.find(task.package, &parts) else {
            return (None, vec![self.unknown(task, &parts)]);
        };
        let from_medal = found.package == INTERNAL_PACKAGE;
        let mut node = self.blank(task, &parts);
        let is_bare = from_medal && parts.arguments.keys().all(|name| name == "model" || name == "column_name");
        let said = match is_bare {
            true => task.subject.said.clone(),
            false => match self.said(task, &node, from_medal, &mut problems) {
                Ok(said) => said,
                Err(problem) => return (None, vec![problem]),
            },
        };
        node.depends_on_macros = vec![found.unique_id.clone()];
        // dbt knows what these two call without looking.
        let is_plain = from_medal && matches!(parts.name.as_str(), "unique" | "not_null");
        if !is_plain {
            node.depends_on_macros.extend(macro_ids(self.library, task.package, ["get_where_subquery"].into_iter()));
        }
        node.refs = unique(said.refs);
        // For these two dbt notes the version as it is written, for others the text of their code.
        if is_plain {
            let version = task.subject.properties.version.as_ref().map(|version| &version.v);
            node.refs.iter_mut().for_each(|call| call.version = version.cloned());
        }
        node.source_refs = unique(said.sources);
        let written = parts.config.clone();
        let fqn = node.fqn.clone();
        merge_trees(&mut node.config, self.project, task.package, "data_tests", &fqn, |config| {
            config.merge(said.config);
            config.merge(written);
        });
        let mistakes = config::mistakes(node.config.written(), Defaults::Test).into_iter();
        problems.extend(mistakes.map(|(_, message)| Diagnostic::error(Code::InvalidValue, task.test.span, message)));
        (Some(Box::new(node)), problems)
    }

    /// What a test refers to. Those that come with medal refer to nothing besides their arguments.
    fn said(
        &self,
        task: &Task<'_>,
        node: &Node,
        from_medal: bool,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<Said, Diagnostic> {
        let unreadable = |error| builtin::diagnostic(&error).related(task.test.span, "the test is here");
        let template = test_code::draft_template(node).map_err(unreadable)?;
        if from_medal || task.subject.id.is_none() {
            return Ok(test_code::arguments_of(&template));
        }
        let listener = Listener { project: self.project, library: self.library, noted: None };
        match listener.listen(&template, task.package, &node.relation, || nodes::brief(node), JsonMap::new()) {
            Ok(said) => {
                problems.extend(said.problems(task.test.span));
                Ok(said)
            }
            Err(mut error) => {
                // The outermost place is in the code that was made of the YAML.
                error.frames.pop();
                error.frames.push(task.test.span);
                problems.push(builtin::diagnostic(&error));
                Ok(test_code::arguments_of(&template))
            }
        }
    }

    /// Renders the texts of a test's configuration, which become values of their own type.
    fn render_config(&self, task: &Task<'_>, config: &mut JsonMap) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let Some(renderer) = self.renderers.get(task.package) else { return problems };
        for value in config.values_mut() {
            match value.as_str().map(|text| renderer.text(text)) {
                Some(Ok(rendered)) => *value = rendered,
                Some(Err(error)) => problems.push(yaml_error(&error, task.test.span)),
                None => {}
            }
        }
        config.retain(|_, value| !value.is_null());
        problems
    }

    fn find(&self, package: &str, parts: &Parts) -> Option<&crate::jinja::MacroInfo> {
        let name = format!("test_{}", parts.name);
        match &parts.namespace {
            Some(namespace) => {
                self.library.macros().iter().find(|found| found.package == *namespace && found.name == name)
            }
            None => self.library.find(package, &name),
        }
    }

    fn unknown(&self, task: &Task<'_>, parts: &Parts) -> Diagnostic {
        let message = format!("the test `{}` is not defined", task.test.name);
        let problem = Diagnostic::error(Code::UnknownTest, task.test.span, message);
        let known = self.library.macros().iter().filter_map(|found| found.name.strip_prefix("test_"));
        if let Some(namespace) = parts.namespace.as_ref().filter(|name| !self.project.packages.contains_key(*name)) {
            return problem.help(format!("the package `{namespace}` is not installed"));
        }
        match nearest(&parts.name, known) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("define it with `{{% test {}(model, column_name) %}}`", parts.name)),
        }
    }

    fn blank(&self, task: &Task<'_>, parts: &Parts) -> Node {
        let prefix = if task.subject.is_source { format!("source_{}", parts.name) } else { parts.name.clone() };
        let prefix = parts.namespace.as_ref().map_or(prefix.clone(), |namespace| format!("{namespace}_{prefix}"));
        let (short, full) = match &parts.custom_name {
            Some(name) => (name.clone(), name.clone()),
            None => synthesize(&prefix, &task.subject.name, &parts.arguments),
        };
        let mut config = Config::new(Defaults::Test);
        if short != full && !parts.config.contains_key("alias") {
            config.merge(JsonMap::from_iter([("alias".to_string(), json!(short))]));
        }
        let below_kind = task.file.path.split_once('/').map_or(task.file.path.as_str(), |(_, rest)| rest);
        let test = GenericTest {
            name: parts.name.clone(),
            namespace: parts.namespace.clone(),
            arguments: parts.arguments.clone(),
            column_name: task.column.as_ref().map(|(name, _)| name.clone()),
            attached: task.subject.id.clone(),
            span: task.test.span,
            references: task.test.references.clone().into(),
            short_name: short.clone(),
            tags: tags(task, parts),
        };
        let target = &self.project.target;
        let relation = Relation::new(&target.database, &target.schema, &full);
        Node {
            id: format!("test.{}.{full}.{}", task.package, id_hash(&full, parts)),
            fqn: fqn(task.package, below_kind, &full, false),
            original_path: task.file.path.clone(),
            path: format!("{short}.sql"),
            file: task.file.file,
            config,
            description: parts.description.clone(),
            raw_code: test_entry::raw_code(parts, (short != full).then_some(&short)).into(),
            ..Node::new(Kind::GenericTest(Box::new(test)), task.package, &full, relation)
        }
    }
}

/// What `tag:` finds a test by, besides the tags that its configuration gives it.
fn tags(task: &Task<'_>, parts: &Parts) -> Vec<String> {
    let own = parts.config.get("tags").map(|tags| match tags {
        Json::Array(tags) => tags.as_slice(),
        one => std::slice::from_ref(one),
    });
    let own = own.into_iter().flatten().filter_map(Json::as_str);
    let column = task.column.iter().flat_map(|(_, tags)| *tags);
    let all: BTreeSet<&str> = column.chain(&task.subject.tags).map(String::as_str).chain(own).collect();
    all.into_iter().map(str::to_string).collect()
}

fn unique<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(items.len().min(1));
    items.into_iter().for_each(|item| {
        if !kept.contains(&item) {
            kept.push(item)
        }
    });
    kept
}
