//! Models are typed before anything runs, columns are followed through models, and changes are told by what they do.

use crate::suite::lake::lakehouse;
use crate::suite::support::{Project, dbt};

fn shop() -> Project {
    dbt(&[
        ("seeds/raw_orders.csv", "id,amount,status\n1,10.5,paid\n"),
        (
            "models/stg_orders.sql",
            "select id as order_id, amount, amount * 2 as twice from {{ ref('raw_orders') }} where status = 'paid'",
        ),
        (
            "models/orders.sql",
            "with o as (select * from {{ ref('stg_orders') }}) select order_id, sum(twice) as total from o group by all",
        ),
        (
            "models/exposures.yml",
            "exposures:\n  - name: board\n    type: dashboard\n    owner: {name: shop}\n    depends_on: [ref('orders')]\n",
        ),
    ])
}

#[test]
fn a_check_makes_no_warehouse_and_gives_every_type() {
    let project = shop();
    let checked = project.ends(0, &["check", "--output", "json"]).stdout;
    let checked: serde_json::Value = serde_json::from_str(checked.lines().next().unwrap()).unwrap();
    let columns = &checked["columns"]["model.shop.orders"];
    assert_eq!(
        columns.to_string(),
        r#"[{"name":"order_id","data_type":"INTEGER"},{"name":"total","data_type":"DOUBLE"}]"#
    );
    assert!(!project.path().join("shop.duckdb").exists());
}

#[test]
fn what_an_incremental_model_reads_of_itself_is_no_mistake() {
    let project = dbt(&[(
        "models/log.sql",
        "{{ config(materialized='incremental') }}select 1 as id{% if is_incremental() %} where 2 > (select max(id) from {{ this }}){% endif %}",
    )]);
    project.ends(0, &["check"]);
    project.ends(0, &["build"]);
    project.ends(0, &["check"]);
}

