//! Models that take new rows, and snapshots, the same on both engines.

use crate::suite::lake::both_engines;
use crate::suite::support::Project;

/// Every strategy, every way in which columns change, and both kinds of snapshots.
fn project() -> Project {
    let incremental =
        |config: &str, query: &str| format!("{{{{ config(materialized='incremental', {config}) }}}}\n{query}");
    let new = |least: u32| {
        format!(
            "select id, happened, name, v from {{{{ ref('src') }}}} {{% if is_incremental() %}} where id > {least} {{% endif %}}"
        )
    };
    let models = [
        ("models/added.sql", incremental("incremental_strategy='append'", &new(6))),
        ("models/replaced.sql", incremental("incremental_strategy='delete+insert', unique_key='id'", &new(6))),
        ("models/merged.sql", incremental("incremental_strategy='merge', unique_key='id'", &new(6))),
        (
            "models/merged_in_part.sql",
            incremental("incremental_strategy='merge', unique_key=['id', 'name'], merge_update_columns=['v']", &new(3)),
        ),
        (
            "models/in_batches.sql",
            incremental(
                "incremental_strategy='microbatch', event_time='happened', batch_size='year', begin='2024-01-01', lookback=1",
                "select id, happened, name, v from {{ ref('src') }}",
            ),
        ),
        (
            "models/synced.sql",
            incremental(
                "unique_key='id', on_schema_change='sync_all_columns'",
                "select id, {% if is_incremental() %} v, cast(v as varchar) as extra {% else %} name {% endif %} from {{ ref('src') }}",
            ),
        ),
        (
            "models/widened.sql",
            incremental(
                "unique_key='id', on_schema_change='append_new_columns'",
                "select id, name {% if is_incremental() %} , v {% endif %} from {{ ref('src') }}",
            ),
        ),
    ];
    let project = both_engines(&[
        (
            "models/src.sql",
            "{{ config(materialized='table', event_time='happened') }}
select i as id, timestamp '2024-01-01 00:00:00' + to_days(cast(i * 50 as integer)) as happened, 'n' || i as name, i * {{ var('k', 1) }} as v
from range(10) as t(i)",
        ),
        (
            "snapshots/snapshots.yml",
            "snapshots:
  - name: by_check
    relation: ref('src')
    config: {unique_key: id, strategy: check, check_cols: [v], hard_deletes: invalidate}
  - name: by_time
    relation: ref('src')
    config: {unique_key: id, strategy: timestamp, updated_at: happened}
",
        ),
    ]);
    models.iter().for_each(|(path, text)| project.write(path, text));
    project
}

#[test]
fn every_strategy_gives_the_same_on_both_engines() {
    let project = project();
    for k in ["k: 1", "k: 2"] {
        for target in ["dev", "lake"] {
            project.ends(0, &["build", "--target", target, "--vars", k]);
        }
    }
    let times = ["dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_scd_id"];
    let ignored: Vec<&str> = times.iter().flat_map(|name| ["--ignore-column", name]).collect();
    let compare = ["--quiet", "compare", "--no-build", "--with", "lake", "--output", "json"];
    let compared = project.ends(0, &[&compare[..], &ignored].concat());
    let told: serde_json::Value = serde_json::from_str(&compared.stdout).expect("it is JSON");
    assert_eq!(told["relations"].as_array().map(Vec::len), Some(10), "{told:#}");
}
