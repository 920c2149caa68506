//! Two targets are built and compared relation by relation.

use crate::suite::support::{Project, dbt};

fn shop() -> Project {
    let profiles = "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: dev.duckdb}\n    other: {type: duckdb, path: other.duckdb}\n";
    let orders = "select i as id, i * {{ 2 if target.name == 'dev' else 3 }} as amount{% if target.name == 'dev' %}, 1 as extra{% endif %} from range(2) as t(i) union all select 7, 7{% if target.name == 'dev' %}, 1{% endif %}";
    dbt(&[
        ("profiles.yml", profiles),
        ("seeds/kinds.csv", "kind\na\nb\n"),
        ("models/orders.sql", orders),
        ("models/same.sql", "select kind, now() as built_at from {{ ref('kinds') }} order by random()"),
    ])
}

#[test]
fn rows_that_only_one_target_has_are_shown() {
    let project = shop();
    let compared = project.ends(1, &["--quiet", "compare", "--with", "other", "--ignore-column", "built_at"]).stdout;
    insta::assert_snapshot!(compared, @r"
    | relation | rows in dev | rows in other | only in dev | only in other | columns of one only |
    | -------- | ----------- | ------------- | ----------- | ------------- | ------------------- |
    | kinds    |           2 |             2 |           0 |             0 |                     |
    | same     |           2 |             2 |           0 |             0 |                     |
    | orders   |           3 |             3 |           1 |             1 | extra               |

    orders, only in dev:
    | id | amount |
    | -- | ------ |
    |  1 |      2 |

    orders, only in other:
    | id | amount |
    | -- | ------ |
    |  1 |      3 |
    ");
    assert!(project.path().join("target/compare/manifest.json").exists());
}

#[test]
fn what_is_there_is_compared_without_a_build() {
    let project = shop();
    for target in ["dev", "other"] {
        project.ends(0, &["seed", "--target", target]);
    }
    let options = ["--quiet", "compare", "--with", "other", "--no-build", "--select", "kinds", "--output", "json"];
    let compared = project.ends(0, &options).stdout;
    assert_eq!(
        compared.trim(),
        r#"{"targets":["dev","other"],"relations":[{"relation":"kinds","equal":true,"rows":[2,2],"only":[0,0],"columns_of_one_only":[[],[]],"examples":[[],[]]}]}"#
    );
    project.ends(1, &["compare", "--with", "other", "--no-build"]);
    project.ends(2, &["compare", "--with", "nowhere"]);
}
