//! `--sample`: refs and sources give only the rows of a span of time.

use crate::suite::support::dbt;

const EVENTS: &str = "{{ config(materialized='table', event_time='happened') }}\n\
    select i as id, timestamp '2024-01-01' + interval (i) day as happened from range(0, 5) t(i)";

const DAYS: [&str; 2] = ["--sample", "{'start': '2024-01-02', 'end': '2024-01-04'}"];

#[test]
fn only_inputs_with_an_event_time_are_sampled() {
    let source = "sources: [{name: raw, schema: main, config: {event_time: happened}, tables: [{name: loaded}]}]\n\
                  models: [{name: counts, columns: [{name: untimed, data_tests: [{accepted_values: {arguments: \
                  {values: [5]}}}]}]}]";
    let counts = "{{ config(materialized='table') }}\n\
        select (select count(*) from {{ ref('events') }}) as events, (select count(*) from {{ source('raw', 'loaded') }})\n\
        as loaded, (select count(*) from {{ ref('untimed') }}) as untimed";
    let untimed = "select i from range(0, 5) t(i)";
    let models = [("models/events.sql", EVENTS), ("models/counts.sql", counts), ("models/untimed.sql", untimed)];
    let hook = "name: shop\nversion: '1.0'\nprofile: shop\non-run-start: create or replace table loaded as select \
                timestamp '2024-01-03' as happened union all select timestamp '2025-01-01'\n";
    let project = dbt(&[&models[..], &[("dbt_project.yml", hook), ("models/raw.yml", source)]].concat());
    project.ends(0, &[&["build"], &DAYS[..]].concat());
    assert_eq!(project.query("from counts"), "2|1|5");
    assert_eq!(project.query("select count(*) from events"), "5");
    let sent = project.read("target/compiled/shop/models/counts.sql");
    assert!(sent.contains("happened >= '2024-01-02 00:00:00+00:00' and happened < '2024-01-04 00:00:00+00:00'"));
    let arguments = &project.json("target/run_results.json")["args"]["sample"];
    assert_eq!(arguments["start"], "2024-01-02T00:00:00+00:00");
}

#[test]
fn a_microbatch_model_builds_the_batches_of_the_sample() {
    let model = "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened', \
                 begin='2024-01-01', batch_size='month') }}\nselect id, happened from {{ ref('events') }}";
    let project = dbt(&[("models/events.sql", EVENTS), ("models/monthly.sql", model)]);
    project.ends(0, &[&["run"], &DAYS[..]].concat());
    assert_eq!(project.query("select id from monthly order by 1"), "1\n2");
}
