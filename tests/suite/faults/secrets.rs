//! What is secret is in no output and in no file.

use std::path::Path;

use crate::suite::support::{Project, dbt};

const CANARIES: [(&str, &str); 3] = [
    ("DBT_ENV_SECRET_KEY", "canary-one-7f3a"),
    ("DBT_ENV_SECRET_TOKEN", "canary two/7f3b"),
    ("MEDAL_SECRET_PASSWORD", "canary'three\"7f3c"),
];

const PROFILE: &str = "shop:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      path: shop.duckdb\n\
    \x20     secrets:\n        - {type: s3, name: store, key_id: \"{{ env_var('DBT_ENV_SECRET_KEY') }}\", secret: \"{{ env_var('DBT_ENV_SECRET_TOKEN') }}\"}\n\
    \x20     nowhere: \"{{ env_var('MEDAL_SECRET_PASSWORD') }}\"\n";

/// Every text file below a folder, except those that the test wrote.
fn texts(folder: &Path, all: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, all);
        } else {
            let bytes = std::fs::read(&path).expect("the file can be read");
            all.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

fn leaks(project: &Project, commands: &[&[&str]]) -> Vec<String> {
    let mut all = Vec::new();
    for arguments in commands {
        let output = project.command(arguments).envs(CANARIES).output().expect("medal starts");
        all.push((format!("stdout of {arguments:?}"), String::from_utf8_lossy(&output.stdout).into_owned()));
        all.push((format!("stderr of {arguments:?}"), String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    texts(project.path(), &mut all);
    // As it is, and as JSON and SQL write it.
    let forms = |value: &str| {
        let json = serde_json::json!(value).to_string();
        [value.to_string(), json.trim_matches('"').to_string(), value.replace('\'', "''")]
    };
    let leaked = |text: &str| CANARIES.iter().any(|(_, value)| forms(value).iter().any(|form| text.contains(form)));
    all.into_iter().filter(|(_, text)| leaked(text)).map(|(place, _)| place).collect()
}

#[test]
fn secrets_of_the_profile_are_in_no_output_and_no_file() {
    let project = dbt(&[
        ("models/a.sql", "select '{{ target.name }}' as target, '{{ log(target, info=true) }}' as logged"),
        ("models/bad.sql", "select nothing from nowhere"),
    ]);
    project.write("profiles.yml", PROFILE);
    let commands: [&[&str]; 7] = [
        &["debug"],
        &["--debug", "build"],
        &["--log-format", "json", "--debug", "build"],
        &["compile"],
        &["parse"],
        &["ls", "--output", "json"],
        &["docs", "generate"],
    ];
    assert_eq!(leaks(&project, &commands), [""; 0]);
}

#[test]
fn secrets_in_an_error_of_the_engine_are_hidden() {
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    project.write(
        "profiles.yml",
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: \"no/such/{{ env_var('DBT_ENV_SECRET_KEY') }}/file.duckdb\"}}}\n",
    );
    assert_eq!(leaks(&project, &[&["build"], &["debug"], &["--log-format", "json", "build"]]), [""; 0]);
}

#[test]
fn a_secret_in_sql_is_an_error_that_does_not_show_it() {
    let project = dbt(&[
        ("models/a.sql", "select '{{ env_var('DBT_ENV_SECRET_KEY') }}' as id"),
        ("models/b.sql", "{{ exceptions.raise_compiler_error(env_var('DBT_ENV_SECRET_TOKEN')) }}"),
        ("models/c.sql", "{{ log(env_var('DBT_ENV_SECRET_KEY'), info=true) }} select 1 as id"),
    ]);
    assert_eq!(leaks(&project, &[&["build"], &["compile"], &["--debug", "parse"]]), [""; 0]);
    let ran = project.command(&["build"]).envs(CANARIES).output().expect("medal starts");
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("error[secret-in-sql]"));
}

#[test]
fn secret_values_of_vars_are_in_no_artifact_and_retry_asks_for_them() {
    let project = dbt(&[("models/a.sql", "{% if var('word') %}select nothing{% endif %}")]);
    let medal = |arguments: &[&str]| {
        let output = project.command(arguments).env("DBT_ENV_SECRET_WORD", "canary-var-7f3d").output();
        output.expect("the binary can be started")
    };
    assert_eq!(medal(&["build", "--vars", "{word: canary-var-7f3d, open: kept-b2}"]).status.code(), Some(1));
    for path in ["target/manifest.json", "target/run_results.json", "target/journal.jsonl"] {
        assert!(!project.read(path).contains("canary-var-7f3d"), "{path}");
    }
    assert!(project.read("target/journal.jsonl").contains("kept-b2"));
    let ran = medal(&["retry"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("which are not kept: word"));
    project.write("models/a.sql", "select '{{ var('word', '') }}' as word");
    assert_eq!(medal(&["retry", "--vars", "{word: other}"]).status.code(), Some(0));
    assert_eq!(project.query("select * from a"), "other");
}

#[test]
fn a_secret_that_a_failing_model_quotes_is_in_no_file() {
    let files = [("models/a.sql", "select \"{{ var('word') }}\" as id"), ("models/b.sql", "select 1 as id")];
    let native = Project::of(&files);
    native.write("medal.yml", "name: shop\ntargets: {dev: {type: duckdb, path: shop.duckdb}}\n");
    for project in [dbt(&files), native] {
        let vars = format!("{{word: {}}}", CANARIES[0].1);
        let commands: [&[&str]; 4] = [
            &["build", "--vars", &vars],
            &["--log-format", "json", "--debug", "run", "--vars", &vars],
            &["compile", "--vars", &vars],
            &["docs", "generate", "--vars", &vars],
        ];
        assert_eq!(leaks(&project, &commands), [""; 0]);
    }
}

#[test]
fn a_password_that_stands_in_the_profile_is_in_no_excerpt_and_no_file() {
    let word = "canary-7f3e";
    let outputs = [
        "{type: postgres, host: here, password: WORD}",
        "{type: duckdb, path: shop.duckdb, pasword: 1, motherduck_token: 'WORD'}",
        "{type: duckdb, path: shop.duckdb, threads: no, secrets: [{type: s3, key_id: me, secret: \"WORD\"}]}",
        "{type: duckdb, path: shop.duckdb, attach: [{path: 'host=no.where password=WORD', type: postgres}]}",
        "{type: duckdb, path: shop.duckdb, token: WORD, broken: [}",
    ];
    for output in outputs {
        let project = dbt(&[("models/a.sql", "select 1 as id, '{{ target }}' as target")]);
        let profile = format!("shop: {{target: dev, outputs: {{dev: {output}}}}}\n").replace("WORD", word);
        let commands: [&[&str]; 4] =
            [&["debug"], &["build"], &["--log-format", "json", "compile"], &["docs", "generate"]];
        project.write("profiles.yml", &profile);
        let mut all = Vec::new();
        for arguments in commands {
            all.push((format!("{arguments:?}"), project.medal(arguments).all()));
        }
        std::fs::remove_file(project.path().join("profiles.yml")).expect("the profile is there");
        texts(project.path(), &mut all);
        let leaked: Vec<_> = all.iter().filter(|(_, text)| text.contains(word)).collect();
        assert!(leaked.is_empty(), "{output}: {leaked:?}");
    }
}