#[test]
fn the_next_run_of_an_incremental_model_is_checked_before_the_first_one() {
    let log = |filter: &str| {
        format!(
            "{{{{ config(materialized='incremental') }}}}\nselect id from {{{{ ref('a') }}}}\n{{% if is_incremental() %}}\n{filter}\n{{% endif %}}"
        )
    };
    let fine = log("where id > (select max(id) from {{ this }})");
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/log.sql", fine.as_str())]);
    project.ends(0, &["check"]);
    project.write(
        "models/log.sql",
        &log("where idd > (select max(id) from {{ this }}) and id > (select max(no) from {{ this }})"),
    );
    let told = project.ends(1, &["check", "--output", "github"]).stdout;
    insta::assert_snapshot!(told, @r"
    ::error file=models/log.sql,line=4,col=7,endColumn=10,title=unknown-column::the column `idd` does not exist%0Adid you mean `id`?
    ::error file=models/log.sql,line=4,col=67,endColumn=69,title=unknown-column::the column `no` does not exist%0Athere is `id`
    ");
    assert_eq!(project.ends(1, &["check", "--output", "github"]).stdout, told);
    project.ends(0, &["check", "--full-refresh"]);
    project.ends(0, &["build"]);
}

#[test]
fn columns_that_a_configuration_names_are_looked_for() {
    let snapshots = "snapshots:\n  - name: kept\n    relation: ref('a')\n    config:\n      strategy: timestamp\n      \
                     unique_key: id\n      updated_at: changed\n";
    let project = dbt(&[
        ("models/a.sql", "select 1 as id, now() as changed_at"),
        (
            "models/b.sql",
            "{{ config(materialized='incremental', unique_key=['id', 'idd']) }}select id from {{ ref('a') }}",
        ),
        ("snapshots/kept.yml", snapshots),
        (
            "models/units.yml",
            "unit_tests:\n  - name: one\n    model: b\n    given:\n      - input: ref('aa')\n        rows: [{id: 1}]\n    \
             expect: {rows: [{id: 1}]}\n",
        ),
    ]);
    insta::assert_snapshot!(project.ends(1, &["check", "--output", "github"]).stdout, @r"
    ::warning file=models/b.sql,line=1,col=50,endColumn=63,title=unknown-column::the `unique_key` of `b` names the column `idd`, which it does not have%0Adid you mean `id`?
    ::error file=models/units.yml,line=5,col=16,endColumn=25,title=unknown-ref::the unit test `one` gives rows for `ref('aa')`, which does not exist%0Adid you mean `ref('a')`?
    ::error file=snapshots/kept.yml,line=7,col=19,endColumn=26,title=unknown-column::the `updated_at` of `kept` names the column `changed`, which it does not have%0Adid you mean `changed_at`?
    ");
}

#[test]
fn annotations_stand_at_the_line_of_the_model() {
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/b.sql", "select\n  idd\nfrom {{ ref('a') }}")]);
    let annotations = project.ends(1, &["check", "--output", "github"]).stdout;
    assert_eq!(
        annotations.trim(),
        "::error file=models/b.sql,line=2,col=3,endColumn=6,title=unknown-column::the column `idd` does not exist%0Adid you mean `id`?"
    );
}

#[test]
fn lineage_goes_through_models_and_tells_rows_from_values() {
    let project = shop();
    assert_eq!(
        project.ends(0, &["lineage", "orders.total", "--upstream"]).stdout,
        "orders.total (DOUBLE)\n  <- stg_orders.twice\n    <- raw_orders.amount\n    ~ rows decided by raw_orders.status\n  \
         ~ rows decided by stg_orders.order_id\n"
    );
    let drawn = project.ends(0, &["lineage", "raw_orders.amount", "--downstream", "--output", "mermaid"]).stdout;
    assert!(drawn.starts_with("flowchart LR\n  subgraph n0[\"orders\"]\n    c0[\"total\"]\n"), "{drawn}");
    let wrong = project.ends(1, &["lineage", "orders.totl"]).stderr;
    assert!(wrong.contains("did you mean `orders.total`?"), "{wrong}");
}

#[test]
fn a_change_is_breaking_additive_or_invisible() {
    let project = shop();
    project.ends(0, &["compile"]);
    std::fs::rename(project.path().join("target"), project.path().join("before")).unwrap();
    let effect = |sql: &str| {
        project.write("models/stg_orders.sql", sql);
        project.ends(0, &["check", "--state", "before"]).stdout
    };
    assert_eq!(
        effect("select id::bigint as order_id, amount * 2 as twice from {{ ref('raw_orders') }} where status = 'paid'"),
        "1 model changed\nbreaking   stg_orders\n             gone: `amount`\n             `order_id` was INTEGER and is BIGINT\n             \
         hits orders.order_id, orders.total\n             hits the exposures board\n"
    );
    let before = "select id as order_id, amount, amount * 2 as twice";
    let rest = "from {{ ref('raw_orders') }} where status = 'paid'";
    assert_eq!(
        effect(&format!("{before}, status {rest}")),
        "1 model changed\nadditive   stg_orders\n             new: `status`\n"
    );
    assert_eq!(effect(&format!("{before} -- note\n{rest}")), "1 model changed\ninvisible  stg_orders\n");
    assert_eq!(
        effect(&format!("{} {rest}", before.replace("amount * 2", "id * 2.0::double"))),
        "1 model changed\nvalues     stg_orders\n             from elsewhere, or other rows: `twice`\n             hits orders.total\n             \
         hits the exposures board\n"
    );
    for sql in [format!("{} {rest}", before.replace("* 2", "* 3")), format!("{before} {rest} limit 10")] {
        assert_eq!(
            effect(&sql),
            "1 model changed\nvalues     stg_orders\n             the query is another: values or rows may be, too\n             \
             hits orders.order_id, orders.total\n             hits the exposures board\n"
        );
    }
}

/// A macro, a variable and a target in a model, and the state of it in `before`.
fn with_macro() -> Project {
    let project = dbt(&[
        (
            "profiles.yml",
            "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, schema: dev}\n    \
             prod: {type: duckdb, path: prod.duckdb, schema: prod}\n",
        ),
        ("macros/euros.sql", "{% macro euros(x) %}({{ x }} / 100){% endmacro %}"),
        ("models/a.sql", "select 100 as cents, 'x' as name, '{{ run_started_at }}' as at"),
        (
            "models/b.sql",
            "with parts as (select * from {{ ref('a') }}) select {{ euros('cents') }} as price from parts",
        ),
        ("models/c.sql", "select name, {{ var('rate', 1) }} as rate from {{ ref('a') }}"),
        ("models/d.sql", "select name from {{ ref('a') }} where '{{ target.name }}' = 'prod'"),
    ]);
    project.ends(0, &["compile", "--target", "prod", "--target-path", "before"]);
    project
}

#[test]
fn a_model_has_changed_if_its_macros_or_variables_have() {
    let project = with_macro();
    let check = |options: &[&str]| {
        let said = project.ends(0, &[&["check", "--state", "before"], options].concat()).stdout;
        said.lines().take(3).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(check(&[]), "No model has changed");
    let another = "the query is another: values or rows may be, too";
    assert_eq!(check(&["--vars", "rate: 2"]), format!("1 model changed\nvalues     c\n             {another}"));
    project.write("macros/euros.sql", "{% macro euros(x) %}({{ x }} / 1000){% endmacro %}");
    assert_eq!(check(&[]), format!("1 model changed\nvalues     b\n             {another}"));
    project.write("macros/euros.sql", "{% macro euros(x) %}{# cents #}\n( {{ x }} / 100 ){% endmacro %}");
    assert_eq!(check(&[]), "1 model changed\ninvisible  b");
}

#[test]
fn a_change_of_an_ephemeral_model_is_one_of_its_readers() {
    let part = "{{ config(materialized='ephemeral') }}select 1 as id";
    let project = dbt(&[
        ("models/part.sql", part),
        (
            "models/log.sql",
            "{{ config(materialized='incremental') }}select id from {{ ref('part') }}{% if is_incremental() %} where id > 1{% endif %}",
        ),
    ]);
    project.ends(0, &["build", "--target-path", "before"]);
    project.ends(0, &["compile", "--target-path", "before"]);
    let check = || project.ends(0, &["check", "--state", "before"]).stdout;
    assert_eq!(check(), "No model has changed\n");
    project.write("models/part.sql", &part.replace('1', "2"));
    let another = "the query is another: values or rows may be, too";
    assert_eq!(check(), format!("1 model changed\nvalues     log\n             {another}\n"));
}

#[test]
fn a_state_without_sql_is_compiled_as_far_as_that_goes() {
    let project = with_macro();
    let mut manifest = project.json("before/manifest.json");
    for node in manifest["nodes"].as_object_mut().unwrap().values_mut() {
        node.as_object_mut().unwrap().remove("compiled_code");
    }
    project.write("before/manifest.json", &manifest.to_string());
    let check = || project.ends(0, &["check", "--state", "before"]).stdout;
    assert_eq!(check(), "No model has changed\n");
    project.write("models/c.sql", "select name as called, {{ var('rate', 1) }} as rate from {{ ref('a') }}");
    assert_eq!(check(), "1 model changed\nbreaking   c\n             gone: `name`\n             new: `called`\n");
    project.write("macros/euros.sql", "{% macro euros(x) %}({{ x }} / 1000){% endmacro %}");
    assert!(check().contains("unknown    b\n"), "{}", check());
}

#[test]
fn findings_and_changes_can_be_pasted_into_a_pull_request() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id, 2 as one, 3 as two, 4 as three, 5 as four, 6 as five, 7 as six"),
        ("models/b.sql", "select * from {{ ref('a') }}"),
    ]);
    let markdown = |code: i32, options: &[&str]| {
        project.ends(code, &[&["check", "--output", "markdown"], options].concat()).stdout
    };
    assert_eq!(markdown(0, &[]), "Nothing was found in 2 relations.\n");
    project.ends(0, &["compile", "--target-path", "before"]);
    assert_eq!(markdown(0, &["--state", "before"]), "No model has changed.\n");
    project.write("models/a.sql", "select 1 as id, 2 as one, 3 as two, 4 as three, 5 as four, 6 as five, 8 as six");
    project.write("models/c.sql", "select idd, one | far from {{ ref('a') }}");
    insta::assert_snapshot!(markdown(1, &["--state", "before"]), @r"
    ### 2 errors

    | severity | place | finding | help |
    |---|---|---|---|
    | error | `models/c.sql:1:8` | the column `idd` does not exist | did you mean `id`? |
    | error | `models/c.sql:1:19` | the column `far` does not exist | there is `four`, `five`, `three` |

    ### 2 models changed

    | model | change | columns | hits downstream | exposures |
    |---|---|---|---|---|
    | `a` | values | the query is another: values or rows may be, too | b: five, four, id, one, six, three and 1 more<br>c: one \| far |  |
    | `c` | additive |  |  |  |
    ");
}

/// A native project with a mistake in the second of its models.
fn native(second: &str) -> Project {
    Project::of(&[
        ("medal.yml", "name: shop\ntargets:\n  dev: {type: duckdb, path: shop.duckdb}\n"),
        ("models/a.sql", "select 1 as id"),
        ("models/b.sql", second),
    ])
}

#[test]
fn a_native_project_is_checked_before_anything_is_built() {
    let project = native("select idd from {{ ref('a') }}");
    for command in ["build", "run"] {
        let refused = project.ends(1, &[command]).stderr;
        assert!(refused.contains("did you mean `id`?") && refused.contains("--no-check"), "{refused}");
        assert!(!project.path().join("shop.duckdb").exists());
        assert!(!project.path().join("target/run_results.json").exists());
    }
    project.ends(1, &["build", "--no-check"]);
    assert_eq!(project.query("select id from a"), "1");
    project.write("models/b.sql", "select id from {{ ref('a') }}");
    project.ends(0, &["build"]);
    project.ends(0, &["build", "--select", "b"]);
}

#[test]
fn a_dbt_project_is_checked_before_a_run_only_if_asked() {
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/b.sql", "select idd from {{ ref('a') }}")]);
    project.ends(1, &["build", "--check"]);
    assert!(!project.path().join("shop.duckdb").exists());
    project.ends(1, &["build"]);
    assert_eq!(project.query("select id from a"), "1");
}

#[test]
fn what_a_check_remembers_is_given_up_when_it_no_longer_holds() {
    let project = shop();
    let columns = || project.ends(0, &["check", "--output", "json"]).stdout;
    let first = columns();
    let memory = project.read("target/notes.tsv");
    assert_eq!(columns(), first);
    assert_eq!(project.read("target/notes.tsv"), memory);
    let changed = memory.replace("DOUBLE", "BLOB").replace("raw_orders", "orders");
    for broken in [&changed, &memory[..memory.len() / 2], "[]", "\0"] {
        project.write("target/notes.tsv", broken);
        assert_eq!(columns(), first, "{broken}");
    }
    project.write("seeds/raw_orders.csv", "id,amount,status\n1,10,paid\n");
    let changed = columns();
    assert!(changed.contains(r#"{"name":"twice","data_type":"INTEGER"}"#), "{changed}");
    project.write("models/stg_orders.sql", "select id as order_id from {{ ref('raw_orders') }}");
    let wrong = project.ends(1, &["check"]).stderr;
    assert!(wrong.contains("the column `twice` does not exist"), "{wrong}");
}

#[test]
fn a_relation_that_is_read_by_its_name_is_never_remembered() {
    let project = dbt(&[("models/a.sql", "select id from outside")]);
    let outside = |sql: &str| {
        project.write("models/outside.sql", sql);
        project.ends(0, &["run", "--select", "outside"]);
        std::fs::remove_file(project.path().join("models/outside.sql")).unwrap();
    };
    outside("select 1 as id");
    project.ends(0, &["check"]);
    outside("select 1 as other");
    project.ends(1, &["check"]);
}

#[test]
fn nodes_are_selected_by_the_lineage_of_a_column() {
    let project = shop();
    let select = |what: &str| {
        let listed = project.ends(0, &["list", "--select", what, "--resource-type", "all"]).stdout;
        listed.lines().map(|line| line.rsplit('.').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(select("column:stg_orders.amount+"), ["stg_orders"]);
    assert_eq!(select("column:stg_orders.twice+"), ["orders", "stg_orders"]);
    assert_eq!(select("+column:orders.total").len(), 3);
    assert_eq!(select("column:raw_orders.amount+,resource_type:model"), ["orders", "stg_orders"]);
    let wrong = project.ends(1, &["list", "--select", "column:orders.totl+"]).stderr;
    assert!(wrong.contains("did you mean `orders.total`?"), "{wrong}");
    project.ends(2, &["list", "--select", "2+column:orders.total"]);
}

#[test]
fn columns_are_followed_by_name_where_nobody_knows_those_of_a_source() {
    let project = dbt(&[
        ("models/sources.yml", "sources:\n  - name: raw\n    tables:\n      - name: orders\n"),
        (
            "models/stg.sql",
            "with source as (select * from {{ source('raw', 'orders') }}), renamed as (select id as order_id, paid / 100 as amount from source) select * from renamed",
        ),
        ("models/orders.sql", "select order_id, sum(amount) as total from {{ ref('stg') }} group by 1"),
        ("models/all.sql", "select * from {{ source('raw', 'orders') }}"),
    ]);
    let told = project.ends(0, &["lineage", "orders.total"]).stdout;
    assert_eq!(
        told.trim_end(),
        "orders.total (?)\n  <- stg.amount\n    <- raw.orders.paid\n  ~ rows decided by stg.order_id"
    );
    project.ends(1, &["lineage", "all"]);
}

#[test]
fn a_broken_ephemeral_model_counts_only_if_something_reads_it() {
    let broken = "{{ config(materialized='ephemeral') }}select idd from {{ ref('a') }}";
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/part.sql", broken)]);
    project.ends(0, &["check"]);
    project.write("models/b.sql", "select * from {{ ref('part') }}");
    project.ends(1, &["check"]);
}

#[test]
fn names_that_nobody_knows_do_not_hide_others() {
    let sql = "select\n  nobody_knows,\n  no_such_function(id, ')') + 1 as n,\n  o.neither,\n  id::decimall as d,\n  idd\nfrom {{ ref('a') }} o";
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/b.sql", sql)]);
    let annotations = project.ends(1, &["check", "--output", "github"]).stdout;
    let told: Vec<&str> = annotations.lines().filter_map(|line| line.split_once("b.sql,")).map(|(_, at)| at).collect();
    let mut told: Vec<&str> = told.iter().map(|at| at.split("%0A").next().unwrap_or(at)).collect();
    told.sort_unstable();
    insta::assert_snapshot!(told.join("\n"), @r"
    line=2,col=3,endColumn=15,title=unknown-column::the column `nobody_knows` does not exist
    line=3,col=3,endColumn=19,title=unknown-function::the function `no_such_function` does not exist
    line=4,col=5,endColumn=12,title=unknown-column::the column `neither` does not exist
    line=5,col=7,endColumn=15,title=unknown-type::the type `decimall` does not exist
    line=6,col=3,endColumn=6,title=unknown-column::the column `idd` does not exist
    ");
}

#[test]
fn a_column_that_does_not_come_so_far_is_no_misspelt_one() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id, 2 as customer_id, 3 as amount"),
        (
            "models/b.sql",
            "with p as (select id, sum(amount) as total from {{ ref('a') }} group by 1)\nselect p.customer_id from p",
        ),
        ("models/c.sql", "select 1 as c1, 2 as c2, 3 as c3, 4 as c4, 5 as c5, 6 as c6, 7 as c7"),
        ("models/d.sql", "select * from {{ ref('c') }}"),
        ("models/d.yml", "models: [{name: d, columns: [{name: nobody_knows}]}]"),
    ]);
    let annotations = project.ends(1, &["check", "--output", "github"]).stdout;
    let helps: Vec<&str> =
        annotations.lines().filter_map(|line| line.split_once("%0A")).map(|(_, help)| help).collect();
    assert_eq!(
        helps,
        ["`p` does not have this column; `a` does", "there is `c1`, `c2`, `c3`, `c4`, `c5`, `c6` and 1 more"]
    );
}

#[test]
fn a_mistake_in_a_macro_is_told_once_and_where_it_is() {
    let macros = "{% macro cents(x) %}\n  {{ return(adapter.dispatch('cents')(x)) }}\n{% endmacro %}\n\n\
                  {% macro default__cents(x) -%}\n  round({{ x }}_x / 100)::numerc(16, 2)\n{%- endmacro %}";
    let project = dbt(&[
        ("macros/cents.sql", macros),
        ("models/a.sql", "select 1 as price, 2 as tax"),
        ("models/b.sql", "select\n  {{ cents('price') }} as price,\n  {{ cents('tax') }} as tax\nfrom {{ ref('a') }}"),
        (
            "models/c.sql",
            "with p as (select price as price_x, 1 as tax_x from {{ ref('a') }})\nselect {{ cents('price') }} as price, {{ cents('nothing') }} as n from p",
        ),
    ]);
    insta::assert_snapshot!(project.ends(1, &["check", "--quiet"]).stderr, @r"
    error[unknown-column]: the column `nothing_x` does not exist
     --> macros/cents.sql:6:16
      |
    6 |   round({{ x }}_x / 100)::numerc(16, 2)
      |                ^^ no relation that is read here has this column
      |
     ::: models/c.sql:2:39
      |
    2 | select {{ cents('price') }} as price, {{ cents('nothing') }} as n from p
      |                                       ---------------------- called from here
      |
     ::: models/b.sql:2:3
      |
    2 |   {{ cents('price') }} as price,
      |   -------------------- the column `price_x` does not exist
    3 |   {{ cents('tax') }} as tax
      |   ------------------ the column `tax_x` does not exist
      |
      = help: there is `price_x`

    error[unknown-type]: the type `numerc` does not exist
     --> macros/cents.sql:6:27
      |
    6 |   round({{ x }}_x / 100)::numerc(16, 2)
      |                           ^^^^^^ the engine has no such type
      |
     ::: models/c.sql:2:8
      |
    2 | select {{ cents('price') }} as price, {{ cents('nothing') }} as n from p
      |        --------------------           ---------------------- called from here
      |        |
      |        called from here
      |
     ::: models/b.sql:2:3
      |
    2 |   {{ cents('price') }} as price,
      |   -------------------- called from here
    3 |   {{ cents('tax') }} as tax
      |   ------------------ called from here
      |
      = help: did you mean `numeric`?

    2 errors
    ");
    project.write("macros/cents.sql", &macros.replace("_x", "").replace("numerc", "numeric"));
    project.write("models/c.sql", "select {{ cents('prise') }} as price from {{ ref('a') }}");
    let told = project.ends(1, &["check", "--output", "github"]).stdout;
    assert!(told.starts_with("::error file=models/c.sql,line=1,col=8,"), "{told}");
}

#[test]
fn models_that_receive_files_and_events_are_typed_from_what_is_known_of_them() {
    let project = Project::of(&[
        ("medal.yml", "name: shop\ntarget: dev\ntargets: {dev: {type: duckdb, path: shop.duckdb}}\n"),
        (
            "models/sources.yml",
            "sources:\n  - name: landing\n    tables:\n      - name: orders\n        columns: [{name: amount, data_type: 'decimal(9,2)'}]\n        meta: {medal: {location: 'landing/*.csv'}}\n",
        ),
        ("landing/1.csv", "op,seq,id,amount\nI,1,7,1.50\n"),
        (
            "models/bronze_orders.sql",
            "{{ config(materialized='ingest') }} select *, id + 1 as next from {{ source('landing', 'orders') }}",
        ),
        (
            "models/orders.sql",
            "{{ config(materialized='cdc', unique_key='id', sequence_by=['seq', '_source_row'], delete_when=\"op = 'D'\") }}
             select * from {{ ref('bronze_orders') }}",
        ),
        ("models/history.sql", "{{ config(materialized='cdc', unique_key='id', sequence_by='seq', scd=2) }} select id, seq from {{ ref('bronze_orders') }}"),
        ("models/sums.sql", "select sum(amount) as total, max(_seq.seq) as last from {{ ref('orders') }}"),
        ("models/wrong.sql", "select amuont from {{ ref('orders') }}"),
    ]);
    let ran = project.ends(0, &["check", "--output", "json"]);
    assert!(ran.stdout.contains("did you mean `amount`?"), "{}", ran.all());
    project.write("models/wrong.sql", "select amount from {{ ref('orders') }}");
    project.ends(0, &["build"]);
    let checked: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    for name in ["bronze_orders", "orders", "history", "sums"] {
        let columns = checked["columns"][format!("model.shop.{name}")].as_array().cloned().unwrap_or_default();
        let text = |column: &serde_json::Value, key: &str| column[key].as_str().unwrap_or_default().to_string();
        let mut expected: Vec<String> =
            columns.iter().map(|column| format!("{} {}", text(column, "name"), text(column, "data_type"))).collect();
        expected.sort();
        let built = project.query(&format!(
            "select column_name || ' ' || data_type from duckdb_columns() where table_name = '{name}' order by 1"
        ));
        assert_eq!(built, expected.join("\n").replace('"', ""), "what a check expects is what a run builds");
    }
}

#[test]
fn models_that_follow_events_are_typed_as_a_lakehouse_keeps_them() {
    let files = "read_csv('events.csv', columns={id: 'bigint', seq: 'timestamp', op: 'varchar', size: 'utinyint'})";
    let model =
        |config: &str| format!("{{{{ config(materialized='cdc', unique_key='id', {config}) }}}} select * from {files}");
    let project = lakehouse(&[
        ("events.csv", "id,seq,op,size\n1,2024-01-01,I,7\n"),
        ("models/orders.sql", &model("sequence_by=['seq', 'size'], delete_when=\"op = 'D'\"")),
        ("models/history.sql", &model("sequence_by='seq', scd=2")),
        (
            "models/sums.sql",
            "{{ config(materialized='table') }} select max(_seq.size) as last, cast(1 as utinyint) as one from {{ ref('orders') }}",
        ),
        ("models/wrong.sql", "select sise from {{ ref('history') }}"),
    ]);
    let ran = project.ends(1, &["check", "--output", "json"]);
    assert!(ran.stdout.contains("did you mean `size`?"), "{}", ran.all());
    project.write("models/wrong.sql", "select size from {{ ref('history') }}");
    project.ends(0, &["build"]);
    let checked: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    for name in ["orders", "history", "sums"] {
        let columns = checked["columns"][format!("model.shop.{name}")].as_array().cloned().unwrap_or_default();
        let text = |column: &serde_json::Value, key: &str| column[key].as_str().unwrap_or_default().to_string();
        let expected = columns.iter().map(|column| format!("{}|{}", text(column, "name"), text(column, "data_type")));
        let query = format!(
            "select column_name, data_type from information_schema.columns where table_name = '{name}' order by ordinal_position"
        );
        assert_eq!(project.query(&query), expected.collect::<Vec<_>>().join("\n"));
    }
}

/// Whatever changes, a command that has notes of an earlier one says what one without them says.
#[test]
fn what_is_noted_of_templates_changes_nothing_but_the_time() {
    let model = "{{ config(materialized='table', tags=[var('tag', 'none')]) }}
        {%- set parent = env_var('PARENT', 'a') %}
        select {{ columns() }}, '{{ target.schema }}' as schema, {{ flags.FULL_REFRESH }} as is_full,
          '{{ config.get('owner', 'nobody') }}' as owner,
          1 as {{ var('day', 'someday') }}
        from {{ ref(parent) }} where '' <> '{{ this.identifier }}'";
    let project = dbt(&[
        ("seeds/rows.csv", "id,amount\n1,10.5\n"),
        ("models/a.sql", "select id, amount from {{ ref('rows') }}"),
        ("models/b.sql", "{{ config(alias='bee') }}select id, amount as amt from {{ ref('a') }}"),
        ("models/c.sql", model),
        (
            "models/d.sql",
            "{% if execute %}{% set rows = run_query('select 1 as one') %}{% endif %}select * from {{ ref('c') }}",
        ),
        ("macros/columns.sql", "{% macro columns() %}id{% endmacro %}"),
    ]);
    let check = |parent: &str, options: &[&str]| {
        let run = |arguments: &[&str]| {
            let mut command = project.command(arguments);
            let ended = command.args(options).env("PARENT", parent).output().unwrap();
            let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            (ended.status.code(), text)
        };
        let all = || {
            let keys = ["--output", "json", "--output-keys", "unique_id", "depends_on", "config", "tags", "alias"];
            [run(&["check", "--output", "json"]), run(&[&["ls"], &keys[..]].concat())]
        };
        let (noted, again) = (all(), all());
        std::fs::remove_file(project.path().join("target/notes.tsv")).unwrap();
        let fresh = all();
        assert_eq!(noted, fresh);
        assert_eq!(again, fresh);
        fresh
    };
    let mut seen = vec![check("a", &[])];
    let mut step = |parent: &str, options: &[&str]| {
        let said = check(parent, options);
        assert!(!seen.contains(&said), "the change shows in nothing: {said:?}");
        seen.push(said);
    };
    step("b", &[]);
    step("b", &["--vars", "{tag: x}"]);
    step("b", &["--vars", "{tag: x, day: monday}"]);
    project.write("macros/columns.sql", "{% macro columns() %}id, amt as money{% endmacro %}");
    step("b", &[]);
    project.write("models/b.sql", "{{ config(alias='bee', materialized='ephemeral') }}select 1.5 as amt, true as id");
    step("b", &[]);
    project.write("models/models.yml", "models: [{name: c, config: {owner: me, alias: see}}]");
    step("b", &[]);
    project.write("seeds/rows.csv", "id,amount\nx,10.5\n");
    project.write("macros/columns.sql", "{% macro columns() %}id, amount{% endmacro %}");
    step("a", &[]);
    project.write("models/a.sql", "select idd, amount from {{ ref('rows') }}");
    step("a", &[]);
    std::fs::remove_file(project.path().join("models/b.sql")).unwrap();
    step("b", &[]);
    project.write("models/c.sql", "select {{ columns( }} from {{ ref('a') }}");
    step("a", &[]);
}
