//! Turns the folders of a project into a Package: its SQL files, seeds, macros, docs blocks and property files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::WalkBuilder;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, ProjectFiles, Span};
use crate::jinja::{BlockKind, MacroFile, RenderError, blocks};
use crate::project::ignored::Ignored;
use crate::project::properties::{self, Properties};
use crate::project::render::YamlRenderer;
use crate::project::settings::{Settings, folder};
use crate::yaml;

/// Everything that one project or installed package holds.
pub struct Package {
    pub name: String,
    pub settings: Settings,
    pub dir: PathBuf,
    pub models: Vec<SqlFile>,
    pub singular_tests: Vec<SqlFile>,
    pub analyses: Vec<SqlFile>,
    pub snapshots: Vec<SnapshotBlock>,
    pub seeds: Vec<SeedCsv>,
    pub macros: Vec<MacroFile>,
    pub docs: Vec<DocsBlock>,
    pub fixtures: Vec<FixtureFile>,
    pub properties: Vec<Properties>,
}

impl Package {
    /// The part of a path below the folder of its kind: `marts/orders.yml` of `models/marts/orders.yml`.
    pub fn below_folder<'a>(&self, path: &'a str) -> &'a str {
        let roots = self.settings.paths.all();
        let below = roots.filter_map(|root| path.strip_prefix(root.as_str())?.strip_prefix('/'));
        below.min_by_key(|rest| rest.len()).unwrap_or(path)
    }
}

/// A file that holds one select.
#[derive(Debug, Clone)]
pub struct SqlFile {
    pub name: String,
    pub file: FileId,
    /// Relative to the package: `models/staging/stg_orders.sql`.
    pub path: String,
    /// Relative to the folder of its kind: `staging/stg_orders.sql`.
    pub relative: String,
}

/// A `{% snapshot %}` block.
#[derive(Debug, Clone)]
pub struct SnapshotBlock {
    pub file: SqlFile,
    pub body: Span,
}

#[derive(Debug, Clone)]
pub struct SeedCsv {
    pub name: String,
    pub path: String,
    pub relative: String,
    pub on_disk: PathBuf,
}

/// A `{% docs %}` block.
#[derive(Debug, Clone)]
pub struct DocsBlock {
    pub name: String,
    pub text: String,
    pub path: String,
}

/// A file of `tests/fixtures`: rows for unit tests.
#[derive(Debug, Clone)]
pub struct FixtureFile {
    pub name: String,
    pub file: FileId,
    pub is_sql: bool,
}

/// A file that was found under one of the project's folders.
struct Found {
    on_disk: PathBuf,
    path: String,
    relative: String,
}

impl Found {
    fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = self.on_disk.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        extensions.contains(&extension)
    }

    fn stem(&self) -> String {
        self.on_disk.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }
}

/// Reads every file of a package.
pub fn load(
    dir: &Path,
    settings: Settings,
    renderer: &YamlRenderer,
    files: &ProjectFiles,
    sink: &mut Diagnostics,
) -> Package {
    let mut reader = Reader { dir, settings: &settings, ignored: Ignored::of(dir), files, sink };
    let paths = &settings.paths;
    let generic = |found: &Found| found.relative.starts_with("generic/");
    let fixture = |found: &Found| found.relative.starts_with("fixtures/");

    let models = reader.found(&paths.models);
    let tests = reader.found(&paths.tests);
    let analyses = reader.found(&paths.analyses);
    let macro_files = reader.found(&paths.macros);
    let snapshot_files = reader.found(&paths.snapshots);
    let seeds = reader.found(&paths.seeds);

    let python: Vec<&Found> = models.iter().filter(|found| found.has_extension(&["py"])).collect();
    for found in python {
        reader.refuse_python(found);
    }
    for found in reader.found(&paths.functions).iter().filter(|found| found.has_extension(&["sql"])) {
        reader.pass_over_function(found);
    }
    let package = Package {
        name: settings.name.clone(),
        dir: dir.to_path_buf(),
        models: reader.sql_files(models.iter()),
        singular_tests: reader.sql_files(tests.iter().filter(|found| !generic(found) && !fixture(found))),
        analyses: reader.sql_files(analyses.iter()),
        snapshots: reader.snapshots(&snapshot_files),
        seeds: seeds.iter().filter(|found| found.has_extension(&["csv"])).map(seed).collect(),
        macros: reader.macro_files(macro_files.iter().chain(tests.iter().filter(|found| generic(found)))),
        docs: reader.docs(),
        fixtures: reader.fixtures(tests.iter().filter(|found| fixture(found))),
        properties: reader.properties(renderer),
        settings: settings.clone(),
    };
    drop(reader);
    package
}

fn seed(found: &Found) -> SeedCsv {
    SeedCsv {
        name: found.stem(),
        path: found.path.clone(),
        relative: found.relative.clone(),
        on_disk: found.on_disk.clone(),
    }
}

