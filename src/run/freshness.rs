//! Asks the warehouse when sources were last loaded, on several workers, and says which of them are too old.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Value as Json, json};

use crate::adapter::Adapter;
use crate::adapter::rows::{Cell, Rows};
use crate::compile::context;
use crate::compile::host::NodeHost;
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::jinja::{JsonMap, RenderError, Scope, ScopeValue, Template};
use crate::manifest::freshness::{Freshness, Threshold};
use crate::manifest::{Source, builtin};
use crate::run::hooks::operation_scope;

/// How the check of a source ended, in the words of `sources.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Pass,
    Warn,
    /// The data is too old.
    Error,
    /// The age could not be found out.
    RuntimeError,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Error => "error",
            Verdict::RuntimeError => "runtime error",
        }
    }

    /// Whether the command fails for it.
    pub fn is_bad(self) -> bool {
        matches!(self, Verdict::Error | Verdict::RuntimeError)
    }
}

/// The age of a source's data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age {
    pub max_loaded_at: DateTime<Utc>,
    pub snapshotted_at: DateTime<Utc>,
}

impl Age {
    pub fn seconds(&self) -> f64 {
        let age = self.snapshotted_at - self.max_loaded_at;
        age.num_seconds() as f64 + f64::from(age.subsec_nanos() / 1000) / 1e6
    }
}

/// What was found out about one source.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The source's unique id.
    pub source: String,
    pub verdict: Verdict,
    /// None if it could not be found out.
    pub age: Option<Age>,
    pub message: Option<String>,
    /// What is the matter, at its place.
    pub diagnostics: Vec<Diagnostic>,
    pub response: JsonMap,
    /// Number of the worker, from 1.
    pub worker: usize,
    pub started: SystemTime,
    pub elapsed: Duration,
}

/// What is told while sources are checked; `index` counts from 1.
pub enum FreshnessEvent<'a> {
    Started { index: usize, total: usize, source: &'a Source },
    Finished { index: usize, total: usize, source: &'a Source, checked: &'a Checked },
}

/// Checks sources, each of which has a threshold; the results are in the order in which the checks end.
pub fn check(
    session: &Arc<Session>,
    adapter: &Arc<dyn Adapter>,
    sources: &[&Source],
    workers: usize,
    stop: &AtomicBool,
    tell: &(dyn Fn(&FreshnessEvent<'_>) + Sync),
) -> Vec<Checked> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let total = sources.len();
    let work = |worker: usize| {
        let warehouse = Arc::new(Warehouse::open(adapter.clone()));
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(at) else { return };
            tell(&FreshnessEvent::Started { index: at + 1, total, source });
            let checked = check_one(session, &warehouse, source, worker);
            tell(&FreshnessEvent::Finished { index: at + 1, total, source, checked: &checked });
            all.lock().expect("nobody panics while holding the lock").push(checked);
        }
    };
    std::thread::scope(|scope| {
        for worker in 1..=workers.clamp(1, total.max(1)) {
            let work = &work;
            let build = std::thread::Builder::new().stack_size(super::WORKER_STACK);
            build.spawn_scoped(scope, move || work(worker)).expect("the system gives us a thread");
        }
    });
    all.into_inner().expect("every worker has ended well")
}

fn check_one(session: &Arc<Session>, warehouse: &Arc<Warehouse>, source: &Source, worker: usize) -> Checked {
    let (started, begin) = (SystemTime::now(), Instant::now());
    let age = age_of(session, warehouse, source);
    let closed = warehouse.with(|connection| if connection.in_transaction() { connection.rollback() } else { Ok(()) });
    let age = match closed {
        Ok(()) => age,
        Err(error) => Err(Diagnostic::error(Code::SqlError, source.span, error.to_string())),
    };
    let (verdict, diagnostics) = match &age {
        Ok(age) => judge(source, age),
        Err(problem) => (Verdict::RuntimeError, vec![problem.clone()]),
    };
    Checked {
        source: source.id.clone(),
        verdict,
        message: age.as_ref().err().map(|problem| problem.message.clone()),
        response: JsonMap::from_iter(age.is_ok().then(|| ("_message".to_string(), json!("OK")))),
        age: age.ok(),
        diagnostics,
        worker,
        started,
        elapsed: begin.elapsed(),
    }
}

/// Whether the age is within the limits, and what to say of it if it is not.
fn judge(source: &Source, age: &Age) -> (Verdict, Vec<Diagnostic>) {
    let Some(threshold) = Threshold::of(source) else { return (Verdict::Pass, Vec::new()) };
    let (verdict, severity, limit) = match threshold.verdict(age.seconds()) {
        Freshness::Pass => return (Verdict::Pass, Vec::new()),
        Freshness::Warn => (Verdict::Warn, Severity::Warning, threshold.warn_after),
        Freshness::Error => (Verdict::Error, Severity::Error, threshold.error_after),
    };
    let limit = limit.map(|limit| limit.to_string()).unwrap_or_default();
    let name = format!("{}.{}", source.source_name, source.name);
    let message = match age.max_loaded_at == nothing_loaded() {
        true => format!("the source `{name}` has no rows, and may be {limit} old at most"),
        false => {
            let loaded = age.max_loaded_at.format("%Y-%m-%d %H:%M:%S");
            format!("the source `{name}` was last loaded at {loaded} UTC, and may be {limit} old at most")
        }
    };
    (verdict, vec![Diagnostic { severity, ..Diagnostic::error(Code::StaleSource, source.span, message) }])
}

