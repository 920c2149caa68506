//! Turns the SQL files and seeds of all packages into draft nodes: configured, with refs known but not yet bound.

mod elsewhere;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::map::{IndexMap, IndexSet};
use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, ProjectFiles, Span};
use crate::hash;
use crate::jinja::{JsonMap, Library, Noted, Template};
use crate::manifest::access;
use crate::manifest::builtin;
use crate::manifest::contracts;
use crate::manifest::docs::DocsBlocks;
use crate::manifest::parse::{Listener, Said, merge_calls};
use crate::manifest::refable;
use crate::manifest::snapshots;
use crate::manifest::{Disabled, Kind, Node, RefArguments};
use crate::notes::Notes;
use crate::parallel;
use crate::project::Project;
use crate::project::config::{self, Config, levels};
use crate::project::config_keys::misspelt;
use crate::project::layers::Layer;
use crate::project::package::{Package, SeedCsv, SqlFile};
use crate::project::properties::{ColumnInfo, ColumnMap, ColumnProperties, NodeProperties, Properties};

/// Nodes whose names are not settled and whose refs are not bound.
#[derive(Default)]
pub struct Drafts {
    /// In boxes, because they are moved from phase to phase by the ten thousand.
    pub nodes: Vec<Box<Node>>,
    pub disabled: Vec<Disabled>,
}

/// Everything that drafting a node needs to look at.
struct Drafting<'a> {
    project: &'a Project,
    files: &'a ProjectFiles,
    library: &'a Library,
    docs: &'a DocsBlocks,
    notes: &'a Notes,
}

/// One file, or block of a file, that becomes a node.
enum Item<'a> {
    Sql {
        file: &'a SqlFile,
        kind: Box<Kind>,
        body: Option<Span>,
    },
    Seed(&'a SeedCsv),
    /// A snapshot that is written in YAML alone: its name, what it reads, and the place of that.
    Yaml(&'a str, &'a (String, Span)),
}

struct Task<'a> {
    package: &'a Package,
    item: Item<'a>,
    patch: Option<Patch<'a>>,
}

/// What a property file says of a node, and the package that the file is in.
#[derive(Clone, Copy)]
struct Patch<'a> {
    package: &'a str,
    file: &'a Properties,
    says: &'a NodeProperties,
}

/// Drafts every model, seed, snapshot, analysis and singular test.
pub fn draft(
    project: &Project,
    files: &ProjectFiles,
    library: &Library,
    docs: &DocsBlocks,
    notes: &Notes,
    sink: &mut Diagnostics,
) -> Drafts {
    let drafting = Drafting { project, files, library, docs, notes };
    let mut tasks: Vec<Task<'_>> = project.packages.values().flat_map(tasks).collect();
    let mut drafted = parallel::map(&tasks, |task| drafting.draft(task));
    let nodes: Vec<Option<&Node>> = drafted.iter().map(|(node, _)| node.as_deref()).collect();
    for (at, patch) in elsewhere::descriptions(project, &tasks, &nodes, sink) {
        tasks[at].patch = Some(patch);
        drafted[at] = drafting.draft(&tasks[at]);
    }
    let mut drafts = Drafts::default();
    drafts.nodes.reserve_exact(tasks.len());
    for (drafted, problems) in drafted {
        sink.extend(problems);
        let Some(node) = drafted else { continue };
        if node.config.flag("enabled") { drafts.nodes.push(node) } else { drafts.disabled.push(disabled(&node)) }
    }
    drafts
}

pub fn disabled(node: &Node) -> Disabled {
    Disabled {
        id: node.id.clone(),
        name: node.name.clone(),
        package: node.package.clone(),
        original_path: node.original_path.clone(),
        resource_type: node.resource_type(),
        fqn: node.fqn.clone(),
    }
}

/// A time spine with all its keys.
/// Source: <https://docs.getdbt.com/docs/build/metricflow-time-spine>.
fn time_spine(written: &Json) -> Option<Json> {
    let written = written.as_object()?;
    let custom = written.get("custom_granularities").and_then(Json::as_array).into_iter().flatten();
    let custom = custom.map(|one| json!({"name": one.get("name"), "column_name": one.get("column_name")}));
    Some(json!({
        "standard_granularity_column": written.get("standard_granularity_column"),
        "custom_granularities": custom.collect::<Vec<Json>>(),
    }))
}

