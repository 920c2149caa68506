//! Turns `selectors.yml` into Selectors: selections that have a name.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/node-selection/yaml-selectors>.

use crate::map::IndexMap;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::files::Span;
use crate::manifest::selector::method::{Method, check_value};
use crate::manifest::selector::{Atom, Group, Indirect, Join, Selector, SelectorError, atom};
use crate::project::fields::Fields;
use crate::yaml::{Value, Yaml};

/// The selectors of a project by name.
#[derive(Debug, Clone, Default)]
pub struct Selectors {
    named: IndexMap<String, Named>,
}

#[derive(Debug, Clone)]
pub struct Named {
    pub selector: Selector,
    pub default: bool,
    /// As it is written.
    pub entry: Yaml,
}

impl Selectors {
    /// The selector of a name; an error with the nearest one if there is none.
    pub fn find(&self, name: &str) -> Result<&Selector, SelectorError> {
        let found = self.named.get(name).map(|named| &named.selector);
        found.ok_or_else(|| {
            let near = nearest(name, self.named.keys().map(String::as_str));
            let help = near.map_or_else(|| self.names(), |near| format!("did you mean `{near}`?"));
            SelectorError::new(format!("`selectors.yml` has no selector `{name}`"), help)
        })
    }

    fn names(&self) -> String {
        match self.named.len() {
            0 => "write it into `selectors.yml` beside the project file".to_string(),
            _ => format!("the selectors are {}", self.named.keys().cloned().collect::<Vec<_>>().join(", ")),
        }
    }

    /// What is selected when nothing is said.
    pub fn default_one(&self) -> Option<&Selector> {
        self.named.values().find(|named| named.default).map(|named| &named.selector)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Named)> {
        self.named.iter()
    }
}

/// Reads the file, whose Jinja is rendered. A selector with mistakes is told of and left out.
pub fn read(yaml: &Yaml, sink: &mut Diagnostics) -> Selectors {
    let mut selectors = Selectors::default();
    let mut default: Option<Span> = None;
    let mut file = Fields::new(yaml, "`selectors.yml`", sink);
    for entry in file.list("selectors") {
        let mut fields = Fields::new(entry, "a selector", file.sink);
        let Some((name, span)) = fields.name() else { continue };
        fields.text("description");
        let is_default = fields.flag("default").unwrap_or(false);
        let definition = fields.get("definition").cloned();
        fields.finish(Severity::Error);
        let Some(definition) = definition else {
            let message = format!("the selector `{name}` has no `definition`");
            file.sink.push(Diagnostic::error(Code::InvalidSelector, span, message));
            continue;
        };
        if let Some(first) = default.filter(|_| is_default) {
            let message = format!("the selector `{name}` is a second default");
            let problem = Diagnostic::error(Code::InvalidSelector, span, message);
            file.sink.push(problem.related(first, "this one is the default already").help("keep one `default: true`"));
        }
        default = default.or(is_default.then_some(span));
        if let Some(selector) = root(&definition, &selectors, file.sink) {
            selectors.named.insert(name, Named { selector, default: is_default, entry: entry.clone() });
        }
    }
    file.finish(Severity::Error);
    selectors
}

/// A definition as a whole: beside a `union` or `intersection` there can be nothing else.
fn root(yaml: &Yaml, selectors: &Selectors, sink: &mut Diagnostics) -> Option<Selector> {
    let grouped = yaml.get("union").is_some() || yaml.get("intersection").is_some();
    if grouped && let Some((key, _)) = yaml.entries().get(1) {
        let message = format!("`{}` stands beside a `union` or `intersection`", key.name);
        let problem = Diagnostic::error(Code::InvalidSelector, key.span, message);
        sink.push(problem.help("put the one into the list of the other"));
        return None;
    }
    definition(yaml, selectors, sink)
}

fn definition(yaml: &Yaml, selectors: &Selectors, sink: &mut Diagnostics) -> Option<Selector> {
    if let Some(text) = yaml.as_str() {
        return told(atom(text, selectors), yaml.span, sink).map(Selector::One);
    }
    if let Some(list) = yaml.get("union") {
        return group(list, Join::Union, selectors, sink);
    }
    if let Some(list) = yaml.get("intersection") {
        return group(list, Join::Intersection, selectors, sink);
    }
    if yaml.entries().is_empty() {
        let message = format!("a selection is a text or a mapping, and this is {}", yaml.kind());
        sink.push(Diagnostic::error(Code::InvalidSelector, yaml.span, message).help(FORMS));
        return None;
    }
    criterion(yaml, selectors, sink)
}

const FORMS: &str = "write `tag:nightly`, `{method: tag, value: nightly}`, `{union: […]}` or `{intersection: […]}`";

/// The items of a `union` or `intersection`, without those that its one `exclude` names.
fn group(list: &Yaml, join: Join, selectors: &Selectors, sink: &mut Diagnostics) -> Option<Selector> {
    let (mut parts, mut excluded, mut first) = (Vec::new(), None, None);
    for item in items(list, sink)? {
        match item.get("exclude").filter(|_| item.get("method").is_none()) {
            Some(exclude) => {
                if let Some(first) = first.replace(item.span) {
                    let message = "there is a second `exclude` in this list";
                    let problem = Diagnostic::error(Code::InvalidSelector, item.span, message);
                    sink.push(problem.related(first, "the first one").help("put both into one"));
                }
                excluded = Some(union(exclude, selectors, sink)?);
            }
            None => parts.push(definition(item, selectors, sink)?),
        }
    }
    Some(without(join_of(join, parts), excluded))
}

