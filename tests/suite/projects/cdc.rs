//! Change events, and the state and the history that a `cdc` model makes of them.

use crate::suite::lake::{both_engines, lakehouse};
use crate::suite::support::{Project, dbt};

/// A project of each engine whose models `state` and `history` read the file `events.csv`, all of it in every run.
fn following(config: &str, columns: &str) -> [Project; 2] {
    let model = |scd: u8| {
        format!(
            "{{{{ config(materialized='cdc', unique_key='id', sequence_by='seq', delete_when=\"op = 'D'\", \
             truncate_when=\"op = 'T'\", scd={scd}{config}) }}}}\nselect {columns} from read_csv('events.csv')"
        )
    };
    let models: [(&str, &str); 2] = [("models/state.sql", &model(1)), ("models/history.sql", &model(2))];
    [dbt(&models), lakehouse(&models)]
}

const STATE: &str = "select id, v, seq from state order by all";
const HISTORY: &str = "select id, v, valid_from, valid_to, is_current from history order by id, valid_from";

#[test]
fn deletes_truncations_and_late_events_leave_what_the_sorted_whole_would() {
    for project in following("", "*") {
        project.write("events.csv", "id,seq,op,v\n1,1,I,a\n1,3,D,\n2,2,I,b\n3,2,I,c\n");
        project.ends(0, &["build"]);
        assert_eq!(project.query(STATE), "2|b|2\n3|c|2");
        // What comes late does not bring a key back, but it has its place in the history.
        project.write("events.csv", "id,seq,op,v\n1,2,U,late\n,4,T,\n3,5,I,again\n2,3,U,late\n");
        project.ends(0, &["build"]);
        assert_eq!(project.query(STATE), "3|again|5");
        assert_eq!(
            project.query(HISTORY),
            "1|a|1|2|false\n1|late|2|3|false\n2|b|2|3|false\n2|late|3|4|false\n3|c|2|4|false\n3|again|5|null|true"
        );
        // A key that was not there when the table was truncated, and whose event is older than that.
        project.write("events.csv", "id,seq,op,v\n7,1,I,x\n");
        project.ends(0, &["build"]);
        assert_eq!(project.query("select count(*) from state where id = 7"), "0");
        assert_eq!(
            project.query("select v, valid_from, valid_to, is_current from history where id = 7"),
            "x|1|4|false"
        );
    }
}

#[test]
fn an_event_without_a_key_or_sequence_goes_to_quarantine_once() {
    for project in following("", "*") {
        project.write("events.csv", "id,seq,op,v\n1,1,I,a\n,2,I,b\n3,,I,c\n");
        let ran = project.ends(0, &["build"]);
        assert!(ran.all().contains("`state` has put 2 events into quarantine"), "{}", ran.all());
        project.ends(0, &["build"]);
        assert_eq!(project.query(STATE), "1|a|1");
        assert_eq!(
            project.query(
                "select id, seq, v, _reasons[1].code, _reasons[1].column, _status from state__quarantine order by v"
            ),
            "null|2|b|null-key|id|open\n3|null|c|null-sequence|seq|open"
        );
        assert_eq!(
            project.query(
                "select rows_in, rows_out, rows_quarantined, rows_deduplicated, rows_deleted from medal_meta.nodes \
             where model like '%state' order by recorded_at"
            ),
            "3|1|2|0|0\n3|0|2|1|0"
        );
    }
}

#[test]
fn of_events_with_one_sequence_a_delete_wins_and_then_the_larger_hash_whatever_comes_first() {
    let rows = ["1,1,I,a\n", "1,1,U,b\n", "2,1,I,a\n", "2,1,D,\n"];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0]].into_iter();
    let cases = orders.flat_map(|order| following("", "*").map(|project| (order, project)));
    let tables: Vec<(String, String)> = cases
        .map(|(order, project)| {
            let mut told = String::new();
            for batch in order.chunks(2) {
                let text: String = batch.iter().map(|at| rows[*at]).collect();
                project.write("events.csv", &format!("id,seq,op,v\n{text}"));
                told += &project.ends(0, &["build"]).all();
            }
            assert!(told.contains("`state` has 1 tie: events of one key and one sequence that differ"), "{told}");
            (project.query(STATE), project.query(HISTORY))
        })
        .collect();
    assert!(tables.iter().all(|table| *table == tables[0]), "{tables:?}");
    assert_eq!(tables[0].0.lines().count(), 1, "{}", tables[0].0);
}

