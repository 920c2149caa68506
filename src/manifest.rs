//! Turns a Project into a Manifest: every name bound, every configuration merged, no cycles.

pub mod access;
pub mod bind;
pub mod builtin;
pub mod cdc;
pub mod contracts;
pub mod deprecations;
pub mod docs;
pub mod external;
pub mod freshness;
pub mod generic_tests;
pub mod graph;
pub mod ingest;
pub mod inline;
pub mod materializations;
pub mod microbatch;
pub mod names;
pub mod nodes;
pub mod operations;
pub mod parse;
pub mod python;
pub mod refable;
pub mod selection;
pub mod selector;
pub mod snapshots;
pub mod selectors;
pub mod semantic;
pub mod settings;
pub mod sources;
pub mod state;
pub mod test_code;
pub mod test_entry;
pub mod unit_fixtures;
pub mod unit_tests;
pub mod unused;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::map::IndexMap;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::adapter::relation::Relation;
use crate::diagnostic::Diagnostics;
use crate::files::{FileId, ProjectFiles, Span};
use crate::jinja::{JsonMap, Library, RefCall, Template};
use crate::manifest::docs::DocsBlocks;
use crate::manifest::graph::Graph;
use crate::manifest::selectors::Selectors;
use crate::manifest::semantic::Semantics;
use crate::manifest::unit_tests::UnitTest;
use crate::notes::Notes;
use crate::project::Project;
use crate::project::config::{Config, Defaults};
use crate::project::properties::{ColumnMap, ExposureProperties, GroupProperties, MacroProperties};
use crate::project::versions::{self, ModelVersion};

/// A project with every name bound.
pub struct Manifest {
    /// Enabled models, seeds, snapshots, analyses, tests and unit tests by unique id, in the order of their files.
    pub nodes: IndexMap<String, Box<Node>>,
    pub sources: IndexMap<String, Source>,
    pub exposures: IndexMap<String, Exposure>,
    pub groups: IndexMap<String, Group>,
    /// Semantic models, metrics and saved queries.
    pub semantics: Semantics,
    pub docs: DocsBlocks,
    /// What YAML says of macros, by unique id.
    pub macro_properties: IndexMap<String, MacroProperties>,
    pub disabled: Vec<Disabled>,
    pub library: Arc<Library>,
    pub graph: Graph,
    pub selectors: Selectors,
}

/// One thing that can be built, tested or compiled.
#[derive(Clone)]
pub struct Node {
    /// For instance `model.shop.orders`.
    pub id: String,
    pub kind: Kind,
    pub name: String,
    pub package: String,
    /// Relative to the package: `models/marts/orders.sql`.
    pub original_path: String,
    /// Relative to the folder of its kind: `marts/orders.sql`.
    pub path: String,
    pub file: FileId,
    pub fqn: Vec<String>,
    pub config: Config,
    /// Where the node is, or would be, in the warehouse.
    pub relation: Relation,
    pub description: String,
    /// Unique ids of the docs blocks that the description quotes.
    pub doc_blocks: Vec<String>,
    pub columns: ColumnMap,
    /// `package://path` of the property file that describes it.
    pub patch_path: Option<String>,
    pub patch_span: Option<Span>,
    /// None for seeds and generic tests; the template of a generic test is made when it is compiled.
    pub template: Option<Arc<Template>>,
    pub raw_code: Arc<str>,
    pub refs: Vec<RefArguments>,
    pub source_refs: Vec<[String; 2]>,
    /// Unique ids of nodes and sources, in the order of the calls.
    pub depends_on: Vec<String>,
    pub depends_on_macros: Vec<String>,
    /// sha256 of the text.
    pub checksum: String,
    pub layer: Option<String>,
    pub constraints: Json,
    /// Of a model that has versions.
    pub version: Option<Box<ModelVersion>>,
    pub deprecation_date: Option<DateTime<Utc>>,
    /// Of a model whose rows are days, say: with all its keys, as in dbt's manifest.
    pub time_spine: Option<Box<Json>>,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Model,
    Seed {
        on_disk: PathBuf,
    },
    Snapshot,
    Analysis,
    SingularTest,
    GenericTest(Box<GenericTest>),
    UnitTest(Box<UnitTest>),
    /// An `on-run-start` or `on-run-end` hook.
    Operation,
}

#[derive(Debug, Clone)]
pub struct GenericTest {
    /// `unique`, without its package.
    pub name: String,
    pub namespace: Option<String>,
    pub arguments: JsonMap,
    pub column_name: Option<String>,
    /// The node or source that the test is written on.
    pub attached: Option<String>,
    /// Where the test is written.
    pub span: Span,
    /// The texts of its arguments that refer to something, and where they are written.
    pub references: Box<[(String, Span)]>,
    /// The short form of the name, for the file and the alias.
    pub short_name: String,
    /// The tags of its column and of its source, and its own, in the order of the alphabet.
    pub tags: Vec<String>,
}