/// What property files say, by the name of the file that they speak of.
type Patches<'a> = BTreeMap<String, Patch<'a>>;

fn patches<'a>(package: &'a Package, of: fn(&Properties) -> &Vec<NodeProperties>) -> Patches<'a> {
    let all = package.properties.iter().flat_map(|file| of(file).iter().map(move |node| (file, node)));
    let mut patches = Patches::new();
    for (file, says) in all {
        patches.entry(described_file(package, says)).or_insert(Patch { package: &package.name, file, says });
    }
    patches
}

/// A version is in the file `name_vN`, or where it says; the latest one may be in the file `name`.
fn described_file(package: &Package, node: &NodeProperties) -> String {
    let Some(version) = &node.version else { return node.name.clone() };
    let file = version.file_name(&node.name);
    let is_there = package.models.iter().any(|model| model.name == file);
    if is_there || !version.is_latest() { file } else { node.name.clone() }
}

fn tasks(package: &Package) -> Vec<Task<'_>> {
    let models = patches(package, |file| &file.models);
    let snapshots = patches(package, |file| &file.snapshots);
    let analyses = patches(package, |file| &file.analyses);
    let tests = patches(package, |file| &file.singular_tests);
    let seeds = patches(package, |file| &file.seeds);
    fn sql<'a>(
        package: &'a Package,
        file: &'a SqlFile,
        kind: Kind,
        body: Option<Span>,
        patches: &Patches<'a>,
    ) -> Task<'a> {
        Task {
            package,
            patch: patches.get(file.name.as_str()).copied(),
            item: Item::Sql { file, kind: Box::new(kind), body },
        }
    }
    let mut tasks: Vec<Task<'_>> = Vec::new();
    tasks.extend(package.models.iter().map(|file| sql(package, file, Kind::Model, None, &models)));
    tasks.extend(
        package.snapshots.iter().map(|block| sql(package, &block.file, Kind::Snapshot, Some(block.body), &snapshots)),
    );
    tasks.extend(package.analyses.iter().map(|file| sql(package, file, Kind::Analysis, None, &analyses)));
    tasks.extend(package.singular_tests.iter().map(|file| sql(package, file, Kind::SingularTest, None, &tests)));
    tasks.extend(package.seeds.iter().map(|seed| Task {
        package,
        patch: seeds.get(seed.name.as_str()).copied(),
        item: Item::Seed(seed),
    }));
    let in_yaml = package.properties.iter().flat_map(|file| file.snapshots.iter().map(move |node| (file, node)));
    tasks.extend(in_yaml.filter_map(|(file, says)| {
        let item = Item::Yaml(&says.name, says.relation.as_ref()?);
        Some(Task { package, patch: Some(Patch { package: &package.name, file, says }), item })
    }));
    tasks
}

