//! Turns the name of a hub package and a range of versions into one version and its archive.
//!
//! A hub is a URL or a folder with these files, as <https://hub.getdbt.com> has them: `api/v1/OWNER/NAME.json`, with
//! `versions:` by number, each with `name`, `packages`, `downloads.tarball` and perhaps `require_dbt_version`. An
//! archive's address may be relative to the hub.

use std::io::Read;

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::deps::download::{Download, Failure};
use crate::project::version::{DBT_VERSION, Requirement, Version};

/// The hub that is used if the user names no other.
pub const PUBLIC: &str = "https://hub.getdbt.com/";

/// Metadata of one package is far smaller than this.
const MAX_METADATA: u64 = 64 * 1024 * 1024;

/// A hub, and what it has already said.
pub struct Hub {
    base: String,
    version_check: bool,
    known: IndexMap<String, Json>,
}

/// Why no version was chosen.
pub enum Refusal {
    Unavailable(Failure),
    /// There are versions, but none fits; the newest ones.
    NoneFits {
        newest: Vec<String>,
    },
}

impl Hub {
    pub fn new(base: &str, version_check: bool) -> Hub {
        let base = format!("{}/", base.trim_end_matches('/'));
        Hub { base, version_check, known: IndexMap::default() }
    }

    /// The newest version that meets all requirements.
    pub fn choose(
        &mut self,
        download: &Download,
        package: &str,
        requirements: &[Requirement],
        prerelease: bool,
    ) -> Result<Version, Refusal> {
        let check = self.version_check;
        let versions = self.versions(download, package).map_err(Refusal::Unavailable)?;
        let installable = |(text, facts): (&String, &Json)| {
            let version = Version::parse(text)?;
            let wanted = (prerelease || !version.is_prerelease()) && (!check || works_here(facts));
            wanted.then_some(version)
        };
        let mut installable: Vec<Version> = versions.iter().filter_map(installable).collect();
        installable.sort();
        let fits = |version: &&Version| requirements.iter().all(|requirement| requirement.is_met_by(version));
        installable.iter().rev().find(fits).cloned().ok_or_else(|| Refusal::NoneFits {
            newest: installable.iter().rev().take(5).map(Version::to_string).collect(),
        })
    }

    /// What the hub says of one version.
    pub fn version(&mut self, download: &Download, package: &str, version: &Version) -> Result<Json, Failure> {
        let versions = self.versions(download, package)?;
        let found = versions.iter().find(|(text, _)| Version::parse(text).as_ref() == Some(version));
        let missing = || Failure::Missing(format!("the hub has no version {version} of `{package}`"));
        found.map(|(_, facts)| facts.clone()).ok_or_else(missing)
    }

    /// The address of the archive that a version's facts name.
    pub fn archive(&self, facts: &Json) -> Option<String> {
        let url = facts.get("downloads")?.get("tarball")?.as_str()?;
        let absolute = url.contains("://") || url.starts_with('/');
        Some(if absolute { url.to_string() } else { format!("{}{url}", self.base) })
    }

    /// Names of packages, for a suggestion. None if the hub has no list.
    pub fn names(&self, download: &Download) -> Vec<String> {
        let index = self.get(download, "index").unwrap_or_default();
        index.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_string())).collect()
    }

    fn versions(&mut self, download: &Download, package: &str) -> Result<&serde_json::Map<String, Json>, Failure> {
        if !self.known.contains_key(package) {
            let facts = self.get(download, package)?;
            self.known.insert(package.to_string(), facts);
        }
        let versions = self.known[package].get("versions").and_then(Json::as_object);
        versions.ok_or_else(|| Failure::Broken(format!("`{package}` of the hub has no `versions`")))
    }

    fn get(&self, download: &Download, name: &str) -> Result<Json, Failure> {
        let url = format!("{}api/v1/{name}.json", self.base);
        let mut text = String::new();
        let read = download.open(&url)?.take(MAX_METADATA).read_to_string(&mut text);
        read.map_err(|error| Failure::Broken(format!("cannot read `{url}`: {error}")))?;
        serde_json::from_str(&text).map_err(|error| Failure::Broken(format!("`{url}` is not JSON: {error}")))
    }
}

fn works_here(facts: &Json) -> bool {
    let required = facts.get("require_dbt_version").unwrap_or(&Json::Null);
    let texts: Vec<&str> = match required {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let met = |text: &str| Requirement::parse(text).is_none_or(|requirement| requirement.is_met_by(&DBT_VERSION));
    texts.into_iter().flat_map(|text| text.split(',')).all(met)
}