struct Reader<'a> {
    dir: &'a Path,
    settings: &'a Settings,
    ignored: Ignored,
    files: &'a ProjectFiles,
    sink: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The files below some folders, in the order of their paths.
    fn found(&mut self, folders: &[String]) -> Vec<Found> {
        let mut all = Vec::new();
        for path in folders {
            let Some(root) = folder(self.dir, path, self.settings, self.sink) else { continue };
            if root.is_dir() {
                self.walk(&root, &mut all);
            }
        }
        all
    }

    fn walk(&self, root: &Path, all: &mut Vec<Found>) {
        let walk = WalkBuilder::new(root)
            .standard_filters(false)
            .follow_links(false)
            .sort_by_file_path(|a, b| a.cmp(b))
            .build();
        for entry in walk.flatten() {
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if !is_file || self.ignored.has(entry.path()) {
                continue;
            }
            let relative = |base: &Path| {
                let path = entry.path().strip_prefix(base).unwrap_or(entry.path());
                path.to_string_lossy().replace('\\', "/")
            };
            all.push(Found { path: relative(self.dir), relative: relative(root), on_disk: entry.path().to_path_buf() });
        }
    }

    fn read(&mut self, path: &Path) -> Option<FileId> {
        match self.files.read(path) {
            Ok(file) => Some(file),
            Err(error) => {
                self.sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string()));
                None
            }
        }
    }

    fn sql_files<'f>(&mut self, found: impl Iterator<Item = &'f Found>) -> Vec<SqlFile> {
        let sql = found.filter(|found| found.has_extension(&["sql"]));
        sql.filter_map(|found| self.sql_file(found)).collect()
    }

    fn sql_file(&mut self, found: &Found) -> Option<SqlFile> {
        let file = self.read(&found.on_disk)?;
        Some(SqlFile { name: found.stem(), file, path: found.path.clone(), relative: found.relative.clone() })
    }

    fn refuse_python(&mut self, found: &Found) {
        let message = format!("`{}` is a Python model, which medal does not run", found.path);
        let help = "write it as SQL, or build it beside medal and declare its table as a source";
        self.sink.push(Diagnostic::error(Code::Unsupported, None, message).help(help));
    }

    fn pass_over_function(&mut self, found: &Found) {
        let message = format!("`{}` is a function, which medal does not make", found.path);
        let help = "write it as a macro, or make it in a hook: `create or replace macro …`";
        self.sink.push(Diagnostic::warning(Code::Unsupported, None, message).help(help));
    }

    fn macro_files<'f>(&mut self, found: impl Iterator<Item = &'f Found>) -> Vec<MacroFile> {
        let mut macros = Vec::new();
        for found in found.filter(|found| found.has_extension(&["sql"])) {
            let Some(file) = self.read(&found.on_disk) else { continue };
            let text: Arc<str> = self.files.get(file).text;
            macros.push(MacroFile {
                package: self.settings.name.clone(),
                file,
                path: found.path.as_str().into(),
                text,
            });
        }
        macros
    }

    fn snapshots(&mut self, found: &[Found]) -> Vec<SnapshotBlock> {
        let mut snapshots = Vec::new();
        for file in self.sql_files(found.iter()) {
            let text = self.files.get(file.file).text;
            match blocks(file.file, &text) {
                Ok(found) => {
                    let found = found.into_iter().filter(|block| block.kind == BlockKind::Snapshot);
                    snapshots.extend(found.map(|block| SnapshotBlock {
                        file: SqlFile { name: block.name, ..file.clone() },
                        body: block.body_span,
                    }));
                }
                Err(error) => self.push(&error),
            }
        }
        snapshots
    }

    fn fixtures<'f>(&mut self, found: impl Iterator<Item = &'f Found>) -> Vec<FixtureFile> {
        let mut fixtures = Vec::new();
        for found in found.filter(|found| found.has_extension(&["csv", "sql"])) {
            let Some(file) = self.read(&found.on_disk) else { continue };
            fixtures.push(FixtureFile { name: found.stem(), file, is_sql: found.has_extension(&["sql"]) });
        }
        fixtures
    }

    fn docs(&mut self) -> Vec<DocsBlock> {
        let folders = self.settings.paths.docs.clone();
        let mut docs = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for found in self.found(&folders) {
            if !found.has_extension(&["md"]) || !seen.insert(found.path.clone()) {
                continue;
            }
            let Some(file) = self.read(&found.on_disk) else { continue };
            let text = self.files.get(file).text;
            match blocks(file, &text) {
                Ok(found_blocks) => {
                    docs.extend(found_blocks.into_iter().filter(|block| block.kind == BlockKind::Docs).map(|block| {
                        DocsBlock {
                            name: block.name,
                            text: text[block.body_span.range()].trim().to_string(),
                            path: found.path.clone(),
                        }
                    }))
                }
                Err(error) => self.push(&error),
            }
        }
        docs
    }

    fn properties(&mut self, renderer: &YamlRenderer) -> Vec<Properties> {
        let paths = &self.settings.paths;
        let folders: Vec<String> =
            [&paths.models, &paths.seeds, &paths.tests, &paths.analyses, &paths.macros, &paths.snapshots]
                .into_iter()
                .flatten()
                .cloned()
                .collect();
        let mut all = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for found in self.found(&folders) {
            if !found.has_extension(&["yml", "yaml"]) || !seen.insert(found.path.clone()) {
                continue;
            }
            let Some(file) = self.read(&found.on_disk) else { continue };
            if let Some(raw) = yaml::parse_file(file, &self.files.get(file).text, self.sink) {
                all.push(properties::read(&found.path, &raw, renderer, self.sink));
            }
        }
        all
    }

    fn push(&mut self, error: &RenderError) {
        let span = error.frames.first().copied();
        self.sink.push(Diagnostic::error(Code::JinjaSyntax, span, error.message.clone()));
    }
}

/// The place that stands for a file as a whole.
pub fn whole(file: FileId) -> Span {
    Span::start_of(file)
}
