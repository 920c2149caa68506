//! Projects that are broken, endless, or want out of their folder.

use crate::suite::support::{Project, dbt};

#[test]
fn yaml_that_multiplies_itself_is_refused_at_once() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let refs = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
    }
    let deep = format!("models: {}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    for text in [bomb, deep] {
        let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/bomb.yml", &text)]);
        let ran = project.medal_within(if cfg!(debug_assertions) { 3 } else { 1 }, &["parse"]);
        assert_eq!(ran.code, Some(1), "{}", ran.all());
        assert!(ran.all().contains("models/bomb.yml"), "{}", ran.all());
    }
}

#[test]
fn templates_that_never_end_are_stopped() {
    let bombs = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ i * j }}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{{ 'x' * 10000000000 }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{{ forever(1) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ];
    // Without optimisation the same steps take several times as long.
    let limit = if cfg!(debug_assertions) { 10 } else { 2 };
    for bomb in bombs {
        let project = dbt(&[
            ("models/a.sql", &format!("select 1 as id {bomb}")),
            ("macros/forever.sql", "{% macro forever(n) %}{{ forever(n + 1) }}{% endmacro %}"),
        ]);
        let ran = project.medal_within(limit, &["build"]);
        assert_eq!(ran.code, Some(1), "{bomb}: {}", ran.all());
        assert!(ran.all().contains("models/a.sql:1:"), "{bomb}: {}", ran.all());
    }
}

#[test]
fn paths_that_leave_the_project_are_refused() {
    for settings in ["model-paths: ['../outside']", "seed-paths: ['/etc']", "macro-paths: ['macros/../../outside']"] {
        let project = dbt(&[("models/a.sql", "select 1 as id")]);
        project.write("dbt_project.yml", &format!("name: shop\nprofile: shop\n{settings}\n"));
        let ran = project.medal(&["parse"]);
        assert_ne!(ran.code, Some(0), "{settings}");
        assert!(ran.all().contains("path-outside-project"), "{settings}: {}", ran.all());
    }
}

#[test]
fn a_link_out_of_the_project_is_not_followed() {
    let outside = Project::of(&[("secret.sql", "select 'outside' as id")]);
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    std::os::unix::fs::symlink(outside.path().join("secret.sql"), project.path().join("models/linked.sql"))
        .expect("a link can be made");
    std::os::unix::fs::symlink(outside.path(), project.path().join("models/folder")).expect("a link can be made");
    let ran = project.medal(&["ls", "--output", "name"]);
    assert!(!ran.stdout.contains("secret") && !ran.stdout.contains("linked"), "{}", ran.all());
    assert!(ran.code == Some(0) || ran.all().contains("path-outside-project"), "{}", ran.all());
}

#[test]
fn clean_deletes_nothing_outside_and_no_sources() {
    let parent = Project::of(&[("precious.txt", "keep me")]);
    let inside = |name: &str, text: &str| parent.write(&format!("shop/{name}"), text);
    inside("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb}}}\n");
    inside("models/a.sql", "select 1 as id");
    inside("target/manifest.json", "{}");
    for target in ["..", "models", ".", "../precious.txt", "/tmp"] {
        inside("dbt_project.yml", &format!("name: shop\nprofile: shop\nclean-targets: ['{target}']\n"));
        let ran = parent.ends(2, &["clean", "--project-dir", "shop"]);
        assert!(ran.all().contains("path-outside-project"), "{target}: {}", ran.all());
        assert_eq!(parent.read("precious.txt") + &parent.read("shop/models/a.sql"), "keep meselect 1 as id");
    }
    inside("dbt_project.yml", "name: shop\nprofile: shop\nclean-targets: [target]\n");
    parent.ends(0, &["clean", "--project-dir", "shop"]);
    assert!(!parent.path().join("shop/target").exists());
}

#[test]
fn clean_of_a_native_project_deletes_only_what_medal_made() {
    let project = Project::of(&[
        ("medal.yml", "name: shop\ntargets: {dev: {type: duckdb}}\nclean-targets: [target, exports]\n"),
        ("models/a.sql", "select 1 as id"),
        ("exports/report.csv", "keep me"),
    ]);
    project.ends(0, &["parse"]);
    let ran = project.ends(2, &["clean"]);
    assert!(ran.all().contains("error[not-ours]: `exports` was not made by medal"), "{}", ran.all());
    project.write("medal.yml", "name: shop\ntargets: {dev: {type: duckdb}}\nclean-targets: [target]\n");
    project.ends(0, &["clean"]);
    assert_eq!(project.read("exports/report.csv"), "keep me");
    assert!(!project.path().join("target").exists());
}

#[test]
fn clean_does_not_follow_a_link() {
    let outside = Project::of(&[("precious.txt", "keep me")]);
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    std::os::unix::fs::symlink(outside.path(), project.path().join("target")).expect("a link can be made");
    project.medal(&["clean"]);
    assert_eq!(outside.read("precious.txt"), "keep me");
}

#[test]
fn every_kind_of_file_may_be_empty() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id"),
        ("models/empty.yml", ""),
        ("macros/empty.sql", ""),
        ("models/docs.md", ""),
        ("models/comment.yml", "# nothing yet\n"),
    ]);
    project.ends(0, &["build"]);
    project.write("models/empty.sql", "");
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("error[empty-model]") && ran.all().contains("models/empty.sql"), "{}", ran.all());
    let project = dbt(&[("dbt_project.yml", "")]);
    assert_ne!(project.medal(&["parse"]).code, Some(0));
}

