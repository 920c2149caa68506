//! One list of statements on both engines: each gives the same rows and types, or is refused with its reason.
//!
//! The lists are `tests/lake/sql/*.sql`, what becomes of them `tests/lake/sql/*.md`; `UPDATE_DIALECT=1` writes these.

use std::fmt::Write;
use std::path::Path;

use medal::adapter::relation::Column;
use medal::adapter::rows::{Cell, Rows};
use medal::adapter::{Adapter, AdapterError, Connection, Target};
use serde_json::{Value as Json, json};

use crate::suite::lake::both_engines;
use crate::suite::support::{Project, repository};

/// What an engine says to a statement: the names and types of the columns, and the rows as text.
pub struct Answer {
    pub columns: Vec<(String, String)>,
    pub rows: Vec<Vec<String>>,
}

/// An engine with these settings of a target.
pub fn engine(kind: &str, database: &str, settings: &Json) -> Box<dyn Adapter> {
    let target = Target {
        profile_name: "test".to_string(),
        name: "dev".to_string(),
        kind: kind.to_string(),
        database: database.to_string(),
        schema: "main".to_string(),
        threads: 1,
        settings: settings.as_object().cloned().unwrap_or_default(),
        base: Path::new(".").to_path_buf(),
    };
    medal::adapter::connect(&target).expect("the engine starts")
}

pub fn ask(connection: &mut dyn Connection, sql: &str) -> Result<Answer, AdapterError> {
    let Rows { columns, rows } = connection.query(sql)?;
    let column = |column: &Column| (column.name.to_lowercase(), written(&column.data_type));
    Ok(Answer {
        columns: columns.iter().map(column).collect(),
        rows: rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
    })
}

/// Floats are as near as 12 digits.
fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_string(),
        Cell::Float(number) => format!("{number:.12e}"),
        other => other.text(),
    }
}

/// The name that both engines' types have in common. A lakehouse keeps JSON and UUIDs as text, HUGEINT as DECIMAL(38,0).
fn written(name: &str) -> String {
    let name = name.to_uppercase();
    if let Some(element) = name.strip_suffix("[]") {
        return format!("{}[]", written(element));
    }
    if let Some(size) = name.strip_prefix("DECIMAL(") {
        let scale = size.trim_end_matches(')').split(',').next_back().unwrap_or_default().trim();
        return format!("DECIMAL(_,{scale})");
    }
    match name.as_str() {
        "JSON" | "UUID" => "VARCHAR".to_string(),
        "HUGEINT" => "DECIMAL(_,0)".to_string(),
        "\"NULL\"" => "NULL".to_string(),
        name if name.starts_with("STRUCT") => "STRUCT".to_string(),
        name if name.starts_with("MAP") => "MAP".to_string(),
        _ => name,
    }
}

/// A name that was written must be the same; DuckDB's names of expressions are as near as need be. A NULL of no type is
/// an INTEGER in the one engine, and of no type in the other.
fn same_columns(duckdb: &[(String, String)], datafusion: &[(String, String)]) -> bool {
    let is_written = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_null = |kind: &str| kind == "NULL" || kind == "NULL[]";
    let same = |((name, kind), (other_name, other_kind)): (&(String, String), &(String, String))| {
        (kind == other_kind || is_null(kind) || is_null(other_kind)) && (name == other_name || !is_written(name))
    };
    duckdb.len() == datafusion.len() && duckdb.iter().zip(datafusion).all(same)
}

/// Whether the statement says in which order its rows come.
fn is_ordered(sql: &str) -> bool {
    let mut depth = 0_i32;
    let depths: Vec<i32> = sql
        .chars()
        .map(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth
        })
        .collect();
    let lower = sql.to_lowercase();
    lower.match_indices("order by").any(|(at, _)| depths.get(lower[..at].chars().count()) == Some(&0))
}

