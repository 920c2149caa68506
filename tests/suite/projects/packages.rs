//! Packages: what `medal deps` installs, pins and refuses, and what installed packages do.

use std::path::Path;

use crate::suite::support::{Entry, Project, Ran, dbt};

const LOCAL: (&str, &str) = ("packages.yml", "packages:\n  - local: lib\n");
const LIBRARY: [(&str, &str); 2] = [
    ("lib/dbt_project.yml", "name: library\nversion: '1.0'\n"),
    ("lib/macros/two.sql", "{% macro two() %}2{% endmacro %}"),
];

/// Packs the folder `name` of a project as `name.tar.gz`.
fn pack(project: &Project, name: &str) {
    let file = std::fs::File::create(project.path().join(format!("{name}.tar.gz"))).expect("the file can be made");
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    archive.append_dir_all(name, project.path().join(name)).expect("the folder can be packed");
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("the archive can be written");
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.current_dir(dir).args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]);
    let output = command.args(arguments).output().expect("git is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// A folder that is a hub with versions of `acme/tools`, each of them an archive.
fn hub(project: &Project, versions: &[(&str, &str)]) {
    let mut facts = serde_json::Map::new();
    for (version, packages) in versions {
        let folder = format!("tools-{version}");
        project.write(&format!("{folder}/dbt_project.yml"), &format!("name: tools\nversion: '{version}'\n"));
        pack(project, &folder);
        let packages: serde_json::Value = serde_json::from_str(packages).expect("the packages are JSON");
        let archive = project.path().join(format!("{folder}.tar.gz"));
        let downloads = serde_json::json!({"tarball": archive});
        let entry = serde_json::json!({"name": "tools", "packages": packages, "downloads": downloads});
        facts.insert(version.to_string(), entry);
    }
    let package = serde_json::json!({"name": "tools", "namespace": "acme", "versions": facts});
    project.write("hub/api/v1/acme/tools.json", &package.to_string());
    project.write("hub/api/v1/index.json", r#"["acme/tools"]"#);
}

fn deps(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = project.command(&[&["deps"], arguments].concat());
    let output = command.env("DBT_PACKAGE_HUB_URL", project.path().join("hub")).output();
    Ran::from(output.expect("the binary can be started"))
}

#[test]
fn a_local_package_is_linked_and_used() {
    let files = [LOCAL, LIBRARY[0], LIBRARY[1], ("models/m.sql", "select {{ library.two() }} as n")];
    let project = dbt(&files);
    assert!(project.ends(1, &["parse"]).stderr.contains("run `medal deps`"));
    project.ends(0, &["deps"]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select n from {{ ref('m') }}"), "2");
    // The digest is the one that dbt-core 1.11.16 writes for the same list.
    let lock = "packages:\n  - local: lib\n    name: library\nsha1_hash: 53e758f4864519c3d3ec2d35824a0408594c0e7c\n";
    assert_eq!(project.read("package-lock.yml"), lock);
}

#[test]
fn a_repository_is_installed_at_its_commit() {
    let project = dbt(&[("repository/sub/dbt_project.yml", "name: inner\n"), ("repository/README", "")]);
    let repository = project.path().join("repository");
    git(&repository, &["init", "--quiet"]);
    std::os::unix::fs::symlink("/etc/passwd", repository.join("sub/link")).expect("a link can be made");
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "First"]);
    git(&repository, &["tag", "v1"]);
    let commit = git(&repository, &["rev-parse", "HEAD"]);
    project.write("packages.yml", "packages:\n  - git: repository\n    revision: v1\n    subdirectory: sub\n");
    project.ends(0, &["deps"]);
    assert!(project.read("package-lock.yml").contains(&format!("revision: {commit}")));
    assert_eq!(project.read("dbt_packages/inner/link"), "/etc/passwd");

    std::fs::remove_dir_all(repository).expect("the repository can be deleted");
    assert!(project.ends(0, &["deps"]).stderr.contains("Up to date: 1 package"));
    std::fs::remove_dir_all(project.path().join("dbt_packages")).expect("the packages can be deleted");
    assert!(project.ends(2, &["deps"]).stderr.contains("error[package-unavailable]"));
}

#[test]
fn the_newest_version_that_all_accept_is_taken_from_the_hub() {
    let project = dbt(&[
        ("packages.yml", "packages:\n  - package: acme/tools\n    version: ['>=1.0.0', '<2.0.0']\n  - local: lib\n"),
        LIBRARY[0],
        ("lib/packages.yml", "packages:\n  - package: acme/tools\n    version: '<1.2.0'\n"),
    ]);
    hub(&project, &[("1.0.0", "[]"), ("1.1.0", "[]"), ("1.2.0", "[]"), ("1.2.1-rc1", "[]"), ("2.0.0", "[]")]);
    assert_eq!(deps(&project, &[]).code, Some(0));
    assert!(project.read("package-lock.yml").contains("version: 1.1.0"));

    project.write("lib/packages.yml", "packages:\n  - package: acme/tools\n    version: '>=2.0.0'\n");
    let ran = deps(&project, &["--upgrade"]);
    assert!(ran.stderr.contains("error[package-conflict]: no version of `acme/tools` fits"), "{}", ran.stderr);
    assert!(ran.stderr.contains("asks for `>=2.0.0`"), "{}", ran.stderr);
    assert!(project.read("package-lock.yml").contains("version: 1.1.0"));
}

#[test]
fn a_misspelt_hub_package_is_suggested() {
    let project = dbt(&[("packages.yml", "packages:\n  - package: acme/tolls\n    version: 1.0.0\n")]);
    hub(&project, &[("1.0.0", "[]")]);
    let ran = deps(&project, &[]);
    assert!(ran.stderr.contains("did you mean `acme/tools`?"), "{}", ran.stderr);
}

#[test]
fn content_that_changes_behind_the_lock_is_refused() {
    let project = dbt(&[("packages.yml", "packages:\n  - tarball: lib.tar.gz\n    name: library\n"), LIBRARY[0]]);
    pack(&project, "lib");
    project.ends(0, &["deps"]);
    project.write("lib/dbt_project.yml", "name: library\non-run-start: drop table payments\n");
    pack(&project, "lib");
    assert!(project.ends(0, &["deps"]).stderr.contains("Up to date"));

    project.write("dbt_packages/library/extra.txt", "");
    let ran = project.ends(2, &["deps"]);
    assert!(ran.stderr.contains("error[package-changed]"), "{}", ran.stderr);
    assert!(!project.read("dbt_packages/library/dbt_project.yml").contains("drop"));
    assert_eq!(std::fs::read_dir(project.path().join("dbt_packages")).expect("the folder is there").count(), 1);

    project.ends(0, &["deps", "--upgrade"]);
    assert!(project.read("dbt_packages/library/dbt_project.yml").contains("drop"));
    assert!(!project.path().join("dbt_packages/library/extra.txt").exists());
}

#[test]
fn an_archive_that_leaves_its_folder_is_refused() {
    let file = Entry::File("");
    let cases = [
        ("../evil", file),
        ("/evil", file),
        ("lib/../../evil", file),
        ("lib/link", Entry::Link("/etc/passwd")),
        ("lib/link", Entry::Link("../../x")),
    ];
    for (path, entry) in cases {
        let project = dbt(&[("packages.yml", "packages:\n  - tarball: bad.tar.gz\n    name: bad\n")]);
        project.pack("bad.tar.gz", path, entry);
        let ran = project.ends(2, &["deps"]);
        assert!(ran.stderr.contains("error[unsafe-archive]"), "{path}: {}", ran.stderr);
        assert!(!project.path().join("evil").exists() && !project.path().join("dbt_packages/bad").exists());
    }
}

#[test]
fn a_package_that_is_no_longer_listed_goes_away() {
    let project = dbt(&[LOCAL, LIBRARY[0], ("other/dbt_project.yml", "name: other\n")]);
    project.ends(0, &["deps"]);
    project.write("packages.yml", "packages:\n  - local: other\n");
    assert!(project.ends(0, &["deps"]).stderr.contains("Removed library"));
    assert!(project.path().join("lib/dbt_project.yml").exists());
    assert!(!project.path().join("dbt_packages/library").exists());
}

#[test]
fn secrets_reach_the_address_and_nothing_else() {
    let list =
        "packages:\n  - git: \"file:///nowhere/{{ env_var('DBT_ENV_SECRET_TOKEN') }}/x.git\"\n    revision: v1\n";
    let project = dbt(&[("packages.yml", list)]);
    let output = project.command(&["deps"]).env("DBT_ENV_SECRET_TOKEN", "canary-1234").output();
    let ran = Ran::from(output.expect("the binary can be started"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("*****") && !ran.all().contains("canary"), "{}", ran.all());
}

#[test]
fn a_package_is_added_to_the_list() {
    let project = dbt(&[LIBRARY[0]]);
    project.ends(0, &["deps", "--add-package", "lib", "--source", "local"]);
    assert_eq!(project.read("packages.yml"), "packages:\n  - local: \"lib\"\n");
    project.ends(0, &["deps", "--lock"]);
    assert!(project.ends(2, &["deps", "--add-package", "acme/tools"]).stderr.contains("names no version"));
}

#[test]
fn packages_can_stand_in_dependencies_yml_and_projects_cannot() {
    let list = "packages:\n  - local: lib\nprojects:\n  - name: other\n";
    let project = dbt(&[("dependencies.yml", list), LIBRARY[0]]);
    assert!(project.ends(2, &["deps"]).stderr.contains("error[unsupported]: `projects`"));
    project.write("dependencies.yml", "packages:\n  - local: lib\n");
    let output = project.command(&["deps"]).env("DBT_PACKAGES_INSTALL_PATH", "elsewhere").output();
    assert_eq!(Ran::from(output.expect("the binary can be started")).code, Some(0));
    assert!(project.path().join("elsewhere/library").exists());
}

#[test]
fn a_package_for_another_version_is_refused_unless_the_check_is_off() {
    let old = ("lib/dbt_project.yml", "name: library\nrequire-dbt-version: ['>=0.20.0', '<1.0.0']\n");
    let project = dbt(&[LOCAL, old]);
    project.ends(0, &["deps"]);
    assert!(project.ends(1, &["parse"]).stderr.contains("error[version-mismatch]: `library` works with dbt `<1.0.0`"));
    project.ends(0, &["parse", "--no-version-check"]);
}

#[test]
fn a_native_project_consents_to_the_hooks_of_a_package() {
    let hooked = ("lib/dbt_project.yml", "name: library\non-run-start: create table hooked as select 1 as n\n");
    let medal = ("medal.yml", "name: shop\ntargets:\n  dev: {type: duckdb, path: shop.duckdb}\n");
    let project = Project::of(&[LOCAL, hooked, medal, ("models/silver/m.sql", "select 1 as id")]);
    project.ends(0, &["deps"]);
    assert!(project.ends(1, &["build"]).stderr.contains("error[package-consent]: the package `library` has"));
    project.write("packages.yml", "packages:\n  - local: lib\n    allow: [hooks]\n");
    project.ends(0, &["build"]);
    assert_eq!(project.query("select n from hooked"), "1");
}

#[test]
fn a_package_replaces_no_built_in_materialization_unless_the_project_says_so() {
    let replaced = "{% materialization table, adapter='duckdb' %}{{ exceptions.raise_compiler_error('mine') }}\
                    {% endmaterialization %}";
    let model = ("models/m.sql", "{{ config(materialized='table') }} select 1 as id");
    let project = dbt(&[LOCAL, LIBRARY[0], ("lib/macros/table.sql", replaced), model]);
    project.ends(0, &["deps"]);
    project.ends(0, &["build"]);
    let flag = "flags: {require_explicit_package_overrides_for_builtin_materializations: false}\n";
    project.write("dbt_project.yml", &format!("name: shop\nprofile: shop\n{flag}"));
    assert!(project.ends(1, &["build"]).stderr.contains("mine"));
}

#[test]
fn a_hook_of_a_package_sees_the_macros_and_variables_of_its_package() {
    let hooked = "name: library\nvars: {place: prepared}\non-run-start: \"{{ prepare(var('place')) }}\"\n";
    let prepare = "{% macro prepare(schema) %}create schema if not exists {{ schema }}{% endmacro %}";
    let project = dbt(&[LOCAL, ("lib/dbt_project.yml", hooked), ("lib/macros/prepare.sql", prepare)]);
    project.ends(0, &["deps"]);
    project.write("models/m.sql", "select 1 as id");
    project.ends(0, &["build"]);
    assert_eq!(project.query("select count(*) as n from duckdb_schemas() where schema_name = 'prepared'"), "1");
}

#[test]
fn what_a_package_leaves_in_the_graph_is_there_at_the_end_of_the_run() {
    let hooks = "name: library\non-run-start: \"{{ library.begin() }}\"\non-run-end: \"{{ library.end() }}\"\n";
    let macros = "{% macro begin() %}{% do graph.setdefault('seen', {'names': []}) %}{% endmacro %}\n\
                  {% macro see(name) %}{% do graph['seen']['names'].append(name) %}{% endmacro %}\n\
                  {% macro end() %}create table seen as select '{{ graph.seen.names | join }}' as names, \
                  '{{ builtins.ref.config.dependencies['library'].version }}' as version, \
                  '{{ results[0].node.to_dict().name }}' as node{% endmacro %}";
    let project = dbt(&[LOCAL, ("lib/macros/graph.sql", macros)]);
    project.write("lib/dbt_project.yml", &format!("{hooks}version: '2.5'\n"));
    project.write("models/m.sql", "{% if execute %}{% do library.see('m') %}{% endif %}select 1 as id");
    project.ends(0, &["deps"]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select names, version, node from seen"), "m|2.5|m");
}

#[test]
fn the_configuration_of_a_test_may_be_written_with_jinja() {
    let tests = "models:\n  - name: m\n    columns:\n      - name: id\n        data_tests:\n          - unique:\n              \
                 config: {severity: \"{{ 'warn' if target.type == 'duckdb' else 'error' }}\"}\n          - not_null:\n              \
                 enabled: \"{{ var('strict', false) }}\"\n";
    let project = dbt(&[("models/m.sql", "select 1 as id union all select 1"), ("models/schema.yml", tests)]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["m success", "unique_m_id warn 1"]);
}

#[test]
fn a_project_describes_and_tests_what_a_package_builds() {
    let project = dbt(&[
        ("dbt_packages/library/dbt_project.yml", "name: library\nversion: '1.0'\n"),
        ("dbt_packages/library/models/days.sql", "select 1 as id"),
        ("dbt_packages/library/seeds/codes.csv", "id\n1\n"),
        ("dbt_packages/library/seeds/seeds.yml", "seeds:\n  - {name: codes, description: Of the package}\n"),
        ("seeds/codes.csv", "id\n2\n"),
        (
            "models/models.yml",
            "models:\n  - name: days\n    description: Every day\n    config: {materialized: table}\n    \
             columns: [{name: id, data_tests: [unique]}]\n",
        ),
    ]);
    let yml = project.read("dbt_project.yml");
    project.write("dbt_project.yml", &format!("{yml}seeds:\n  library: {{codes: {{+enabled: false}}}}\n"));
    assert_eq!(project.ends(0, &["build"]).all().matches("warning").count(), 0);
    let manifest = project.json("target/manifest.json");
    let days = &manifest["nodes"]["model.library.days"];
    assert_eq!([&days["description"], &days["config"]["materialized"]], ["Every day", "table"]);
    assert_eq!(days["patch_path"], "shop://models/models.yml");
    assert_eq!(project.outcomes(), ["codes success", "days success", "unique_days_id pass 0"]);
    // What a package says of a seed of its own that is switched off goes to the project's seed of that name.
    assert_eq!(manifest["nodes"]["seed.shop.codes"]["description"], "Of the package");
    project.write("dbt_packages/library/models/days.yml", "models: [{name: days}]\n");
    let ran = project.ends(1, &["parse"]);
    assert!(ran.all().contains("error[duplicate-name]: `days` is described twice"), "{}", ran.all());
}

#[test]
fn a_name_without_a_package_is_looked_for_in_the_project_first() {
    let project = dbt(&[
        ("dbt_packages/library/dbt_project.yml", "name: library\nversion: '1.0'\nmodels: {+schema: lib}\n"),
        ("dbt_packages/library/models/days.sql", "select 'library' as day"),
        (
            "dbt_packages/library/models/reader.sql",
            "select day, '{{ source('raw', 't') }}' as t from {{ ref('days') }}",
        ),
        ("dbt_packages/library/models/raw.yml", "sources: [{name: raw, schema: theirs, tables: [{name: t}]}]\n"),
        ("models/days.sql", "select 'shop' as day"),
        ("models/raw.yml", "sources: [{name: raw, schema: ours, tables: [{name: t}]}]\n"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from main_lib.reader"), "shop|\"shop\".\"ours\".\"t\"");
    let parents = project.json("target/manifest.json")["parent_map"]["model.library.reader"].clone();
    assert_eq!(parents, serde_json::json!(["model.shop.days", "source.shop.raw.t"]));
    let yml = project.read("dbt_project.yml");
    project.write("dbt_project.yml", &format!("{yml}flags: {{require_ref_searches_node_package_before_root: true}}\n"));
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from main_lib.reader"), "library|\"shop\".\"theirs\".\"t\"");
}
