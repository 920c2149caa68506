//! What the project does not build itself: sources, and what else stands in the warehouse.

use std::sync::Mutex;

use crate::adapter::binder::{Binder, Refusal};
use crate::adapter::relation::{Column, Relation, literal};
use crate::adapter::{AdapterError, SeedFile};
use crate::check::witness::{Way, lock};
use crate::check::{Before, Checked, Checker, Request, Schema, Unknown};
use crate::manifest::{Kind, Manifest, Node, Source};

/// The warehouse as a check may look at it, and how far it can be trusted.
pub struct Outside {
    warehouse: Mutex<Way>,
    /// Hooks run before the models, and may create relations and functions.
    pub has_hooks: bool,
    /// The project creates functions or loads extensions somewhere.
    pub makes_functions: bool,
}

impl Outside {
    pub fn new(request: &Request, manifest: &Manifest) -> Outside {
        let packages = request.session.project.packages.values();
        let starts: Vec<&String> = packages.flat_map(|package| &package.settings.on_run_start).collect();
        let hooked = |node: &&Node| {
            let hooks = node.config.get("pre-hook").and_then(serde_json::Value::as_array);
            hooks.is_some_and(|hooks| !hooks.is_empty())
                || node.config.get("sql_header").is_some_and(|it| !it.is_null())
        };
        let hooks: Vec<&Node> = manifest.nodes.values().map(Box::as_ref).filter(hooked).collect();
        let own = manifest.library.macros().iter().filter(|found| found.package != "dbt");
        Outside {
            warehouse: Mutex::new(Way::new(request.warehouse.clone())),
            has_hooks: !starts.is_empty() || !hooks.is_empty(),
            makes_functions: !hooks.is_empty()
                || starts.iter().any(|text| makes_functions(text) || text.contains("{{"))
                || own.into_iter().any(|found| makes_functions(&found.text)),
        }
    }

    pub fn is_there(&self) -> bool {
        lock(&self.warehouse).take().is_some()
    }

    /// The columns of a relation of the warehouse; empty if there is none.
    pub fn columns(&self, relation: &Relation) -> Vec<Column> {
        let mut warehouse = lock(&self.warehouse);
        warehouse.take().and_then(|connection| connection.columns(relation).ok()).unwrap_or_default()
    }

    /// What stands in the warehouse.
    pub fn relations(&self) -> Vec<Relation> {
        let mut warehouse = lock(&self.warehouse);
        warehouse.take().and_then(|connection| connection.relations().ok()).unwrap_or_default()
    }

    /// Whether the warehouse has a function of its own of this name.
    pub fn has_function(&self, name: &str) -> bool {
        self.has("duckdb_functions() where not internal and lower(function_name)", name)
    }

    /// Whether the warehouse has a type of its own of this name.
    pub fn has_type(&self, name: &str) -> bool {
        self.has("duckdb_types() where not internal and lower(type_name)", name)
    }

    fn has(&self, place: &str, name: &str) -> bool {
        let query = format!("select 1 from {place} = {}", literal(&name.to_lowercase()));
        let mut warehouse = lock(&self.warehouse);
        let found = warehouse.take().and_then(|connection| connection.query(&query).ok());
        found.is_some_and(|found| !found.rows.is_empty())
    }
}

/// Whether a text has SQL that creates functions or loads what brings them.
fn makes_functions(text: &str) -> bool {
    let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_string).collect();
    let makes = |at: usize| match words[at].as_str() {
        "create" => words[at..].iter().take(5).any(|word| word == "function" || word == "macro"),
        "load" | "install" => true,
        _ => false,
    };
    (0..words.len()).any(makes)
}

