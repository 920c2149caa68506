//! Statements that need more memory than a target has.

use crate::suite::lake::SETTINGS;
use crate::suite::support::Project;

const BIG: &str = "{{ config(materialized='table') }}
    select value as i, repeat(md5(cast(value as varchar)), 4) as t from generate_series(1, 600000) as series(value)";

fn project(limit: &str, model: &str) -> Project {
    let profile = format!(
        "shop:\n  target: lake\n  outputs:\n    lake: {{type: datafusion, path: lake, threads: 2, memory_limit: {limit}}}\n"
    );
    Project::of(&[SETTINGS, ("profiles.yml", &profile), ("models/big.sql", BIG), ("models/joined.sql", model)])
}

#[test]
fn joins_and_sorts_that_do_not_fit_into_memory_go_to_the_disk() {
    let model = "{{ config(materialized='table') }}
        select one.i, other.t, row_number() over (order by one.t desc) as place
        from {{ ref('big') }} as one join {{ ref('big') }} as other on one.i = other.i";
    let project = project("100MB", model);
    project.ends(0, &["build"]);
    let said = project.query("select count(*), count(distinct i), sum(i), max(place) from joined");
    assert_eq!(said, "600000|600000|180000300000|600000");
    let sorted =
        "select count(*) from joined as one join joined as next on next.place = one.place + 1 where next.t >= one.t";
    assert_eq!(project.query(sorted), "0");
}

#[test]
fn a_list_with_null_is_not_taken_for_one_without_it_for_want_of_memory() {
    let model = "{{ config(materialized='table') }}
        select t from {{ ref('big') }} where t not in (select nullif(t, repeat(md5('7'), 4)) from {{ ref('big') }} where i > 1)";
    let project = project("60MB", model);
    let said = project.ends(1, &["build"]).all();
    assert!(said.contains("Resources exhausted"), "{said}");
}