impl Drafting<'_> {
    /// One node, and the mistakes in it. None if nothing of it can be used.
    fn draft(&self, task: &Task<'_>) -> (Option<Box<Node>>, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let node = match &task.item {
            Item::Sql { file, kind, body } => self.sql_node(task, file, kind, *body, &mut problems),
            Item::Seed(seed) => self.seed_node(task, seed, &mut problems),
            Item::Yaml(name, relation) => self.yaml_snapshot(task, name, relation, &mut problems),
        };
        (node.map(Box::new), problems)
    }

    fn sql_node(
        &self,
        task: &Task<'_>,
        file: &SqlFile,
        kind: &Kind,
        body: Option<Span>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Node> {
        let text = self.files.get(file.file).text;
        let range = body.map_or(0..text.len(), Span::range);
        let raw_code: Arc<str> = if body.is_some() { text[range.clone()].into() } else { text.clone() };
        let key = format!("text {} {}", file.path, file.name);
        let template = match Template::noted(file.file, text.clone(), range.clone(), self.notes, &key) {
            Ok(template) => Arc::new(template),
            Err(error) => {
                problems.push(builtin::diagnostic(&error));
                return None;
            }
        };
        let mut node = self.blank(task, kind.clone(), &file.name, &file.path, &file.relative, file.file);
        let said = self.said(&template, &node, problems);
        // Of the whole file, also for one of several snapshots in it.
        node.checksum = hash::sha256(text.trim());
        node.raw_code = if body.is_some() { raw_code } else { raw_code.trim().into() };
        let (refs, sources) = contracts::references(&node);
        node.refs = [said.refs, refs].concat();
        node.refs.shrink_to_fit();
        node.source_refs = [said.sources, sources].concat();
        let facts = template.facts();
        node.depends_on_macros =
            macro_ids(self.library, &node.package, facts.calls.iter().map(|(name, _)| name.as_str()));
        node.template = Some(template.clone());
        let in_yaml = task.patch.into_iter().flat_map(|patch| &patch.says.config_spans);
        problems.extend(facts.config_keys.iter().chain(in_yaml).filter_map(|(key, span)| misspelt(key, *span)));
        self.configure(&mut node, task, said.config);
        self.note_macros_of_hooks(&mut node);
        problems.extend(config_problems(self.project, &node, task));
        Some(node)
    }

    /// A node depends on the macros that its hooks call, too.
    fn note_macros_of_hooks(&self, node: &mut Node) {
        let hooks = ["pre-hook", "post-hook"].into_iter().filter_map(|key| node.config.get(key)?.as_array()).flatten();
        let texts = hooks.filter_map(|hook| hook.get("sql")?.as_str());
        let called: IndexSet<String> = texts
            .filter_map(|text| Template::new(FileId(0), text.into()).ok())
            .flat_map(|hook| {
                let facts = hook.facts();
                macro_ids(self.library, &node.package, facts.calls.iter().map(|(name, _)| name.as_str()))
            })
            .filter(|id| !node.depends_on_macros.contains(id))
            .collect();
        node.depends_on_macros.extend(called);
    }

    /// What the template says: read from its literal calls where that is the whole truth, else by rendering it.
    fn said(&self, template: &Template, node: &Node, problems: &mut Vec<Diagnostic>) -> Said {
        let facts = template.facts();
        if facts.is_static && !self.library.overrides_references() {
            let mut said = Said::default();
            said.refs.extend(facts.refs.iter().map(RefArguments::from));
            said.sources.extend(facts.sources.iter().map(|call| [call.source.clone(), call.table.clone()]));
            facts.configs.iter().for_each(|(values, _)| merge_calls(&mut said.config, values.clone()));
            return said;
        }
        let key = format!("parse {} {}", self.project.target.name, node.id);
        let heard = Noted { notes: self.notes, key: &key, keeps_text: false };
        let listener = Listener { project: self.project, library: self.library, noted: Some(heard) };
        match listener.listen(template, &node.package, &node.relation, || brief(node), JsonMap::new()) {
            Ok(said) => {
                problems.extend(said.problems(Span::start_of(node.file)));
                said
            }
            Err(error) => {
                let problem = builtin::diagnostic(&error);
                problems.push(Diagnostic { span: problem.span.or(Some(Span::start_of(node.file))), ..problem });
                Said::default()
            }
        }
    }

    fn yaml_snapshot(
        &self,
        task: &Task<'_>,
        name: &str,
        (relation, span): &(String, Span),
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Node> {
        let properties = task.patch?.file;
        let code: Arc<str> = format!("select * from {{{{ {relation} }}}}").into();
        let file = self.files.add_shared(&format!("{}, snapshot `{name}`", properties.path), code.clone());
        let template = Template::new(file, code.clone()).ok();
        let facts = template.as_ref().map(|template| template.facts());
        let Some(facts) = facts.filter(|facts| facts.is_static && facts.refs.len() + facts.sources.len() == 1) else {
            let message = format!("`relation` is a `ref(…)` or a `source(…)`, and this is `{relation}`");
            problems.push(Diagnostic::error(Code::InvalidValue, *span, message));
            return None;
        };
        let relative = task.package.below_folder(&properties.path);
        let mut node = self.blank(task, Kind::Snapshot, name, &properties.path, relative, file);
        node.refs = facts.refs.iter().map(RefArguments::from).collect();
        node.source_refs = facts.sources.iter().map(|call| [call.source.clone(), call.table.clone()]).collect();
        node.fqn = fqn(&task.package.name, relative, name, false);
        node.path = format!("{relative}/{name}.sql");
        node.checksum = hash::sha256(self.files.get(properties.file).text.trim());
        node.raw_code = code;
        node.patch_span = Some(*span);
        node.template = template.map(Arc::new);
        self.configure(&mut node, task, JsonMap::new());
        problems.extend(config_problems(self.project, &node, task));
        Some(node)
    }

    fn seed_node(&self, task: &Task<'_>, seed: &SeedCsv, problems: &mut Vec<Diagnostic>) -> Option<Node> {
        let kind = Kind::Seed { on_disk: seed.on_disk.clone() };
        let mut node = self.blank(task, kind, &seed.name, &seed.path, &seed.relative, FileId(0));
        match seed_checksum(seed) {
            Ok(checksum) => node.checksum = checksum,
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", seed.path);
                problems.push(Diagnostic::error(crate::diagnostic::code::Code::UnreadableFile, None, message));
                return None;
            }
        }
        self.configure(&mut node, task, JsonMap::new());
        problems.extend(config_problems(self.project, &node, task));
        Some(node)
    }

    fn blank(&self, task: &Task<'_>, kind: Kind, name: &str, path: &str, relative: &str, file: FileId) -> Node {
        let package = &task.package.name;
        let target = &self.project.target;
        let describe = |text: &str| (self.docs.describe(text, package), self.docs.quoted(text, package));
        let patch = task.patch.map(|patch| patch.says);
        let (description, doc_blocks) = patch.map(|node| describe(&node.description)).unwrap_or_default();
        // dbt puts analyses below a folder of that name, whatever theirs is called.
        let below = if matches!(kind, Kind::Analysis) { format!("analysis/{relative}") } else { relative.to_string() };
        let version = patch.and_then(|node| node.version.as_ref());
        let name = patch.filter(|_| version.is_some()).map_or(name, |node| &node.name);
        let with_version = version.map(ToString::to_string);
        let mut node = Node {
            fqn: fqn(package, &below, name, matches!(kind, Kind::Snapshot)).into_iter().chain(with_version).collect(),
            path: below,
            original_path: path.to_string(),
            file,
            description,
            doc_blocks,
            columns: patch.map_or_else(IndexMap::default, |node| columns(&node.columns, describe)),
            patch_path: task.patch.map(|patch| format!("{}://{}", patch.package, patch.file.path)),
            patch_span: patch.map(|node| node.span),
            constraints: patch.map_or(Json::Null, |node| node.constraints.clone()),
            version: version.cloned(),
            deprecation_date: patch.and_then(|node| node.deprecation_date),
            time_spine: patch.and_then(|node| time_spine(&node.time_spine)).map(Box::new),
            ..Node::new(kind, package, name, Relation::new(&target.database, &target.schema, name))
        };
        if let Some(version) = &node.version {
            node.id = format!("{}.{version}", node.id);
        }
        node
    }

    /// Merges the configuration from all its places, and finds the layer.
    fn configure(&self, node: &mut Node, task: &Task<'_>, in_file: JsonMap) {
        let tree = match node.kind {
            Kind::Seed { .. } => "seeds",
            Kind::Snapshot => "snapshots",
            Kind::SingularTest | Kind::GenericTest(_) => "data_tests",
            Kind::UnitTest(_) => "unit_tests",
            Kind::Model | Kind::Analysis | Kind::Operation => "models",
        };
        merge_trees(&mut node.config, self.project, &task.package.name, tree, &node.fqn, |config| {
            if let Some(patch) = task.patch {
                config.merge(patch.says.config.clone());
            }
            config.merge_call(in_file);
        });
        if !matches!(node.kind, Kind::Model | Kind::Snapshot) {
            return;
        }
        if let Some(layer) = self.layer(node) {
            node.layer = Some(layer.name.clone());
            if self.project.layers.enforced {
                node.config.fill(&layer.defaults);
            }
        }
    }

    fn layer(&self, node: &Node) -> Option<&Layer> {
        let layers = &self.project.layers;
        let config = node.config.written();
        if let Some(name) = crate::project::layers::explicit(config) {
            return layers.layers.get(name);
        }
        layers.of_path(&node.original_path).or_else(|| layers.of_config(config))
    }
}

