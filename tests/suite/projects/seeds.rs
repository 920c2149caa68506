//! CSV files as tables.

use crate::suite::support::{Project, dbt};

const NATIVE: &str = "name: shop\ntargets:\n  dev: {type: duckdb, path: shop.duckdb, threads: 2}\n";

fn native(files: &[(&str, &str)]) -> Project {
    let all: Vec<(&str, &str)> = [("medal.yml", NATIVE)].iter().chain(files).copied().collect();
    Project::of(&all)
}

#[test]
fn a_native_project_keeps_codes_as_text() {
    let project = native(&[("seeds/codes.csv", "id,code,sku,n\n1,01234,1E5,5\n2,00001,2E3,6\n")]);
    project.ends(0, &["build"]);
    assert_eq!(
        project.query("select id, code, sku, n::int + 1 as n from codes order by id"),
        "1|01234|1E5|6\n2|00001|2E3|7"
    );
}

#[test]
fn a_plain_dbt_project_infers_as_dbt_does_and_names_the_values() {
    let project = dbt(&[("seeds/codes.csv", "id,code,sku\n1,01234,1E5\n")]);
    let ran = project.ends(0, &["seed"]);
    assert_eq!(project.query("select code, sku from codes"), "1234|100000");
    assert!(ran.all().contains("01234") && ran.all().contains("1E5"), "{}", ran.all());
}

#[test]
fn column_types_are_taken_as_they_are_given() {
    let project = dbt(&[
        ("seeds/codes.csv", "id,code\n1,01234\n"),
        ("seeds/codes.yml", "seeds:\n  - name: codes\n    config: {column_types: {code: varchar}}\n"),
    ]);
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select code from codes"), "01234");
}

#[test]
fn reordered_columns_load_by_name() {
    let project = native(&[("seeds/codes.csv", "id,val\n1,100\n")]);
    project.ends(0, &["seed"]);
    project.write("seeds/codes.csv", "val,id\n100,1\n");
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select id, val from codes"), "1|100");
}

#[test]
fn empty_cells_are_null_and_quoted_cells_keep_commas_and_line_ends() {
    let project = native(&[("seeds/texts.csv", "id,text\n1,\"a, b\"\n2,\n3,\"two\nlines\"\n4,\"say \"\"hi\"\"\"\n")]);
    project.ends(0, &["seed"]);
    let texts = "select id, replace(text, chr(10), '/') as text from texts order by id";
    assert_eq!(project.query(texts), "1|a, b\n2|null\n3|two/lines\n4|say \"hi\"");
}

#[test]
fn a_delimiter_can_be_chosen() {
    let project = dbt(&[
        ("seeds/texts.csv", "id;text\n1;a,b\n"),
        ("seeds/texts.yml", "seeds:\n  - name: texts\n    config: {delimiter: ';'}\n"),
    ]);
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select * from texts"), "1|a,b");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_not_reach_the_table() {
    let project = native(&[("seeds/texts.csv", "\u{feff}id,text\r\n1,a\r\n2,é\r\n")]);
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select id, text, length(text) as n from texts order by id"), "1|a|1\n2|é|1");
}

#[test]
fn a_seed_of_a_header_alone_is_an_empty_table() {
    let project = native(&[("seeds/texts.csv", "id,text\n")]);
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select count(*) as n from texts"), "0");
}

#[test]
fn a_seed_materialization_of_ones_own_gets_the_rows_and_types_of_the_file() {
    let materialization = "{% materialization seed, adapter='duckdb' %}
{%- set rows = load_agate_table() -%}
{%- do store_result('agate_table', response='OK', agate_table=rows) -%}
{{ run_hooks(pre_hooks) }}
{%- set old = adapter.get_relation(database=database, schema=schema, identifier=model['alias']) -%}
{%- set sql = create_csv_table(model, rows) if old is none else reset_csv_table(model, should_full_refresh(), old, rows) -%}
{%- set filled = load_csv_rows(model, rows) if rows.rows | length > 0 -%}
{% call statement('main') %}
create or replace table told as select '{{ sql }}' as sql, '{{ rows.column_names | join(' ') }}' as names,
{{ rows.rows | length }} as n, {{ adapter.get_seed_file_path(model).endswith('seeds/s.csv') }} as path,
'{{ adapter.convert_type(rows, 1) }}' as kind, {{ rows.columns[2].values()[0] }} as amount, '{{ adapter.batch_id_for_model(model) }}' as batch
{% endcall %}
{{ run_hooks(post_hooks) }}{% do adapter.commit() %}
{{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}";
    let project = dbt(&[
        ("seeds/s.csv", "id,day,amount,name\n1,2024-01-05,1.5,a\n2,,2,b\n"),
        ("macros/seed.sql", materialization),
        ("models/a.sql", "select 1 as id"),
    ]);
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select id, day, amount, name from s order by id"), "1|2024-01-05|1.5|a\n2|null|2.0|b");
    assert_eq!(
        project.query("select names, n, path, kind, amount, batch from told"),
        "id day amount name|2|true|date|1.5|"
    );
    assert!(
        project
            .query("select sql from told")
            .ends_with("(\"id\" integer, \"day\" date, \"amount\" float8, \"name\" text)")
    );
    project.ends(0, &["seed"]);
    project.ends(0, &["seed", "--full-refresh"]);
    assert_eq!(project.query("select count(*) as n from s"), "2");
}
