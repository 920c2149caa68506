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
    /// A file could not be read: it is missing, too large, or not UTF-8 text.
    UnreadableFile => "unreadable-file",
    /// A path of the project leaves the project's folder, itself or through a symbolic link.
    ///
    /// Paths such as `model-paths` must stay below the project, so that a project cannot read or delete what
    /// does not belong to it.
    PathOutsideProject => "path-outside-project",
    /// A YAML file cannot be parsed, or goes beyond the limits on size, depth and aliases.
    InvalidYaml => "invalid-yaml",
    /// A key stands twice in one YAML mapping. dbt would silently take the last one.
    DuplicateKey => "duplicate-key",
    /// A key is not known at this place. It is often a misspelling, or stands at the wrong depth.
    UnknownKey => "unknown-key",
    /// A value has another type than its key takes.
    InvalidValue => "invalid-value",
    /// The same key stands in `medal.yml` and in `dbt_project.yml`.
    ///
    /// Keep it in one of them. What dbt does not know (`layers:`, `targets:`) belongs in `medal.yml`.
    KeyInBothFiles => "key-in-both-files",
    /// The profile or the target that the project names was not found.
    UnknownProfile => "unknown-profile",
    /// The engine could not be reached or set up: a missing file, a lock, or an extension that cannot be loaded.
    ConnectionFailed => "connection-failed",
    /// An environment variable that the project asks for is not set, and no default is given.
    MissingEnvVar => "missing-env-var",
    /// A variable that the project asks for is not set with `--vars` or under `vars:`, and has no default.
    MissingVar => "missing-var",
    /// A secret (`DBT_ENV_SECRET_…`, `MEDAL_SECRET_…`) is used outside of `profiles.yml` and `packages.yml`.
    SecretInSql => "secret-in-sql",
    /// The Jinja of a file cannot be parsed.
    JinjaSyntax => "jinja-syntax",
    /// The Jinja of a file failed while it was rendered. Both the place in the macro and the call are shown.
    JinjaError => "jinja-error",
    /// A template ran longer or made more text than medal allows: often a loop that does not end.
    TemplateLimit => "template-limit",
    /// Two nodes of the same kind have the same name, or would build the same relation.
    DuplicateName => "duplicate-name",
    /// A `ref()` names a model, seed or snapshot that does not exist.
    UnknownRef => "unknown-ref",
    /// A `ref()` names a model that more than one package has. Name the package: `ref('package', 'model')`.
    AmbiguousRef => "ambiguous-ref",
    /// A `source()` names a source table that no YAML file declares.
    UnknownSource => "unknown-source",
    /// A node depends on something that is switched off by `enabled: false`.
    DisabledDependency => "disabled-dependency",
    /// Models depend on each other in a circle, so that no order exists to build them in.
    DependencyCycle => "dependency-cycle",
    /// A generic test is not defined in any package.
    UnknownTest => "unknown-test",
    /// A YAML file describes something that does not exist.
    UnknownPatch => "unknown-patch",
    /// A macro that a file calls does not exist.
    UnknownMacro => "unknown-macro",
    /// A materialization that a model asks for does not exist.
    UnknownMaterialization => "unknown-materialization",
    /// A model's layer is not one that the project declares.
    UnknownLayer => "unknown-layer",
    /// A model reads a layer that its own layer must not read, for instance gold reads bronze.
    ///
    /// Every layer says in `layers: … reads:` which layers it may read. Put the missing step between, or move
    /// the model to the layer it belongs to.
    LayerReads => "layer-reads",
    /// A bronze model does more than receive: it joins, filters, aggregates or removes duplicates.
    ///
    /// Bronze keeps what was received: a projection of one source with metadata columns. Move the logic to silver.
    BronzeShape => "bronze-shape",
    /// A model has no SQL.
    EmptyModel => "empty-model",
    /// A model compiles to more than one SQL statement. A model is one `select`.
    ///
    /// The second statement may come from data (a variable, a name); data must never become code.
    ManyStatements => "many-statements",
    /// The engine refused the SQL of a node.
    SqlError => "sql-error",
    /// A data test found rows, beyond its `error_if` or `warn_if`.
    TestFailed => "test-failed",
    /// A seed file cannot be loaded: rows of different lengths, an empty or repeated column name, bad text.
    InvalidSeed => "invalid-seed",
    /// A seed's values were changed by type inference as dbt does it (`01234` becomes 1234).
    ///
    /// Declare the column in `column_types` (for instance `zip: varchar`) to keep the text. A native project
    /// (`medal.yml`) keeps every value as text.
    SeedCoercion => "seed-coercion",
    /// A selection names nothing.
    NothingSelected => "nothing-selected",
    /// A selector cannot be parsed or uses an unknown method.
    InvalidSelector => "invalid-selector",
    /// A feature of dbt that medal does not have (yet). `docs/compatibility.md` lists them with the reason.
    Unsupported => "unsupported",
    /// A package that the project needs is not installed below `packages-install-path`.
    MissingPackage => "missing-package",
    /// A name has characters that hide or reorder text (bidirectional controls).
    HiddenCharacters => "hidden-characters",
    /// The result of an earlier run cannot be read.
    UnreadableState => "unreadable-state",
}
