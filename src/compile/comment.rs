//! Turns `query-comment` of the project file into the comment that every statement of a node carries.
//!
//! Source: <https://docs.getdbt.com/reference/project-configs/query-comment>.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::compile::context::node_json;
use crate::compile::session::Session;
use crate::jinja::{ErrorKind, HostError, RenderError, ScopeValue, Template};
use crate::manifest::Node;
use crate::manifest::parse::{ParseHost, base_scope};

/// A comment, rendered for one node.
pub struct Comment {
    text: String,
    /// Whether it stands behind the statement.
    append: bool,
}

impl Comment {
    pub fn add(&self, sql: &str) -> String {
        let Comment { text, append } = self;
        match (append, sql.trim_end().strip_suffix(';')) {
            (false, _) => format!("/* {text} */\n{sql}"),
            (true, Some(statement)) => format!("{statement}\n/* {text} */;"),
            (true, None) => format!("{}\n/* {text} */", sql.trim_end()),
        }
    }
}

/// The comment of a node, or of an operation; none if the project asks for none.
pub fn render(session: &Session, node: Option<&Node>) -> Result<Option<Comment>, HostError> {
    let Some(written) = &session.project.root().settings.query_comment else { return Ok(None) };
    let (text, append) = match written {
        Json::Object(map) => (map.get("comment"), map.get("append").and_then(Json::as_bool).unwrap_or(false)),
        text => (Some(text), false),
    };
    let Some(text) = text.and_then(Json::as_str).filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let text = rendered(session, node, text).map_err(|error| refused(error.message))?;
    match text.trim() {
        "" => Ok(None),
        text if text.contains("*/") => Err(refused("the comment has `*/` in it, which would end it".to_string())),
        text => Ok(Some(Comment { text: text.to_string(), append })),
    }
}

fn rendered(session: &Session, node: Option<&Node>, text: &str) -> Result<String, RenderError> {
    let root = &session.project.root().name;
    let file = session.files.add("query-comment of the project file", text);
    let template = Template::new(file, session.files.get(file).text)?;
    let target = &session.project.target;
    let this = Relation::new(&target.database, &target.schema, "");
    let mut scope = base_scope(&session.project, root, &this);
    let mut put = |name: &str, value: Json| drop(scope.values.insert(name.to_string(), ScopeValue::Json(value)));
    put("node", node.map_or(Json::Null, |node| node_json(&session.manifest, node)));
    put("connection_name", json!(node.map_or("master", |node| &node.id)));
    put("invocation_id", json!(session.invocation.id));
    let host = Arc::new(ParseHost::new(&session.project, root, this));
    Ok(session.manifest.library.render(&template, &scope, host)?.text)
}

fn refused(message: String) -> HostError {
    HostError {
        kind: ErrorKind::Runtime,
        message: format!("`query-comment` of the project file: {message}"),
        help: None,
    }
}