#[test]
fn a_late_event_is_counted_and_waits_in_quarantine_if_the_model_says_so() {
    for project in following(", event_time='at', late_horizon='7d', on_late='quarantine'", "*") {
        project.write("events.csv", "id,seq,op,v,at\n1,10,I,a,2024-02-01\n");
        project.ends(0, &["build"]);
        project.write("events.csv", "id,seq,op,v,at\n2,2,I,late,2024-01-20\n3,11,I,c,2024-01-26\n");
        project.ends(0, &["build"]);
        assert_eq!(project.query(STATE), "1|a|10\n3|c|11");
        assert_eq!(project.query("select v, _reasons[1].code from state__quarantine"), "late|late-event");
        assert_eq!(
        project.query(
            "select left(high, 10), left(low, 10), late_rows from medal_meta.watermarks where model like '%state' order by recorded_at"
        ),
        "2024-02-01|2024-01-25|0\n2024-02-01|2024-01-25|1"
    );
        // What is released is applied, and stays so although its event comes again.
        project.ends(0, &["quarantine", "release", "--select", "state"]);
        for _ in 0..2 {
            project.ends(0, &["build"]);
            assert_eq!(project.query(STATE), "1|a|10\n2|late|2\n3|c|11");
            assert_eq!(project.query("select _status from state__quarantine"), "released");
        }
        // A full refresh orders all events by nothing but their sequence, so none is late.
        project.ends(0, &["build", "--full-refresh"]);
        assert_eq!(project.query(STATE), "2|late|2\n3|c|11");
        assert_eq!(project.query("select _status from history__quarantine"), "released");
    }
}

#[test]
fn the_history_takes_the_names_of_its_columns_from_the_model() {
    let names = ", snapshot_meta_column_names={'dbt_valid_from': 'since', 'dbt_valid_to': 'until'}";
    for project in following(names, "* exclude (op), op") {
        project.write("events.csv", "id,seq,op,v\n1,1,I,a\n1,2,U,b\n");
        project.ends(0, &["build"]);
        assert_eq!(
            project.query("select v, since, until, is_current from history order by since"),
            "a|1|2|false\nb|2|null|true"
        );
    }
}

#[test]
fn envelopes_of_debezium_and_dms_are_decoded() {
    let model = |format: &str, query: &str| {
        format!("{{{{ config(materialized='cdc', unique_key='id', cdc_format='{format}') }}}}\n{query}")
    };
    // An event stands in one column, as a struct or as text, or each of its parts in one of its own.
    let debezium = [
        ("nested", "select * from read_json('debezium.json')"),
        ("text", "select cast(to_json(payload) as varchar) as payload from read_json('debezium.json')"),
        (
            "parts",
            "select payload.op as op, payload.before as before, payload.after as after, payload.source as source \
             from read_json('debezium.json')",
        ),
    ];
    let columns = "columns: [{name: id, data_type: integer}, {name: v, data_type: varchar}]";
    let yaml: String = debezium.iter().map(|(name, _)| format!("  - name: {name}\n    {columns}\n")).collect();
    let mut files = vec![
        ("models/dms.sql".to_string(), model("dms", "select * from read_csv('dms.csv', all_varchar=true)")),
        ("models/models.yml".to_string(), format!("models:\n{yaml}")),
    ];
    files.extend(debezium.iter().map(|(name, query)| (format!("models/{name}.sql"), model("debezium", query))));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let event = |op: &str, before: &str, after: &str, ms: u64, lsn: u64| {
        format!(
            "{{\"payload\":{{\"op\":\"{op}\",\"before\":{before},\"after\":{after},\"source\":{{\"ts_ms\":{ms},\"lsn\":{lsn}}}}}}}\n"
        )
    };
    let row = |id: u64, v: &str| format!("{{\"id\":{id},\"v\":\"{v}\"}}");
    for project in [dbt(&files), lakehouse(&files)] {
        project.write(
            "debezium.json",
            &[
                event("u", &row(1, "a"), &row(1, "b"), 1000, 9),
                event("c", "null", &row(1, "a"), 1000, 8),
                event("d", &row(2, "x"), "null", 2000, 1),
                event("r", "null", &row(2, "x"), 1500, 1),
                event("r", "null", &row(3, "y"), 1500, 1),
            ]
            .concat(),
        );
        project.write(
        "dms.csv",
        "Op,transact_id,timestamp,id,v\nU,8,2024-01-02,1,b\nI,7,2024-01-02,1,a\nI,1,2024-01-01,2,x\nD,9,2024-01-03,2,x\n",
    );
        project.ends(0, &["build"]);
        for (name, _) in debezium {
            let shown = format!("select id, v, _op, epoch_ms(_source_ts), _op_order::bigint from {name} order by id");
            assert_eq!(project.query(&shown), "1|b|U|1000|9\n3|y|I|1500|1", "{name}");
        }
        assert_eq!(project.query("select id, v, _op, _source_ts from dms order by id"), "1|b|U|2024-01-02");
    }
}

