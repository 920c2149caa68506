//! Turns the unit tests of property files into nodes: bound to their models, with rows that are read and checked.
//!
//! Source of the rules: <https://docs.getdbt.com/docs/build/unit-tests>.

use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::Relation;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::{FileId, ProjectFiles, Span};
use crate::hash;
use crate::jinja::{JsonMap, Library, Template};
use crate::manifest::nodes::merge_trees;
use crate::manifest::refable::{Binder, Unbound};
use crate::manifest::unit_fixtures::{Fixture, Reader};
use crate::manifest::{Disabled, Kind, Node, RefArguments, python};
use crate::project::Project;
use crate::project::config::{Config, Defaults};
use crate::project::package::Package;
use crate::project::properties::Properties;
use crate::project::unit_tests::{GivenProperties, Overrides, UnitTestProperties, Versions};

/// What a unit test has besides what every node has.
#[derive(Debug, Clone)]
pub struct UnitTest {
    /// The model as it is written.
    pub model: String,
    /// The model's unique id.
    pub tested: String,
    /// Where the test is written.
    pub span: Span,
    pub given: Vec<Given>,
    pub expect: Fixture,
    pub overrides: Option<Overrides>,
    pub versions: Option<Versions>,
}

/// The rows of one input.
#[derive(Debug, Clone)]
pub struct Given {
    /// As it is written: `ref('orders')`, `source('raw', 'orders')`, `this`.
    pub input: String,
    pub span: Span,
    /// The unique id of the node or source; none if nothing has this name.
    pub bound: Option<String>,
    pub fixture: Fixture,
}

impl Given {
    pub fn is_this(&self) -> bool {
        self.input.trim() == "this"
    }
}

impl UnitTest {
    /// Where the rows name something that a message speaks of, else where the test is written.
    pub fn place_of(&self, message: &str) -> Span {
        let fixtures = self.given.iter().map(|given| &given.fixture).chain([&self.expect]);
        fixtures.into_iter().find_map(|fixture| fixture.spoken_of(message)).unwrap_or(self.span)
    }
}

/// The unit tests of all packages, and those that are switched off.
pub fn collect(
    project: &Project,
    files: &ProjectFiles,
    library: &Library,
    binder: &Binder<'_>,
    sink: &mut Diagnostics,
) -> (Vec<Node>, Vec<Disabled>) {
    let mut tests: IndexMap<String, (Span, Node)> = IndexMap::default();
    let mut disabled = Vec::new();
    for package in project.packages.values() {
        for file in &package.properties {
            for written in &file.unit_tests {
                let drafting = Drafting { project, files, library, binder, package, file, written };
                let Some((node, tested)) = drafting.draft(sink) else { continue };
                let Some(tested) = tested.filter(|_| node.config.flag("enabled")) else {
                    disabled.push(super::nodes::disabled(&node));
                    continue;
                };
                let nodes = drafting.spread(node, tested, sink);
                if let Some((first, _)) = nodes.iter().find_map(|node| tests.get(&node.id)) {
                    sink.push(same_name(written, *first));
                    continue;
                }
                tests.extend(nodes.into_iter().map(|node| (node.id.clone(), (written.span, node))));
            }
        }
    }
    (tests.into_values().map(|(_, node)| node).collect(), disabled)
}

fn same_name(written: &UnitTestProperties, first: Span) -> Diagnostic {
    let message = format!("`{}` has two unit tests called `{}`", written.model, written.name);
    let problem = Diagnostic::error(Code::DuplicateName, written.span, message);
    problem.related(first, "the other one").help("rename one of them")
}

/// Everything that drafting one unit test needs to look at.
struct Drafting<'a> {
    project: &'a Project,
    files: &'a ProjectFiles,
    library: &'a Library,
    binder: &'a Binder<'a>,
    package: &'a Package,
    file: &'a Properties,
    written: &'a UnitTestProperties,
}

impl<'a> Drafting<'a> {
    /// The node and the model, unless that is switched off. None if the test cannot be used.
    fn draft(&self, sink: &mut Diagnostics) -> Option<(Node, Option<&'a Node>)> {
        let tested = self.tested(sink)?;
        let reader = Reader { files: self.files, package: self.package, binder: self.binder, test: &self.written.name };
        let given: Vec<Option<Given>> =
            self.written.given.iter().map(|given| self.given(given, &reader, tested, sink)).collect();
        let expect = reader.read(&self.written.expect, None, sink);
        let test = UnitTest {
            model: self.written.model.clone(),
            tested: tested.map_or_else(String::new, |node| node.id.clone()),
            span: self.written.span,
            given: given.into_iter().collect::<Option<_>>()?,
            expect: expect?,
            overrides: self.written.overrides.clone(),
            versions: self.written.versions.clone(),
        };
        if let Some(node) = tested {
            self.check_overrides(node, sink);
        }
        Some((self.node(test, tested), tested))
    }

