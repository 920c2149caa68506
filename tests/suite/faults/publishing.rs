//! What readers see while models are published, and when a run is killed in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use medal::adapter::{self, Adapter};
use medal::compile::session::{Invocation, Messages, Session, Warehouse};
use medal::diagnostic::Diagnostics;
use medal::files::ProjectFiles;
use medal::jinja::JsonMap;
use medal::manifest::{Manifest, resolve};
use medal::notes::Notes;
use medal::plan::{PlanOptions, plan};
use medal::project::{LoadRequest, Project as Loaded, load};
use medal::run::{Event, Listener, RunOptions, hooks, ledger, run};

use crate::suite::support::{Project, number};

const MEDAL: &str = "name: shop
version: '1.0'
target: dev
targets: {dev: {type: duckdb, path: shop.duckdb, threads: 2}, lake: {type: datafusion, path: lake, threads: 2}}
layers:
  silver: {paths: [models/silver], schema: silver, reads: [silver], defaults: {materialized: table}}
  gold: {paths: [models/gold], schema: gold, reads: [silver, gold], publish_group: together, defaults: {materialized: table}}
";

const SCHEMAS: (&str, &str) = (
    "macros/generate_schema_name.sql",
    "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}",
);

/// So many tables that are published together.
const GROUP: usize = 20;

/// Twenty tables that are published together, of one generation each, below one that is published alone.
fn generations(target: &str) -> Project {
    let project = Project::of(&[
        ("medal.yml", &MEDAL.replace("target: dev", &format!("target: {target}"))),
        SCHEMAS,
        ("models/silver/base.sql", "select i, {{ var('generation', 0) }} as generation from range(2000) as t(i)"),
        ("models/all.yml", "models: [{name: base, columns: [{name: i, data_tests: [unique]}]}]"),
    ]);
    for n in 0..GROUP {
        project.write(&format!("models/gold/g{n}.sql"), "select * from {{ ref('base') }}");
    }
    project
}

/// The generations that the tables of the group have.
fn generations_of(project: &Project) -> String {
    let one = |n: usize| format!("select generation, i from gold.g{n}");
    let all = (0..GROUP).map(one).collect::<Vec<_>>().join(" union all ");
    project.query(&format!("select generation, count(*) from ({all}) group by all order by all"))
}

#[test]
fn a_group_of_twenty_tables_switches_as_one_whenever_the_run_is_killed() {
    switches_as_one("dev", 30);
}

#[test]
fn a_group_of_twenty_tables_of_a_lakehouse_switches_as_one_whenever_the_run_is_killed() {
    switches_as_one("lake", 12);
}

fn switches_as_one(target: &str, attempts: u32) {
    let project = generations(target);
    let begin = Instant::now();
    project.ends(0, &["build"]);
    let whole = begin.elapsed();
    let mut killed = 0;
    let attempts = u32::try_from(number("MEDAL_PUBLISH_KILLS", attempts.into())).expect("it is small");
    for attempt in 0..attempts {
        let vars = format!("generation: {}", attempt + 1);
        let mut command = project.command(&["build", "--vars", &vars]);
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("medal starts");
        std::thread::sleep(whole * (2 + (attempt * 7) % 22) / 24);
        killed += u32::from(child.try_wait().expect("medal can be waited for").is_none());
        child.kill().expect("a process can be killed");
        child.wait().expect("medal ends");
        let seen = generations_of(&project);
        assert_eq!(seen.lines().count(), 1, "a mix of generations: {seen}");
        assert!(seen.ends_with(&format!("|{}", GROUP * 2000)), "rows are missing: {seen}");
    }
    assert!(killed > attempts / 3, "only {killed} of {attempts} builds were still running when they were killed");
    project.ends(0, &["build", "--vars", "generation: 99"]);
    assert_eq!(generations_of(&project), format!("99|{}", GROUP * 2000));
    let versions = "select count(*) - count(distinct split_part(table_name, '__medal_', 1)) from information_schema.tables where table_name like '%\\_\\_medal\\_%' escape '\\'";
    assert_eq!(project.query(versions), "0", "a table has more than one earlier version");
}

/// Hears nothing.
struct Silent;

impl Messages for Silent {
    fn message(&self, _: Option<&str>, _: &str) {}
    fn debug(&self, _: &str) {}
    fn warning(&self, _: Option<&str>, _: &str) {}
}

impl Listener for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// Builds a project in this process; whether it failed.
fn build(
    files: &Arc<ProjectFiles>,
    adapter: &Arc<dyn Adapter>,
    project: Loaded,
    manifest: Manifest,
    number: usize,
) -> bool {
    let invocation = Invocation { id: format!("{number:08}"), started: chrono::Utc::now() };
    let selected: Vec<String> = manifest.nodes.keys().cloned().collect();
    let (project, manifest) = (Arc::new(project), Arc::new(manifest));
    let flags = JsonMap::from_iter([("WHICH".to_string(), "build".into())]);
    let session = Session::new(
        files.clone(),
        project.clone(),
        manifest.clone(),
        flags,
        Arc::new(Silent),
        selected.clone(),
        invocation,
    );
    let session = Arc::new(session);
    let warehouse = Arc::new(Warehouse::open(adapter.clone()));
    let nodes = || manifest.nodes.values().map(Box::as_ref);
    hooks::make_schemas(&session, &warehouse, nodes()).expect("the schemas can be made");
    ledger::prepare(&session, &warehouse, nodes()).expect("the ledger can be made");
    let options = PlanOptions { tests_gate: true, together: false };
    let plan =
        plan(&manifest, &project.layers, selected.iter().map(String::as_str), options, &mut Diagnostics::default());
    let options = RunOptions { workers: 2, fail_fast: false, stop: Arc::default() };
    run(&session, adapter, &plan, &options, None, &Silent).failed()
}

