//! Compares medal's Jinja with what dbt's own has printed for thousands of small templates.
//!
//! `tests/jinja/differences.txt` lists the cases that may differ, with the reason; the list can only get shorter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use medal::adapter::relation::{Column, Relation, RelationKind};
use medal::adapter::rows::{Cell, Rows};
use medal::files::{FileId, ProjectFiles};
use medal::jinja::{
    ErrorKind, Host, HostError, JsonMap, Library, LibraryOptions, MacroFile, Scope, ScopeValue, Template,
};
use serde_json::{Value as Json, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jinja")
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The stub world in which dbt has rendered the cases.
pub struct World {
    fixtures: Json,
    config: std::sync::Mutex<JsonMap>,
}

impl World {
    fn new(fixtures: &Json) -> Arc<World> {
        Arc::new(World { fixtures: fixtures.clone(), config: std::sync::Mutex::default() })
    }
}

fn relation(name: &str) -> Relation {
    Relation::new("db", "main", name).with_kind(RelationKind::Table)
}

fn cell(json: &Json) -> Cell {
    match json {
        Json::Null => Cell::Null,
        Json::Number(number) => Cell::Int(number.as_i64().unwrap_or_default().into()),
        other => Cell::Text(other.as_str().unwrap_or_default().to_string()),
    }
}

impl Host for World {
    fn execute(&self) -> bool {
        true
    }

    fn reference(&self, _package: Option<&str>, name: &str, _version: Option<&Json>) -> Result<Relation, HostError> {
        Ok(relation(name))
    }

    fn source(&self, source: &str, table: &str) -> Result<Relation, HostError> {
        Ok(relation(&format!("{source}_{table}")))
    }

    fn set_config(&self, values: JsonMap) -> Result<(), HostError> {
        self.config.lock().unwrap().extend(values);
        Ok(())
    }

    fn config(&self, key: &str) -> Option<Json> {
        self.config.lock().unwrap().get(key).cloned()
    }

    fn var(&self, name: &str) -> Option<Json> {
        self.fixtures["vars"].get(name).cloned()
    }

    fn env_var(&self, _name: &str) -> Result<Option<String>, HostError> {
        Ok(None)
    }

    fn log(&self, _message: &str, _info: bool) {}

    fn warn(&self, _message: &str) -> Result<(), HostError> {
        Ok(())
    }

    fn graph(&self) -> Json {
        json!({"nodes": {}, "sources": {}})
    }

    fn run(&self, sql: &str, _auto_begin: bool, _fetch: bool) -> Result<(String, Rows), HostError> {
        let results = self.fixtures["results"].as_array().expect("fixtures have results");
        let found = results.iter().find(|result| sql.contains(result["match"].as_str().unwrap_or_default()));
        let Some(found) = found else { return Ok(("OK".to_string(), Rows::default())) };
        let columns = found["columns"].as_array().expect("a result has columns").iter();
        let column = |name: &Json| Column {
            name: name.as_str().unwrap_or_default().to_string(),
            data_type: "VARCHAR".to_string(),
        };
        let rows = found["rows"].as_array().expect("a result has rows").iter();
        let row = |row: &Json| row.as_array().expect("a row is a list").iter().map(cell).collect();
        Ok(("OK".to_string(), Rows { columns: columns.map(column).collect(), rows: rows.map(row).collect() }))
    }

    fn begin(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn commit(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn existing(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<Option<Relation>, HostError> {
        Ok(None)
    }

    fn list_relations(&self, _: Option<&str>, _: &str) -> Result<Vec<Relation>, HostError> {
        Ok(Vec::new())
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<Column>, HostError> {
        let columns = self.fixtures["columns"].get(relation.identifier.as_deref().unwrap_or_default());
        let columns = columns.and_then(Json::as_array).cloned().unwrap_or_default();
        let text = |json: &Json| json.as_str().unwrap_or_default().to_string();
        Ok(columns.iter().map(|column| Column { name: text(&column[0]), data_type: text(&column[1]) }).collect())
    }

    fn query_columns(&self, _sql: &str) -> Result<Vec<Column>, HostError> {
        Ok(Vec::new())
    }

    fn relation_added(&self, _relation: &Relation) {}

    fn relation_dropped(&self, _relation: &Relation) {}

    fn create_schema(&self, _: Option<&str>, _: &str) -> Result<(), HostError> {
        Ok(())
    }

    fn drop_schema(&self, _: Option<&str>, _: &str) -> Result<(), HostError> {
        Ok(())
    }

    fn load_seed(&self, _relation: &Relation) -> Result<u64, HostError> {
        Ok(0)
    }

    fn adapter_method(&self, _name: &str, _args: &[Json]) -> Option<Result<Json, HostError>> {
        None
    }

    fn flag(&self, name: &str) -> Option<Json> {
        matches!(name, "FULL_REFRESH" | "STORE_FAILURES").then_some(Json::Bool(false))
    }
}

/// The names that the model `this_model` of the stub world sees.
fn scope() -> Scope {
    let model = json!({
        "name": "this_model", "alias": "this_model", "schema": "main", "database": "db", "resource_type": "model",
        "unique_id": "model.proj.this_model", "package_name": "proj", "config": {"materialized": "view"}, "columns": {},
        "version": null, "path": "this_model.sql", "original_file_path": "models/this_model.sql",
    });
    let target = json!({"name": "dev", "schema": "main", "database": "db", "type": "duckdb", "threads": 4});
    let mut scope = Scope { package: "proj".to_string(), ..Scope::default() };
    let mut set = |name: &str, value: ScopeValue| drop(scope.values.insert(name.to_string(), value));
    set("this", ScopeValue::Relation(relation("this_model")));
    set("model", ScopeValue::Json(model));
    set("target", ScopeValue::Json(target));
    set("schema", ScopeValue::Text("main".to_string()));
    set("database", ScopeValue::Text("db".to_string()));
    set("invocation_id", ScopeValue::Text("00000000-0000-0000-0000-000000000000".to_string()));
    set("run_started_at", ScopeValue::Text("2023-11-14T22:13:20+00:00".to_string()));
    scope
}

/// Every `.sql` file below a folder, in order.
fn sql_files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let nested = |path: PathBuf| if path.is_dir() { sql_files(&path) } else { vec![path] };
    paths.into_iter().flat_map(nested).filter(|path| path.extension().is_some_and(|end| end == "sql")).collect()
}

fn library(files: &ProjectFiles) -> Library {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let own = folder().join("macros.sql");
    let internal = ["macros", "materializations", "tests"].map(|folder| sql_files(&templates.join(folder))).concat();
    let macros = internal.iter().map(|path| ("dbt", path)).chain([("proj", &own)]).map(|(package, path)| {
        let file = files.read(path).expect("the file can be read");
        let source = files.get(file);
        MacroFile { package: package.to_string(), file, path: source.path, text: source.text }
    });
    let options =
        LibraryOptions { root_package: "proj".to_string(), adapter: "duckdb".to_string(), ..LibraryOptions::default() };
    let (library, errors) = Library::new(&macros.collect::<Vec<_>>(), options);
    assert!(errors.is_empty(), "{errors:#?}");
    library
}

/// What the template gives: its text, or the error.
fn render(library: &Library, world: Arc<World>, text: &str) -> Result<String, String> {
    let template = Template::new(FileId(0), Arc::from(text)).map_err(|error| error.message)?;
    let rendered =
        library.render(&template, &scope(), world).map_err(|error| format!("{:?}: {}", error.kind, error.message))?;
    Ok(rendered.text)
}

struct Case {
    id: String,
    template: String,
    /// None where dbt raises.
    expected: Option<String>,
}

fn cases(file: &str) -> Vec<Case> {
    let case = |line: &str| {
        let json: Json = serde_json::from_str(line).expect("each line is JSON");
        let text = |key: &str| json[key].as_str().map(str::to_string);
        Case {
            id: text("id").unwrap_or_default(),
            template: text("template").unwrap_or_default(),
            expected: text("expected"),
        }
    };
    read(folder().join(file)).lines().map(case).collect()
}

/// Ids of the cases that may differ: `# reason`, then one id a line.
fn accepted() -> BTreeMap<String, String> {
    let mut reason = String::new();
    let mut accepted = BTreeMap::new();
    for line in read(folder().join("differences.txt")).lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(text) => reason = text.to_string(),
            None => drop(accepted.insert(line.to_string(), reason.clone())),
        }
    }
    accepted
}

#[test]
fn templates_print_what_dbt_prints() {
    let files = ProjectFiles::new(env!("CARGO_MANIFEST_DIR"));
    let library = library(&files);
    let fixtures: Json = serde_json::from_str(&read(folder().join("fixtures.json"))).expect("fixtures are JSON");
    let accepted = accepted();
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    let mut equal_now = Vec::new();
    for case in cases("cases.jsonl").into_iter().chain(cases("matrix.jsonl")) {
        let result = render(&library, World::new(&fixtures), &case.template);
        let equal = result.as_ref().ok() == case.expected.as_ref();
        match (equal, accepted.contains_key(&case.id)) {
            (false, false) => {
                wrong.push(format!("{}\n  {}\n  dbt   {:?}\n  medal {result:?}", case.id, case.template, case.expected))
            }
            (true, true) => equal_now.push(case.id.clone()),
            _ => {}
        }
        seen.push(case.id);
    }
    let unknown: Vec<&String> = accepted.keys().filter(|id| !seen.contains(id)).collect();
    assert!(wrong.is_empty(), "{} cases differ from dbt:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal_now.is_empty(), "these cases are equal now; take them off the list: {equal_now:?}");
    assert!(unknown.is_empty(), "the list names cases that do not exist: {unknown:?}");
}

#[test]
fn an_error_names_every_macro_on_the_way() {
    let files = ProjectFiles::new(env!("CARGO_MANIFEST_DIR"));
    let library = library(&files);
    let template = Template::new(FileId(0), Arc::from("line1\n{{ boom2() }}")).unwrap();
    let error = library.render(&template, &scope(), World::new(&Json::Null)).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Raised, "boom!"));
    let text = files.get(error.frames[0].file).text;
    let shown: Vec<&str> = error.frames[..2].iter().map(|span| &text[span.range()]).collect();
    assert_eq!(shown, ["exceptions.raise_compiler_error(\"boom!\")", "boom()"]);
    assert_eq!(error.frames[2].range(), 9..16);
}

fn world() -> Arc<World> {
    World::new(&json!({"vars": {"list": [1, 2]}}))
}

#[test]
fn what_never_ends_or_grows_without_end_is_an_error() {
    let files = ProjectFiles::new(env!("CARGO_MANIFEST_DIR"));
    let library = library(&files);
    let hostile = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}",
        "{% set ns = namespace(l=()) %}{% for i in range(1000) %}{% set ns.l = (ns.l,) %}{% endfor %}",
        "{{ odd(100000) }}",
        "{{ range(1000000000) }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = ns.l + [1] * 100 %}{% endfor %}",
        "{% set l = [] %}{% for i in range(99999) %}{% do l.append('x' * 9999999) %}{% endfor %}",
        "{% set b = 'x' * 59999999 %}{% set c %}{% for i in range(99999) %}{{ b }}{% endfor %}{% endset %}",
        "{% set b = 'x' * 9999999 %}{{ ([b] * 99999) | join }}{{ b }}",
        "{% set b = '\n' * 9999999 %}{{ b | indent(999999) }}",
        "{{ ('x' * 9999999).replace('x', 'y' * 9999999) }}",
        "{{ ('x' * 9999999) | replace('x', 'y' * 9999999) }}",
        "{% set c %}{% for i in range(99999) %}LONG{% endfor %}{% endset %}",
        "{{ modules.re.sub('x', 'y' * 99999, 'x' * 99999) }}",
    ];
    for text in hostile {
        let text = text.replace("LONG", &"long ".repeat(99_999));
        let template = Template::new(FileId(0), Arc::from(text.as_str())).unwrap();
        let error = library.render(&template, &scope(), world()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit, "{text}: {}", error.message);
    }
    for text in
        ["{% set l = [] %}{% do l.append([l]) %}", "{{ '{:1000000000}'.format(1) }}", "{{ 'a'.ljust(1000000000) }}"]
    {
        assert!(render(&library, world(), text).is_err(), "{text}");
    }
}