/// dbt counts an empty table as infinitely old.
fn nothing_loaded() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc()
}

fn age_of(session: &Arc<Session>, warehouse: &Arc<Warehouse>, source: &Source) -> Result<Age, Diagnostic> {
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
    let mut scope = operation_scope(session, &[("model", context::source_json(source))]);
    scope.values.insert("this".to_string(), ScopeValue::Relation(source.relation.clone()));
    let (name, arguments) = question(session, source, &scope, &host)?;
    let library = &session.manifest.library;
    let found = library.find(&session.project.root().name, name).expect("the templates have this macro");
    let asked = library.call(&found.unique_id, &arguments, &[], &scope, host.clone());
    asked.map_err(|error| failure(source, &host, &error))?;
    answer(source, host.take_rows())
}

/// The macro that asks for the age, and its arguments.
fn question(
    session: &Session,
    source: &Source,
    scope: &Scope,
    host: &Arc<NodeHost>,
) -> Result<(&'static str, Vec<ScopeValue>), Diagnostic> {
    let relation = ScopeValue::Relation(source.relation.clone());
    if let Some(query) = source.config.text("loaded_at_query") {
        let file = session.files.add(&format!("loaded_at_query of {}", source.id), query);
        let rendered = Template::new(file, query.into())
            .and_then(|template| session.manifest.library.render(&template, scope, host.clone()))
            .map_err(|error| failure(source, host, &error))?;
        return Ok(("collect_freshness_custom_sql", vec![relation, ScopeValue::Json(json!(rendered.text))]));
    }
    if let Some(field) = source.config.text("loaded_at_field") {
        let filter = Threshold::of(source).and_then(|threshold| threshold.filter);
        let arguments = [json!(field), filter.map_or(Json::Null, Json::String)].map(ScopeValue::Json);
        return Ok(("collect_freshness", [relation].into_iter().chain(arguments).collect()));
    }
    let message = format!(
        "the source `{}.{}` has a `freshness`, but nothing says when its rows were loaded",
        source.source_name, source.name
    );
    let help = "name the column with `loaded_at_field`, or give a query with `loaded_at_query`";
    Err(Diagnostic::error(Code::UnknownFreshness, source.span, message).help(help))
}

/// The age, from the one row that the question gives.
fn answer(source: &Source, rows: Option<Rows>) -> Result<Age, Diagnostic> {
    let problem = |message: String| Diagnostic::error(Code::UnknownFreshness, source.span, message);
    let rows = rows.unwrap_or_default();
    let [row] = rows.rows.as_slice() else {
        return Err(problem(format!("the question for freshness gave {} rows instead of one", rows.rows.len())));
    };
    let [loaded, asked] = row.as_slice() else {
        return Err(problem(format!("the question for freshness gave {} columns instead of two", row.len())));
    };
    let time = |at: usize, cell: &Cell| {
        moment(cell).ok_or_else(|| {
            let kind = rows.columns.get(at).map_or("", |column| column.data_type.as_str());
            problem(format!("`{}` is no point in time, it is a `{kind}`", cell.text()))
                .help("cast it, for instance `loaded_at_field: loaded_on::timestamp`")
        })
    };
    let max_loaded_at = if *loaded == Cell::Null { nothing_loaded() } else { time(0, loaded)? };
    Ok(Age { max_loaded_at, snapshotted_at: time(1, asked)? })
}

/// A time without a zone counts as UTC.
fn moment(cell: &Cell) -> Option<DateTime<Utc>> {
    let Cell::Timestamp(text) = cell else { return None };
    let zoned = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z").map(|time| time.to_utc());
    zoned.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|time| time.and_utc())).ok()
}

/// The engine's complaint, or the template's.
fn failure(source: &Source, host: &NodeHost, error: &RenderError) -> Diagnostic {
    match host.take_failure() {
        Some((complaint, sent)) => Diagnostic::error(Code::SqlError, source.span, complaint.to_string())
            .label(format!("its freshness is asked for with: {}", squeezed(&sent))),
        None => {
            let problem = builtin::diagnostic(error);
            Diagnostic { span: problem.span.or(Some(source.span)), ..problem }
        }
    }
}

fn squeezed(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::moment;
    use crate::adapter::rows::Cell;

    #[test]
    fn a_time_without_a_zone_is_utc() {
        let at = |text: &str| moment(&Cell::Timestamp(text.to_string())).map(|time| time.to_rfc3339());
        assert_eq!(at("2024-01-31 12:00:00.5").as_deref(), Some("2024-01-31T12:00:00.500+00:00"));
        assert_eq!(at("2024-01-31 12:00:00+02:00").as_deref(), Some("2024-01-31T10:00:00+00:00"));
        assert_eq!(at("infinity"), None);
        assert_eq!(moment(&Cell::Date("2024-01-31".to_string())), None);
    }
}
