//! Knows the methods of selection: what the value of a criterion is compared with, and which values make sense.

use crate::diagnostic::nearest;
use crate::manifest::selector::{Selector, SelectorError};
use crate::manifest::selectors::Selectors;
use crate::manifest::state::Change;

/// What the value of a criterion is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    Fqn,
    Tag,
    Group,
    Access,
    Source,
    Path,
    File,
    Package,
    /// The keys that lead to a value of the configuration.
    Config(Vec<String>),
    TestName,
    TestType,
    ResourceType,
    Exposure,
    Version,
    Layer,
    UnitTest,
    /// How a node differs from that of `--state`.
    State(StateTest),
    /// How a node ended in the run of `--state`.
    Result,
    /// Sources that were loaded since the run of `--state`.
    SourceStatus,
    /// A selector of `selectors.yml`.
    Selector(Box<Selector>),
    /// A kind of resource that medal reads and leaves out: nothing is chosen.
    Nothing,
}

/// What `state:` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateTest {
    Is(Change),
    IsNot(Change),
}

const METHODS: [&str; 23] = [
    "fqn",
    "tag",
    "group",
    "access",
    "source",
    "path",
    "file",
    "package",
    "config",
    "test_name",
    "test_type",
    "resource_type",
    "exposure",
    "version",
    "layer",
    "unit_test",
    "state",
    "result",
    "source_status",
    "selector",
    "metric",
    "semantic_model",
    "saved_query",
];

/// dbt's kinds of resources, as `resource_type:` and `--resource-type` take them.
const RESOURCE_TYPES: [&str; 15] = [
    "model",
    "seed",
    "snapshot",
    "test",
    "analysis",
    "source",
    "exposure",
    "operation",
    "unit_test",
    "macro",
    "group",
    "metric",
    "semantic_model",
    "saved_query",
    "function",
];

const TEST_TYPES: [&str; 5] = ["generic", "singular", "data", "unit", "schema"];
const VERSIONS: [&str; 4] = ["latest", "prerelease", "old", "none"];

const STATES: [(&str, StateTest); 10] = [
    ("new", StateTest::Is(Change::New)),
    ("old", StateTest::IsNot(Change::New)),
    ("modified", StateTest::Is(Change::Content)),
    ("unmodified", StateTest::IsNot(Change::Content)),
    ("modified.body", StateTest::Is(Change::Body)),
    ("modified.configs", StateTest::Is(Change::Configs)),
    ("modified.persisted_descriptions", StateTest::Is(Change::PersistedDescriptions)),
    ("modified.relation", StateTest::Is(Change::Relation)),
    ("modified.macros", StateTest::Is(Change::Macros)),
    ("modified.contract", StateTest::Is(Change::Contract)),
];

impl Method {
    /// The method that is meant where none is written.
    pub fn of_value(value: &str) -> Method {
        let lower = value.to_lowercase();
        if value.contains(['/', std::path::MAIN_SEPARATOR]) {
            Method::Path
        } else if [".sql", ".py", ".csv"].iter().any(|suffix| lower.ends_with(suffix)) {
            Method::File
        } else {
            Method::Fqn
        }
    }

    /// The method of a name such as `tag` or `config.meta.owner`.
    pub fn named(written: &str, value: &str, selectors: &Selectors) -> Result<Method, SelectorError> {
        let mut parts = written.split('.');
        let name = parts.next().unwrap_or_default();
        Ok(match name {
            "fqn" => Method::Fqn,
            "tag" => Method::Tag,
            "group" => Method::Group,
            "access" => Method::Access,
            "source" => Method::Source,
            "path" => Method::Path,
            "file" => Method::File,
            "package" => Method::Package,
            "config" => Method::Config(parts.map(str::to_string).collect()),
            "test_name" => Method::TestName,
            "test_type" => Method::TestType,
            "resource_type" => Method::ResourceType,
            "exposure" => Method::Exposure,
            "version" => Method::Version,
            "layer" => Method::Layer,
            "unit_test" => Method::UnitTest,
            "state" => Method::State(state_test(value)?),
            "result" => Method::Result,
            "source_status" => Method::SourceStatus,
            "selector" => Method::Selector(Box::new(selectors.find(value)?.clone())),
            "metric" | "semantic_model" | "saved_query" => Method::Nothing,
            other => return Err(unknown_method(other)),
        })
    }
}

fn state_test(value: &str) -> Result<StateTest, SelectorError> {
    let words: Vec<&str> = STATES.iter().map(|(word, _)| *word).collect();
    check_word("state", value, &words)?;
    let found = STATES.iter().find(|(word, _)| *word == value).map(|(_, test)| *test);
    Ok(found.unwrap_or(StateTest::Is(Change::Content)))
}

/// Refuses a word that is not a kind of resource.
pub fn check_resource_type(word: &str) -> Result<(), SelectorError> {
    check_word("resource type", word, &RESOURCE_TYPES)
}

fn unknown_method(name: &str) -> SelectorError {
    let known = || format!("the methods are {}", list(&METHODS));
    let help = nearest(name, METHODS).map_or_else(known, |near| format!("did you mean `{near}:`?"));
    SelectorError::new(format!("there is no selection method `{name}:`"), help)
}

/// Refuses a value that the method cannot have.
pub fn check_value(method: &Method, value: &str) -> Result<(), SelectorError> {
    let parts = value.split('.').count();
    match method {
        Method::Source if parts > 3 => Err(SelectorError::new(
            format!("`source:{value}` has more than three parts"),
            "write `source:name`, `source:name.table` or `source:package.name.table`",
        )),
        Method::Exposure if parts > 2 => Err(SelectorError::new(
            format!("`exposure:{value}` has more than two parts"),
            "write `exposure:name` or `exposure:package.name`",
        )),
        Method::UnitTest if parts > 2 => Err(SelectorError::new(
            format!("`unit_test:{value}` has more than two parts"),
            "write `unit_test:name` or `unit_test:package.name`",
        )),
        Method::Path if value.is_empty() => Err(SelectorError::new(
            "`path:` stands without a path",
            "write the path relative to the project, for instance `path:models/marts`",
        )),
        Method::Path if value.starts_with('/') => Err(SelectorError::new(
            format!("`{value}` is an absolute path"),
            "write the path relative to the project, for instance `models/marts`",
        )),
        Method::SourceStatus => check_word("source status", value, &["fresher"]),
        Method::ResourceType => check_resource_type(value),
        Method::TestType => check_word("test type", value, &TEST_TYPES),
        Method::Version => check_word("version", value, &VERSIONS),
        _ => Ok(()),
    }
}

fn check_word(what: &str, word: &str, known: &[&str]) -> Result<(), SelectorError> {
    if known.contains(&word) {
        return Ok(());
    }
    let near = nearest(word, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let help = near.unwrap_or_else(|| format!("it is one of {}", list(known)));
    Err(SelectorError::new(format!("there is no {what} `{word}`"), help))
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
