//! Reads a YAML mapping key by key; the keys that nobody asked for are reported with the nearest known one.

use serde_json::Map;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::yaml::{Value, Yaml};

/// A mapping that is being read. `finish` must be called, or misspelt keys pass in silence.
pub struct Fields<'y, 's> {
    yaml: &'y Yaml,
    what: &'static str,
    known: Vec<&'static str>,
    pub sink: &'s mut Diagnostics,
}

impl<'y, 's> Fields<'y, 's> {
    /// Reports a value that is not a mapping, and reads it as an empty one.
    pub fn new(yaml: &'y Yaml, what: &'static str, sink: &'s mut Diagnostics) -> Fields<'y, 's> {
        if !matches!(yaml.value, Value::Map(_) | Value::Null) {
            let message = format!("{what} is a mapping, and this is {}", yaml.kind());
            sink.push(Diagnostic::error(Code::InvalidValue, yaml.span, message));
        }
        Fields { yaml, what, known: Vec::new(), sink }
    }

    /// The value of a key; null counts as absent.
    pub fn get(&mut self, key: &'static str) -> Option<&'y Yaml> {
        self.known.push(key);
        self.yaml.get(key).filter(|value| !value.is_null())
    }

    pub fn ignore(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        match &value.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(if *flag { "True" } else { "False" }.to_string()),
            _ => self.wrong(key, value, "a text"),
        }
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        match &value.value {
            Value::Bool(flag) => Some(*flag),
            _ => self.wrong(key, value, "true or false"),
        }
    }

    /// A list of texts; a single text counts as a list of one.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let texts: Option<Vec<String>> = value.items().iter().map(|item| item.as_str().map(str::to_string)).collect();
        texts.or_else(|| self.wrong(key, value, "a list of texts"))
    }

    /// The items of a list.
    pub fn list(&mut self, key: &'static str) -> &'y [Yaml] {
        match self.get(key) {
            Some(value) if matches!(value.value, Value::List(_)) => value.items(),
            Some(value) => self.wrong::<()>(key, value, "a list").map_or(&[], |()| &[]),
            None => &[],
        }
    }

    /// The items of a list, each read by a function, without slack: a project has tens of thousands of them.
    pub fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&'y Yaml, &mut Diagnostics) -> Option<T>,
    ) -> Vec<T> {
        let items = self.list(key);
        let mut all = Vec::with_capacity(items.len());
        all.extend(items.iter().filter_map(|item| read(item, self.sink)));
        all
    }

    pub fn json_map(&mut self, key: &'static str) -> JsonMap {
        match self.get(key) {
            Some(value) if matches!(value.value, Value::Map(_)) => match value.to_json() {
                serde_json::Value::Object(map) => map,
                _ => Map::new(),
            },
            Some(value) => self.wrong::<()>(key, value, "a mapping").map_or(Map::new(), |()| Map::new()),
            None => Map::new(),
        }
    }

    /// The value of `name`, which must be there.
    pub fn name(&mut self) -> Option<(String, Span)> {
        let span = self.yaml.get("name").map_or(self.yaml.span, |name| name.span);
        let name = self.text("name");
        if name.is_none() && self.yaml.get("name").is_none_or(Yaml::is_null) {
            let message = format!("{} has no `name`", self.what);
            let misspelt = self.yaml.entries().iter().find(|(key, _)| nearest(&key.name, ["name"]).is_some());
            self.sink.push(match misspelt {
                Some((key, _)) => Diagnostic::error(Code::InvalidValue, key.span, message).help("did you mean `name`?"),
                None => Diagnostic::error(Code::InvalidValue, self.yaml.span, message),
            });
        }
        name.map(|name| (name, span))
    }

    /// The keys that were not asked for, and a warning for those that are nearly known ones.
    pub fn rest(self) -> JsonMap {
        let unknown = self.yaml.entries().iter().filter(|(key, _)| !self.known.iter().any(|known| *known == key.name));
        let mut rest = JsonMap::new();
        for (key, value) in unknown {
            let near = nearest(&key.name, self.known.iter().copied());
            if let Some(near) = near.filter(|near| near.len() > 3) {
                let message = format!("`{}` is not a key of {}", key.name, self.what);
                let problem = Diagnostic::warning(Code::UnknownKey, key.span, message);
                self.sink.push(problem.help(format!("did you mean `{near}`?")));
            }
            rest.insert(key.name.to_string(), value.to_json());
        }
        rest
    }

    fn wrong<T>(&mut self, key: &str, value: &Yaml, wanted: &str) -> Option<T> {
        let message = format!("`{key}` is {wanted}, and this is {}", value.kind());
        self.sink.push(Diagnostic::error(Code::InvalidValue, value.span, message));
        None
    }

    /// Reports the keys that were not asked for.
    pub fn finish(self, severity: Severity) {
        for (key, _) in self.yaml.entries() {
            let told = self.yaml.get("name").is_none() && nearest(&key.name, ["name"]).is_some();
            if self.known.iter().any(|known| *known == key.name) || (told && self.known.contains(&"name")) {
                continue;
            }
            let message = format!("`{}` is not a key of {}", key.name, self.what);
            let problem = Diagnostic { severity, ..Diagnostic::error(Code::UnknownKey, key.span, message) };
            self.sink.push(match nearest(&key.name, self.known.iter().copied()) {
                Some(known) => problem.help(format!("did you mean `{known}`?")),
                None => problem,
            });
        }
    }
}
