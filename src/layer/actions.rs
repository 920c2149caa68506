//! What a test does with the rows that break it: `action: warn | quarantine | drop | fail`.
//!
//! Source of the rules: `docs/medallion.md`, section 4. They bind to models with a layer only.

use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::layer::publishing::publishing;
use crate::manifest::builtin::MEDAL_PACKAGE;
use crate::manifest::{Manifest, Node};
use crate::project::layers::{Layers, medal_key};

/// What happens with rows that break a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They are published, and counted.
    Warn,
    /// They go into quarantine, the others are published.
    Quarantine,
    /// They are left out, and counted.
    Drop,
    /// Nothing is published.
    Fail,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Warn => "warn",
            Action::Quarantine => "quarantine",
            Action::Drop => "drop",
            Action::Fail => "fail",
        }
    }

    fn from_name(name: &str) -> Option<Action> {
        [Action::Warn, Action::Quarantine, Action::Drop, Action::Fail].into_iter().find(|action| action.name() == name)
    }

    /// Whether rows are taken out while the model is built.
    pub fn sifts(self) -> bool {
        matches!(self, Action::Quarantine | Action::Drop)
    }
}

/// The tests that say of each row by itself whether it breaks them.
const ROW_LEVEL: [&str; 8] =
    ["not_null", "accepted_values", "relationships", "unique", "in_range", "regex", "length", "expression"];

/// The action that a test is configured with.
pub fn action(test: &Node) -> Option<Action> {
    medal_key(test.config.written(), "action").and_then(Json::as_str).and_then(Action::from_name)
}

/// The share of rows that may break a test.
pub fn max_rate(test: &Node) -> Option<f64> {
    medal_key(test.config.written(), "max_rate").and_then(Json::as_f64)
}

/// What rows that break a test are counted as: its `code`, else its name.
pub fn code(test: &Node) -> String {
    let own = medal_key(test.config.written(), "code").and_then(Json::as_str);
    own.or(test.generic_test().map(|test| test.name.as_str())).unwrap_or(&test.name).to_string()
}

/// The share of its rows that a model may lose to quarantine.
pub fn budget(model: &Node) -> Option<f64> {
    medal_key(model.config.written(), "quarantine")?.get("max_rate")?.as_f64()
}

fn is_row_level(test: &Node) -> bool {
    test.generic_test().is_some_and(|test| {
        let is_ours = test.namespace.as_deref().is_none_or(|namespace| namespace == MEDAL_PACKAGE);
        is_ours && ROW_LEVEL.contains(&test.name.as_str())
    })
}

/// The tests that take rows out of a model while it is built, in the order of the project.
pub fn sifting<'m>(manifest: &'m Manifest, layers: &Layers, model: &Node) -> Vec<&'m Node> {
    if publishing(model, layers).is_none() {
        return Vec::new();
    }
    let tests = manifest.graph.children(&model.id).filter_map(|id| manifest.node(id));
    let attached = |test: &&Node| test.generic_test().is_some_and(|test| test.attached.as_ref() == Some(&model.id));
    tests.filter(attached).filter(|test| is_row_level(test) && action(test).is_some_and(Action::sifts)).collect()
}

/// What is wrong with the actions of tests of models that have a layer.
pub fn problems(manifest: &Manifest, layers: &Layers) -> Vec<Diagnostic> {
    let tests = manifest.nodes.values().map(Box::as_ref).filter(|node| node.is_test());
    let problem = |test: &Node| {
        let model = manifest.node(test.generic_test()?.attached.as_deref()?)?;
        publishing(model, layers)?;
        let written = medal_key(test.config.written(), "action")?;
        let span = test.generic_test()?.span;
        let Some(action) = written.as_str().and_then(Action::from_name) else {
            let message = format!("`action` is warn, quarantine, drop or fail, and this is `{written}`");
            return Some(Diagnostic::error(Code::InvalidValue, span, message));
        };
        let takes = format!("`action: {}` takes rows out of `{}`", action.name(), model.name);
        match action.sifts() {
            true if !is_row_level(test) => {
                let message = format!("{takes}, and `{}` does not say which rows", test.generic_test()?.name);
                let help = format!("use `fail` or `warn`; the tests that speak of rows are {}", ROW_LEVEL.join(", "));
                Some(Diagnostic::error(Code::TestAction, span, message).help(help))
            }
            true if model.materialized() == "view" => {
                let message = format!("{takes}, which is a view and keeps no rows");
                Some(Diagnostic::error(Code::TestAction, span, message).help("make the model a table"))
            }
            _ => None,
        }
    };
    tests.filter_map(problem).collect()
}
