//! Turns the settings of a profile's output into what it takes to open DuckDB: a file, options and statements.

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::adapter::mask::MaskKey;
use crate::adapter::relation::{identifier, literal};
use crate::adapter::{AdapterError, Target, UNSUPPORTED_KEYS};

/// A profile's output, read.
#[derive(Debug, Default)]
pub struct Profile {
    /// A path, or `:memory:`.
    pub path: String,
    /// Options that must be known when the file is opened.
    pub options: Vec<(String, String)>,
    pub extensions: Vec<Extension>,
    pub settings: Vec<(String, String)>,
    /// Statements that create secrets and attach databases.
    pub statements: Vec<Statement>,
    /// Statements for each connection.
    pub variables: Vec<String>,
    pub disable_transactions: bool,
    /// How often to try to open the file while another process holds it.
    pub attempts: u32,
}

#[derive(Debug, PartialEq)]
pub struct Extension {
    pub name: String,
    pub repository: Option<String>,
}

/// A statement that sets the database up.
#[derive(Debug)]
pub struct Statement {
    /// What it does, for errors.
    pub what: String,
    pub sql: String,
    /// Values that no error may show.
    pub hidden: Vec<String>,
}

impl Profile {
    pub fn read(target: &Target) -> Result<Profile, AdapterError> {
        let settings = &target.settings;
        if let Some(key) = UNSUPPORTED_KEYS.into_iter().find(|key| settings.get(*key).is_some_and(is_set)) {
            return Err(refuse(key, "is not supported"));
        }
        let mut profile = Profile {
            path: place(&text(settings, "path")?.unwrap_or_else(|| ":memory:".to_string()), &target.base)?,
            options: pairs(settings, "config_options")?,
            settings: pairs(settings, "settings")?,
            disable_transactions: settings.get("disable_transactions").is_some_and(|value| value == &Json::Bool(true)),
            attempts: attempts(settings),
            ..Profile::default()
        };
        if let Some(key) = text(settings, "mask_key")? {
            profile.variables = MaskKey::new(&key)?.variables().into();
        }
        for extension in list(settings, "extensions")? {
            profile.extensions.push(read_extension(extension)?);
        }
        for (index, secret) in list(settings, "secrets")?.iter().enumerate() {
            profile.statements.push(create_secret(secret, index + 1)?);
        }
        for attachment in list(settings, "attach")? {
            profile.statements.push(attach(attachment, &target.base)?);
        }
        Ok(profile)
    }
}

fn refuse(key: &str, why: &str) -> AdapterError {
    AdapterError::Connect(format!("the key `{key}` of the profile {why}"))
}

fn is_set(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Array(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
        _ => true,
    }
}

/// A path, from the folder of the target if it is relative and names a file.
fn place(path: &str, base: &Path) -> Result<String, AdapterError> {
    let scheme = path.split_once(':').map(|(scheme, _)| scheme.to_lowercase()).unwrap_or_default();
    if ["md", "motherduck", "ducklake"].contains(&scheme.as_str()) {
        return Err(refuse("path", &format!("starts with `{scheme}:`, which is not supported")));
    }
    let is_file = path != ":memory:" && !path.contains("://") && scheme.len() < 2;
    Ok(if is_file { base.join(path).to_string_lossy().into_owned() } else { path.to_string() })
}

fn attempts(settings: &Map<String, Json>) -> u32 {
    let attempts = settings.get("retries").and_then(|retries| retries.get("connect_attempts")).and_then(Json::as_u64);
    attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(1).clamp(1, 10)
}

fn text(settings: &Map<String, Json>, key: &str) -> Result<Option<String>, AdapterError> {
    match settings.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(refuse(key, "is not a text")),
    }
}

fn list<'a>(settings: &'a Map<String, Json>, key: &str) -> Result<&'a [Json], AdapterError> {
    match settings.get(key) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(refuse(key, "is not a list")),
    }
}

fn pairs(settings: &Map<String, Json>, key: &str) -> Result<Vec<(String, String)>, AdapterError> {
    match settings.get(key) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Object(entries)) => Ok(entries.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
        Some(_) => Err(refuse(key, "is not a mapping")),
    }
}

/// A value as a text that DuckDB casts to the type of the setting.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => {
            let items = items.iter().map(|item| literal(&plain(item)));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn read_extension(extension: &Json) -> Result<Extension, AdapterError> {
    let read = match extension {
        Json::String(name) => Some(Extension { name: name.clone(), repository: None }),
        Json::Object(entries) => {
            let text = |key: &str| entries.get(key).and_then(Json::as_str).map(str::to_string);
            text("name").map(|name| Extension { name, repository: text("repo") })
        }
        _ => None,
    };
    read.ok_or_else(|| refuse("extensions", "has an item that is neither a name nor a mapping of `name` and `repo`"))
}

