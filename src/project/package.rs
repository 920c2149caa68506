//! Turns the folders of a project into a Package: its SQL files, seeds, macros, docs blocks and property files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, ProjectFiles, Span};
use crate::jinja::{BlockKind, MacroFile, RenderError, blocks};
use crate::parallel;
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
#[derive(Clone)]
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
    let mut reader =
        Reader { dir, settings: &settings, ignored: Ignored::of(dir), walked: BTreeMap::new(), files, sink };
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
    /// The files below the folders that have been walked through.
    walked: BTreeMap<PathBuf, Vec<Found>>,
    files: &'a ProjectFiles,
    sink: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The files below some folders, in the order of their paths.
    fn found(&mut self, folders: &[String]) -> Vec<Found> {
        let mut all = Vec::new();
        for path in folders {
            let Some(root) = folder(self.dir, path, self.settings, self.sink) else { continue };
            if let Some(known) = self.walked.get(&root) {
                all.extend_from_slice(known);
            } else if root.is_dir() {
                let found = self.walk(&root);
                all.extend_from_slice(&found);
                self.walked.insert(root, found);
            }
        }
        all
    }

    fn walk(&self, root: &Path) -> Vec<Found> {
        let mut all = Vec::new();
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
        all
    }

    /// Reads files; those that cannot be read are told of and left out.
    fn read<'f>(&mut self, found: Vec<&'f Found>) -> Vec<(&'f Found, FileId)> {
        let paths: Vec<&Path> = found.iter().map(|found| found.on_disk.as_path()).collect();
        let mut all = Vec::with_capacity(found.len());
        for (found, file) in found.into_iter().zip(self.files.read_all(&paths)) {
            match file {
                Ok(file) => all.push((found, file)),
                Err(error) => self.sink.push(Diagnostic::error(Code::UnreadableFile, None, error.to_string())),
            }
        }
        all
    }

    fn sql_files<'f>(&mut self, found: impl Iterator<Item = &'f Found>) -> Vec<SqlFile> {
        let file = |(found, file): (&Found, FileId)| SqlFile {
            name: found.stem(),
            file,
            path: found.path.clone(),
            relative: found.relative.clone(),
        };
        let sql = found.filter(|found| found.has_extension(&["sql"])).collect();
        self.read(sql).into_iter().map(file).collect()
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
        let read = self.read(found.filter(|found| found.has_extension(&["sql"])).collect());
        let file = |(found, file): (&Found, FileId)| MacroFile {
            package: self.settings.name.clone(),
            file,
            path: found.path.as_str().into(),
            text: self.files.get(file).text,
        };
        read.into_iter().map(file).collect()
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
        let read = self.read(found.filter(|found| found.has_extension(&["csv", "sql"])).collect());
        let file = |(found, file): (&Found, FileId)| FixtureFile {
            name: found.stem(),
            file,
            is_sql: found.has_extension(&["sql"]),
        };
        read.into_iter().map(file).collect()
    }

    fn docs(&mut self) -> Vec<DocsBlock> {
        let folders = self.settings.paths.docs.clone();
        let mut docs = Vec::new();
        let all = self.found(&folders);
        for (found, file) in self.read(with_ending(&all, &["md"])) {
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
        let all = self.found(&folders);
        let (read, files) = (self.read(with_ending(&all, &["yml", "yaml"])), self.files);
        let parsed = parallel::map(&read, |(found, file)| {
            let mut sink = Diagnostics::default();
            let raw = yaml::parse_file(*file, &files.get(*file).text, &mut sink);
            let read = raw.map(|raw| properties::read(&found.path, &raw, renderer, &mut sink));
            (read, sink)
        });
        let told = |(properties, problems): (Option<Properties>, Diagnostics)| {
            self.sink.extend(problems);
            properties
        };
        parsed.into_iter().filter_map(told).collect()
    }

    fn push(&mut self, error: &RenderError) {
        let span = error.frames.first().copied();
        self.sink.push(Diagnostic::error(Code::JinjaSyntax, span, error.message.clone()));
    }
}

/// The files with some endings, each once.
fn with_ending<'f>(all: &'f [Found], extensions: &[&str]) -> Vec<&'f Found> {
    let mut seen = BTreeSet::new();
    all.iter().filter(|found| found.has_extension(extensions) && seen.insert(&found.path)).collect()
}

/// The place that stands for a file as a whole.
pub fn whole(file: FileId) -> Span {
    Span::start_of(file)
}