/// What becomes of a statement, as a line of the snapshot; a difference is no outcome but a failure.
fn outcome(
    sql: &str,
    duckdb: Result<Answer, AdapterError>,
    datafusion: Result<Answer, AdapterError>,
) -> Result<String, String> {
    let first_line = |error: &AdapterError| error.to_string().lines().next().unwrap_or_default().to_string();
    match (duckdb, datafusion) {
        (Err(duckdb), Err(datafusion)) => {
            Ok(format!("both fail: {}\n    DuckDB: {}", first_line(&datafusion), first_line(&duckdb)))
        }
        (Err(duckdb), Ok(_)) => Err(format!("{sql}\n    only DuckDB fails: {duckdb}")),
        (Ok(_), Err(datafusion)) => {
            let place = match &datafusion {
                AdapterError::Sql { at: Some(at), .. } => format!(" ({}:{})", at.line, at.column),
                _ => String::new(),
            };
            Ok(format!("refused{place}: {}", first_line(&datafusion)))
        }
        (Ok(mut duckdb), Ok(mut datafusion)) => {
            if !is_ordered(sql) {
                duckdb.rows.sort();
                datafusion.rows.sort();
            }
            let changes = sql.starts_with("create") || sql.starts_with("insert") || sql.starts_with("drop");
            if changes || (same_columns(&duckdb.columns, &datafusion.columns) && duckdb.rows == datafusion.rows) {
                return Ok("equal".to_string());
            }
            let show = |answer: &Answer| format!("{:?}\n      {:?}", answer.columns, answer.rows);
            Err(format!("{sql}\n    DuckDB     {}\n    DataFusion {}", show(&duckdb), show(&datafusion)))
        }
    }
}

/// The statements of a text.
fn cut(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (c, quote) {
            (';', None) => statements.push(String::new()),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        if c != ';' || quote.is_some() {
            statements.last_mut().expect("there is one").push(c);
        }
    }
    let trimmed = statements.iter().map(|statement| statement.trim().to_string());
    trimmed.filter(|statement| !statement.is_empty()).collect()
}

