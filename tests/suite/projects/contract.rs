//! What layers ask of models, and personal data.

use crate::suite::support::Project;

/// The project that `medal init --template commerce` writes.
fn commerce() -> Project {
    let project = Project::of(&[]);
    project.ends(0, &["init", "shop", "--template", "commerce"]);
    let ran = project.ends(0, &["build", "--project-dir", "shop"]);
    assert!(ran.stderr.contains("ERROR=0 SKIP=0"), "{}", ran.all());
    project
}

#[test]
fn what_is_personal_is_not_shown_from_quarantine() {
    let project = commerce();
    let shown = project.ends(0, &["quarantine", "show", "--project-dir", "shop", "--select", "customers"]);
    assert!(shown.stdout.contains("Nobody") && shown.stdout.contains("***"), "{}", shown.all());
    assert!(!shown.stdout.contains("lost@nowhere.example"), "{}", shown.all());
}

#[test]
fn what_is_personal_is_not_shown_of_rows_that_fail_a_test() {
    let project = commerce();
    let yaml = project.read("shop/models/silver/silver.yml");
    let test = "      - {name: email, data_tests: [{accepted_values: {arguments: {values: ['x']}, config: {severity: warn, store_failures: true}}}]}\n";
    project
        .write("shop/models/silver/silver.yml", &yaml.replacen("    columns:\n", &format!("    columns:\n{test}"), 1));
    project.ends(0, &["test", "--project-dir", "shop", "--select", "test_type:generic,customers"]);
    let shown = project.ends(
        0,
        &[
            "show",
            "--project-dir",
            "shop",
            "--inline",
            "select * from dbt_test__audit.accepted_values_customers_email__x",
        ],
    );
    assert!(shown.stdout.contains("***") && !shown.stdout.contains('@'), "{}", shown.all());
    let shown = project.ends(0, &["show", "--project-dir", "shop", "--select", "accepted_values_customers_email__x"]);
    assert!(shown.stdout.contains("***") && !shown.stdout.contains('@'), "{}", shown.all());
}

#[test]
fn personal_data_is_stopped_before_anything_runs() {
    let project = commerce();
    let mart = "shop/models/gold/customer_360.sql";
    let sql = project.read(mart).replace("{{ medal.mask('customers.email') }}", "lower(customers.email)");
    project.write(mart, &sql);
    let ran = project.ends(1, &["build", "--project-dir", "shop"]);
    let way = "customers.email → bronze_customers.email → customers.email → customer_360.email_hash";
    assert!(ran.stderr.contains("error[pii-reaches]") && ran.stderr.contains(way), "{}", ran.all());
}

#[test]
fn the_rows_of_every_model_of_a_layer_add_up() {
    let project = commerce();
    let landing = project.path().join("shop/landing");
    for delivery in ["second_landing", "third_landing"] {
        let from = project.path().join("shop").join(delivery).join(".");
        let copied = std::process::Command::new("cp").arg("-R").arg(from).arg(&landing).status();
        assert!(copied.expect("`cp` can be started").success());
        project.medal(&["build", "--project-dir", "shop"]);
    }
    let wrong = project.ends(
        0,
        &[
            "show",
            "--quiet",
            "--project-dir",
            "shop",
            "--inline",
            "select count(*) as built, count(*) filter (where rows_in is distinct from rows_out + coalesce(rows_quarantined, 0)
             + coalesce(rows_dropped, 0) + coalesce(rows_deduplicated, 0) + coalesce(rows_deleted, 0)
             + coalesce(rows_filtered, 0) + coalesce(rows_merged, 0)) as wrong
             from medal_meta.nodes where status = 'success'",
        ],
    );
    let figures = wrong.stdout.lines().last().unwrap_or_default();
    assert!(figures.trim_end().ends_with("|     0 |"), "{}", wrong.all());
}

#[test]
fn a_hash_with_a_key_is_an_hmac_and_no_statement_has_the_key() {
    masks_with_a_key("type: duckdb, path: shop.duckdb");
    masks_with_a_key("type: datafusion, path: lake");
}

fn masks_with_a_key(engine: &str) {
    let key = "0123456789abcdef0123";
    let medal = |key: &str| {
        format!(
            "name: shop\ntarget: dev\ntargets: {{dev: {{{engine}, mask_key: \"{key}\"}}}}\n\
             layers: {{gold: {{paths: [models], reads: [source], defaults: {{materialized: table}}}}}}\n"
        )
    };
    let project = Project::of(&[
        ("medal.yml", &medal(key)),
        (
            "models/people.sql",
            "select {{ medal.mask('email', 'hmac') }} as who, {{ medal.mask('email', 'tokenize') }} as token
             from (values ('ap@birch.example'), (null)) as t(email)",
        ),
    ]);
    let ran = project.ends(0, &["--debug", "build"]);
    assert_eq!(
        project.query("select who, token from people where who is not null"),
        "546c78b73820d41f19aaa9a753ec0758af5f6eefbd64e2affbf8698bb5f39b59|tok_546c78b73820d41f19aaa9a7"
    );
    assert_eq!(project.query("select count(*) from people where token is null"), "1");
    assert!(!ran.all().contains(key) && !project.read("target/compiled/shop/models/people.sql").contains(key));
    project.write("medal.yml", &medal("short"));
    let ran = project.ends(2, &["build"]);
    assert!(ran.stderr.contains("`mask_key` of the profile has not 16 to 64 bytes"), "{}", ran.all());
    project.write("medal.yml", &medal("").replace("mask_key: \"\"", "threads: 1"));
    let ran = project.ends(1, &["build"]);
    assert!(ran.stderr.contains("`mask_key` of the target is not set"), "{}", ran.all());
}