/// `ref([package,] name, version=…)`.
#[derive(Debug, Clone, PartialEq)]
pub struct RefArguments {
    pub package: Option<String>,
    pub name: String,
    pub version: Option<Json>,
}

/// A table that something else writes.
#[derive(Debug, Clone)]
pub struct Source {
    /// `source.shop.raw.orders`.
    pub id: String,
    pub package: String,
    pub source_name: String,
    pub name: String,
    pub identifier: String,
    pub fqn: Vec<String>,
    pub path: String,
    pub span: Span,
    pub relation: Relation,
    /// Which parts of its name are quoted, as the source and its table say.
    pub quoting: JsonMap,
    pub loader: String,
    pub description: String,
    pub source_description: String,
    /// Unique ids of the docs blocks that the description quotes.
    pub doc_blocks: Vec<String>,
    /// `database:` and `schema:` as they are written, with their Jinja.
    pub written_place: [Option<String>; 2],
    pub source_meta: JsonMap,
    pub columns: ColumnMap,
    pub config: Config,
    pub external: Json,
}

impl Source {
    /// Whether its columns are written between quotes.
    pub fn quotes_columns(&self) -> bool {
        self.quoting.get("column") == Some(&Json::Bool(true))
    }
}

impl RefArguments {
    /// The name that the node must have: with a version, `orders.v2`.
    pub fn search_name(&self) -> Cow<'_, str> {
        match &self.version {
            Some(version) => Cow::Owned(format!("{}.v{}", self.name, versions::text(version))),
            None => Cow::Borrowed(&self.name),
        }
    }
}

/// As it is written in a template: `ref('orders', v=2)`.
impl fmt::Display for RefArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let package = self.package.iter().map(|package| format!("'{package}', "));
        let version = self.version.iter().map(|version| format!(", v={}", python::repr(version)));
        write!(f, "ref({}'{}'{})", package.collect::<String>(), self.name, version.collect::<String>())
    }
}

impl From<&RefCall> for RefArguments {
    fn from(call: &RefCall) -> RefArguments {
        let version = call.version.clone().filter(|version| !version.is_null());
        RefArguments { package: call.package.clone(), name: call.name.clone(), version }
    }
}

#[derive(Debug, Clone)]
pub struct Exposure {
    pub id: String,
    pub package: String,
    pub fqn: Vec<String>,
    pub path: String,
    /// The path below the folder of models.
    pub relative: String,
    /// What YAML says, with the description's docs blocks filled in.
    pub properties: ExposureProperties,
    pub config: Config,
    pub depends_on: Vec<String>,
    pub refs: Vec<RefArguments>,
    pub source_refs: Vec<[String; 2]>,
}

#[derive(Debug, Clone)]
pub struct Group {
    pub id: String,
    pub package: String,
    pub path: String,
    pub properties: GroupProperties,
    /// As dbt has it: that of the models beside it, with its own.
    pub config: Config,
}

/// Something that `enabled: false` switches off.
#[derive(Debug, Clone)]
pub struct Disabled {
    pub id: String,
    pub name: String,
    pub package: String,
    pub original_path: String,
    /// `model`, `seed`, `source` …
    pub resource_type: &'static str,
    /// Empty for sources.
    pub fqn: Vec<String>,
}

impl Kind {
    /// dbt's word for the kind of node.
    pub fn resource_type(&self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Seed { .. } => "seed",
            Kind::Snapshot => "snapshot",
            Kind::Analysis => "analysis",
            Kind::SingularTest | Kind::GenericTest(_) => "test",
            Kind::UnitTest(_) => "unit_test",
            Kind::Operation => "operation",
        }
    }

    /// The configuration of a node of which nothing is written.
    pub fn defaults(&self) -> Defaults {
        match self {
            Kind::Seed { .. } => Defaults::Seed,
            Kind::Snapshot => Defaults::Snapshot,
            Kind::SingularTest | Kind::GenericTest(_) => Defaults::Test,
            Kind::UnitTest(_) => Defaults::UnitTest,
            Kind::Model | Kind::Analysis | Kind::Operation => Defaults::Model,
        }
    }
}

impl Node {
    /// A node of which only this is known: no text, no parents, nothing configured.
    pub fn new(kind: Kind, package: &str, name: &str, relation: Relation) -> Node {
        Node {
            id: format!("{}.{package}.{name}", kind.resource_type()),
            name: name.to_string(),
            package: package.to_string(),
            original_path: format!("{name}.sql"),
            path: format!("{name}.sql"),
            file: FileId(0),
            fqn: vec![package.to_string(), name.to_string()],
            config: Config::new(kind.defaults()),
            kind,
            relation,
            description: String::new(),
            doc_blocks: Vec::new(),
            columns: IndexMap::default(),
            patch_path: None,
            patch_span: None,
            template: None,
            raw_code: "".into(),
            refs: Vec::new(),
            source_refs: Vec::new(),
            depends_on: Vec::new(),
            depends_on_macros: Vec::new(),
            checksum: String::new(),
            layer: None,
            constraints: Json::Null,
            version: None,
            deprecation_date: None,
            time_spine: None,
        }
    }

