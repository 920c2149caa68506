//! Macros: across files and packages, in place of built-in ones, and as materializations.

use crate::suite::support::{Project, dbt};

#[test]
fn macros_call_each_other_across_files() {
    let project = dbt(&[
        ("macros/outer.sql", "{% macro cents(column) %}{{ rounded(column ~ ' / 100.0') }}{% endmacro %}"),
        ("macros/deep/inner.sql", "{% macro rounded(what, digits=1) %}round({{ what }}, {{ digits }}){% endmacro %}"),
        ("models/a.sql", "select {{ cents('1234') }} as price"),
    ]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select price from a"), "12.3");
}

#[test]
fn a_run_query_shapes_a_model() {
    let project = dbt(&[
        ("seeds/kinds.csv", "kind\na\nb\n"),
        (
            "models/wide.sql",
            "{% set ask %}select kind from {{ ref('kinds') }} order by 1{% endset %}\n\
             {% set kinds = run_query(ask).columns[0].values() if execute else [] %}\n\
             select {% for kind in kinds %}'{{ kind }}' as {{ kind }}_column{{ ', ' if not loop.last }}{% endfor %}",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from wide"), "a|b");
}

#[test]
fn the_rows_of_a_run_query_need_no_guard() {
    let project = dbt(&[
        (
            "macros/letters.sql",
            "{% macro letters() %}{% set rows = run_query(\"select unnest(['a', 'b']) as letter order by 1\") %}\
             {% for row in rows %}{{ row['letter'] }}{% endfor %}|{{ rows is none }}{% endmacro %}",
        ),
        ("models/a.sql", "select '{{ letters() }}' as letters"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select letters from a"), "ab|False");
}

/// An installed package `tools` with a model, a seed and dispatched macros.
fn with_package(files: &[(&str, &str)]) -> Project {
    let package = [
        ("packages.yml", "packages:\n  - local: ../tools\n"),
        (
            "dbt_packages/tools/dbt_project.yml",
            "name: tools\nversion: '1.0'\nvars: {greeting: hello}\nmodels: {+materialized: table}\n",
        ),
        ("dbt_packages/tools/models/tool_dates.sql", "select '{{ var('greeting') }}' as word"),
        (
            "dbt_packages/tools/macros/tools.sql",
            "{% macro shout(word) %}{{ return(adapter.dispatch('shout', 'tools')(word)) }}{% endmacro %}\n\
             {% macro default__shout(word) %}{{ return(word | upper) }}{% endmacro %}\n",
        ),
    ];
    dbt(&[&package[..], files].concat())
}

#[test]
fn a_package_brings_models_and_macros() {
    let project = with_package(&[(
        "models/a.sql",
        "select word || '{{ tools.shout('x') }}' as word from {{ ref('tool_dates') }}",
    )]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select word from a"), "helloX");
    let listed = project.ends(0, &["ls", "--select", "package:tools"]);
    assert_eq!(listed.stdout, "tools.tool_dates\n");
}

#[test]
fn the_root_project_configures_and_overrides_a_package() {
    let project = with_package(&[
        ("models/a.sql", "select '{{ tools.shout('x') }}' as word"),
        ("macros/mine.sql", "{% macro default__shout(word) %}{{ return(word ~ '!') }}{% endmacro %}"),
    ]);
    project.write(
        "dbt_project.yml",
        "name: shop\nprofile: shop\nvars: {tools: {greeting: moin}}\nmodels: {tools: {+schema: tools}}\n\
         dispatch:\n  - macro_namespace: tools\n    search_order: [shop, tools]\n",
    );
    project.ends(0, &["build"]);
    assert_eq!(project.query("select a.word || t.word as word from a, main_tools.tool_dates as t"), "x!moin");
}

#[test]
fn a_project_may_have_a_materialization_of_its_own() {
    let project = dbt(&[
        (
            "macros/twice.sql",
            "{% materialization twice, adapter='duckdb' %}\n\
             {%- set target_relation = this.incorporate(type='table') -%}\n\
             {{ run_hooks(pre_hooks) }}\n\
             {% call statement('main') %}create or replace table {{ target_relation }} as select * from ({{ sql }}) union all select * from ({{ sql }}){% endcall %}\n\
             {{ run_hooks(post_hooks) }}\n\
             {{ adapter.commit() }}\n\
             {{ return({'relations': [target_relation]}) }}\n{% endmaterialization %}",
        ),
        ("models/a.sql", "{{ config(materialized='twice') }} select 1 as id"),
        ("models/b.sql", "select count(*) as n from {{ ref('a') }}"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select n from b"), "2");
}

#[test]
fn a_built_in_macro_can_be_replaced() {
    let project = dbt(&[
        (
            "macros/create.sql",
            "{% macro duckdb__create_table_as(temporary, relation, compiled_code, language='sql') %}\n\
             create or replace {{ 'temporary ' if temporary }}table {{ relation.include(database=not temporary, schema=not temporary) }} as select *, 'mine' as by from ({{ compiled_code }})\n{% endmacro %}",
        ),
        ("models/a.sql", "{{ config(materialized='table') }} select 1 as id"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from a"), "1|mine");
}

#[test]
fn a_macro_raises_at_both_places() {
    let project = dbt(&[
        (
            "macros/check.sql",
            "{% macro check() %}\n  {{ exceptions.raise_compiler_error('no such day') }}\n{% endmacro %}",
        ),
        ("models/a.sql", "select 1 as id\n{{ check() }}"),
    ]);
    let ran = project.ends(1, &["build"]);
    for part in ["no such day", "macros/check.sql:2:", "models/a.sql:2:"] {
        assert!(ran.all().contains(part), "{part}: {}", ran.all());
    }
}

#[test]
fn run_operation_calls_a_macro_with_arguments() {
    let project = dbt(&[(
        "macros/fill.sql",
        "{% macro fill(name, rows=1) %}{% do run_query('create or replace table ' ~ name ~ ' as select * from range(' ~ rows ~ ')') %}\
         {{ log('filled ' ~ name, info=true) }}{% endmacro %}\n\
         {% macro broken() %}{% do run_query('select nothing') %}{% endmacro %}",
    )]);
    let ran = project.ends(0, &["run-operation", "fill", "--args", "{name: filled, rows: 3}"]);
    assert!(ran.all().contains("filled filled"), "{}", ran.all());
    assert_eq!(project.query("select count(*) as n from filled"), "3");
    project.ends(1, &["run-operation", "broken"]);
    project.ends(2, &["run-operation", "fil"]);
}

#[test]
fn a_model_sees_how_it_was_called() {
    let text = "select '{{ invocation_args_dict.vars.day }} {{ invocation_args_dict.full_refresh }} \
        {{ dbt_metadata_envs.TEAM }} {{ thread_id is string }}' as told";
    let project = dbt(&[("models/told.sql", text)]);
    let mut command = project.command(&["run", "--vars", "day: monday"]);
    let output = command.env("DBT_ENV_CUSTOM_ENV_TEAM", "shop").output().expect("the binary can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(project.query("select * from told"), "monday False shop True");
}

#[test]
fn schemas_are_listed_and_snapshots_warn_of_types() {
    let model = "{% do exceptions.warn_snapshot_timestamp_data_types('date', 'time') if execute %}\
                 {% set schemas = adapter.list_schemas(target.database) %}\
                 select {{ 'main' in schemas }} as found, {{ adapter.use_ducklake_table_workarounds(this) }} as lake";
    let project = dbt(&[("models/a.sql", model)]);
    let told = project.ends(0, &["run"]).all();
    assert!(told.contains("the times of the snapshot are of type date, and `updated_at` is of type time"), "{told}");
    assert_eq!(project.query("select * from a"), "true|false");
}