/// dbt compares the texts of seeds, without the white space around them, and of large ones only the paths.
fn seed_checksum(seed: &SeedCsv) -> std::io::Result<String> {
    let size = std::fs::metadata(&seed.on_disk)?.len();
    if size > LARGE_SEED {
        return Ok(seed.path.clone());
    }
    let bytes = std::fs::read(&seed.on_disk)?;
    Ok(match str::from_utf8(&bytes) {
        Ok(text) => hash::sha256(text.trim()),
        Err(_) => hash::sha256_of(bytes.as_slice())?,
    })
}

/// 1 MiB.
const LARGE_SEED: u64 = 1 << 20;

/// Configurations of a node with a value that means nothing, where they are written.
fn config_problems(project: &Project, node: &Node, task: &Task<'_>) -> Vec<Diagnostic> {
    let own = |key: &str| {
        let facts = node.template.as_ref().map(|template| template.facts())?;
        facts.config_keys.iter().find(|(name, _)| name == key).map(|(_, span)| *span)
    };
    let patched = |key: &str| task.patch?.says.config_spans.iter().find(|(name, _)| name == key).map(|(_, span)| *span);
    let place = |key: &str| own(key).or_else(|| patched(key)).or_else(|| refable::place(node));
    let problem = |(key, message): (String, String)| Diagnostic::error(Code::InvalidValue, place(&key), message);
    let mistakes = config::mistakes(node.config.written(), node.kind.defaults()).into_iter().map(problem);
    mistakes
        .chain(snapshots::problems(node, place))
        .chain(contracts::problems(node, task.patch.map(|patch| patch.says), place))
        .chain(access::problems(project, node, place))
        .collect()
}

