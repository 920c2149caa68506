//! Turns `layers:` of `medal.yml` into Layers: which layer a model belongs to, and what the layer says of it.

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::jinja::JsonMap;
use crate::project::fields::Fields;
use crate::yaml::{Value, Yaml};

/// The layers of a project, in the order in which data flows.
#[derive(Debug, Clone)]
pub struct Layers {
    pub layers: IndexMap<String, Layer>,
    /// Whether `layers:` was written, or the project is native: only then do layers change or refuse anything.
    pub enforced: bool,
}

#[derive(Debug, Clone)]
pub struct Layer {
    pub name: String,
    /// Folders of the project; the longest that holds a model decides.
    pub paths: Vec<String>,
    /// Names of folders, anywhere in a path, that mean this layer when no `paths` fits.
    pub folders: Vec<String>,
    /// Names of layers, and `source` for sources and seeds.
    pub reads: Vec<String>,
    /// Configuration below everything else that is written.
    pub defaults: JsonMap,
    /// A layer that keeps what was received: a projection, nothing else.
    pub raw: bool,
    /// How a broken rule counts; `None` if it does not.
    pub severity: Option<Severity>,
    pub publishing: Publishing,
    /// What each of its models must have.
    pub require: Vec<Requirement>,
    /// How a model counts that only repeats one model of another layer.
    pub mirror: Option<Severity>,
    /// No column of its models may hold personal data.
    pub forbids_pii: bool,
}

/// Something that a layer asks of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// A group, or `meta: {owner: …}`.
    Owner,
    Description,
    /// `unique_key`, a key as a constraint, or a test that finds duplicates.
    UniqueKey,
    /// `contract: {enforced: true}`.
    Contract,
}

impl Requirement {
    const ALL: [Requirement; 4] =
        [Requirement::Owner, Requirement::Description, Requirement::UniqueKey, Requirement::Contract];

    /// The word that `require:` has for it.
    pub fn name(self) -> &'static str {
        match self {
            Requirement::Owner => "owner",
            Requirement::Description => "description",
            Requirement::UniqueKey => "unique_key",
            Requirement::Contract => "contract",
        }
    }
}

/// How what is built becomes what is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Publishing {
    /// A model is tested before it is published.
    pub audited: bool,
    /// The models of the layer that a run builds are published in one transaction, or none of them is.
    pub together: bool,
    /// The share of its rows that a table may lose from one version to the next.
    pub max_shrink: Option<f64>,
    /// How many versions of a table there are at most, that which is published among them, if that is written.
    pub keep: Option<usize>,
}

impl Publishing {
    fn new(audited: bool) -> Publishing {
        Publishing { audited, together: false, max_shrink: None, keep: None }
    }
}

/// What a layer may read besides layers: sources and seeds.
pub const SOURCE: &str = "source";

/// Reads `layers:`; without it the three layers of a medallion are known by their folders.
pub fn read(written: Option<&Yaml>, native: bool, sink: &mut Diagnostics) -> Layers {
    let Some(written) = written else {
        let severity = native.then_some(Severity::Error);
        let layers = ["bronze", "silver", "gold"].map(|name| (name.to_string(), standard(name, severity, native)));
        return Layers { layers: layers.into_iter().collect(), enforced: native };
    };
    let mut severity = Some(Severity::Error);
    let mut layers = IndexMap::default();
    for (key, value) in written.entries() {
        if key.name == "severity" {
            severity = read_severity("severity", value, sink);
        }
    }
    for (key, value) in written.entries() {
        if key.name != "severity" || matches!(value.value, Value::Map(_)) {
            layers.insert(key.name.clone(), read_layer(&key.name, value, severity, sink));
        }
    }
    check_reads(written, &layers, sink);
    Layers { layers, enforced: true }
}

