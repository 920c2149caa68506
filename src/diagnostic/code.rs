//! The kinds of mistakes, one word code each. The doc comment of a code is what `medal explain CODE` prints.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// A kind of mistake. Codes are stable: scripts may rely on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in the order of this file.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The word that users see, for instance `unknown-ref`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// The text of `medal explain CODE`, in Markdown.
            pub fn explanation(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc, "\n"),+)),+ }
            }

            pub fn from_name(name: &str) -> Option<Code> {
                Code::ALL.iter().copied().find(|code| code.name() == name)
            }
        }
    };
}

codes! {
    /// No `dbt_project.yml` or `medal.yml` was found in the project's folder.
    ///
    /// Run the command inside a project, name one with `--project-dir`, or make one with `medal init`.
    NoProject => "no-project",
    /// A file could not be read or written: it is missing, too large, or not UTF-8 text.
    ///
    /// Save text files as UTF-8. Files of more than 16 MB are data: make them seeds, or sources. What medal writes
    /// goes below `target/`; the folder must be one that you may write to.
    UnreadableFile => "unreadable-file",
    /// A path of the project leaves the project's folder, itself or through a symbolic link.
    ///
    /// Paths such as `model-paths` must stay below the project, so that a project cannot read or delete what does
    /// not belong to it.
    PathOutsideProject => "path-outside-project",
    /// `medal clean` would delete a folder that medal did not make.
    ///
    /// medal marks its target folder with a file `CACHEDIR.TAG` when it makes it. In a project with a `medal.yml` only
    /// marked folders and the folder of packages are deleted; a plain dbt project is cleaned as by dbt.
    NotOurs => "not-ours",
    /// A YAML file cannot be parsed, or goes beyond the limits on size, depth and aliases.
    ///
    /// The place is where the parser gave up. The cause is often in the line before: an indentation that does not
    /// match, a tab, a quote that is not closed, or a text with `: ` or `#` in it that needs quotes.
    InvalidYaml => "invalid-yaml",
    /// A key stands twice in one YAML mapping. dbt would take the last one, and lose what the first one says.
    ///
    /// It is a warning if both say the same.
    /// Keep one of the two. Two `models:` in one file become one list.
    DuplicateKey => "duplicate-key",
    /// A key is not known at this place. It is often a misspelling, or stands at the wrong depth.
    ///
    /// What medal does not know, it does not use. Keys of your own belong below `meta:`.
    UnknownKey => "unknown-key",
    /// A value has another type than its key takes, or something that is needed has no value.
    ///
    /// For instance `tags: 5` is a number, where a text or a list of texts is wanted: `tags: "5"`.
    InvalidValue => "invalid-value",
    /// The same key stands in `medal.yml` and in `dbt_project.yml`.
    ///
    /// Keep it in one of them. What dbt does not know (`layers:`, `targets:`) belongs in `medal.yml`.
    KeyInBothFiles => "key-in-both-files",
    /// The profile or the target that the project names was not found, or has a type that medal does not know.
    ///
    /// `profile:` of the project file, or `--profile`, names a profile; `target:` of the profile, or `--target`,
    /// one of its `outputs:`. medal looks for `profiles.yml` in `--profiles-dir`, the current folder, the project's
    /// folder and `~/.dbt`.
    UnknownProfile => "unknown-profile",
    /// The engine could not be reached or set up: a missing file, a lock, or an extension that cannot be loaded.
    ///
    /// `medal debug` tries the connection alone. DuckDB lets one process at a time write to a file: end the other
    /// one, or close the file in the tool that holds it open.
    ConnectionFailed => "connection-failed",
    /// An environment variable that the project asks for is not set, and no default is given.
    ///
    /// Set it, or give a default as the second argument: `env_var('REGION', 'eu')`.
    MissingEnvVar => "missing-env-var",
    /// A variable that the project asks for is not set with `--vars` or under `vars:`, and has no default.
    ///
    /// Set it for one call with `--vars '{start: 2024-01-01}'`, for the project under `vars:`, or give a default as
    /// the second argument: `var('start', '2024-01-01')`.
    MissingVar => "missing-var",
    /// A secret (`DBT_ENV_SECRET_…`, `MEDAL_SECRET_…`) is used outside of `profiles.yml` and `packages.yml`.
    ///
    /// SQL is written to `target/`, to logs and to the history of the warehouse, where a secret must not be.
    SecretInSql => "secret-in-sql",
    /// The Jinja of a file cannot be parsed.
    ///
    /// Look for a block without its end (`{% if … %}` needs `{% endif %}`), a quote or bracket that is not closed,
    /// or `{{ }}` inside of another `{{ }}`: within one, names need no braces.
    JinjaSyntax => "jinja-syntax",
    /// The Jinja of a file failed while it was rendered. Both the place in the macro and the call are shown.
    ///
    /// The first place is where it failed; each place after it called the one before.
    JinjaError => "jinja-error",
    /// A macro or a model warns, with `exceptions.warn(…)`, while the project is read.
    ///
    /// What it warns of is its own matter; the message says it. `--warn-error-options '{silence: [JinjaLogWarning]}'`
    /// silences all of them.
    MacroWarning => "macro-warning",
    /// A template ran longer or made more text than medal allows: often a loop that does not end.
    ///
    /// Large work belongs into SQL, where the engine does it: a template only writes the query.
    TemplateLimit => "template-limit",
    /// Two nodes have the same name or would build the same relation, or two macros of a package have one name.
    ///
    /// DuckDB does not tell capital letters from small ones. Rename one, or give it another `alias` or `schema`.
    DuplicateName => "duplicate-name",
    /// A `ref()` names a model, seed or snapshot that does not exist.
    ///
    /// Names are those of the files, without `.sql` or `.csv`, and capital letters count. Tables that others load
    /// are sources: declare them below `sources:` and read them with `source()`.
    UnknownRef => "unknown-ref",
    /// A `ref()` or `latest_version` names a version that the model does not have.
    ///
    /// The versions of a model stand below `versions:` in its property file. Without a version, `ref()` takes the
    /// latest one.
    UnknownVersion => "unknown-version",
    /// A model has a `deprecation_date`, and it has passed, or another model still reads it.
    ///
    /// Read a newer version of it, `ref('model', v=2)`, or move the date.
    DeprecatedModel => "deprecated-model",
    /// A `ref()` names a model that more than one package has.
    ///
    /// Name the package: `ref('package', 'model')`.
    AmbiguousRef => "ambiguous-ref",
    /// A `source()` names a source table that no YAML file declares.
    ///
    /// Declare it in a property file: `sources:`, in it `- name:` of the source, in that `tables:` with `- name:`
    /// of the table.
    UnknownSource => "unknown-source",
    /// A node depends on something that is switched off by `enabled: false`.
    ///
    /// Switch it on, or switch off what reads it as well. `medal ls` lists only what is switched on.
    DisabledDependency => "disabled-dependency",
    /// Models depend on each other in a circle, so that no order exists to build them in.
    ///
    /// Remove one of the references that are shown, or move the part that both need into a model of its own. A
    /// model that reads its own rows of the run before does so with `{{ this }}`, in an incremental model.
    DependencyCycle => "dependency-cycle",
    /// A generic test is not defined in any package.
    ///
    /// `unique`, `not_null`, `accepted_values` and `relationships` are built in. Others are `{% test name(model,
    /// column_name) %}` in a file of the macros or of `tests/generic`, or come with a package: `package.name`.
    UnknownTest => "unknown-test",
    /// A YAML file describes something that does not exist.
    ///
    /// The tests and descriptions that are written there have no effect. Correct the name, or delete the entry.
    UnknownPatch => "unknown-patch",
    /// A macro that a file, or `run-operation`, calls does not exist.
    ///
    /// Macros of packages are called with the package's name: `dbt_utils.star(…)`. The package must be installed.
    UnknownMacro => "unknown-macro",
    /// A materialization that a model asks for does not exist.
    ///
    /// `view`, `table`, `incremental` and `ephemeral` are built in; a project defines others with `{%
    /// materialization name, adapter='duckdb' %}`.
    UnknownMaterialization => "unknown-materialization",
    /// A model's layer is not one that the project declares.
    ///
    /// Without `layers:` in `medal.yml` the layers are `bronze`, `silver` and `gold`.
    UnknownLayer => "unknown-layer",
    /// A model reads a layer that its own layer must not read, for instance gold reads bronze.
    ///
    /// Every layer says in `layers: … reads:` which layers it may read. Put the missing step between, or move the
    /// model to the layer it belongs to.
    LayerReads => "layer-reads",
    /// A bronze model does more than receive: it joins, filters, aggregates or removes duplicates.
    ///
    /// Bronze keeps what was received: a projection of one source with metadata columns. Move the logic to silver.
    BronzeShape => "bronze-shape",
    /// A model lacks what its layer requires: an owner, a description, a key or a contract.
    ///
    /// Each layer says so in `layers: … require:`. The owner is that of its `group`, or `owner` of its `meta`; the key is
    /// `unique_key`, a constraint, or a test for duplicates; the contract is `contract: {enforced: true}`.
    LayerRequires => "layer-requires",
    /// A model only repeats a model of another layer: all its rows, and columns as they are.
    ///
    /// Its readers can read the other one. A layer that is meant to repeat says so: `mirror: off`.
    LayerMirror => "layer-mirror",
    /// Personal data reaches a layer that forbids it (`pii: forbid`).
    ///
    /// A column is personal if it is tagged (`meta: {pii: email}`), or made of one that is; the message shows the way. A
    /// query that cannot be followed counts as personal if something above it is. Leave the column out, mask it with
    /// `{{ medal.mask('email') }}`, or say that it may be read: `meta: {pii: released, reason: …}`.
    PiiReaches => "pii-reaches",
    /// A waiver does not say which rule it is from, why, and until when.
    ///
    /// `waive: {layer-reads: {reason: "moves with the new billing", until: 2026-12-31}}` in the config of a model, or
    /// below `meta: {medal: …}`, allows what the rule forbids until that day. Then it is an error.
    Waiver => "waiver",
    /// A model is built in batches (`microbatch`), and none of its inputs says when a row happened.
    ///
    /// Each batch then reads all rows of its inputs. Give the models and sources that it reads the config
    /// `event_time`: the column that holds the time of a row.
    UnfilteredBatch => "unfiltered-batch",
    /// A model has no SQL: it is empty, has nothing but comments, or its Jinja left nothing.
    ///
    /// Write a `select`. A model that is not ready can be switched off: `{{ config(enabled=false) }}`.
    EmptyModel => "empty-model",
    /// A model compiles to more than one SQL statement. A model is one `select`.
    ///
    /// The second statement may come from data (a variable, a name); data must never become code. What has to run
    /// before or after the model is a `pre_hook` or a `post_hook`.
    ManyStatements => "many-statements",
    /// A query or a test names a column that what it reads does not have.
    ///
    /// `medal check` types every model before anything runs. The columns that are there are those of the `select`
    /// above, of the seed's header, or of the source as it is in the warehouse or declared.
    UnknownColumn => "unknown-column",
    /// A column could come from more than one of the relations that a query reads.
    ///
    /// Write the name of the relation, or its alias, before the column: `orders.id`.
    AmbiguousColumn => "ambiguous-column",
    /// A query reads a table that neither the project nor the warehouse has.
    ///
    /// Models, seeds and snapshots are read with `ref()`, tables that others load with `source()`.
    UnknownRelation => "unknown-relation",
    /// A query calls a function that the engine does not have.
    ///
    /// It is a warning where hooks or macros create functions or load extensions, which only a run does.
    UnknownFunction => "unknown-function",
    /// A query casts to a type that the engine does not have, or a contract names one.
    ///
    /// It is a warning where hooks run, which may create types.
    UnknownType => "unknown-type",
    /// Types do not fit: a function does not take them, or the parts of a `union` have different columns.
    ///
    /// Cast where the mark stands: `cast(total as date)`, or `total::date`.
    TypeMismatch => "type-mismatch",
    /// A column is described in YAML, but the model does not have it.
    ///
    /// Correct the name, or delete the entry.
    AbsentColumn => "absent-column",
    /// The engine refused the SQL of a node.
    ///
    /// The place is in your file; what the engine was sent is below `target/compiled/`. `medal show --inline '…'`
    /// tries a query.
    SqlError => "sql-error",
    /// A data test found rows, beyond its `error_if` or `warn_if`.
    ///
    /// `medal show --select TEST` shows the rows, `--store-failures` keeps them as a table. With `severity: warn` a
    /// test warns only.
    TestFailed => "test-failed",
    /// The newest row of a source is older than its `freshness` allows.
    ///
    /// What loads the source may have stopped. A table without rows counts as infinitely old. `warn_after` warns,
    /// `error_after` makes `medal source freshness` fail.
    StaleSource => "stale-source",
    /// A source has a `freshness`, and its age cannot be found out.
    ///
    /// `loaded_at_field` names a column or an expression with a point in time; cast a date or a text:
    /// `loaded_on::timestamp`. `loaded_at_query` is a query that gives the time. `freshness: null` switches the
    /// check of a table off.
    UnknownFreshness => "unknown-freshness",
    /// A unit test found other rows than it expects, or gives rows that its model does not read.
    ///
    /// The table has a line for each row that differs: `+++` is in the model's rows only, `---` in the expected ones
    /// only, and `→` shows what was expected and what there is. Only the columns that `expect` names are compared, in
    /// any order of the rows.
    UnitTest => "unit-test",
    /// A snapshot lacks what its strategy needs, or has what contradicts it.
    ///
    /// Every snapshot has a `unique_key` and a `strategy`. The strategy `timestamp` needs `updated_at`, the strategy
    /// `check` needs `check_cols`: a list of columns, or `all`.
    SnapshotConfig => "snapshot-config",
    /// What a property file says of a model's columns and constraints cannot be a contract.
    ///
    /// A contract (`contract: {enforced: true}`) lists every column with its `data_type`. Constraints are check,
    /// not_null, unique, primary_key, foreign_key and custom, on a column or, with `columns`, on the model.
    InvalidContract => "invalid-contract",
    /// The query of a model gives other columns, or other types, than its contract says.
    ///
    /// Nothing was written. Change the query, with `cast(… as …)` for a type, or change the contract.
    BrokenContract => "broken-contract",
    /// A node reads a model that is private to another group, or protected by another package.
    ///
    /// `access` of the model that is read says who may: private is for its group, protected for its project, and
    /// public for all.
    AccessDenied => "access-denied",
    /// A `group` that no property file declares.
    ///
    /// Groups are declared below `groups:`, each with a `name` and an `owner`.
    UnknownGroup => "unknown-group",
    /// A seed file cannot be loaded: rows of different lengths, an empty or repeated column name, bad text.
    ///
    /// Values with a delimiter or a line end in them stand between double quotes. Another delimiter is the
    /// configuration `delimiter`; types are `column_types`.
    InvalidSeed => "invalid-seed",
    /// A seed's values were changed by type inference as dbt does it (`01234` becomes 1234).
    ///
    /// Declare the column in `column_types` (for instance `zip: varchar`) to keep the text. A native project
    /// (`medal.yml`) keeps every value as text.
    SeedCoercion => "seed-coercion",
    /// A selection names nothing, or nothing that the command works on.
    ///
    /// `medal ls --select …` shows what a selection holds. `medal test` selects tests by what they test.
    NothingSelected => "nothing-selected",
    /// A selector cannot be parsed or uses an unknown method.
    ///
    /// Examples: `orders`, `+orders`, `orders+1`, `tag:daily`, `layer:silver`, `path:models/staging`, `source:raw`,
    /// `orders,tag:daily` (both).
    InvalidSelector => "invalid-selector",
    /// A feature of dbt that medal does not have (yet). `docs/compatibility.md` lists them with the reason.
    Unsupported => "unsupported",
    /// A package that the project needs is not installed below `packages-install-path`.
    ///
    /// `medal deps` installs what `packages.yml` lists.
    MissingPackage => "missing-package",
    /// A package cannot be had: its folder, its archive, its repository or the hub is not there or does not answer.
    ///
    /// Hub packages come from <https://hub.getdbt.com/>, or from where `DBT_PACKAGE_HUB_URL` points: a URL, or a
    /// folder with the same files. Repositories are fetched by the program `git`, with your settings and keys.
    PackageUnavailable => "package-unavailable",
    /// No version of a package fits all who ask for it, or two packages have one name.
    ///
    /// Ask for a range that all can share, or for another version of the package that asks for too much.
    PackageConflict => "package-conflict",
    /// The content of a package is not the one that `package-lock.yml` pins, though its address and version are.
    ///
    /// Packages run code in your warehouse. Look at what has changed before you accept it with `medal deps
    /// --upgrade`.
    PackageChanged => "package-changed",
    /// The archive of a package holds what a package must not: a path or a link that leaves its folder, a device, or
    /// more data than a package can have.
    ///
    /// Nothing of it was installed. Tell the author of the package.
    UnsafeArchive => "unsafe-archive",
    /// A package brings hooks, or a materialization in the place of a built-in one, and the project has not allowed
    /// it.
    ///
    /// In a project with a `medal.yml` only, `allow: [hooks]` or `allow: [materializations]` at the package in
    /// `packages.yml` says that its code may run unasked.
    PackageConsent => "package-consent",
    /// A project or package asks, with `require-dbt-version`, for another version of dbt than medal is like.
    ///
    /// Install another version of the package, or use `--no-version-check`.
    VersionMismatch => "version-mismatch",
    /// The name of a model, seed, snapshot, test or analysis has a space.
    ///
    /// Rename the file. The flag `require_resource_names_without_spaces: false` of the project makes it a warning.
    SpaceInName => "space-in-name",
    /// A name has letters that cannot be seen, or that show text in another order than it has.
    ///
    /// Such a name can be mistaken for another one. Rename the file or the column, and look at how the letter came
    /// there.
    HiddenCharacters => "hidden-characters",
    /// An `ingest` model cannot be read: it reads no source, or its location, format or a choice is not one.
    ///
    /// The files are named by `location` and `format`, of the model or below `meta: {medal: …}` of its source, or by
    /// `external_location` of the source. `docs/ingest.md` lists every key.
    IngestConfig => "ingest-config",
    /// `key` and `meta.medal.key` both stand in a configuration, and differ.
    ///
    /// They are two spellings of one key: the second one is for projects that other tools read, too.
    ConfigConflict => "config-conflict",
    /// The query of an `ingest` model leaves out rows, or a column that medal adds.
    ///
    /// Bronze keeps what was received: every record, and from which line of which file it came. Select `*`, or name
    /// the columns that begin with `_` too. Filters and joins belong in a model that reads this one.
    IngestShape => "ingest-shape",
    /// `--full-refresh` of a model that keeps what was received would lose rows whose files are gone.
    ///
    /// Nothing was changed. If the landed files are all still there and the history may go, drop the table by hand and
    /// its rows in `medal_meta.files`.
    HistoryLoss => "history-loss",
    /// A file that is ingested already has other content under the same name, or one that a run reads has changed.
    ///
    /// Landed files do not change: a correction is a file with a new name. Nothing was ingested. With
    /// `on_changed_file: append` the new content is added, and both stay. Of a run all models of layers read the same
    /// files: if one of them is written to meanwhile, the model is not built; build it once more.
    ChangedFile => "changed-file",
    /// A file cannot be read as what it should be, and `on_bad_file: fail` asks to stop then.
    ///
    /// With `on_bad_file: quarantine` (the default) it goes to quarantine, and the others land.
    BadFile => "bad-file",
    /// Landed files, or a model that is built anew, have other columns than before, and `on_schema_change` asks to stop.
    ///
    /// Nothing was ingested or published. For files `append_new_columns` (the default of ingest models) adds new columns.
    /// For a model of a layer `medal schema approve --select MODEL` lets the next build publish it.
    SchemaDrift => "schema-drift",
    /// A column has another type than the table, and a value could be lost in it.
    ///
    /// Nothing was written. Cast the column in the query to the type of the table, or let the table follow:
    /// `on_schema_change: sync_all_columns`.
    LossyType => "lossy-type",
    /// A `cdc` model lacks what its events are told apart and ordered by, or says what contradicts itself.
    ///
    /// Every one has a `unique_key` and a `sequence_by`. `docs/cdc.md` lists every key.
    CdcConfig => "cdc-config",
    /// Events have no key or no sequence, and `on_null_key: fail` asks to stop then.
    ///
    /// Nothing was applied. With `on_null_key: quarantine` (the default) they go to quarantine.
    NullKey => "null-key",
    /// The result of an earlier run is not there, cannot be read, or is of another target.
    ///
    /// `medal retry` reads what the last `build`, `run`, `seed` or `test` wrote below `target/`. `medal clean`
    /// deletes it.
    UnreadableState => "unreadable-state",
    /// A model was built and is not published: a test that audits it failed, or a guard of its layer holds it back.
    ///
    /// Readers keep the last good version. What was built stands beside it as `<name>__medal_<version>` until the next
    /// build, so that it can be looked at. Correct the data or the model, and build again.
    NotPublished => "not-published",
    /// A table has lost more rows than `max_shrink` of its layer or model allows, or all of them.
    ///
    /// Mostly something above it is empty or was loaded in part. If the rows are meant to go, build once with
    /// `--allow-shrink MODEL`.
    Shrink => "shrink",
    /// Models that are published together cannot be: something that is published by itself stands between them.
    ///
    /// `publish_group: together` publishes all models of a layer in one transaction, and what is between them would read
    /// versions that nobody has seen. Put it into the same layer, or let a model go alone: `publish_group: alone`.
    TornGroup => "torn-group",
    /// A test takes rows out of its model (`action: quarantine` or `drop`), and cannot.
    ///
    /// Only a test that speaks of each row by itself says which rows to take out, and only a table keeps the others.
    TestAction => "test-action",
    /// More rows of a model break its tests than `max_rate` of a test, or of `quarantine:` of the model, allows.
    ///
    /// So many bad rows are no single mistakes: something above is wrong. Nothing was published. The rows are in the
    /// quarantine of the model: `medal quarantine show --select MODEL`.
    QuarantineBudget => "quarantine-budget",
    /// The rows that a model reads are not those that it has, and those that were taken out of them.
    ///
    /// Nothing was published. A query that only chooses columns gives a row for each that it reads, and one that filters not
    /// more: look for a function that makes several rows of one. Otherwise this is a mistake of medal, or of a materialization
    /// that the project has written itself.
    UnbalancedRows => "unbalanced-rows",
    /// A model cannot be rolled back: the version is not kept any more, or was never there.
    ///
    /// A table keeps the version before the one that is published; `keep_generations: 3` keeps two. An incremental model
    /// keeps none unless it has that config, and a view shows what its parents have.
    NoVersion => "no-version",
    /// A full refresh of an incremental model would lose its oldest rows.
    ///
    /// What it reads does not go back as far as what it has, so that it cannot be built again from it. Nothing was
    /// published. If the rows are meant to go, build once with `--allow-shrink MODEL`.
    LostHistory => "lost-history",
    /// A command that looks after the tables of a lakehouse was given for another engine.
    ///
    /// `medal history`, `optimize` and `vacuum` are for targets of type `datafusion`, whose tables are Delta Lake tables.
    NotALakehouse => "not-a-lakehouse",
}