fn items<'y>(list: &'y Yaml, sink: &mut Diagnostics) -> Option<&'y [Yaml]> {
    match &list.value {
        Value::List(items) => Some(items),
        _ => {
            let message = format!("a list of selections is wanted, and this is {}", list.kind());
            sink.push(Diagnostic::error(Code::InvalidSelector, list.span, message));
            None
        }
    }
}

fn union(list: &Yaml, selectors: &Selectors, sink: &mut Diagnostics) -> Option<Selector> {
    let parts = items(list, sink)?.iter().map(|item| definition(item, selectors, sink)).collect::<Option<_>>()?;
    Some(join_of(Join::Union, parts))
}

fn join_of(join: Join, parts: Vec<Selector>) -> Selector {
    Selector::Group(Group { join, parts, text: None, gathers_tests: false })
}

fn without(selector: Selector, excluded: Option<Selector>) -> Selector {
    match excluded {
        Some(excluded) => join_of(Join::Difference, vec![selector, excluded]),
        None => selector,
    }
}

/// `{tag: nightly}`, or `{method: …, value: …}` with its options.
fn criterion(yaml: &Yaml, selectors: &Selectors, sink: &mut Diagnostics) -> Option<Selector> {
    if let [(key, value)] = yaml.entries() {
        let value = scalar(value, sink)?;
        let made = made(&key.name, &value, Steps::default(), selectors);
        return told(made, key.span, sink).map(Selector::One);
    }
    let mut fields = Fields::new(yaml, "a selection", sink);
    let (method, value) = (fields.text("method"), fields.get("value"));
    let (Some(method), Some(value)) = (method, value) else {
        let problem = Diagnostic::error(Code::InvalidSelector, yaml.span, "a selection has a `method` and a `value`");
        sink.push(problem.help(FORMS));
        return None;
    };
    let steps = Steps {
        parents: depth(&mut fields, "parents", "parents_depth"),
        children: depth(&mut fields, "children", "children_depth"),
        childrens_parents: fields.flag("childrens_parents").unwrap_or(false),
        indirect: indirect(&mut fields),
    };
    let exclude = fields.get("exclude").cloned();
    fields.ignore(&["parents_depth", "children_depth"]);
    fields.finish(Severity::Error);
    let value = scalar(value, sink)?;
    if method == "selector" {
        // As in dbt, the other selector is taken as it is.
        return told(selectors.find(&value), yaml.span, sink).cloned();
    }
    let excluded = exclude.map(|list| union(&list, selectors, sink));
    let one = told(made(&method, &value, steps, selectors), yaml.span, sink).map(Selector::One)?;
    match excluded {
        Some(excluded) => Some(without(one, Some(excluded?))),
        None => Some(one),
    }
}

/// The options of a criterion.
#[derive(Default)]
struct Steps {
    parents: usize,
    children: usize,
    childrens_parents: bool,
    indirect: Option<Indirect>,
}

fn made(method: &str, value: &str, steps: Steps, selectors: &Selectors) -> Result<Atom, SelectorError> {
    let Steps { parents, children, childrens_parents, indirect } = steps;
    if childrens_parents && children > 0 {
        let message = "`childrens_parents` and `children` stand together";
        return Err(SelectorError::new(message, "`childrens_parents` already selects everything downstream"));
    }
    let method = Method::named(method, value, selectors)?;
    check_value(&method, value)?;
    Ok(Atom { method, value: value.to_string(), parents, children, childrens_parents, indirect })
}

/// How far to go: not at all, without limit, or so many steps. A depth of 0 is no limit, as in dbt.
fn depth(fields: &mut Fields<'_, '_>, flag: &'static str, depth: &'static str) -> usize {
    let steps = fields.get(depth).and_then(|steps| match &steps.value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let limit = steps.and_then(|steps| usize::try_from(steps).ok()).filter(|steps| *steps > 0);
    if fields.flag(flag).unwrap_or(false) { limit.unwrap_or(usize::MAX) } else { 0 }
}

fn indirect(fields: &mut Fields<'_, '_>) -> Option<Indirect> {
    let yaml = fields.get("indirect_selection")?;
    let found = yaml.as_str().and_then(Indirect::from_name);
    if found.is_none() {
        let message = "`indirect_selection` is eager, cautious, buildable or empty";
        fields.sink.push(Diagnostic::error(Code::InvalidSelector, yaml.span, message));
    }
    found
}

/// A value as the text that the command line would have.
fn scalar(yaml: &Yaml, sink: &mut Diagnostics) -> Option<String> {
    match &yaml.value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => {
            let message = format!("the value of a selection is a text, and this is {}", yaml.kind());
            sink.push(Diagnostic::error(Code::InvalidSelector, yaml.span, message).help(FORMS));
            None
        }
    }
}

fn told<T>(result: Result<T, SelectorError>, span: Span, sink: &mut Diagnostics) -> Option<T> {
    result
        .map_err(|error| {
            let problem = Diagnostic::error(Code::InvalidSelector, span, error.message);
            sink.push(Diagnostic { help: error.help, ..problem });
        })
        .ok()
}
