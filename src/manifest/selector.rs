//! Turns the text of `--select` and `--exclude` into a Selector: dbt's selection grammar, without looking at nodes.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/node-selection/syntax>.

pub mod method;

use crate::manifest::selector::method::{Method, check_value};
use crate::manifest::selectors::Selectors;

/// What the user asks for: the flags of a command that choose nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Each `--select`; none at all means everything.
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    /// A selector of `selectors.yml`, which takes the place of both.
    pub selector: Option<String>,
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

impl Indirect {
    pub fn from_name(name: &str) -> Option<Indirect> {
        match name {
            "eager" => Some(Indirect::Eager),
            "cautious" => Some(Indirect::Cautious),
            "buildable" => Some(Indirect::Buildable),
            "empty" => Some(Indirect::Empty),
            _ => None,
        }
    }
}

/// What to choose: a criterion, or several that are put together.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    One(Atom),
    Group(Group),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub join: Join,
    pub parts: Vec<Selector>,
    /// As it is written on the command line, where a part that matches nothing is told of.
    pub text: Option<String>,
    /// Whether tests whose parents come together only here are chosen by the rule of the command line.
    pub gathers_tests: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    Union,
    Intersection,
    /// The first part without the others.
    Difference,
}

/// One criterion with its graph operators, for instance `2+tag:nightly+`.
#[derive(Debug, Clone, PartialEq)]
pub struct Atom {
    pub method: Method,
    pub value: String,
    /// Steps to go upstream: 0 for none, `usize::MAX` for all.
    pub parents: usize,
    /// Steps to go downstream: 0 for none, `usize::MAX` for all.
    pub children: usize,
    /// `@`: everything downstream, and everything upstream of that.
    pub childrens_parents: bool,
    /// Which tests come along, if not by the rule of the command line.
    pub indirect: Option<Indirect>,
}

/// Why a selection cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    pub message: String,
    /// The way out, where one is known.
    pub help: Option<String>,
}

impl SelectorError {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> SelectorError {
        SelectorError { message: message.into(), help: Some(help.into()) }
    }
}

impl Selector {
    /// Whether a criterion anywhere in it holds.
    pub fn any(&self, holds: &dyn Fn(&Method) -> bool) -> bool {
        match self {
            Selector::One(Atom { method: Method::Selector(named), .. }) => named.any(holds),
            Selector::One(atom) => holds(&atom.method),
            Selector::Group(group) => group.parts.iter().any(|part| part.any(holds)),
        }
    }
}

/// Parses one selection: criteria separated by spaces add up, criteria joined by commas must all hold.
pub fn parse(text: &str, selectors: &Selectors) -> Result<Selector, SelectorError> {
    let parts = text.split_whitespace().map(|part| intersection(part, selectors)).collect::<Result<_, _>>()?;
    Ok(Selector::Group(Group { join: Join::Union, parts, text: None, gathers_tests: true }))
}

fn intersection(text: &str, selectors: &Selectors) -> Result<Selector, SelectorError> {
    let parts = text.split(',').map(|part| atom(part, selectors).map(Selector::One)).collect::<Result<_, _>>()?;
    Ok(Selector::Group(Group { join: Join::Intersection, parts, text: Some(text.to_string()), gathers_tests: true }))
}

/// Parses one criterion with its graph operators.
pub fn atom(text: &str, selectors: &Selectors) -> Result<Atom, SelectorError> {
    let (childrens_parents, rest) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
    let (parents, rest) = leading_depth(rest);
    let (name, rest) = method_name(rest);
    let (value, children) = trailing_depth(rest);
    if childrens_parents && children.is_some() {
        let message = format!("`{text}` has both `@` and a `+` at its end");
        return Err(SelectorError::new(message, "`@` already selects everything downstream: leave out the `+`"));
    }
    let method = match name {
        Some(name) => Method::named(name, value, selectors)?,
        None => Method::of_value(value),
    };
    check_value(&method, value)?;
    let (parents, children) = (parents.unwrap_or(0), children.unwrap_or(0));
    Ok(Atom { method, value: value.to_string(), parents, children, childrens_parents, indirect: None })
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

#[cfg(test)]
mod tests {
    use super::method::Method;
    use super::{Atom, Group, Selector, SelectorError};
    use crate::manifest::selectors::Selectors;

    fn parse(text: &str) -> Result<Selector, SelectorError> {
        super::parse(text, &Selectors::default())
    }

    fn parts(selector: Selector) -> Vec<Selector> {
        match selector {
            Selector::Group(Group { parts, .. }) => parts,
            one => vec![one],
        }
    }

    fn one(text: &str) -> Atom {
        match parts(parts(parse(text).unwrap()).remove(0)).remove(0) {
            Selector::One(atom) => atom,
            Selector::Group(_) => unreachable!("a criterion is no group"),
        }
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
        let selector = parts(parse(" a b,c ").unwrap());
        assert_eq!(selector.into_iter().map(|part| parts(part).len()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_misspelt_method_suggests_the_nearest() {
        let (message, help) = refused("tags:nightly");
        assert_eq!(message, "there is no selection method `tags:`");
        assert_eq!(help, "did you mean `tag:`?");
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
            "state:changed",
            "selector:nobody",
            "source_status:stale",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