fn compare(theme: &str) {
    let folder = repository("tests/lake/sql");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the list is there");
    let lake = tempfile::tempdir().expect("the system has a temporary folder");
    let duckdb = engine("duckdb", "memory", &json!({"path": ":memory:", "settings": {"TimeZone": "UTC"}}));
    let datafusion = engine("datafusion", "lake", &json!({"path": lake.path(), "schema": "main"}));
    let mut duckdb = duckdb.connect().expect("DuckDB takes a connection");
    let mut datafusion = datafusion.connect().expect("the lakehouse takes a connection");
    datafusion.execute("create schema if not exists main").expect("the schema is made");
    for statement in cut(&read("setup.sql")) {
        duckdb.execute(&statement).expect("the tables are made in DuckDB");
        let made = datafusion.execute(&statement);
        made.map_err(|error| format!("{error}\n{statement}")).expect("the tables are made in the lakehouse");
    }
    let (mut shown, mut different) = (String::new(), Vec::new());
    for statement in cut(&read(&format!("{theme}.sql"))) {
        let left = ask(duckdb.as_mut(), &statement);
        let right = ask(datafusion.as_mut(), &statement);
        match outcome(&statement, left, right) {
            Ok(outcome) => writeln!(shown, "{statement}\n  {outcome}").expect("text grows"),
            Err(difference) => different.push(difference),
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    let snapshot = folder.join(format!("{theme}.md"));
    if std::env::var_os("UPDATE_DIALECT").is_some() {
        std::fs::write(&snapshot, &shown).expect("the snapshot can be written");
    }
    assert_eq!(std::fs::read_to_string(&snapshot).unwrap_or_default(), shown, "UPDATE_DIALECT=1 writes the snapshot");
}

#[test]
fn arithmetic_means_the_same_on_both_engines() {
    compare("arithmetic");
}

#[test]
fn casts_mean_the_same_on_both_engines() {
    compare("casts");
}

#[test]
fn text_means_the_same_on_both_engines() {
    compare("text");
}

#[test]
fn dates_mean_the_same_on_both_engines() {
    compare("dates");
}

#[test]
fn aggregates_mean_the_same_on_both_engines() {
    compare("aggregates");
}

#[test]
fn windows_mean_the_same_on_both_engines() {
    compare("windows");
}

#[test]
fn queries_mean_the_same_on_both_engines() {
    compare("queries");
}

#[test]
fn nested_values_mean_the_same_on_both_engines() {
    compare("nested");
}

#[test]
fn the_sql_of_projects_means_the_same_on_both_engines() {
    compare("projects");
}

#[test]
fn statements_mean_the_same_on_both_engines() {
    compare("statements");
}

/// A project with a target of each engine, a macro that knows DuckDB only, and every cross-database macro.
fn macros() -> Project {
    both_engines(&[
        (
            "macros/twice.sql",
            "{% macro twice(x) %}{{ return(adapter.dispatch('twice')(x)) }}{% endmacro %}
{% macro default__twice(x) %}0{% endmacro %}
{% macro duckdb__twice(x) %}{{ x }} * 2{% endmacro %}",
        ),
        (
            "models/answers.sql",
            "{{ config(materialized='table') }}
with spine as ({{ dbt.date_spine('day', \"date '2024-01-30'\", \"date '2024-02-02'\") }}),
texts as (select 'b' as t, 2 as n union all select 'a', 1)
select
  {{ twice('21') }} as answer,
  {{ dbt.dateadd('month', 1, \"date '2024-01-31'\") }} as added,
  {{ dbt.dateadd('quarter', -1, \"timestamp '2024-01-31 10:00:00'\") }} as quarter_before,
  {{ dbt.datediff(\"date '2024-01-01'\", \"date '2024-03-01'\", 'week') }} as weeks,
  {{ dbt.datediff(\"date '2024-01-01'\", \"date '2024-03-01'\", 'month') }} as months,
  {{ dbt.date_trunc('month', \"date '2024-02-15'\") }} as month,
  {{ dbt.last_day(\"date '2024-02-15'\", 'month') }} as last_of_month,
  {{ dbt.last_day(\"date '2024-02-15'\", 'quarter') }} as last_of_quarter,
  {{ dbt.date(2024, 2, 29) }} as leap_day,
  {{ dbt.safe_cast(\"'12'\", api.Column.translate_type('integer')) }} as number,
  {{ dbt.hash(\"'a'\") }} as hash,
  {{ dbt.concat([\"'a'\", \"'b'\"]) }} as both,
  {{ dbt.length(\"'abc'\") }} as length,
  {{ dbt.position(\"'b'\", \"'abc'\") }} as position,
  {{ dbt.replace(\"'abc'\", \"'b'\", \"'x'\") }} as replaced,
  {{ dbt.right(\"'abc'\", 2) }} as last_two,
  {{ dbt.split_part(\"'a-b-c'\", \"'-'\", 2) }} as part,
  {{ dbt.split_part(\"'a-b-c'\", \"'-'\", -1) }} as last_part,
  {{ dbt.cast_bool_to_text('true') }} as truth,
  {{ dbt.array_construct(['1', '2']) }} as numbers,
  {{ dbt.array_append(dbt.array_construct(['1']), '2') }} as longer,
  {{ dbt.array_concat(dbt.array_construct(['1']), dbt.array_construct(['2'])) }} as joined,
  cast('1.5' as {{ dbt.type_numeric() }}) as amount,
  cast('1.5' as {{ dbt.type_float() }}) as ratio,
  cast('2024-01-01' as {{ dbt.type_timestamp() }}) as moment,
  (select count(*) from spine) as days,
  (select max(date_day) from spine) as last_day,
  (select {{ dbt.listagg('t', \"','\", 'order by t') }} from texts) as listed,
  (select {{ dbt.bool_or('n > 1') }} from texts) as any_above,
  (select {{ dbt.any_value('n') }} from texts where n = 1) as any_of,
  (select sum(generated_number) from ({{ dbt.generate_series(5) }}) as numbers) as fifteen
",
        ),
    ])
}

#[test]
fn macros_give_the_same_on_both_engines() {
    let project = macros();
    let on = |target: &str| {
        project.ends(0, &["build", "--target", target]);
        let shown = ["--quiet", "show", "--target", target, "--output", "json", "--inline"];
        project.medal(&[&shown[..], &["select * from {{ ref('answers') }}"]].concat()).stdout
    };
    assert_eq!(on("lake"), on("dev"));
}