#[test]
fn percent_formats_as_python_does() {
    let files = ProjectFiles::new(env!("CARGO_MANIFEST_DIR"));
    let library = library(&files);
    let text = "{{ '%r|%5s|%-4d|%05.2f|100%%|%s' % ('q', 'a', 7.9, 3.14159, ['x']) }} {{ '%(k)s' % {'k': 1} }}";
    let percent = "{{ '{:.1%} {!r} {a:.0%}'.format(0.256, 'x', a=2) }}";
    assert_eq!(render(&library, world(), percent).unwrap(), "25.6% 'x' 200%");
    assert_eq!(render(&library, world(), text).unwrap(), "'q'|    a|7   |03.14|100%|['x'] 1");
}

#[test]
fn one_expression_alone_in_yaml_keeps_its_type() {
    let files = ProjectFiles::new(env!("CARGO_MANIFEST_DIR"));
    let library = library(&files);
    let value = |text: &str| library.render_value(text, &scope(), world()).unwrap();
    assert_eq!(value("{{ var('list') }}"), json!([1, 2]));
    assert_eq!(value("{{ 5 }}"), json!(5));
    assert_eq!(value("n: {{ 5 }}"), json!("n: 5"));
    assert_eq!(value("{{ '5' | as_number }}"), json!(5));
    assert_eq!(value("{{ 'True' | as_bool }}"), json!(true));
    assert_eq!(value("{{ nothing }}"), json!(""));
    assert_eq!(value("plain\n"), json!("plain\n"));
}

