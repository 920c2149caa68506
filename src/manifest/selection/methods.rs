//! The selection methods: which members a criterion such as `tag:nightly` names, before any graph operator.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::manifest::selection::Places;
use crate::manifest::selection::glob::{fits, fits_path, with_folders};
use crate::manifest::selection::members::{Member, Members};
use crate::manifest::selector::SelectorError;
use crate::manifest::selector::method::{Method, StateTest};
use crate::manifest::state::{Changes, State};
use crate::project::versions::ModelVersion;

/// The places of the members that a criterion names. An error if it asks for what `--state` does not tell.
pub fn search(
    members: &Members<'_>,
    method: &Method,
    value: &str,
    state: Option<&State>,
) -> Result<Places, SelectorError> {
    let places = |holds: &dyn Fn(&Member<'_>) -> bool| -> Places {
        members.all.iter().enumerate().filter(|(_, member)| holds(member)).map(|(at, _)| at).collect()
    };
    Ok(match method {
        Method::Fqn => places(&|member| member.kind != "source" && is_named(member, value)),
        Method::Tag => places(&|member| {
            let inherited = member.inherited_tags.iter().map(String::as_str);
            member.config.texts("tags").into_iter().chain(inherited).any(|tag| fits(value, tag))
        }),
        Method::Group => places(&|member| {
            is_configurable_node(member) && member.config.text("group").is_some_and(|group| fits(value, group))
        }),
        Method::Access => places(&|member| member.kind == "model" && member.config.text("access") == Some(value)),
        Method::Source => places(&|member| is_source(member, value)),
        Method::Path => {
            let paths = paths(members, value);
            places(&|member| is_below(member, &paths))
        }
        Method::File => places(&|member| is_file(member.path, value)),
        Method::Package => {
            let package = if value == "this" { members.package } else { value };
            places(&|member| fits(package, member.package))
        }
        Method::Config(keys) => places(&|member| is_configurable(member) && is_configured(member, keys, value)),
        Method::TestName => places(&|member| tested_by(member).is_some_and(|name| fits(value, name))),
        Method::TestType => places(&|member| is_test_type(member, value)),
        Method::UnitTest => places(&|member| is_unit_test(member, value)),
        Method::ResourceType => places(&|member| member.kind == value),
        Method::Exposure => places(&|member| is_exposure(member, value)),
        Method::Version => places(&|member| member.kind == "model" && is_version(member.version, value)),
        Method::Layer => places(&|member| member.layer.is_some_and(|layer| fits(value, layer))),
        Method::State(test) => {
            let changes =
                state.and_then(|state| state.changes.as_ref()).ok_or_else(|| no_state("state", "manifest"))?;
            places(&|member| is_changed(changes, member.id, *test))
        }
        Method::Result => {
            let results = state.and_then(|state| state.results.as_ref());
            let results = results.ok_or_else(|| no_state("result", "run_results"))?;
            places(&|member| results.get(member.id).is_some_and(|status| status == value))
        }
        Method::SourceStatus => {
            let fresher = state.and_then(|state| state.fresher.as_ref());
            let fresher = fresher.ok_or_else(|| no_state("source_status", "sources"))?;
            places(&|member| fresher.contains(member.id))
        }
        Method::Selector(_) | Method::Nothing => Places::new(),
    })
}

fn no_state(method: &str, file: &str) -> SelectorError {
    SelectorError::new(
        format!("`{method}:` needs the `{file}.json` of an earlier run"),
        "name the folder that holds it with `--state`",
    )
}

fn is_changed(changes: &Changes, id: &str, test: StateTest) -> bool {
    let has = |change| changes.get(id).is_some_and(|changes| changes.contains(&change));
    match test {
        StateTest::Is(change) => has(change),
        StateTest::IsNot(change) => !has(change),
    }
}

/// What `config.…` looks at.
fn is_configurable(member: &Member<'_>) -> bool {
    !matches!(member.kind, "exposure" | "unit_test")
}

fn is_configurable_node(member: &Member<'_>) -> bool {
    !matches!(member.kind, "source" | "exposure" | "unit_test")
}

/// `orders`, `marts.orders`, `shop.marts` or `marts.*`, with or without the package in front.
fn is_named(member: &Member<'_>, value: &str) -> bool {
    // The last part of a version's name is the version.
    let leaf = member.fqn.len().saturating_sub(if member.version.is_some() { 2 } else { 1 });
    is_version_named(member, value)
        || is_prefixed(member.fqn, leaf, value)
        || is_prefixed(member.fqn.get(1..).unwrap_or_default(), leaf.saturating_sub(1), value)
}

/// `orders.v2` or `orders_v2`.
fn is_version_named(member: &Member<'_>, value: &str) -> bool {
    let (Some(version), [.., name, _]) = (member.version, member.fqn) else { return false };
    let wanted: Vec<&str> = value.split('.').collect();
    wanted[wanted.len().saturating_sub(2)..].join("_") == format!("{name}_{version}")
}

