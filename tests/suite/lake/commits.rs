//! What others see of a table, and when.

use std::process::{Child, Stdio};

use crate::suite::lake::{lakehouse, versions};
use crate::suite::support::Project;

fn start(project: &Project, operation: &str) -> Child {
    let mut command = project.command(&["run-operation", operation]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary can be started")
}

#[test]
fn two_writers_that_add_rows_both_land() {
    let project = lakehouse(&[(
        "macros/add.sql",
        "{% macro make() %}{% do run_query('create table t (i bigint)') %}{% endmacro %}
         {% macro add() %}{% for i in range(10) %}{% do run_query('insert into t select ' ~ i) %}{% endfor %}{% endmacro %}",
    )]);
    project.ends(0, &["run-operation", "make"]);
    let writers = [start(&project, "add"), start(&project, "add")];
    for mut writer in writers {
        assert!(writer.wait().expect("it ends").success());
    }
    assert_eq!(project.query("select count(*), count(distinct i), sum(i) from t"), "20|10|90");
    assert_eq!(versions(&project, "t").len(), 21);
}

#[test]
fn two_writers_that_change_the_same_rows_lose_nothing() {
    let project = lakehouse(&[(
        "macros/bump.sql",
        "{% macro make() %}{% do run_query('create table n as select 0 as i') %}{% endmacro %}
         {% macro bump() %}{% for i in range(5) %}{% do run_query('update n set i = i + 1') %}{% endfor %}{% endmacro %}",
    )]);
    project.ends(0, &["run-operation", "make"]);
    let writers = [start(&project, "bump"), start(&project, "bump")];
    for mut writer in writers {
        assert!(writer.wait().expect("it ends").success());
    }
    assert_eq!(project.query("select i from n"), "10");
}
