//! Models that are built batch by batch, each batch from the rows of its own time.

use crate::suite::support::{Project, dbt};

const EVENTS: &str = "{{ config(materialized='table', event_time='happened') }}\n\
    select i as id, timestamp '2024-01-01' + interval (i * 7) hour as happened from range(0, 12) t(i)\n\
    {% if var('late', false) %}union all select 100, timestamp '2024-01-02 12:00:00'{% endif %}";

/// A model of daily batches that fails on the row `12 / 7`.
fn project(query: &str) -> Project {
    let model = format!(
        "{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened',\n\
         begin='2024-01-01', batch_size='day', pre_hook='insert into hooks values (1)',\n\
         post_hook='insert into hooks values (2)') }}}}\n{query}"
    );
    let settings =
        "name: shop\nversion: '1.0'\nprofile: shop\non-run-start: create table if not exists hooks (id int)\n";
    dbt(&[("dbt_project.yml", settings), ("models/events.sql", EVENTS), ("models/daily.sql", &model)])
}

const HOOK: &str = "shop-on-run-start-0 success 0";

const DAYS: [&str; 4] = ["--event-time-start", "2024-01-01", "--event-time-end", "2024-01-04"];

fn run(project: &Project, code: i32, more: &[&str]) {
    project.ends(code, &[&["run"], &DAYS[..], more].concat());
}

fn batches(project: &Project, kind: &str) -> Vec<String> {
    let results = project.json("target/run_results.json");
    let results = results["results"].as_array().expect("there are results").iter();
    let daily = results.filter(|result| result["unique_id"] == "model.shop.daily");
    let batches = daily.flat_map(|result| result["batch_results"][kind].as_array().cloned().unwrap_or_default());
    batches.map(|batch| batch[0].as_str().unwrap_or_default()[..10].to_string()).collect()
}

#[test]
fn each_batch_reads_the_rows_of_its_own_time() {
    let project = project("select id, happened, '{{ model.batch.id }}' as batch from {{ ref('events') }}");
    run(&project, 0, &[]);
    let days =
        "select batch, count(*) from daily where happened::date = strptime(batch, '%Y%m%d') group by 1 order by 1";
    assert_eq!(project.query(days), "20240101|4\n20240102|3\n20240103|4");
    assert_eq!(project.query("select * from hooks"), "1\n2");
    assert_eq!(batches(&project, "successful"), ["2024-01-01", "2024-01-02", "2024-01-03"]);
    let sent = project.read("target/compiled/shop/models/daily/daily_2024-01-02.sql");
    assert!(sent.contains("happened >= '2024-01-02 00:00:00+00:00' and happened < '2024-01-03 00:00:00+00:00'"));
}

#[test]
fn a_batch_that_is_built_again_takes_the_place_of_its_rows() {
    let project = project("select id, happened from {{ ref('events') }}");
    run(&project, 0, &[]);
    project.ends(
        0,
        &["run", "--event-time-start", "2024-01-02", "--event-time-end", "2024-01-03", "--vars", "late: true"],
    );
    assert_eq!(project.query("select count(*), count(distinct id) from daily"), "12|12");
}

#[test]
fn retry_builds_only_the_batches_that_failed_also_after_a_full_refresh() {
    let query = "select id, happened, case id when 5 then {{ env_var('VALUE', '1') }} else 1 end as value\n\
                 from {{ ref('events') }}";
    for refresh in [&[][..], &["--full-refresh"]] {
        let project = project(query);
        let mut failing = project.command(&[&["run"], &DAYS[..], refresh].concat());
        assert_eq!(failing.env("VALUE", "error('no value')").output().expect("medal runs").status.code(), Some(1));
        assert_eq!(project.outcomes(), ["daily partial success 0", "events success", HOOK]);
        assert_eq!(batches(&project, "failed"), ["2024-01-02"]);
        project.ends(0, &["retry"]);
        assert_eq!(project.outcomes(), ["daily success 0", HOOK]);
        assert_eq!(batches(&project, "successful"), ["2024-01-02", "2024-01-01", "2024-01-03"]);
        assert_eq!(project.query("select count(*) from daily"), "11");
    }
}

#[test]
fn a_project_with_a_strategy_of_its_own_of_that_name_runs_it_once() {
    let project = project("select id, happened from {{ ref('events') }}");
    let own = "{% macro get_incremental_microbatch_sql(arg_dict) %}\n\
               insert into {{ arg_dict['target_relation'] }} select * from {{ arg_dict['temp_relation'] }}\n\
               {% endmacro %}";
    project.write("macros/own.sql", own);
    run(&project, 0, &[]);
    run(&project, 0, &[]);
    assert_eq!(project.query("select count(*) from daily"), "24");
}
