//! Turns `package-lock.yml` into pinned packages and back: dbt's file, with a digest of every package below.
//!
//! dbt refuses keys that it does not know, so the digests are comments: dbt reads medal's lock, and medal dbt's.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::deps::folder;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{ProjectFiles, Span};
use crate::hash::sha1;
use crate::jinja::{python_json, python_yaml};
use crate::project::packages::{PackageSource, PackageSpec, specs};
use crate::project::render::YamlRenderer;
use crate::yaml;

pub const FILE: &str = "package-lock.yml";

/// Before the digest of a package: `# sha256 dbt_utils 5e1f…`.
const DIGEST: &str = "# sha256 ";

/// What a project has installed.
#[derive(Debug)]
pub struct Lock {
    /// dbt's digest of the list of packages that the lock was made for.
    pub hash: String,
    pub packages: Vec<Pin>,
}

/// A package with its exact version.
#[derive(Debug, Clone)]
pub struct Pin {
    pub source: PackageSource,
    /// Locks that an old dbt has written do not have it.
    pub name: Option<String>,
    pub sha256: Option<String>,
    /// Where the lock, or the list of packages, names it.
    pub span: Option<Span>,
}

impl Lock {
    /// What is pinned for exactly this package.
    pub fn pin_of(&self, source: &PackageSource) -> Option<&Pin> {
        self.packages.iter().find(|pin| pin.source == *source)
    }
}

/// dbt's digest of a list of packages. It says whether the list has changed since a lock was written.
pub fn hash(specs: &[PackageSpec]) -> String {
    let mut texts: Vec<String> = specs.iter().map(|spec| python_json(&spec.for_hash, true)).collect();
    texts.sort();
    sha1(&texts.join("\n"))
}

/// Reads the lock of a project, if it has one.
pub fn read(files: &ProjectFiles, renderer: &YamlRenderer, sink: &mut Diagnostics) -> Option<Lock> {
    let path = files.root().join(FILE);
    if !path.is_file() {
        return None;
    }
    let file = match files.read(&path) {
        Ok(file) => file,
        Err(error) => {
            sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string()));
            return None;
        }
    };
    let text = files.get(file).text;
    let yaml = yaml::parse(file, &text, sink)?;
    let packages = yaml.get("packages").map_or_else(Vec::new, |list| specs(list, renderer, false, sink));
    let packages = packages.into_iter().map(|spec| Pin {
        sha256: spec.name.as_ref().and_then(|name| digest(&text, name)),
        source: spec.source,
        name: spec.name,
        span: spec.span,
    });
    let hash = yaml.get("sha1_hash").and_then(|hash| hash.as_str()).unwrap_or_default().to_string();
    Some(Lock { hash, packages: packages.collect() })
}

fn digest(text: &str, name: &str) -> Option<String> {
    let digests = text.lines().filter_map(|line| line.strip_prefix(DIGEST)?.split_once(' '));
    digests.into_iter().find(|(package, _)| *package == name).map(|(_, digest)| digest.trim().to_string())
}

/// Writes the lock of a project.
pub fn write(root: &Path, lock: &Lock) -> io::Result<()> {
    folder::write(&root.join(FILE), &text(lock))
}

fn text(lock: &Lock) -> String {
    let entries: Vec<Json> = lock.packages.iter().map(entry).collect();
    let list = python_yaml(&Json::Array(entries), true);
    let mut text = "packages:\n".to_string();
    for line in list.lines() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "sha1_hash: {}", python_yaml(&json!([lock.hash]), true).trim_start_matches("- ").trim_end());
    for (name, digest) in lock.packages.iter().filter_map(|pin| pin.name.as_ref().zip(pin.sha256.as_ref())) {
        let _ = writeln!(text, "{DIGEST}{name} {digest}");
    }
    text
}

fn entry(pin: &Pin) -> Json {
    let mut entry = match &pin.source {
        PackageSource::Local { path } => json!({"local": path}),
        PackageSource::Tarball { written, .. } => json!({"tarball": written}),
        PackageSource::Git { written, revision, subdirectory, .. } => {
            let mut entry = json!({"git": written, "revision": revision});
            if let Some(subdirectory) = subdirectory {
                entry["subdirectory"] = json!(subdirectory);
            }
            entry
        }
        PackageSource::Hub { package, versions, .. } => {
            json!({"package": package, "version": versions.first().map(|version| version.version.to_string())})
        }
    };
    entry["name"] = json!(pin.name);
    entry
}

/// A package for messages: `version 1.3.0 of dbt-labs/dbt_utils`.
pub fn shown(source: &PackageSource) -> String {
    match source {
        PackageSource::Local { path } => format!("`{path}`"),
        PackageSource::Tarball { written, .. } => format!("`{written}`"),
        PackageSource::Git { written, revision, .. } => match revision {
            Some(revision) => format!("revision `{}` of `{written}`", revision.get(..12).unwrap_or(revision)),
            None => format!("`{written}`"),
        },
        PackageSource::Hub { package, versions, .. } => match versions.first() {
            Some(version) => format!("version {} of `{package}`", version.version),
            None => format!("`{package}`"),
        },
    }
}