impl Checker<'_> {
    /// Declares every source that the nodes read.
    pub fn declare_sources(&self, nodes: &[&Node], checked: &mut Checked) -> Result<(), AdapterError> {
        let manifest = &self.request.session.manifest;
        for node in nodes.iter().filter(|node| node.is_refable()) {
            lock(&self.columns).insert(node.relation.key(), None);
        }
        let read = |source: &&Source| nodes.iter().any(|node| node.depends_on.contains(&source.id));
        let mut binder = self.binder()?;
        for source in manifest.sources.values().filter(read) {
            let schema = self.source(source, manifest, binder.as_mut());
            let declared = schema.and_then(|schema| {
                let refused = self.declare_source(source, &schema, binder.as_mut()).err();
                refused.map_or(Ok(schema), |refused| Err(Unknown::World(refused.message)))
            });
            match declared {
                Ok(schema) => drop(checked.schemas.insert(source.id.clone(), schema)),
                Err(unknown) => drop(checked.unknown.insert(source.id.clone(), unknown)),
            }
        }
        self.give_back(binder);
        Ok(())
    }

    /// Sees to it that a source can be declared, which types of the user's own may not allow.
    fn declare_source(&self, source: &Source, schema: &Schema, binder: &mut dyn Binder) -> Result<(), Refusal> {
        let memory = &self.request.memory;
        let columns = schema.columns.iter().flat_map(|column| [column.name.as_str(), column.data_type.as_str()]);
        let question = memory.key(["declare"].into_iter().chain(columns));
        if memory.find(&question).is_none() {
            self.declare(binder, &[(&source.relation, schema)])?;
            memory.keep(&question, &[]);
        }
        Ok(())
    }

    fn source(&self, source: &Source, manifest: &Manifest, binder: &mut dyn Binder) -> Result<Schema, Unknown> {
        if let Some(schema) = self.received(source) {
            return Ok(schema);
        }
        if let Some(expression) = &source.relation.expression {
            let columns = binder.columns(&format!("select * from {expression}"));
            return columns
                .map(|columns| Schema { columns, certain: true })
                .map_err(|refused| Unknown::World(refused.message));
        }
        // A seed may stand for what others load.
        let seeds = manifest.nodes.values().filter(|node| matches!(node.kind, Kind::Seed { .. }));
        let seed = seeds.into_iter().find(|seed| seed.relation.same_as(&source.relation));
        if let Some(seed) = seed.filter(|seed| self.is_built(seed)) {
            return self.seed(seed, binder);
        }
        let columns = self.outside.columns(&source.relation);
        if !columns.is_empty() {
            return Ok(Schema { columns, certain: !self.outside.has_hooks || self.request.before == Before::Nothing });
        }
        if let Some(seed) = seed {
            return self.seed(seed, binder);
        }
        let declared: Option<Vec<Column>> = source
            .columns
            .values()
            .map(|column| Some(Column { name: column.name.clone(), data_type: column.data_type.clone()? }))
            .collect();
        match declared.filter(|columns| !columns.is_empty()) {
            Some(columns) => Ok(Schema { columns, certain: self.request.before == Before::Nothing }),
            None => Err(Unknown::Undeclared),
        }
    }

    /// Whether a node is built by what the check comes before.
    pub fn is_built(&self, node: &Node) -> bool {
        self.request.before == Before::Nothing || self.request.selected.contains(&node.id)
    }

    /// The columns of a seed.
    pub fn seed(&self, node: &Node, binder: &mut dyn Binder) -> Result<Schema, Unknown> {
        let file = SeedFile::of(node, !self.request.session.project.is_native()).ok_or(Unknown::Data)?;
        let memory = &self.request.memory;
        let types = serde_json::to_string(&file.column_types).unwrap_or_default();
        let how = format!("{}{}", file.delimiter, file.infer_types);
        let question = memory.key(["seed", &node.checksum, &types, &how]);
        // In the place of the digest of a large file is its path.
        let is_digest = node.checksum.len() == 64 && node.checksum.bytes().all(|byte| byte.is_ascii_hexdigit());
        let question = is_digest.then_some(question);
        if let Some(columns) = question.as_ref().and_then(|question| memory.find(question)) {
            return Ok(Schema { columns, certain: true });
        }
        let columns = binder.declare_seed(&node.relation, &file).map_err(|error| Unknown::World(error.to_string()))?;
        self.is_declared(&node.relation);
        question.iter().for_each(|question| memory.keep(question, &columns));
        Ok(Schema { columns, certain: true })
    }
}