/// The layer of a name that needs no explanation, as the documentation lists it.
fn standard(name: &str, severity: Option<Severity>, defaults: bool) -> Layer {
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let (folders, reads, materialized) = match name {
        "bronze" => (words(&["bronze", "raw", "base", "landing"]), words(&[SOURCE]), "view"),
        "silver" => (words(&["silver", "staging", "intermediate"]), words(&["bronze", "silver"]), "table"),
        "gold" => (words(&["gold", "marts", "mart", "reporting"]), words(&["silver", "gold"]), "table"),
        other => (words(&[other]), Vec::new(), "view"),
    };
    let mut config = JsonMap::new();
    if defaults {
        config.insert("materialized".to_string(), json!(materialized));
        config.insert("schema".to_string(), json!(name));
    }
    Layer {
        name: name.to_string(),
        paths: Vec::new(),
        folders,
        reads,
        defaults: config,
        raw: name == "bronze",
        severity,
        publishing: Publishing::new(name != "bronze"),
        require: Vec::new(),
        mirror: severity.filter(|_| name == "gold").map(|_| Severity::Warning),
        forbids_pii: false,
    }
}

fn read_layer(name: &str, yaml: &Yaml, severity: Option<Severity>, sink: &mut Diagnostics) -> Layer {
    let mut layer = standard(name, severity, false);
    let mut fields = Fields::new(yaml, "a layer", sink);
    if let Some(paths) = fields.texts("paths") {
        layer.paths = paths.into_iter().map(|path| path.trim_end_matches('/').to_string()).collect();
        layer.folders.clear();
    }
    if let Some(reads) = fields.texts("reads") {
        layer.reads = reads;
    }
    layer.defaults = fields.json_map("defaults");
    if let Some(schema) = fields.text("schema") {
        layer.defaults.insert("schema".to_string(), json!(schema));
    }
    if let Some(raw) = fields.flag("raw") {
        layer.raw = raw;
    }
    if let Some(written) = fields.get("severity") {
        layer.severity = read_severity("severity", written, fields.sink);
    }
    if let Some(written) = fields.get("mirror") {
        layer.mirror = read_severity("mirror", written, fields.sink);
    }
    layer.mirror = layer.mirror.filter(|_| layer.severity.is_some());
    layer.publishing = read_publishing(Publishing::new(!layer.raw), &mut fields);
    layer.require = read_requirements(&mut fields);
    let forbids =
        |value: &Yaml| value.as_str().filter(|word| ["forbid", "allow"].contains(word)).map(|word| word == "forbid");
    layer.forbids_pii = value_of(&mut fields, "pii", "`forbid` or `allow`", forbids).unwrap_or(false);
    for key in ["retention", "access"] {
        if let Some(value) = fields.get(key) {
            let message = format!("`{key}` of a layer is not enforced by this version of medal");
            fields.sink.push(Diagnostic::warning(Code::Unsupported, value.span, message));
        }
    }
    fields.finish(Severity::Error);
    layer
}