/// The macros that a text calls, as unique ids.
pub fn macro_ids<'a>(library: &Library, package: &str, calls: impl Iterator<Item = &'a str>) -> Vec<String> {
    library.resolve_calls(package, calls).into_iter().map(|found| found.unique_id.clone()).collect()
}

/// The project file's levels, then what is written with the node, then (for a package) the root project's levels.
pub fn merge_trees(
    config: &mut Config,
    project: &Project,
    package: &str,
    tree: &str,
    fqn: &[String],
    with_the_node: impl FnOnce(&mut Config),
) {
    let from = |package: &Package, config: &mut Config| {
        let settings = &package.settings;
        let rendered = settings.configs.get(tree).map(|tree| levels(tree, fqn)).unwrap_or_default();
        let written = settings.written_configs.get(tree).map(|tree| levels(tree, fqn));
        let written = written.unwrap_or_else(|| rendered.clone());
        rendered.into_iter().zip(written).for_each(|(rendered, written)| config.merge_rendered(rendered, written));
    };
    if let Some(own) = project.packages.get(package) {
        from(own, config);
    }
    with_the_node(config);
    if project.root().name != package {
        from(project.root(), config);
    }
}

/// `[package, folder, …, name]`; a snapshot also has the name of its file.
pub fn fqn(package: &str, relative: &str, name: &str, with_file: bool) -> Vec<String> {
    let path = Path::new(relative);
    let folders = path.parent().into_iter().flat_map(Path::components);
    let folders = folders.map(|part| part.as_os_str().to_string_lossy().into_owned());
    let file = path.file_stem().filter(|_| with_file).map(|stem| stem.to_string_lossy().into_owned());
    [package.to_string()].into_iter().chain(folders).chain(file).chain([name.to_string()]).collect()
}

/// The columns by name; `describe` gives a description, and the docs blocks that it quotes.
pub fn columns(columns: &[ColumnProperties], describe: impl Fn(&str) -> (String, Vec<String>)) -> ColumnMap {
    let described = |info: &Arc<ColumnInfo>| match describe(&info.description) {
        (description, doc_blocks) if description == info.description && doc_blocks.is_empty() => info.clone(),
        (description, doc_blocks) => Arc::new(ColumnInfo { description, doc_blocks, ..info.as_ref().clone() }),
    };
    columns.iter().map(|column| (column.info.name.clone(), described(&column.info))).collect()
}

/// What macros such as `generate_schema_name` may look at before the node is complete.
pub fn brief(node: &Node) -> Json {
    json!({
        "unique_id": node.id,
        "name": node.name,
        "resource_type": node.resource_type(),
        "package_name": node.package,
        "path": node.path,
        "original_file_path": node.original_path,
        "fqn": node.fqn,
        "config": node.config.full(),
        "tags": node.tags(),
        "meta": node.config.get("meta").cloned().unwrap_or(json!({})),
        "alias": node.name,
        "version": node.version.as_ref().map(|version| &version.v),
        // What a microbatch model says of its batch is read before there is one.
        "batch": {"id": "", "event_time_start": UNTIMED, "event_time_end": UNTIMED},
    })
}

/// A time that stands for that of a batch while the project is parsed.
const UNTIMED: &str = "1970-01-01 00:00:00+00:00";
