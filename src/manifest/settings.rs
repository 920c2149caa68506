//! Reads the settings of a materialization of medal's own from the configurations of a model and of its source, and
//! collects what is wrong with them.

use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::manifest::Node;
use crate::project::config::Config;

/// The configurations that a setting may stand in, the first one counting most.
pub struct Reader<'a> {
    pub node: &'a Node,
    pub configs: Vec<&'a Config>,
    /// The code of a setting that is wrong.
    pub code: Code,
    pub problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// A setting is wrong.
    pub fn refuse(&mut self, key: &str, fact: &str, help: &str) {
        let message = format!("`{key}` of the {} model `{}` {fact}", self.node.materialized(), self.node.name);
        self.problem(self.code, key, message, help);
    }

    pub fn problem(&mut self, code: Code, key: &str, message: String, help: &str) {
        self.problems.push(Diagnostic::error(code, self.node.config_place(key), message).help(help));
    }

    /// What is written for a key, `key` and `meta.medal.key` being two spellings of one.
    pub fn written(&mut self, key: &str) -> Option<Json> {
        for config in self.configs.clone() {
            let plain = config.written().get(key).filter(|value| !value.is_null());
            let portable = config.get("meta").and_then(|meta| meta.get("medal")?.get(key));
            match (plain, portable) {
                (Some(plain), Some(portable)) if plain != portable => {
                    let message = format!(
                        "`{key}` and `meta.medal.{key}` say different things to the {} model `{}`",
                        self.node.materialized(),
                        self.node.name
                    );
                    self.problem(Code::ConfigConflict, key, message, "they are two spellings of one key: keep one");
                    return Some(plain.clone());
                }
                (Some(value), _) | (None, Some(value)) => return Some(value.clone()),
                (None, None) => {}
            }
        }
        None
    }

    /// One of a few words, the first being the default.
    pub fn choice(&mut self, key: &str, words: &[&str]) -> String {
        let Some(value) = self.written(key) else { return words[0].to_string() };
        let text = match &value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !words.contains(&text.as_str()) {
            let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            self.refuse(key, &format!("is {value}"), &format!("it takes {}", quoted.join(" or ")));
            return words[0].to_string();
        }
        text
    }

    /// A text, or a list of texts.
    pub fn texts(&mut self, key: &str) -> Vec<String> {
        match self.written(key) {
            Some(Json::String(text)) => vec![text],
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).map(str::to_string).collect(),
            Some(other) => {
                self.refuse(key, &format!("is {other}"), "it takes a text, or a list of texts");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.written(key)? {
            Json::String(text) => Some(text),
            other => {
                self.refuse(key, &format!("is {other}"), "it takes a text");
                None
            }
        }
    }
}
