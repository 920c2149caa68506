//! Reads `semantic_models`, `metrics` and `saved_queries` of a property file: what names them, and the rest as written.

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::project::fields::Fields;
use crate::project::render::YamlRenderer;
use crate::yaml::Yaml;

/// What is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SemanticKind {
    Model,
    Metric,
    SavedQuery,
}

impl SemanticKind {
    pub const ALL: [SemanticKind; 3] = [SemanticKind::Model, SemanticKind::Metric, SemanticKind::SavedQuery];

    /// The key of property files, and of dbt's manifest.
    pub fn key(self) -> &'static str {
        match self {
            SemanticKind::Model => "semantic_models",
            SemanticKind::Metric => "metrics",
            SemanticKind::SavedQuery => "saved_queries",
        }
    }

    /// dbt's word for it.
    pub fn resource_type(self) -> &'static str {
        match self {
            SemanticKind::Model => "semantic_model",
            SemanticKind::Metric => "metric",
            SemanticKind::SavedQuery => "saved_query",
        }
    }

    /// The key without which it says nothing.
    fn needs(self) -> &'static str {
        match self {
            SemanticKind::Model => "model",
            SemanticKind::Metric => "type",
            SemanticKind::SavedQuery => "query_params",
        }
    }

    fn what(self) -> &'static str {
        match self {
            SemanticKind::Model => "a semantic model",
            SemanticKind::Metric => "a metric",
            SemanticKind::SavedQuery => "a saved query",
        }
    }
}

/// One entry of a property file.
#[derive(Debug, Clone)]
pub struct SemanticProperties {
    pub kind: SemanticKind,
    pub name: String,
    pub span: Span,
    pub config: JsonMap,
    pub written: JsonMap,
}

/// Templates of the semantic layer itself, which are not dbt's, and descriptions.
const AS_WRITTEN: [&str; 3] = ["description", "filter", "where"];

/// The entries of a file that is not rendered yet.
pub fn read(file: &Yaml, renderer: &YamlRenderer, sink: &mut Diagnostics) -> Vec<SemanticProperties> {
    let of =
        |kind: SemanticKind| file.get(kind.key()).map_or(&[][..], Yaml::items).iter().map(move |item| (kind, item));
    let items = SemanticKind::ALL.into_iter().flat_map(of);
    items.filter_map(|(kind, item)| entry(kind, &renderer.yaml(item, &AS_WRITTEN, sink), sink)).collect()
}

fn entry(kind: SemanticKind, yaml: &Yaml, sink: &mut Diagnostics) -> Option<SemanticProperties> {
    let mut fields = Fields::new(yaml, kind.what(), sink);
    let (name, span) = fields.name()?;
    let config = fields.json_map("config");
    if fields.get(kind.needs()).is_none() {
        let message = format!("{} needs the key `{}`, and `{name}` has none", kind.what(), kind.needs());
        sink.push(Diagnostic::error(Code::InvalidValue, span, message));
        return None;
    }
    match yaml.to_json() {
        Json::Object(written) => Some(SemanticProperties { kind, name, span, config, written }),
        _ => None,
    }
}