#[test]
fn rendered_text_leads_back_to_its_template() {
    let files = ProjectFiles::new(env!("CARGO_MANIFEST_DIR"));
    let source = "{{ config(a=1) }}select {% for i in [1, 2] -%}\n  c{{ i }},\n{%- endfor %} x\nfrom {{- ref('a') -}}  where 1\n";
    let template = Template::new(FileId(0), Arc::from(source)).unwrap();
    let rendered = library(&files).render(&template, &scope(), world()).unwrap();
    assert_eq!(rendered.text, "select c1,c2, x\nfrom\"db\".\"main\".\"a\"where 1");
    let ends = rendered.map.segments.iter().skip(1).map(|(start, ..)| *start as usize).chain([rendered.text.len()]);
    let places = rendered.map.segments.iter().zip(ends).map(|((start, span, _), end)| {
        (&rendered.text[*start as usize..end], source[span.range()].trim_end_matches('\n'))
    });
    let expected = [
        ("select ", "select "),
        ("c", "c"),
        ("1", "{{ i }}"),
        (",", ","),
        ("c", "c"),
        ("2", "{{ i }}"),
        (",", ","),
        (" x\nfrom", " x\nfrom"),
        ("\"db\".\"main\".\"a\"", "{{- ref('a') -}}"),
        ("where 1", "where 1"),
    ];
    assert_eq!(places.collect::<Vec<_>>(), expected);
}

#[test]
fn facts_are_read_without_rendering() {
    let source =
        "{{ config(materialized='table', tags=['a']) }}select * from {{ ref('p', 'm', v=2) }} {{ source('s', 't') }}";
    let template = Template::new(FileId(0), Arc::from(source)).unwrap();
    let facts = template.facts();
    assert!(facts.is_static);
    let reference = &facts.refs[0];
    assert_eq!(
        (reference.package.as_deref(), reference.name.as_str(), &reference.version),
        (Some("p"), "m", &Some(json!(2)))
    );
    assert_eq!(&source[reference.span.range()], "'m'");
    assert_eq!(&source[facts.sources[0].span.range()], "'t'");
    assert_eq!(Json::Object(facts.configs[0].0.clone()), json!({"materialized": "table", "tags": ["a"]}));
    let template = Template::new(FileId(0), Arc::from("{{ ref('a' ~ 'b') }}{{ star(ref('c')) }}")).unwrap();
    let dynamic = template.facts();
    assert!(!dynamic.is_static);
    assert_eq!(dynamic.refs.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(dynamic.calls.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["ref", "ref", "star"]);
}