#[test]
fn a_reader_that_polls_through_rebuilds_never_sees_a_bad_row_or_a_missing_table() {
    let written = Project::of(&[
        ("medal.yml", MEDAL),
        SCHEMAS,
        (
            "models/silver/orders.sql",
            "select i as id, case when i > {{ var('bad') }} then {{ var('generation') }} end as generation from range(500) as t(i)",
        ),
        ("models/silver/latest.sql", "{{ config(materialized='view') }} select * from {{ ref('orders') }}"),
        (
            "models/silver/seen.sql",
            "{{ config(materialized='incremental', unique_key='id') }} select * from {{ ref('orders') }}",
        ),
        ("models/all.yml", "models: [{name: orders, columns: [{name: generation, data_tests: [not_null]}]}]"),
    ]);
    let loaded = |bad: i64, generation: usize| {
        let files = Arc::new(ProjectFiles::new(written.path()));
        let mut request = LoadRequest::default();
        request.profile.working_dir = written.path().to_path_buf();
        request.cli_vars =
            JsonMap::from_iter([("bad".to_string(), bad.into()), ("generation".to_string(), generation.into())]);
        let mut sink = Diagnostics::default();
        let project = load(&files, &request, &mut sink).expect("the project can be read");
        let manifest = resolve(&project, &files, &Notes::default(), &mut sink);
        assert!(!sink.has_errors());
        (files, project, manifest)
    };
    let (files, project, manifest) = loaded(-1, 0);
    let adapter: Arc<dyn Adapter> = Arc::from(adapter::connect(&project.target).expect("the engine opens"));
    assert!(!build(&files, &adapter, project, manifest, 0));
    let (done, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut connection = adapter.connect().expect("a reader can connect");
            while !done.load(Ordering::Relaxed) {
                for table in ["orders", "latest", "seen"] {
                    let sql = format!(
                        "select count(*) = 500 and count(generation) = 500 and min(generation) = max(generation) from silver.{table}"
                    );
                    let rows = connection.query(&sql).expect("the table is there");
                    assert_eq!(rows.rows[0][0].as_bool(), Some(true), "{table} has a bad row");
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for number in 1..=100 {
            let bad = if number % 3 == 0 { 7 } else { -1 };
            let (files, project, manifest) = loaded(bad, number);
            assert_eq!(build(&files, &adapter, project, manifest, number), bad == 7, "rebuild {number}");
            if reader.is_finished() {
                break;
            }
        }
        // The last looks are at the last version.
        std::thread::sleep(Duration::from_millis(20));
        done.store(true, Ordering::Relaxed);
        reader.join().expect("the reader saw good tables only");
    });
    assert!(looks.load(Ordering::Relaxed) > 100, "the reader had {} looks", looks.load(Ordering::Relaxed));
}

#[test]
fn no_row_is_lost_and_none_is_there_twice_when_a_run_that_holds_rows_back_is_killed() {
    loses_no_row("dev");
}

fn loses_no_row(target: &str) {
    let project = Project::of(&[
        ("medal.yml", &MEDAL.replace("target: dev", &format!("target: {target}"))),
        SCHEMAS,
        (
            "models/silver/events.sql",
            "{{ config(materialized='incremental', incremental_strategy='append') }}
             select i as id, case when i % 10 <> 3 then i end as amount, md5(i::varchar) as note from range({{ var('until', 20000) }}) as t(i)
             {% if is_incremental() %} where i > (select max(id) from {{ this }}) {% endif %}",
        ),
        (
            "models/all.yml",
            "models: [{name: events, columns: [{name: amount, data_tests: [{not_null: {config: {action: quarantine}}}]}, {name: id, data_tests: [unique]}]}]",
        ),
    ]);
    let rows = "select (select count(*) from silver.events) || '|' || (select count(distinct id) from silver.events) || '|' ||
                (select count(*) from silver.events__quarantine) || '|' || (select count(distinct id) from silver.events__quarantine)";
    let begin = Instant::now();
    project.ends(0, &["build", "--vars", "until: 20000"]);
    let whole = begin.elapsed();
    assert_eq!(project.query(rows), "18000|18000|2000|2000");
    let mut killed = 0;
    let attempts = u32::try_from(number("MEDAL_PUBLISH_KILLS", 20)).expect("it is small");
    for attempt in 1..=attempts {
        let vars = format!("until: {}", 20000 + attempt * 20000);
        let mut command = project.command(&["build", "--vars", &vars]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("medal starts");
        std::thread::sleep(whole * (2 + (attempt * 7) % 22) / 24);
        killed += u32::from(child.try_wait().expect("medal can be waited for").is_none());
        child.kill().expect("a process can be killed");
        child.wait().expect("medal ends");
        let seen: Vec<u32> =
            project.query(rows).split('|').map(|count| count.parse().expect("it is a count")).collect();
        assert_eq!((seen[0], seen[2]), (seen[1], seen[3]), "rows are there twice: {seen:?}");
        assert_eq!(seen[0], seen[2] * 9, "rows are lost: {seen:?}");
    }
    assert!(killed > attempts / 3, "only {killed} of {attempts} builds were still running when they were killed");
    let until = 20000 + attempts * 20000;
    project.ends(0, &["build", "--vars", &format!("until: {until}")]);
    let (good, bad) = (until / 10 * 9, until / 10);
    assert_eq!(project.query(rows), format!("{good}|{good}|{bad}|{bad}"));
}