fn create_secret(secret: &Json, number: usize) -> Result<Statement, AdapterError> {
    let Json::Object(entries) = secret else {
        return Err(refuse("secrets", "has an item that is not a mapping"));
    };
    let Some(Json::String(_)) = entries.get("type") else {
        return Err(refuse("secrets", "has an item without a `type`"));
    };
    let name = text(entries, "name")?.unwrap_or_else(|| format!("_dbt_secret_{number}"));
    let persistent = if entries.get("persistent") == Some(&Json::Bool(true)) { "persistent " } else { "" };
    let mut parameters = Vec::new();
    let mut hidden = Vec::new();
    for (key, value) in entries {
        if value.is_null() || ["name", "persistent"].contains(&key.as_str()) {
            continue;
        }
        if !["type", "provider", "scope", "region"].contains(&key.as_str()) {
            collect_texts(value, &mut hidden);
        }
        parameters.push(format!("{} {}", identifier(key), secret_value(value)));
    }
    let sql = format!("create or replace {persistent}secret {} ({})", identifier(&name), parameters.join(", "));
    Ok(Statement { what: format!("the secret `{name}` could not be created"), sql, hidden })
}

fn secret_value(value: &Json) -> String {
    match value {
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", literal(key), literal(&plain(value))));
            format!("map {{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Array(_) => plain(value),
        other => literal(&plain(other)),
    }
}

fn collect_texts(value: &Json, texts: &mut Vec<String>) {
    match value {
        Json::Object(entries) => entries.values().for_each(|value| collect_texts(value, texts)),
        Json::Array(items) => items.iter().for_each(|value| collect_texts(value, texts)),
        Json::Null => {}
        other => texts.push(plain(other)),
    }
}

/// The type of a database that DuckLake keeps, and the scheme of its path.
const LAKE: &str = "ducklake";

/// What stands behind `ducklake:` in a path: the database that knows what is in the lake.
fn catalog(path: &str) -> &str {
    match path.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(LAKE) => rest,
        _ => path,
    }
}

/// The attached databases that are lakes: by their type, by their path, or because the profile says so.
pub fn lakes(settings: &Map<String, Json>) -> Vec<String> {
    let attached = settings.get("attach").and_then(Json::as_array).into_iter().flatten();
    let name = |attachment: &Json| {
        let word = |key: &str| attachment.get(key).and_then(Json::as_str);
        let kind = word("type").or_else(|| attachment.get("options")?.get("type")?.as_str());
        let path = word("path")?;
        let is_lake = attachment.get("is_ducklake").is_some_and(is_set)
            || catalog(path).len() < path.len()
            || kind.is_some_and(|kind| kind.eq_ignore_ascii_case(LAKE));
        let stem = || Path::new(catalog(path)).file_stem()?.to_str();
        is_lake.then(|| word("alias").or_else(stem).map(str::to_string))?
    };
    attached.filter_map(name).collect()
}

fn attach(attachment: &Json, base: &Path) -> Result<Statement, AdapterError> {
    let Json::Object(entries) = attachment else {
        return Err(refuse("attach", "has an item that is not a mapping"));
    };
    let Some(path) = text(entries, "path")? else {
        return Err(refuse("attach", "has an item without a `path`"));
    };
    let mut options = match entries.get("options") {
        Some(Json::Object(options)) => options.clone(),
        _ => Map::new(),
    };
    for key in ["type", "secret", "read_only"] {
        match entries.get(key) {
            Some(value) if is_set(value) && options.contains_key(key) => {
                return Err(refuse("attach", &format!("has an item that gives `{key}` twice")));
            }
            Some(value) if is_set(value) => drop(options.insert(key.to_string(), value.clone())),
            _ => {}
        }
    }
    // Only files have a folder; a path of Postgres, for instance, is a connection string.
    let (prefix, path) = path.split_at(path.len() - catalog(&path).len());
    let kind = options.get("type").and_then(Json::as_str).unwrap_or("duckdb").to_lowercase();
    let kind = if prefix.is_empty() { kind } else { LAKE.to_string() };
    let is_file = ["duckdb", "sqlite", LAKE].contains(&kind.as_str());
    let place = format!("{prefix}{}", if is_file { place(path, base)? } else { path.to_string() });
    let alias = text(entries, "alias")?.map(|alias| format!(" as {}", identifier(&alias))).unwrap_or_default();
    let options = options.iter().filter(|(_, value)| is_set(value)).map(|(key, value)| match value {
        Json::Bool(_) => identifier(key),
        value => format!("{} {}", identifier(key), literal(plain(value).trim_matches(['\'', '"']))),
    });
    let options = options.collect::<Vec<_>>().join(", ");
    let options = if options.is_empty() { options } else { format!(" ({options})") };
    let sql = format!("attach if not exists {}{alias}{options}", literal(&place));
    // A connection string can hold a password.
    let path = path.to_string();
    let (shown, hidden) = if kind == "duckdb" { (path, Vec::new()) } else { (kind, vec![path]) };
    Ok(Statement { what: format!("the database `{shown}` could not be attached"), sql, hidden })
}