/// `latest`, `prerelease` (newer than the latest), `old`, or `none`.
fn is_version(version: Option<&ModelVersion>, value: &str) -> bool {
    match (value, version) {
        ("none", version) => version.is_none(),
        (_, None) => false,
        ("latest", Some(version)) => version.is_latest(),
        ("prerelease", Some(version)) => version.compared_with_latest() == Ordering::Greater,
        ("old", Some(version)) => version.compared_with_latest() == Ordering::Less,
        _ => false,
    }
}

/// Whether the value is the `leaf` of the name, or its first parts, the rest of them perhaps as a pattern.
fn is_prefixed(fqn: &[String], leaf: usize, value: &str) -> bool {
    let Some(name) = fqn.get(leaf) else { return false };
    if name == value {
        return true;
    }
    let parts: Vec<&str> = fqn.iter().flat_map(|part| part.split('.')).collect();
    let wanted: Vec<&str> = value.split('.').collect();
    if wanted.len() > parts.len() {
        return false;
    }
    let plain = wanted.iter().take_while(|part| !part.contains(['*', '?', '[', ']'])).count();
    if parts[..plain] != wanted[..plain] {
        return false;
    }
    // The pattern is compared with all of the rest at once, so that its `*` crosses dots.
    plain == wanted.len()
        || fits(&wanted[plain..].join("."), &parts[plain..].join("."))
        || (wanted.len() == 1 && fits(value, name))
}

/// `name`, `name.table` or `package.name.table`.
fn is_source(member: &Member<'_>, value: &str) -> bool {
    let Some(source) = member.source_name else { return false };
    match value.split('.').collect::<Vec<_>>()[..] {
        [name] => fits(name, source),
        [name, table] => fits(name, source) && fits(table, member.name),
        [package, name, table] => fits(package, member.package) && fits(name, source) && fits(table, member.name),
        _ => false,
    }
}

/// `name` or `package.name`.
fn is_exposure(member: &Member<'_>, value: &str) -> bool {
    let (package, name) = value.split_once('.').unwrap_or(("*", value));
    member.kind == "exposure" && fits(package, member.package) && fits(name, member.name)
}

/// `name` or `package.name`.
fn is_unit_test(member: &Member<'_>, value: &str) -> bool {
    let (package, name) = value.split_once('.').unwrap_or(("*", value));
    member.kind == "unit_test" && fits(package, member.package) && fits(name, member.name)
}

/// The name of a generic test, or of a unit test.
fn tested_by<'a>(member: &Member<'a>) -> Option<&'a str> {
    member.generic_test.or((member.kind == "unit_test").then_some(member.name))
}

/// The files and folders of the project that fit a pattern.
fn paths<'a>(members: &Members<'a>, pattern: &str) -> BTreeSet<&'a str> {
    let own = members.all.iter().filter(|member| member.package == members.package);
    let files: BTreeSet<&str> = own.flat_map(|member| [Some(member.path), member.patch]).flatten().collect();
    let paths: BTreeSet<&str> = files.into_iter().flat_map(with_folders).collect();
    paths.into_iter().filter(|path| fits_path(pattern, path)).collect()
}

fn is_below(member: &Member<'_>, paths: &BTreeSet<&str>) -> bool {
    with_folders(member.path).any(|path| paths.contains(path))
        || member.patch.is_some_and(|patch| paths.contains(patch))
}

/// The name of the file, with or without its last extension.
fn is_file(path: &str, value: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    fits(value, name) || fits(value, stem)
}

fn is_test_type(member: &Member<'_>, value: &str) -> bool {
    match value {
        "generic" | "schema" => member.generic_test.is_some(),
        "singular" => member.kind == "test" && member.generic_test.is_none(),
        "data" => member.kind == "test",
        "unit" => member.kind == "unit_test",
        _ => false,
    }
}

/// Whether the configuration has the value at the keys, or in the list that is there.
fn is_configured(member: &Member<'_>, keys: &[String], value: &str) -> bool {
    let Some((first, nested)) = keys.split_first() else { return false };
    let found = member.config.get(first).and_then(|found| nested.iter().try_fold(found, |found, key| found.get(key)));
    let any_case = keys == ["severity"];
    match found {
        Some(Json::Array(items)) => items.iter().any(|item| is_value(item, value, any_case)),
        Some(found) => is_value(found, value, any_case),
        None => false,
    }
}

/// dbt compares texts and booleans; a number is never equal to what is written on the command line.
fn is_value(found: &Json, value: &str, any_case: bool) -> bool {
    match found {
        Json::String(text) => text == value || (any_case && text.eq_ignore_ascii_case(value)),
        Json::Bool(flag) => value.eq_ignore_ascii_case(if *flag { "true" } else { "false" }),
        _ => false,
    }
}