    /// Where the node's own `config()` gives a key, else the place of the node as a whole.
    pub fn config_place(&self, key: &str) -> Option<Span> {
        let facts = self.template.as_ref().map(|template| template.facts());
        let written = facts.iter().flat_map(|facts| &facts.config_keys).find(|(name, _)| name.replace('-', "_") == key);
        written.map(|(_, span)| *span).or_else(|| refable::place(self))
    }

    /// dbt's word for the kind of node.
    pub fn resource_type(&self) -> &'static str {
        self.kind.resource_type()
    }

    /// Whether it is a data test.
    pub fn is_test(&self) -> bool {
        matches!(self.kind, Kind::SingularTest | Kind::GenericTest(_))
    }

    /// Whether a `ref` can name it.
    pub fn is_refable(&self) -> bool {
        matches!(self.kind, Kind::Model | Kind::Seed { .. } | Kind::Snapshot)
    }

    /// The name that no other node has: of a version, `orders.v2`.
    pub fn search_name(&self) -> Cow<'_, str> {
        match &self.version {
            Some(version) if self.is_refable() => Cow::Owned(format!("{}.{version}", self.name)),
            _ => Cow::Borrowed(&self.name),
        }
    }

    /// The name of a unit test; of one for a version of its model, `name_v2`.
    pub fn versioned_name(&self) -> Cow<'_, str> {
        match &self.version {
            Some(version) => Cow::Owned(format!("{}_{version}", self.name)),
            None => Cow::Borrowed(&self.name),
        }
    }

    /// Whether a `ref` of its package names it.
    pub fn answers_to(&self, call: &RefArguments) -> bool {
        let wanted = call.search_name();
        self.is_refable()
            && call.package.as_ref().is_none_or(|package| *package == self.package)
            && (self.search_name() == wanted || (self.name == wanted && self.is_unversioned_or_latest()))
    }

    /// Whether a `ref` without a version means this one.
    pub fn is_unversioned_or_latest(&self) -> bool {
        self.version.as_deref().is_none_or(ModelVersion::is_latest)
    }

    /// A snapshot without a file of its own: `patch_span` is what it reads.
    pub fn is_yaml_snapshot(&self) -> bool {
        matches!(self.kind, Kind::Snapshot) && !self.original_path.ends_with(".sql")
    }

    /// Whether it has SQL of its own.
    pub fn is_compiled(&self) -> bool {
        !matches!(self.kind, Kind::Seed { .. })
    }

    pub fn materialized(&self) -> &str {
        self.config.text("materialized").unwrap_or("view")
    }

    pub fn is_ephemeral(&self) -> bool {
        matches!(self.kind, Kind::Model) && self.materialized() == "ephemeral"
    }

    pub fn unit_test(&self) -> Option<&UnitTest> {
        match &self.kind {
            Kind::UnitTest(test) => Some(test),
            _ => None,
        }
    }

    /// The tags of its configuration, and those that a test inherits.
    pub fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = self.generic_test().iter().flat_map(|test| &test.tags).map(String::as_str).collect();
        for tag in self.config.texts("tags") {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }

    pub fn generic_test(&self) -> Option<&GenericTest> {
        match &self.kind {
            Kind::GenericTest(test) => Some(test),
            _ => None,
        }
    }
}

impl Manifest {
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id).map(Box::as_ref)
    }
}

/// Binds every name of a project. What earlier commands have noted of its templates need not be found out again, and
/// what is new is noted.
pub fn resolve(project: &Project, files: &ProjectFiles, notes: &Notes, sink: &mut Diagnostics) -> Manifest {
    let library = Arc::new(builtin::library(project, files, sink));
    let docs = docs::collect(project);
    let mut drafts = nodes::draft(project, files, &library, &docs, notes, sink);
    let (sources, exposures, groups) = sources::collect(project, &docs, &mut drafts, sink);
    generic_tests::draft(project, &library, &sources, &mut drafts, sink);
    operations::draft(project, files, &library, &mut drafts, sink);
    names::settle(project, &library, &mut drafts.nodes, sink);
    let (semantics, switched_off) = semantic::collect(project, &docs, sink);
    drafts.disabled.extend(switched_off);
    let mut manifest = bind::finish(project, files, library, docs, drafts, (sources, exposures, groups), sink);
    manifest.semantics = semantic::bind(project, &manifest, semantics, sink);
    access::report(project, &manifest, sink);
    deprecations::report(&manifest, sink);
    external::plugins(&manifest, sink);
    if microbatch::runs_in_batches(&manifest.library, project) {
        microbatch::check(&manifest.nodes, &manifest.sources, sink);
    }
    let selectors = project.selectors.as_ref().map(|yaml| selectors::read(yaml, sink)).unwrap_or_default();
    Manifest { selectors, ..manifest }
}
