//! Turns the text of `--select` and `--exclude` into a Selector: dbt's selection grammar, without looking at nodes.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/node-selection/syntax>.

use crate::diagnostic::nearest;

/// What the user asks for: the flags of a command that choose nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Each `--select`; none at all means everything.
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    /// Each `--resource-type`; none at all means what the command works on.
    pub resource_types: Vec<String>,
    pub exclude_resource_types: Vec<String>,
    pub indirect: Indirect,
}

/// Which tests come along with the nodes that they test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Indirect {
    /// Tests with any parent selected.
    #[default]
    Eager,
    /// Tests with every parent selected.
    Cautious,
    /// Tests with every parent selected or upstream of what is selected.
    Buildable,
    /// No tests but those that are named.
    Empty,
}

/// A union of intersections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub union: Vec<Intersection>,
}

/// Atoms joined by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intersection {
    /// As it is written.
    pub text: String,
    pub atoms: Vec<Atom>,
}

/// One criterion with its graph operators, for instance `2+tag:nightly+`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    pub method: Method,
    pub value: String,
    /// Steps to go upstream: 0 for none, `usize::MAX` for all.
    pub parents: usize,
    /// Steps to go downstream: 0 for none, `usize::MAX` for all.
    pub children: usize,
    /// `@`: everything downstream, and everything upstream of that.
    pub childrens_parents: bool,
}

/// What the value of an atom is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

const METHODS: [&str; 16] = [
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
];

/// Methods of dbt that need what this version does not have: earlier results, or kinds of nodes.
const UNSUPPORTED: [&str; 7] =
    ["state", "result", "source_status", "selector", "saved_query", "semantic_model", "metric"];

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

/// Why a selection cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    pub message: String,
    /// The way out, where one is known.
    pub help: Option<String>,
}

impl SelectorError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> SelectorError {
        SelectorError { message: message.into(), help: Some(help.into()) }
    }
}

/// Parses one selection: criteria separated by spaces add up, criteria joined by commas must all hold.
pub fn parse(text: &str) -> Result<Selector, SelectorError> {
    let union = text.split_whitespace().map(intersection).collect::<Result<_, _>>()?;
    Ok(Selector { union })
}

/// Refuses a word that is not a kind of resource.
pub fn check_resource_type(word: &str) -> Result<(), SelectorError> {
    check_word("resource type", word, &RESOURCE_TYPES)
}

fn intersection(text: &str) -> Result<Intersection, SelectorError> {
    let atoms = text.split(',').map(atom).collect::<Result<_, _>>()?;
    Ok(Intersection { text: text.to_string(), atoms })
}

fn atom(text: &str) -> Result<Atom, SelectorError> {
    let (childrens_parents, rest) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
    let (parents, rest) = leading_depth(rest);
    let (name, rest) = method_name(rest);
    let (value, children) = trailing_depth(rest);
    if childrens_parents && children.is_some() {
        let message = format!("`{text}` has both `@` and a `+` at its end");
        return Err(SelectorError::new(message, "`@` already selects everything downstream: leave out the `+`"));
    }
    let method = name.map_or_else(|| Ok(default_method(value)), method)?;
    check_value(&method, value)?;
    let (parents, children) = (parents.unwrap_or(0), children.unwrap_or(0));
    Ok(Atom { method, value: value.to_string(), parents, children, childrens_parents })
}

/// `+…` or `2+…`.
fn leading_depth(text: &str) -> (Option<usize>, &str) {
    match text.split_once('+') {
        Some((digits, rest)) if all_digits(digits) => (Some(depth(digits)), rest),
        _ => (None, text),
    }
}

/// `…+` or `…+2`.
fn trailing_depth(text: &str) -> (&str, Option<usize>) {
    match text.rsplit_once('+') {
        Some((rest, digits)) if all_digits(digits) => (rest, Some(depth(digits))),
        _ => (text, None),
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn depth(digits: &str) -> usize {
    // No digits mean no limit, and so do digits beyond every graph.
    digits.parse().unwrap_or(usize::MAX)
}

/// `method:…`; a colon after other characters than those of a name belongs to the value.
fn method_name(text: &str) -> (Option<&str>, &str) {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.')
    };
    match text.split_once(':') {
        Some((name, rest)) if is_name(name) => (Some(name), rest),
        _ => (None, text),
    }
}

fn default_method(value: &str) -> Method {
    let lower = value.to_lowercase();
    if value.contains(['/', std::path::MAIN_SEPARATOR]) {
        Method::Path
    } else if [".sql", ".py", ".csv"].iter().any(|suffix| lower.ends_with(suffix)) {
        Method::File
    } else {
        Method::Fqn
    }
}

fn method(written: &str) -> Result<Method, SelectorError> {
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
        other => return Err(unknown_method(other)),
    })
}

fn unknown_method(name: &str) -> SelectorError {
    let known = || format!("the methods are {}", list(&METHODS));
    if UNSUPPORTED.contains(&name) {
        return SelectorError::new(
            format!("selecting by `{name}:` is not supported in this version of medal"),
            known(),
        );
    }
    let help = nearest(name, METHODS).map_or_else(known, |near| format!("did you mean `{near}:`?"));
    SelectorError::new(format!("there is no selection method `{name}:`"), help)
}

fn check_value(method: &Method, value: &str) -> Result<(), SelectorError> {
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

#[cfg(test)]
mod tests {
    use super::{Atom, Method, parse};

    fn one(text: &str) -> Atom {
        parse(text).unwrap().union.remove(0).atoms.remove(0)
    }

    fn refused(text: &str) -> (String, String) {
        let error = parse(text).unwrap_err();
        (error.message, error.help.unwrap_or_default())
    }

    #[test]
    fn an_atom_has_depths_on_both_sides() {
        let atom = one("2+tag:nightly+");
        assert_eq!((atom.method, atom.value.as_str()), (Method::Tag, "nightly"));
        assert_eq!((atom.parents, atom.children), (2, usize::MAX));
    }

    #[test]
    fn a_plus_inside_a_value_is_part_of_it() {
        assert_eq!(one("x+y").value, "x+y");
        assert_eq!(one("orders++").value, "orders+");
        assert_eq!((one("+").value.as_str(), one("+").parents), ("", usize::MAX));
    }

    #[test]
    fn the_method_follows_from_the_value_when_it_is_not_written() {
        assert_eq!(one("models/marts").method, Method::Path);
        assert_eq!(one("orders.SQL").method, Method::File);
        assert_eq!(one("marts.orders").method, Method::Fqn);
        assert_eq!(one("*:x").method, Method::Fqn);
    }

    #[test]
    fn config_keys_lead_to_a_nested_value() {
        assert_eq!(one("config.meta.owner:ann").method, Method::Config(vec!["meta".into(), "owner".into()]));
    }

    #[test]
    fn spaces_add_up_and_commas_narrow() {
        let selector = parse(" a b,c ").unwrap();
        assert_eq!(selector.union.iter().map(|part| part.atoms.len()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_misspelt_method_suggests_the_nearest() {
        let (message, help) = refused("tags:nightly");
        assert_eq!(message, "there is no selection method `tags:`");
        assert_eq!(help, "did you mean `tag:`?");
    }

    #[test]
    fn what_is_not_supported_says_so() {
        assert_eq!(refused("state:modified").0, "selecting by `state:` is not supported in this version of medal");
    }

    #[test]
    fn values_that_dbt_refuses_are_refused() {
        for text in [
            "@orders+",
            "resource_type:x",
            "test_type:x",
            "version:x",
            "source:a.b.c.d",
            "exposure:a.b.c",
            "/etc",
            "path:",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