    /// One test for each version of its model that it is about; of a model without versions, the test itself.
    fn spread(&self, test: Node, tested: &Node, sink: &mut Diagnostics) -> Vec<Node> {
        let versions = self.written.versions.as_ref();
        let named = |list: fn(&Versions) -> &Option<Vec<Json>>| {
            versions.and_then(|versions| list(versions).as_deref()).filter(|list| !list.is_empty())
        };
        let (included, excluded) = (named(|versions| &versions.include), named(|versions| &versions.exclude));
        if tested.version.is_none() {
            if included.or(excluded).is_some() {
                let span = versions.and_then(|versions| versions.span);
                let message = format!("the unit test `{}` names versions, and `{}` has none", test.name, tested.name);
                sink.push(Diagnostic::error(Code::InvalidValue, span, message).help("delete `versions`"));
            }
            return vec![test];
        }
        let all: Vec<&Node> = self.binder.versions_of(tested).collect();
        let is_meant = |v: &Json| match (excluded, included) {
            (Some(excluded), _) => !excluded.contains(v),
            (None, Some(included)) => included.contains(v),
            (None, None) => versions.is_none(),
        };
        let meant = |node: &&&Node| node.version.as_ref().is_some_and(|version| is_meant(&version.v));
        let nodes: Vec<Node> = all.iter().filter(meant).map(|model| of_version(&test, model)).collect();
        if nodes.is_empty() {
            let known: Vec<String> =
                all.iter().flat_map(|node| &node.version).map(|version| python::repr(&version.v)).collect();
            let message = format!("the unit test `{}` is about no version of `{}`", test.name, tested.name);
            let span = versions.and_then(|versions| versions.span);
            let help = format!("its versions are {}; without `versions` all are tested", known.join(", "));
            sink.push(Diagnostic::error(Code::UnknownVersion, span, message).help(help));
        }
        nodes
    }

