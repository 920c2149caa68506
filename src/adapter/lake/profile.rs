//! Turns the settings of a profile's output into what it takes to open a lakehouse: a place, and limits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use serde_json::Value as Json;
use url::Url;

use crate::adapter::mask::MaskKey;
use crate::adapter::{AdapterError, Target};

/// A profile's output, read.
#[derive(Debug)]
pub struct Profile {
    pub place: Place,
    /// Of object stores.
    pub options: BTreeMap<String, String>,
    /// The engine's own threads.
    pub threads: Option<usize>,
    pub mask_key: Option<MaskKey>,
    /// In bytes.
    pub memory_limit: Option<usize>,
    pub temp_directory: Option<PathBuf>,
}

/// Where a lakehouse is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The store as a whole.
    pub store: Arc<dyn ObjectStore>,
    /// The folder of the lakehouse.
    pub url: Url,
    /// The same in the store.
    pub root: Path,
    /// The same on this machine's disk, if it is there.
    pub folder: Option<PathBuf>,
}

impl Profile {
    pub fn read(target: &Target) -> Result<Profile, AdapterError> {
        let settings = target.settings.get("settings");
        let setting = |key: &str| settings.and_then(|settings| settings.get(key)).or(target.settings.get(key));
        Ok(Profile {
            place: place(target)?,
            options: options(target)?,
            threads: settings.and_then(|settings| settings.get("threads")).and_then(Json::as_u64).map(|n| n as usize),
            mask_key: match setting("mask_key") {
                None | Some(Json::Null) => None,
                Some(Json::String(key)) => Some(MaskKey::new(key)?),
                Some(_) => return Err(refuse("mask_key", "is not a text")),
            },
            memory_limit: setting("memory_limit").map(bytes).transpose()?,
            temp_directory: match setting("temp_directory") {
                None | Some(Json::Null) => None,
                Some(Json::String(path)) => Some(target.base.join(path)),
                Some(_) => return Err(refuse("temp_directory", "is not a text")),
            },
        })
    }
}

fn refuse(key: &str, why: &str) -> AdapterError {
    AdapterError::Connect(format!("the key `{key}` of the profile {why}"))
}

/// A folder, or a place in an object store.
fn place(target: &Target) -> Result<Place, AdapterError> {
    let path = target.settings.get("path").and_then(Json::as_str).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| {
        let message = "a target of the type `datafusion` needs a `path`: the folder of the lakehouse, or `s3://…`";
        AdapterError::Connect(message.to_string())
    })?;
    match path.split_once("://") {
        None | Some(("file", _)) => folder(target.base.join(path.strip_prefix("file://").unwrap_or(path))),
        Some(("s3" | "s3a", _)) => bucket(path, &options(target)?),
        Some((scheme, _)) => Err(refuse("path", &format!("starts with `{scheme}://`: it is a folder, or `s3://…`"))),
    }
}

fn folder(path: PathBuf) -> Result<Place, AdapterError> {
    // A path that goes up and down again has no place in an address.
    let path = std::path::absolute(&path).map_err(|error| refuse("path", &format!("has no place: {error}")))?;
    let path = path.components().fold(PathBuf::new(), |mut path, part| {
        match part {
            std::path::Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
        path
    });
    let wrong = || refuse("path", &format!("is no folder: {}", path.display()));
    let url = Url::from_directory_path(&path).map_err(|()| wrong())?;
    let root = Path::from_url_path(url.path()).map_err(|_| wrong())?;
    Ok(Place { store: Arc::new(LocalFileSystem::new().with_automatic_cleanup(true)), url, root, folder: Some(path) })
}

/// Without further options the surroundings say who we are, as for every tool of this store.
pub fn bucket(path: &str, options: &BTreeMap<String, String>) -> Result<Place, AdapterError> {
    let path = path.replacen("s3a://", "s3://", 1);
    let url =
        Url::parse(&format!("{}/", path.trim_end_matches('/'))).map_err(|error| refuse("path", &error.to_string()))?;
    let mut builder = AmazonS3Builder::from_env().with_url(url.as_str());
    for (key, value) in options {
        let known: AmazonS3ConfigKey =
            key.to_lowercase().parse().map_err(|_| refuse("storage_options", &format!("has no option `{key}`")))?;
        builder = builder.with_config(known, value);
    }
    // What an error of the builder quotes may be a secret.
    let store = builder.build().map_err(|_| refuse("storage_options", "do not make up a connection to the store"))?;
    let root = Path::from_url_path(url.path()).map_err(|error| refuse("path", &error.to_string()))?;
    Ok(Place { store: Arc::new(store), url, root, folder: None })
}

fn options(target: &Target) -> Result<BTreeMap<String, String>, AdapterError> {
    match target.settings.get("storage_options") {
        None | Some(Json::Null) => Ok(BTreeMap::new()),
        Some(Json::Object(entries)) => {
            let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_string);
            Ok(entries.iter().map(|(key, value)| (key.clone(), text(value))).collect())
        }
        Some(_) => Err(refuse("storage_options", "is not a mapping")),
    }
}

/// `2GB`, `512 MiB`, or a number of bytes.
fn bytes(value: &Json) -> Result<usize, AdapterError> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let scale = match unit.trim().to_lowercase().as_str() {
        "" | "b" => Some(1.0),
        "kb" => Some(1e3),
        "mb" => Some(1e6),
        "gb" => Some(1e9),
        "tb" => Some(1e12),
        "kib" => Some(1024.0),
        "mib" => Some(1_048_576.0),
        "gib" => Some(1_073_741_824.0),
        _ => None,
    };
    let amount = scale.and_then(|scale| Some(number.parse::<f64>().ok()? * scale)).filter(|bytes| *bytes >= 1.0);
    amount
        .map(|bytes| bytes as usize)
        .ok_or_else(|| refuse("memory_limit", &format!("is `{text}`: write for instance `2GB`")))
}
