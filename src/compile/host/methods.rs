//! What `adapter.<name>(…)` gives where the name is one of the fewer used ones.

use serde_json::{Value as Json, json};

use crate::adapter::relation::literal;
use crate::adapter::{self, SeedFile};
use crate::compile::host::NodeHost;
use crate::compile::landing;
use crate::diagnostic::Diagnostic;
use crate::jinja::{ErrorKind, HostError, unavailable};
use crate::manifest::{Node, cdc, ingest};

impl NodeHost {
    /// Answers a method of the adapter that the host has no function for; none if there is no such method.
    pub fn method(&self, name: &str, args: &[Json]) -> Option<Result<Json, HostError>> {
        let settings = &self.session.project.target.settings;
        let text = || args.first().and_then(Json::as_str).unwrap_or_default();
        match name {
            "external_root" => Some(Ok(settings.get("external_root").cloned().unwrap_or(json!(".")))),
            "is_ducklake" => {
                Some(Ok(json!(adapter::lakes(&self.session.project.target).iter().any(|lake| lake == text()))))
            }
            "get_seed_file_path" => {
                let id = args.first().and_then(|model| model["unique_id"].as_str()).unwrap_or_default();
                let seed = self.manifest().node(id).and_then(|node| SeedFile::of(node, true));
                Some(Ok(seed.map_or(Json::Null, |seed| json!(seed.path.to_string_lossy()))))
            }
            "disable_transactions" => Some(Ok(settings.get(name).cloned().unwrap_or(json!(false)))),
            "escape_sql_string" => Some(Ok(json!(text().replace('\'', "''")))),
            // A file that is not there is an answer, not a failure.
            "location_exists" => {
                let sql = format!("select 1 from {}", literal(text()));
                Some(Ok(json!(self.warehouse.with(|connection| connection.describe(&sql)).is_ok())))
            }
            "store_relation" => Some(Err(HostError {
                kind: ErrorKind::Unsupported,
                message: format!(
                    "the plugin `{}` is a part of dbt-duckdb in Python, which medal does not have",
                    text()
                ),
                help: None,
            })),
            "ingest_settings" => {
                Some(self.settings(|node| ingest::settings(self.manifest(), node).map(|it| it.json())))
            }
            "cdc_settings" => Some(self.settings(|node| cdc::settings(self.manifest(), node))),
            _ => landing::answer(&self.session, &self.warehouse, name, args),
        }
    }

    /// What the node's materialization is told by its configuration.
    fn settings(&self, read: impl FnOnce(&Node) -> Result<Json, Vec<Diagnostic>>) -> Result<Json, HostError> {
        let node = self.node().ok_or_else(|| unavailable("the settings of a model"))?;
        read(node).map_err(|mut problems| {
            let first = problems.remove(0);
            HostError { kind: ErrorKind::Refused(first.code), message: first.message, help: first.help }
        })
    }
}