#[test]
fn windows_line_ends_and_byte_order_marks_do_not_matter() {
    let mark = "\u{feff}";
    let project = Project::of(&[
        ("dbt_project.yml", &format!("{mark}name: shop\r\nprofile: shop\r\n")),
        (
            "profiles.yml",
            &format!("{mark}shop:\r\n  target: dev\r\n  outputs:\r\n    dev: {{type: duckdb, path: shop.duckdb}}\r\n"),
        ),
        (
            "models/a.sql",
            &format!(
                "{mark}{{{{ config(materialized='table') }}}}\r\nselect\r\n  {{{{ one() }}}} as id -- a comment\r\n, 2 as n\r\n"
            ),
        ),
        (
            "models/a.yml",
            &format!("{mark}models:\r\n  - name: a\r\n    columns: [{{name: id, data_tests: [unique]}}]\r\n"),
        ),
        ("macros/one.sql", &format!("{mark}{{% macro one() %}}\r\n1\r\n{{% endmacro %}}\r\n")),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id, n from a"), "1|2");
}

#[test]
fn files_that_are_no_text_are_told_with_their_path() {
    for path in ["models/junk.sql", "models/junk.yml", "macros/junk.sql"] {
        let project = dbt(&[("models/a.sql", "select 1 as id"), (path, "")]);
        std::fs::write(project.path().join(path), [0xff, 0xfe, 0x00, 0x80]).expect("the file can be written");
        let ran = project.ends(1, &["parse"]);
        assert!(ran.all().contains("error[unreadable-file]") && ran.all().contains(path), "{}", ran.all());
    }
}

#[test]
fn the_engine_is_not_told_to_leave_the_transaction_by_a_hook() {
    let project = dbt(&[(
        "models/a.sql",
        "{{ config(materialized='table', post_hook='select 1; select nothing') }} select 1 as id",
    )]);
    project.ends(1, &["build"]);
    assert_eq!(project.query("select count(*) as n from duckdb_tables()"), "0");
}

#[test]
fn jinja_reaches_no_file_no_module_and_no_network() {
    let project = dbt(&[("models/seen.sql", "select 1 as id"), ("notes.txt", "canary-file")]);
    let refused = [
        "{% include 'notes.txt' %}",
        "{% include '/etc/passwd' %}",
        "{% extends 'models/seen.sql' %}",
        "{% import 'notes.txt' as notes %}",
        "{% from '../notes.txt' import notes %}",
        "{% include 'profiles.yml' %}",
        "{% extends 'dbt_project.yml' %}",
        "{{ open('notes.txt') }}",
        "{{ builtins.open('/etc/passwd').read() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ modules.os.listdir('.') }}",
        "{{ modules.datetime.sys.modules }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ adapter.config.credentials }}",
    ];
    for text in refused {
        project.write("models/a.sql", &format!("select 1 as id {text}"));
        let ran = project.ends(1, &["compile"]);
        assert!(ran.all().contains("models/a.sql:1:") && !ran.all().contains("canary-file"), "{text}: {}", ran.all());
    }
    let empty = [
        "{{ range.__globals__ }}",
        "{{ modules.re.sys }}",
        "{{ cycler.__init__ }}",
        "{{ self }}",
        "{{ fromyaml('!!python/object/apply:os.system [ls]') }}",
    ];
    for text in empty {
        project.write("models/a.sql", &format!("select 1 as id /*{text}*/"));
        project.ends(0, &["compile"]);
        assert!(project.read("target/compiled/shop/models/a.sql").len() < 40, "{text}");
    }
}