    /// The model; `Some(None)` if it is switched off.
    fn tested(&self, sink: &mut Diagnostics) -> Option<Option<&'a Node>> {
        let UnitTestProperties { model, model_span, name, .. } = self.written;
        let package = &self.package.name;
        let word = model.split_whitespace().next().unwrap_or_default();
        let call = RefArguments { package: Some(package.clone()), name: word.to_string(), version: None };
        match self.binder.find(&call, package) {
            Ok(id) => match self.binder.node(id).filter(|node| matches!(node.kind, Kind::Model)) {
                Some(node) => Some(Some(node)),
                None => {
                    let message = format!("the unit test `{name}` tests `{model}`, which is no model");
                    sink.push(Diagnostic::error(Code::InvalidValue, *model_span, message));
                    None
                }
            },
            Err(Unbound::Disabled(_)) => Some(None),
            Err(_) => {
                let message = format!("the unit test `{name}` tests the model `{model}`, which does not exist");
                let problem = Diagnostic::error(Code::UnknownRef, *model_span, message);
                let names = self.binder.models_of(package);
                sink.push(match nearest(word, names) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("`model:` takes the name of a model of the same package, without `ref`"),
                });
                None
            }
        }
    }

    fn given(
        &self,
        given: &GivenProperties,
        reader: &Reader<'_>,
        tested: Option<&Node>,
        sink: &mut Diagnostics,
    ) -> Option<Given> {
        let bound = match given.input.trim() {
            "this" => tested.map(|node| node.id.clone()),
            call => self.bound(call),
        };
        let fixture = reader.read(&given.fixture, bound.as_deref(), sink)?;
        Some(Given { input: given.input.clone(), span: given.span, bound, fixture })
    }

    /// The unique id that `ref(…)` or `source(…)` stands for.
    fn bound(&self, call: &str) -> Option<String> {
        let template = Template::new(FileId(0), Arc::from(format!("{{{{ {call} }}}}"))).ok()?;
        let facts = template.facts();
        let package = &self.package.name;
        if let Some(call) = facts.refs.first() {
            let call =
                RefArguments { package: call.package.clone(), name: call.name.clone(), version: call.version.clone() };
            return self.binder.find(&call, package).ok().map(str::to_string);
        }
        let call = facts.sources.first()?;
        self.binder.source(&[call.source.clone(), call.table.clone()], package).map(str::to_string)
    }

    /// An incremental model behaves in two ways, so that a test must say which of them it is about.
    fn check_overrides(&self, tested: &Node, sink: &mut Diagnostics) {
        let written = self.written;
        let macros = written.overrides.as_ref().map(|overrides| &overrides.macros);
        let incremental = macros.and_then(|macros| macros.get("is_incremental")).and_then(Json::as_bool);
        let asks = tested.depends_on_macros.iter().any(|id| id == "macro.dbt.is_incremental");
        let has_this = written.given.iter().any(|given| given.input.trim() == "this");
        if asks && incremental.is_none() {
            let message = format!(
                "`{}` asks `is_incremental()`, and the unit test `{}` does not say what it gives",
                written.model, written.name
            );
            let problem = Diagnostic::error(Code::InvalidValue, written.span, message);
            sink.push(problem.help("write `overrides: {macros: {is_incremental: true}}`, or `false`"));
        }
        if asks && incremental == Some(true) && !has_this {
            let message =
                format!("the unit test `{}` is about an incremental run, and does not give `this`", written.name);
            let problem = Diagnostic::error(Code::InvalidValue, written.span, message);
            sink.push(problem.help("give the rows that the table has before the run: `- input: this`"));
        }
        for (name, span) in written.overrides.iter().flat_map(|overrides| &overrides.macro_spans) {
            if !self.library.knows(&self.package.name, name) {
                let message = format!("the unit test `{}` overrides `{name}`, which does not exist", written.name);
                let problem = Diagnostic::warning(Code::UnknownMacro, *span, message);
                let known = self.library.macros().iter().map(|info| info.name.as_str());
                sink.push(match nearest(name.rsplit('.').next().unwrap_or(name), known) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
    }

    fn node(&self, test: UnitTest, tested: Option<&Node>) -> Node {
        let (written, package) = (self.written, &self.package.name);
        let fqn = self.fqn();
        let mut config = Config::new(Defaults::UnitTest);
        merge_trees(&mut config, self.project, package, "unit_tests", &fqn, |config| {
            config.merge(written.config.clone())
        });
        let target = &self.project.target;
        let database = tested.and_then(|node| node.relation.database.as_deref()).unwrap_or(&target.database);
        let schema = tested.and_then(|node| node.relation.schema.as_deref()).unwrap_or(&target.schema);
        let folder = self.file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let checksum = hash::sha256(&in_python(&test));
        let relation = Relation::new(database, schema, &written.name);
        Node {
            id: format!("unit_test.{package}.{}.{}", written.model, written.name),
            original_path: self.file.path.clone(),
            path: format!("{folder}/{}.sql", written.name),
            file: self.file.file,
            fqn,
            config,
            description: written.description.clone(),
            patch_span: Some(written.span),
            raw_code: tested.map_or_else(|| "".into(), |node| node.raw_code.clone()),
            depends_on: tested.map(|node| node.id.clone()).into_iter().collect(),
            checksum,
            ..Node::new(Kind::UnitTest(Box::new(test)), package, &written.name, relation)
        }
    }

    /// The folders of the file, then the model and the test.
    fn fqn(&self) -> Vec<String> {
        let mut parts: Vec<&str> = self.file.path.split('/').collect();
        parts.pop();
        let folders = parts.into_iter().skip(1);
        let names = [self.written.model.as_str(), &self.written.name];
        [self.package.name.as_str()].into_iter().chain(folders).chain(names).map(str::to_string).collect()
    }
}

/// The test, for one version of its model: `…_v1`.
fn of_version(test: &Node, model: &Node) -> Node {
    let mut node = Node {
        version: model.version.clone(),
        raw_code: model.raw_code.clone(),
        depends_on: vec![model.id.clone()],
        ..test.clone()
    };
    if let Some(version) = &model.version {
        node.id = format!("{}_{version}", test.id);
        node.path = format!("{}_{version}.sql", test.path.trim_end_matches(".sql"));
    }
    if let Kind::UnitTest(test) = &mut node.kind {
        test.tested = model.id.clone();
        let own = test.given.iter_mut().filter(|given| given.is_this());
        own.for_each(|given| given.bound = Some(model.id.clone()));
    }
    node
}

/// The test as dbt hashes it, so that `state:modified` understands the other tool's manifest.
fn in_python(test: &UnitTest) -> String {
    let texts = |map: &JsonMap| python::repr(&Json::Object(map.clone()));
    let given = test.given.iter().map(|given| {
        format!(
            "UnitTestInputFixture(input={}, {})",
            python::repr(&Json::String(given.input.clone())),
            given.fixture.in_python()
        )
    });
    let list = |items: &Option<Vec<Json>>| {
        items.as_ref().map_or("None".to_string(), |items| python::repr(&Json::Array(items.clone())))
    };
    let versions = test.versions.as_ref().map_or("None".to_string(), |versions| {
        format!("UnitTestNodeVersions(include={}, exclude={})", list(&versions.include), list(&versions.exclude))
    });
    let overrides = test.overrides.as_ref().map_or("None".to_string(), |overrides| {
        let Overrides { macros, vars, env_vars, .. } = overrides;
        format!("UnitTestOverrides(macros={}, vars={}, env_vars={})", texts(macros), texts(vars), texts(env_vars))
    });
    let files = test.given.iter().filter(|given| given.fixture.file.is_some());
    let files: String = files.map(|given| format!("-{}", python::str(&given.fixture.rows.json()))).collect();
    format!(
        "{}-{versions}-[{}]-UnitTestOutputFixture({})-{overrides}{files}",
        test.model,
        given.collect::<Vec<_>>().join(", "),
        test.expect.in_python()
    )
}
