//! Random logs of change events, delivered in any order, in any batches, some of them again, and with kills: the tables
//! are always those that follow from the sorted whole.
//!
//! `MEDAL_EVENT_LOGS` is the number of logs (200 unless told, 10000 every night), `MEDAL_EVENT_KILLS` the number of kills
//! (30 unless told, 500 every night); `docs/contributing.md` has the commands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use crate::suite::lake::lakehouse;
use crate::suite::support::{Project, dbt, number};

/// A change of the thing `k` of a log. A truncation has no thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    log: usize,
    k: Option<u64>,
    seq: (u64, u64),
    op: char,
    v: Option<u64>,
}

impl Event {
    fn csv(&self) -> String {
        let text = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        format!("{},{},{},{},{},{}\n", self.log, text(self.k), self.seq.0, self.seq.1, self.op, text(self.v))
    }

    /// As a query shows it.
    fn row(&self) -> String {
        let text = |value: Option<u64>| value.map_or("null".to_string(), |value| value.to_string());
        format!("{}|{}|{}|{}|{}|{}", self.log, text(self.k), self.seq.0, self.seq.1, self.op, text(self.v))
    }

    /// The hash by which two events of one sequence are told apart.
    fn hash(&self) -> u64 {
        let text = |value: Option<u64>| value.map_or("null".to_string(), |value| value.to_string());
        let (k, v) = (text(self.k), text(self.v));
        let Event { log, seq: (seq, sub), op, .. } = self;
        let json = format!("{{\"log\":{log},\"k\":{k},\"seq\":{seq},\"sub\":{sub},\"op\":\"{op}\",\"v\":{v}}}");
        let digest = medal::hash::md5(&json);
        u64::from_str_radix(&digest[16..], 16).expect("a digest is hexadecimal").swap_bytes()
    }

    fn rank(&self) -> ((u64, u64), bool, u64) {
        (self.seq, self.op == 'D', self.hash())
    }
}

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }

    /// Few things and few sequences, so that there are many ties.
    fn log(&mut self, log: usize, truncates: bool) -> BTreeSet<Event> {
        let count = 3 + self.below(25);
        let event = |random: &mut Random| {
            let op = match random.below(if truncates { 12 } else { 10 }) {
                0..4 => 'I',
                4..7 => 'U',
                7..10 => 'D',
                _ => 'T',
            };
            let k = (op != 'T').then(|| random.below(4));
            let v = (op != 'T' && random.below(5) > 0).then(|| random.below(4));
            Event { log, k, seq: (random.below(6), random.below(2)), op, v }
        };
        (0..count).map(|_| event(self)).collect()
    }

    /// Every event at least once, in any order, in so many batches.
    fn deliver(&mut self, events: &BTreeSet<Event>, batches: usize) -> Vec<Vec<Event>> {
        let mut given: Vec<Event> =
            events.iter().flat_map(|event| vec![event.clone(); 1 + (self.below(4) / 3) as usize]).collect();
        self.shuffle(&mut given);
        let mut delivered = vec![Vec::new(); batches];
        given.into_iter().for_each(|event| delivered[self.below(batches as u64) as usize].push(event));
        delivered
    }
}

/// The truncations, which are of all things of a stream.
fn truncations(events: &BTreeSet<Event>) -> BTreeSet<(u64, u64)> {
    events.iter().filter(|event| event.op == 'T').map(|event| event.seq).collect()
}

fn by_thing(events: &BTreeSet<Event>) -> BTreeMap<(usize, u64), Vec<&Event>> {
    let mut things: BTreeMap<(usize, u64), Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Some(k) = event.k {
            things.entry((event.log, k)).or_default().push(event);
        }
    }
    things
}

/// What each thing is in the end.
fn state(events: &BTreeSet<Event>) -> Vec<String> {
    let truncations = truncations(events);
    let mut rows = Vec::new();
    for events in by_thing(events).into_values() {
        let last = truncations.last();
        let counts = events.into_iter().filter(|event| last.is_none_or(|last| event.seq >= *last));
        rows.extend(counts.max_by_key(|event| event.rank()).filter(|event| event.op != 'D').map(Event::row));
    }
    rows.sort();
    rows
}

/// What each thing was, since when and until when.
fn history(events: &BTreeSet<Event>) -> Vec<String> {
    let truncations = truncations(events);
    let mut rows = Vec::new();
    for events in by_thing(events).into_values() {
        let mut points: BTreeMap<(u64, u64), Option<&Event>> = truncations.iter().map(|seq| (*seq, None)).collect();
        for event in events {
            let point = points.entry(event.seq).or_default();
            *point = (*point).into_iter().chain([event]).max_by_key(|event| event.rank());
        }
        let shown = |(seq, sub): &(u64, u64)| format!("{{'seq': {seq}, 'sub': {sub}}}");
        let ends = points.keys().skip(1).map(|next| (shown(next), "false")).chain([("null".to_string(), "true")]);
        for ((from, event), (to, current)) in points.iter().zip(ends) {
            let event = event.filter(|event| event.op != 'D');
            rows.extend(event.map(|event| format!("{}|{}|{to}|{current}", event.row(), shown(from))));
        }
    }
    rows.sort();
    rows
}

