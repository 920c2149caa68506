//! Data tests: how they judge, and what a failure holds back.

use crate::suite::support::{Project, dbt};

/// A model `orders` of five rows: two share an id, one has no id, one has an odd status.
const ORDERS: &str = "select * from (values (1, 'new'), (1, 'paid'), (2, 'new'), (null, 'odd')) as t(id, status)";

fn orders(tests: &str) -> Project {
    let yaml = format!("models:\n  - name: orders\n    columns:\n      - name: id\n        data_tests:\n{tests}");
    dbt(&[("models/orders.sql", ORDERS), ("models/orders.yml", &yaml)])
}

#[test]
fn the_four_built_in_tests_count_failures() {
    let project = dbt(&[
        ("models/orders.sql", ORDERS),
        ("models/kinds.sql", "select 'new' as status"),
        (
            "models/all.yml",
            "models:\n  - name: orders\n    columns:\n      - name: id\n        data_tests: [unique, not_null]\n\
             \x20     - name: status\n        data_tests:\n          - accepted_values: {arguments: {values: [new, paid]}}\n\
             \x20         - relationships: {arguments: {to: ref('kinds'), field: status}}\n",
        ),
    ]);
    project.ends(1, &["build"]);
    assert_eq!(
        project.outcomes(),
        [
            "accepted_values_orders_status__new__paid fail 1",
            "kinds success",
            "not_null_orders_id fail 1",
            "orders success",
            "relationships_orders_status__status__ref_kinds_ fail 2",
            "unique_orders_id fail 1",
        ]
    );
}

#[test]
fn a_failing_test_among_passing_ones_counts_its_own_failures() {
    let columns: String = (0..12)
        .map(|n| format!("      - name: c{n}\n        data_tests: [unique, not_null, {{accepted_values: {{arguments: {{values: [1, 2, 3], quote: false}}}}}}]\n"))
        .collect();
    let selected: Vec<String> =
        (0..12).map(|n| if n == 7 { "nullif(n, 2) as c7".to_string() } else { format!("n as c{n}") }).collect();
    let model = format!("select {} from range(1, 4) as t(n)", selected.join(", "));
    let yaml = format!("models:\n  - name: wide\n    columns:\n{columns}");
    let project = dbt(&[("models/wide.sql", &model), ("models/wide.yml", &yaml)]);
    project.ends(1, &["build"]);
    let outcomes = project.outcomes();
    let bad: Vec<&String> = outcomes.iter().filter(|outcome| !outcome.ends_with(" pass 0")).collect();
    assert_eq!(bad, ["not_null_wide_c7 fail 1", "wide success"]);
    assert_eq!(outcomes.len(), 37);
    project.ends(1, &["test", "--select", "not_null_wide_c7"]);
    assert_eq!(project.outcomes(), ["not_null_wide_c7 fail 1"]);
}

#[test]
fn severity_and_thresholds_decide_what_a_failure_is() {
    let project = orders(
        "          - not_null: {name: warned, config: {severity: warn}}\n\
         \x20         - not_null: {name: let_through, config: {warn_if: '>1', error_if: '>5'}}\n\
         \x20         - not_null: {name: warned_first, config: {warn_if: '>0', error_if: '>1'}}\n\
         \x20         - not_null: {name: failed, config: {warn_if: '>0', error_if: '>=1'}}\n",
    );
    project.ends(1, &["build"]);
    assert_eq!(
        project.outcomes(),
        ["failed fail 1", "let_through pass 0", "orders success", "warned warn 1", "warned_first warn 1"]
    );
}

#[test]
fn warnings_alone_end_well_unless_they_count_as_errors() {
    let project = orders("          - not_null: {config: {severity: warn}}\n");
    project.ends(0, &["build"]);
    project.ends(1, &["--warn-error", "build"]);
}

#[test]
fn the_configuration_of_a_test_may_be_jinja() {
    let project = orders(
        "          - unique: {config: {enabled: \"{{ var('strict', false) | as_bool }}\"}}\n\
         \x20         - not_null: {config: {severity: \"{{ 'warn' if target.name == 'dev' else 'error' }}\"}}\n",
    );
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["not_null_orders_id warn 1", "orders success"]);
    project.ends(1, &["build", "--vars", "strict: true"]);
    assert_eq!(project.outcomes(), ["not_null_orders_id warn 1", "orders success", "unique_orders_id fail 1"]);
}

#[test]
fn what_is_never_compiled_may_lack_its_variables() {
    let project = dbt(&[
        ("models/off.sql", "{{ config(enabled=false) }} select {{ var('nowhere') }}"),
        ("models/other.sql", "select {{ var('nowhere') }} as id"),
        ("models/fine.sql", "select 1 as id"),
    ]);
    project.ends(0, &["parse"]);
    project.ends(0, &["build", "--select", "fine"]);
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("error[missing-var]"), "{}", ran.all());
    assert_eq!(project.outcomes(), ["fine success", "other error"]);
}

