//! Turns nodes into the SQL that a run would send, as far as it can be known before the run.

use std::sync::Arc;

use crate::adapter::AdapterError;
use crate::check::witness::{Way, Witness, lock, reads_nothing};
use crate::check::{Before, Checker};
use crate::compile::session::{Asked, Warehouse};
use crate::compile::{CompiledNode, compile};
use crate::diagnostic::Diagnostic;
use crate::manifest::Node;
use crate::map::IndexMap;
use crate::parallel;

/// The SQL of a node, or why there is none.
pub enum Rendered {
    /// It does not depend on what other nodes become.
    Sql(Box<CompiledNode>),
    /// The template is wrong, whatever the warehouse holds.
    Wrong(Box<Diagnostic>),
    /// It asks for columns or rows of others: to be rendered when they are typed.
    Later,
}

impl Checker<'_> {
    /// Renders every node at once; what asks for something has to wait.
    pub fn render_all<'n>(&self, nodes: &[&'n Node]) -> Result<IndexMap<&'n str, Rendered>, AdapterError> {
        let warehouse = Arc::new(self.witness()?);
        let nodes: Vec<&Node> = nodes.iter().copied().filter(|node| node.is_compiled()).collect();
        let rendered = parallel::map(&nodes, |node| self.render(node, &warehouse));
        Ok(nodes.iter().map(|node| node.id.as_str()).zip(rendered).collect())
    }

    fn render(&self, node: &Node, warehouse: &Arc<Warehouse>) -> Rendered {
        let session = &self.request.session;
        let compiled = compile(session, warehouse, node);
        let asked = self.asked(node, compiled.as_ref().ok());
        let waits = !asked.columns.is_empty() || !asked.statements.iter().all(|query| reads_nothing(query));
        match compiled {
            _ if waits => Rendered::Later,
            Err(_) if self.depends_on_data(node, &asked) => Rendered::Later,
            Ok(compiled) => Rendered::Sql(Box::new(compiled)),
            Err(problem) => Rendered::Wrong(Box::new(problem)),
        }
    }

    /// A way for templates to ask.
    pub fn witness(&self) -> Result<Warehouse, AdapterError> {
        Ok(Warehouse::of(Box::new(Witness {
            binder: self.binder()?,
            columns: self.columns.clone(),
            warehouse: Way::new(self.request.warehouse.clone()),
            reads: self.request.before == Before::Nothing,
            in_transaction: false,
        })))
    }

    /// What a node's template asked, and those of the ephemeral models in it.
    pub fn asked(&self, node: &Node, compiled: Option<&CompiledNode>) -> Asked {
        let session = &self.request.session;
        let mut asked = session.asked(&node.id);
        for (id, _) in compiled.iter().flat_map(|compiled| &compiled.ctes) {
            let other = session.asked(id);
            asked.statements.extend(other.statements);
            asked.columns.extend(other.columns);
            asked.existing.extend(other.existing);
        }
        asked
    }

    /// Whether what a template asked can have another answer when it runs.
    pub fn depends_on_data(&self, node: &Node, asked: &Asked) -> bool {
        let built = |relation: &crate::adapter::relation::Relation| {
            let known = lock(&self.columns);
            !relation.same_as(&node.relation) && known.get(&relation.key()).is_some()
        };
        asked.existing.iter().any(|relation| relation.identifier.is_none() || built(relation))
            || !asked.statements.iter().all(|query| reads_nothing(query))
    }
}
