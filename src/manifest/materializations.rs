//! Finds the materialization of a model, and what its configuration names that does not exist.
//!
//! Source of the rules: <https://docs.getdbt.com/docs/build/materializations> and
//! <https://docs.getdbt.com/docs/build/incremental-strategy>.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, nearest};
use crate::jinja::{Library, MacroInfo};
use crate::manifest::builtin::INTERNAL_PACKAGE;
use crate::manifest::{Kind, Node};
use crate::project::render::code_of;

/// The macro that builds a node as `name` for an adapter.
pub fn find<'l>(library: &'l Library, adapter: &str, node: &Node, name: &str) -> Result<&'l MacroInfo, Diagnostic> {
    library.find_materialization(name, adapter).ok_or_else(|| {
        let message = format!("`{}` asks for the materialization `{name}`, which does not exist", node.name);
        let problem = Diagnostic::error(Code::UnknownMaterialization, node.config_place("materialized"), message);
        let known = library
            .macros()
            .iter()
            .filter_map(|found| found.name.strip_prefix("materialization_")?.rsplit_once('_').map(|(name, _)| name));
        match nearest(name, known) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("view, table, incremental, ephemeral, seed and snapshot are built in"),
        }
    })
}

/// Why a model can never be built: its materialization or its incremental strategy does not exist.
pub fn problem(library: &Library, adapter: &str, node: &Node) -> Option<Diagnostic> {
    if !matches!(node.kind, Kind::Model) || node.is_ephemeral() {
        return None;
    }
    let found = match find(library, adapter, node, node.materialized()) {
        Ok(found) => found,
        Err(problem) => return Some(problem),
    };
    // A project's own materialization may read the strategy in its own way.
    if node.materialized() != "incremental" || found.package != INTERNAL_PACKAGE {
        return None;
    }
    let strategy = node.config.text("incremental_strategy")?;
    let missing = library.missing_strategy(&node.package, strategy)?;
    let place = node.config_place("incremental_strategy");
    let problem = Diagnostic::error(code_of(missing.kind), place, missing.message);
    Some(match missing.help {
        Some(help) => problem.help(help),
        None => problem,
    })
}