#[test]
fn where_limit_and_fail_calc_shape_the_count() {
    let project = orders(
        "          - unique: {name: only_new, config: {where: \"status = 'new'\"}}\n\
         \x20         - not_null: {name: calculated, config: {fail_calc: 'count(*) * 10'}}\n\
         \x20         - odd_ids: {name: unlimited}\n\
         \x20         - odd_ids: {name: limited, config: {limit: 1}}\n",
    );
    project.write(
        "tests/generic/odd_ids.sql",
        "{% test odd_ids(model, column_name) %} select * from {{ model }} where {{ column_name }} % 2 = 1 {% endtest %}",
    );
    project.ends(1, &["build"]);
    assert_eq!(
        project.outcomes(),
        ["calculated fail 10", "limited fail 1", "only_new pass 0", "orders success", "unlimited fail 2"]
    );
}

#[test]
fn store_failures_keeps_the_rows_that_failed() {
    let project = orders("          - not_null: {config: {store_failures: true}}\n");
    project.ends(1, &["build"]);
    assert_eq!(project.query("select status from main_dbt_test__audit.not_null_orders_id"), "odd");
    project.write("models/orders.sql", "select 1 as id, 'new' as status");
    project.ends(0, &["build"]);
    assert_eq!(project.query("select count(*) as n from main_dbt_test__audit.not_null_orders_id"), "0");
}

#[test]
fn a_singular_test_fails_on_the_rows_that_it_finds() {
    let project = dbt(&[
        ("models/orders.sql", ORDERS),
        ("tests/no_odd_orders.sql", "select * from {{ ref('orders') }} where status = 'odd'"),
        ("tests/no_lost_orders.sql", "select * from {{ ref('orders') }} where status = 'lost'"),
    ]);
    project.ends(1, &["build"]);
    assert_eq!(project.outcomes(), ["no_lost_orders pass 0", "no_odd_orders fail 1", "orders success"]);
}

#[test]
fn a_failing_test_holds_back_what_is_downstream_and_nothing_else() {
    let project = orders("          - not_null\n");
    project.write("models/late.sql", "select * from {{ ref('orders') }}");
    project.write("models/later.sql", "select * from {{ ref('late') }}");
    project.write("models/apart.sql", "select 1 as id");
    project.write("models/beside.sql", "select * from {{ ref('apart') }}");
    project.ends(1, &["build"]);
    assert_eq!(
        project.outcomes(),
        [
            "apart success",
            "beside success",
            "late skipped",
            "later skipped",
            "not_null_orders_id fail 1",
            "orders success"
        ]
    );
}

#[test]
fn a_warning_holds_nothing_back() {
    let project = orders("          - not_null: {config: {severity: warn}}\n");
    project.write("models/late.sql", "select * from {{ ref('orders') }}");
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["late success", "not_null_orders_id warn 1", "orders success"]);
}

#[test]
fn run_does_not_wait_for_tests() {
    let project = orders("          - not_null\n");
    project.write("models/late.sql", "select * from {{ ref('orders') }}");
    project.ends(0, &["run"]);
    assert_eq!(project.outcomes(), ["late success", "orders success"]);
    project.ends(1, &["test"]);
    assert_eq!(project.outcomes(), ["not_null_orders_id fail 1"]);
}

#[test]
fn fail_fast_stops_at_the_first_failure() {
    let project = dbt(&[]);
    let bad = "{{ config(materialized='table') }} select error('boom') as id";
    (0..20).for_each(|n| project.write(&format!("models/m{n}.sql"), bad));
    project.ends(1, &["--fail-fast", "--threads", "1", "build"]);
    let errors = |outcomes: &[String]| outcomes.iter().filter(|outcome| outcome.ends_with(" error")).count();
    assert_eq!(errors(&project.outcomes()), 1);
    (0..20).for_each(|n| project.write(&format!("models/m{n}.sql"), "select 1 as id"));
    project.ends(0, &["retry"]);
    let outcomes = project.outcomes();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.ends_with(" success")).count(), 20, "{outcomes:?}");
}

#[test]
fn tests_of_sources_hold_back_what_reads_the_source() {
    let project = dbt(&[
        ("seeds/given.csv", "id\n1\n1\n"),
        (
            "models/raw.yml",
            "sources:\n  - name: raw\n    schema: main\n    tables:\n      - name: given\n\
             \x20       columns: [{name: id, data_tests: [unique]}]\n",
        ),
        ("models/a.sql", "select * from {{ source('raw', 'given') }}"),
    ]);
    project.ends(0, &["seed"]);
    project.ends(1, &["build", "--exclude", "given"]);
    assert_eq!(project.outcomes(), ["a skipped", "source_unique_raw_given_id fail 1"]);
}