/// The words of `require:`.
fn read_requirements(fields: &mut Fields<'_, '_>) -> Vec<Requirement> {
    let Some(words) = fields.get("require") else { return Vec::new() };
    let mut found = Vec::new();
    for word in words.items() {
        let text = word.as_str().unwrap_or_default();
        if let Some(known) = Requirement::ALL.into_iter().find(|known| known.name() == text) {
            found.push(known);
            continue;
        }
        let names = Requirement::ALL.map(Requirement::name);
        let message = "`require` of a layer is a list of owner, description, unique_key and contract";
        let problem = Diagnostic::error(Code::InvalidValue, word.span, message);
        fields.sink.push(match nearest(text, names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
    found
}

/// The keys that say how a layer publishes.
fn read_publishing(default: Publishing, fields: &mut Fields<'_, '_>) -> Publishing {
    let word = |yes: &'static str, no: &'static str| {
        move |value: &Yaml| value.as_str().filter(|word| [yes, no].contains(word)).map(|word| word == yes)
    };
    let share = |value: &Yaml| value.to_json().as_f64().filter(|share| (0.0..=1.0).contains(share));
    let count =
        |value: &Yaml| value.to_json().as_u64().filter(|count| *count > 0).and_then(|n| usize::try_from(n).ok());
    Publishing {
        audited: value_of(fields, "publish", "`audited` or `immediate`", word("audited", "immediate"))
            .unwrap_or(default.audited),
        together: value_of(fields, "publish_group", "`together` or `alone`", word("together", "alone"))
            .unwrap_or(default.together),
        max_shrink: value_of(fields, "max_shrink", "a share between 0 and 1", share).or(default.max_shrink),
        keep: value_of(fields, "keep_generations", "a number from 1", count).or(default.keep),
    }
}

/// The value of a key that takes only some values.
fn value_of<T>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    takes: &str,
    read: impl Fn(&Yaml) -> Option<T>,
) -> Option<T> {
    let value = fields.get(key)?;
    let found = read(value);
    if found.is_none() {
        let message = format!("`{key}` of a layer is {takes}");
        fields.sink.push(Diagnostic::error(Code::InvalidValue, value.span, message));
    }
    found
}

fn read_severity(key: &str, yaml: &Yaml, sink: &mut Diagnostics) -> Option<Severity> {
    match (&yaml.value, yaml.as_str()) {
        (_, Some("error")) => Some(Severity::Error),
        (_, Some("warn")) => Some(Severity::Warning),
        // YAML 1.1 reads a bare `off` as false.
        (Value::Bool(false), _) | (_, Some("off")) => None,
        _ => {
            let message = format!("`{key}` of a layer is `error`, `warn` or `off`");
            sink.push(Diagnostic::error(Code::InvalidValue, yaml.span, message));
            Some(Severity::Error)
        }
    }
}

fn check_reads(written: &Yaml, layers: &IndexMap<String, Layer>, sink: &mut Diagnostics) {
    for (_, value) in written.entries() {
        for name in value.get("reads").map_or(&[][..], Yaml::items) {
            let Some(word) = name.as_str() else { continue };
            if word == SOURCE || layers.contains_key(word) {
                continue;
            }
            let problem = Diagnostic::error(Code::UnknownLayer, name.span, format!("no layer is called `{word}`"));
            let known = layers.keys().map(String::as_str).chain([SOURCE]);
            sink.push(match nearest(word, known) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}

impl Layers {
    /// A project without layers.
    pub fn none() -> Layers {
        Layers { layers: IndexMap::default(), enforced: false }
    }

    /// The layer that a model's path puts it in: the longest of `paths`, else the innermost folder with a name
    /// that means a layer.
    pub fn of_path(&self, path: &str) -> Option<&Layer> {
        let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let by_path = self
            .layers
            .values()
            .flat_map(|layer| layer.paths.iter().map(move |path| (path.len(), layer, path)))
            .filter(|(_, _, path)| below(path))
            .max_by_key(|(length, ..)| *length)
            .map(|(_, layer, _)| layer);
        by_path.or_else(|| self.of_folder(path))
    }

    fn of_folder(&self, path: &str) -> Option<&Layer> {
        let (folders, _file) = path.rsplit_once('/')?;
        folders.rsplit('/').find_map(|folder| self.of_name(folder))
    }

    /// The layer that a folder or a schema of this name stands for.
    pub fn of_name(&self, name: &str) -> Option<&Layer> {
        let name = name.to_lowercase();
        self.layers.values().find(|layer| layer.folders.contains(&name))
    }

    /// The layer that a configuration names, or that its schema is called after.
    pub fn of_config(&self, config: &JsonMap) -> Option<&Layer> {
        let explicit = explicit(config).and_then(|name| self.layers.get(name));
        explicit.or_else(|| config.get("schema").and_then(Json::as_str).and_then(|schema| self.of_name(schema)))
    }
}

/// `layer:` of a configuration, or the portable spelling `meta.medal.layer`.
pub fn explicit(config: &JsonMap) -> Option<&str> {
    medal_key(config, "layer").and_then(Json::as_str)
}

/// A key that only medal has: of the configuration itself, or below `meta.medal`, which other tools accept.
pub fn medal_key<'c>(config: &'c JsonMap, key: &str) -> Option<&'c Json> {
    let portable = || config.get("meta").and_then(|meta| meta.get("medal")).and_then(|medal| medal.get(key));
    config.get(key).or_else(portable).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::diagnostic::Diagnostics;

    #[test]
    fn the_innermost_folder_that_means_a_layer_decides() {
        let layers = read(None, true, &mut Diagnostics::default());
        let name = |path: &str| layers.of_path(path).map(|layer| layer.name.as_str());
        assert_eq!(name("models/staging/shop/stg_orders.sql"), Some("silver"));
        assert_eq!(name("models/marts/gold/orders.sql"), Some("gold"));
        assert_eq!(name("models/bronze.sql"), None);
    }
}
