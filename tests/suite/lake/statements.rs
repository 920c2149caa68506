//! The statements that a lakehouse runs, sent as hooks and operations send them.

use crate::suite::lake::lakehouse;
use crate::suite::support::Project;

/// Sends statements, one after the other, each a transaction of its own.
fn send(project: &Project, statements: &[&str]) {
    let calls: Vec<String> = statements.iter().map(|sql| format!("{{% do run_query({sql:?}) %}}")).collect();
    project.write("macros/send.sql", &format!("{{% macro send() %}}{}{{% endmacro %}}", calls.join("\n")));
    project.ends(0, &["run-operation", "send"]);
}

#[test]
fn rows_are_changed() {
    let project = lakehouse(&[]);
    send(
        &project,
        &[
            "create table t (id integer, name varchar, amount decimal(10,2))",
            "insert into t values (1, 'a', 1.50), (2, 'b', 2), (3, 'c', null)",
            "insert into t (name, id) select 'd', 4",
            "delete from t where amount > 1.75",
            "update t set amount = id * 10 where name <> 'a'",
            "create table s as select 3 as id, 'C' as name union all select 5, 'e'",
            "merge into t as old using s as new on old.id = new.id
             when matched then update set name = new.name
             when not matched then insert (id, name) values (id, name)",
            "delete from t as x using s where x.id = s.id and s.id = 5",
        ],
    );
    assert_eq!(project.query("select * from t order by id"), "1|a|1.5\n3|C|30.0\n4|d|40.0");
}

#[test]
fn columns_and_names_are_changed() {
    let project = lakehouse(&[]);
    send(
        &project,
        &[
            "create table t as select 1 as a, 'x' as b",
            "alter table t add column c bigint",
            "alter table t rename column b to text",
            "alter table t add column d character varying(256)",
            "alter table t alter column a set data type bigint",
            "insert into t values (2, 'y', 3, null)",
            "alter table t rename to u",
            "create view v as select a, c from u",
        ],
    );
    assert_eq!(project.query("select * from u order by a"), "1|x|null|null\n2|y|3|null");
    assert_eq!(project.query("select * from v order by a"), "1|null\n2|3");
    send(&project, &["alter table u drop column text", "truncate table u", "drop view v"]);
    assert_eq!(project.query("select count(*) from u"), "0");
    assert!(!project.path().join("lake/main/t").exists());
}

#[test]
fn a_temporary_table_takes_changes_and_is_on_the_disk_if_it_is_large() {
    let project = lakehouse(&[]);
    send(
        &project,
        &[
            "create temporary table t as select i, repeat('x', 100) as name from range(1000000) as r(i)",
            "insert into t select i, 'more' from range(1000000, 1000010) as r(i)",
            "update t set name = 'changed' where i % 100000 = 7",
            "delete from t where i % 2 = 0",
            "create table kept as select name, count(*) as n, sum(i) as total from t group by name",
        ],
    );
    assert_eq!(
        project.query("select left(name, 7), n, total from kept order by 1"),
        "changed|11|5500077\nmore|4|4000018\nxxxxxxx|499990|249995499930"
    );
}