#[test]
fn a_column_that_the_table_lacks_is_refused_or_added() {
    for project in following("", "*") {
        project.write("events.csv", "id,seq,op,v\n1,1,I,a\n");
        project.ends(0, &["build"]);
        project.write("events.csv", "id,seq,op,v,more\n1,2,U,b,x\n");
        let ran = project.ends(1, &["build"]);
        assert!(ran.all().contains("error[schema-drift]: the query of `state` gives a column `more`"), "{}", ran.all());
        assert_eq!(project.query(STATE), "1|a|1", "nothing of the run is there");
        assert_eq!(project.query("select count(*) from medal_meta.watermarks"), "2");
        let model = project.read("models/state.sql").replace("scd=1", "scd=1, on_schema_change='append_new_columns'");
        project.write("models/state.sql", &model);
        project.ends(0, &["build", "--select", "state"]);
        assert_eq!(project.query("select v, more from state"), "b|x");
    }
}

/// What a query shows on a target.
fn shown(project: &Project, target: &str, query: &str) -> String {
    let arguments = ["--quiet", "show", "--target", target, "--output", "json", "--limit", "-1", "--inline", query];
    project.ends(0, &arguments).stdout
}

#[test]
fn the_same_events_make_the_same_rows_on_both_engines() {
    let columns = "id: 'bigint', part: 'varchar', seq: 'timestamp', sub: 'decimal(10,2)', op: 'varchar', \
                   amount: 'decimal(10,2)', ratio: 'double', since: 'date', is_on: 'boolean', note: 'varchar'";
    let model = |scd: u8| {
        format!(
            "{{{{ config(materialized='cdc', unique_key=['id', 'part'], sequence_by=['seq', 'sub'], \
             delete_when=\"op = 'D'\", truncate_when=\"op = 'T'\", event_time='seq', late_horizon='1 day', scd={scd}) }}}}\n\
             select * from read_csv('events.csv', columns={{{columns}}})"
        )
    };
    let project = both_engines(&[("models/state.sql", &model(1)), ("models/history.sql", &model(2))]);
    let header = "id,part,seq,sub,op,amount,ratio,since,is_on,note\n";
    let batches = [
        "1,a,2024-01-01 10:00:00,1.50,I,10.50,0.1,2024-02-29,true,Ärmel\n\
         1,a,2024-01-01 10:00:00,1.50,U,10.00,1e20,,false,\"quoted \"\"text\"\"\"\n\
         2,b,2024-01-01 10:00:00.5,2,I,,,,,\n\
         3,,2024-01-02 00:00:00,0,I,1,1,1999-12-31,true,no key\n",
        "2,b,2024-01-01 11:00:00,0,D,,,,,\n\
         1,a,2023-12-01 00:00:00,0,I,0.01,-2.5,2024-01-01,,late\n\
         4,c,2024-01-05 00:00:00,0,I,99999999.99,3,2024-01-01,true,\\ and /\n\
         ,,2024-01-01 10:30:00,0,T,,,,,\n",
    ];
    for batch in batches {
        project.write("events.csv", &format!("{header}{batch}"));
        for target in ["dev", "lake"] {
            project.ends(0, &["--quiet", "build", "--target", target]);
        }
        for query in [
            "select * from state order by id, part",
            "select * from history order by id, part, valid_from",
            "select id, part, _seq, _is_truncation from history__tombstones order by _seq, id",
            "select * exclude (_run_id, _batch_id, _quarantined_at) from state__quarantine",
            "select * exclude (run_id, recorded_at) from medal_meta.nodes order by model, recorded_at",
            "select model, mode, high, low, late_rows, source_versions_json from medal_meta.watermarks order by model, recorded_at",
        ] {
            assert_eq!(shown(&project, "lake", query), shown(&project, "dev", query), "{query}");
        }
    }
}