/// The columns of an event.
const COLUMNS: [(&str, &str); 6] =
    [("log", "bigint"), ("k", "bigint"), ("seq", "bigint"), ("sub", "bigint"), ("op", "varchar"), ("v", "bigint")];

/// A project that receives streams of events, each with its own state and history.
fn receiving(project: Project, streams: &[&str]) -> Project {
    let columns = COLUMNS.map(|(name, kind)| format!("          - {{name: {name}, data_type: {kind}}}\n")).concat();
    let mut yaml = String::from("sources:\n  - name: landing\n    tables:\n");
    for name in streams {
        yaml.push_str(&format!(
            "      - name: {name}\n        meta: {{medal: {{location: 'landing/{name}-*.csv'}}}}\n        columns:\n{columns}"
        ));
        let landed = format!("{{{{ source('landing', '{name}') }}}}");
        let bronze = format!("{{{{ config(materialized='ingest') }}}} select * from {landed}");
        project.write(&format!("models/bronze_{name}.sql"), &bronze);
        follow(&project, name);
    }
    project.write("models/sources.yml", &yaml);
    project
}

/// An empty lakehouse. The name of its schema comes after that of the ledger's.
fn shop() -> Project {
    let profile =
        "shop:\n  target: lake\n  outputs:\n    lake: {type: datafusion, path: lake, schema: shop, threads: 2}\n";
    lakehouse(&[("profiles.yml", profile)])
}

/// A lakehouse that reads streams of events from their files, each of which is a batch.
fn reading(streams: &[&str]) -> Project {
    let project = shop();
    let columns = COLUMNS.map(|(name, kind)| format!("{name}: '{kind}'")).join(", ");
    for name in streams {
        let files = format!("read_csv('landing/{name}-*.csv', filename=true, columns={{{columns}}})");
        let bronze = format!("select * exclude (filename), filename as _batch_id from {files}");
        project.write(&format!("models/bronze_{name}.sql"), &bronze);
        follow(&project, name);
    }
    project
}

/// The state and the history of a stream.
fn follow(project: &Project, stream: &str) {
    for (scd, kind) in [(1, "state"), (2, "history")] {
        let model = format!(
            "{{{{ config(materialized='cdc', unique_key=['log', 'k'], sequence_by=['seq', 'sub'], scd={scd}, \
             delete_when=\"op = 'D'\", truncate_when=\"op = 'T'\") }}}}\n\
             select log, k, seq, sub, op, v, _batch_id from {{{{ ref('bronze_{stream}') }}}}"
        );
        project.write(&format!("models/{kind}_{stream}.sql"), &model);
    }
}

fn land(project: &Project, stream: &str, batch: &str, events: &[Event]) {
    let rows: String = events.iter().map(Event::csv).collect();
    project.write(&format!("landing/{stream}-{batch}.csv"), &format!("log,k,seq,sub,op,v\n{rows}"));
}

fn lines(project: &Project, query: &str) -> Vec<String> {
    let mut lines: Vec<String> = project.query(query).lines().map(str::to_string).collect();
    lines.sort();
    lines
}

/// The tables of a stream are those of the events as a whole.
fn agrees(project: &Project, stream: &str, events: &BTreeSet<Event>, what: &str) {
    let shown = lines(project, &format!("select log, k, seq, sub, op, v from state_{stream}"));
    assert_eq!(shown, state(events), "{what}: the state of {stream}, of {events:?}");
    let query = format!(
        "select log, k, seq, sub, op, v, valid_from::varchar, valid_to::varchar, is_current from history_{stream}"
    );
    assert_eq!(lines(project, &query), history(events), "{what}: the history of {stream}, of {events:?}");
}

/// Streams of one case: many logs without truncations in one, and logs with truncations, which are the whole table's, in
/// one each.
const LOGS: usize = 98;
const STREAMS: [&str; 3] = ["many", "cut", "cut_too"];

#[test]
fn tables_follow_from_the_set_of_events_and_from_nothing_else() {
    let cases = number("MEDAL_EVENT_LOGS", 200).div_ceil(LOGS as u64 + 2);
    for case in 1..=cases {
        let mut random = Random(case.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let many = (0..LOGS).flat_map(|log| random.log(log, false)).collect();
        let streams: [BTreeSet<Event>; 3] = [many, random.log(0, true), random.log(1, true)];
        let project = receiving(dbt(&[]), &STREAMS);
        let batches = 2 + random.below(3) as usize;
        let deliveries = streams.each_ref().map(|events| random.deliver(events, batches));
        for batch in 0..batches {
            for (stream, deliveries) in STREAMS.iter().zip(&deliveries) {
                land(&project, stream, &batch.to_string(), &deliveries[batch]);
                // A batch that is delivered once more, later or at once.
                let again = random.below(batch as u64 + 1) as usize;
                if random.below(3) == 0 {
                    land(&project, stream, &format!("{batch}-again"), &deliveries[again]);
                }
            }
            project.ends(0, &["-q", "build"]);
        }
        for (stream, events) in STREAMS.iter().zip(&streams) {
            agrees(&project, stream, events, &format!("case {case}"));
        }
    }
}

/// Many logs without truncations, and logs with truncations, which are the whole table's.
const LAKE_STREAMS: [&str; 2] = ["many", "cut"];

#[test]
fn tables_of_a_lakehouse_follow_from_the_set_of_events_wherever_its_commits_are_cut_short() {
    let logs = number("MEDAL_EVENT_LOGS", 200) as usize;
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let many: BTreeSet<Event> = (0..logs / 2).flat_map(|log| random.log(log, false)).collect();
    let mut cut: BTreeSet<Event> = (0..logs - logs / 2).flat_map(|log| random.log(log, false)).collect();
    cut.extend(random.log(0, true));
    let streams = [many, cut];
    let project = reading(&LAKE_STREAMS);
    let batches = 4;
    let deliveries = streams.each_ref().map(|events| random.deliver(events, batches));
    for batch in 0..batches {
        let before = commits(&project);
        for (stream, deliveries) in LAKE_STREAMS.iter().zip(&deliveries) {
            land(&project, stream, &batch.to_string(), &deliveries[batch]);
            let again = random.below(batch as u64 + 1) as usize;
            land(&project, stream, &format!("{batch}-again"), &deliveries[again]);
        }
        project.ends(0, &["-q", "build"]);
        let after = commits(&project);
        let kept = before.len() + random.below((after.len() - before.len()) as u64 + 1) as usize;
        after.iter().skip(kept).rev().for_each(|commit| undo(commit));
    }
    project.ends(0, &["-q", "build"]);
    for (stream, events) in LAKE_STREAMS.iter().zip(&streams) {
        agrees(&project, stream, events, "a lakehouse");
    }
}

/// The log entries of all tables, in the order in which they were written: a kill leaves the first of them.
fn commits(project: &Project) -> Vec<PathBuf> {
    let tables = ["shop", "medal_meta"].map(|schema| folders(&project.path().join("lake").join(schema)));
    let logs = tables.into_iter().flatten().map(|table| table.join("_delta_log"));
    let entries = logs.flat_map(|log| folders(&log)).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let written = |path: &PathBuf| path.metadata().and_then(|about| about.modified()).expect("the file has a time");
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort_by_key(written);
    entries
}

fn folders(path: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Takes a log entry away, and what is summed up with it.
fn undo(commit: &Path) {
    let log = commit.parent().expect("a file has a folder");
    let summed_up = commit.with_extension("checkpoint.parquet");
    if summed_up.exists() {
        std::fs::remove_file(summed_up).expect("the file can be removed");
        std::fs::remove_file(log.join("_last_checkpoint")).expect("the file can be removed");
    }
    std::fs::remove_file(commit).expect("the file can be removed");
}

#[test]
fn a_kill_at_any_moment_loses_no_event_and_takes_none_twice() {
    is_killed(&receiving(dbt(&[]), &["many"]), number("MEDAL_EVENT_KILLS", 30));
}

#[test]
fn a_kill_of_a_lakehouse_at_any_moment_loses_no_event_and_takes_none_twice() {
    is_killed(&receiving(shop(), &["many"]), number("MEDAL_EVENT_KILLS", 30) / 3);
}

/// Kills so many builds of a project.
fn is_killed(project: &Project, kills: u64) {
    let mut random = Random(77);
    let events: BTreeSet<Event> = (0..60).flat_map(|log| random.log(log, false)).collect();
    land(project, "many", "first", &[]);
    let begin = Instant::now();
    project.ends(0, &["-q", "build"]);
    let whole = begin.elapsed();
    let (mut killed, mut attempts) = (0, 0);
    let deliveries = random.deliver(&events, 40);
    while killed < kills {
        assert!(attempts < kills * 4, "only {killed} of {attempts} builds were still running when they were killed");
        let batch = &deliveries[attempts as usize % deliveries.len()];
        land(project, "many", &attempts.to_string(), batch);
        let mut command = project.command(&["-q", "build"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("medal starts");
        // Moments spread over the build by a fixed stride that is coprime to their number.
        std::thread::sleep(whole * u32::try_from((attempts * 7) % 24).expect("it is small") / 20);
        killed += u64::from(child.try_wait().expect("medal can be waited for").is_none());
        child.kill().expect("a process can be killed");
        child.wait().expect("a process ends");
        attempts += 1;
        whole_files(project);
    }
    deliveries.iter().enumerate().for_each(|(at, batch)| land(project, "many", &at.to_string(), batch));
    project.ends(0, &["-q", "build"]);
    whole_files(project);
    agrees(project, "many", &events, "after kills");
}

/// Every file is in the table with all of its records or with none, and the ledger knows which.
fn whole_files(project: &Project) {
    let torn = project.query(
        "select path, files.rows, found.rows from (select path, rows from medal_meta.files where status = 'committed') as files \
         full join (select _source_file as path, count(*) as rows from bronze_many group by all) as found using (path) \
         where coalesce(files.rows, 0) <> coalesce(found.rows, 0)",
    );
    assert_eq!(torn, "", "files that are torn, or that the ledger does not know");
}
