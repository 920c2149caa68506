//! Turns a Plan into RunResults: runs every node in dependency order on several workers, and tells what happens.

mod balance;
pub mod batch;
pub mod catalog;
pub mod diff;
mod drift;
pub mod exposures;
pub mod freshness;
pub mod held;
pub mod hooks;
pub mod journal;
mod late;
pub mod ledger;
pub mod microbatch;
pub mod node;
pub mod outcome;
pub mod publish;
pub mod scheduler;
pub mod sift;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use crate::adapter::Adapter;
use crate::compile::CompiledNode;
use crate::compile::microbatch::{Batch, Progress};
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::Diagnostic;
use crate::jinja::JsonMap;
use crate::manifest::Node;
use crate::plan::Plan;
use crate::run::journal::Journal;
use crate::run::node::Worker;
use crate::run::scheduler::{Next, Scheduler};

/// How a node ended, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Success,
    /// Some batches of a microbatch model have failed.
    PartialSuccess,
    Error,
    Skipped,
    Pass,
    Fail,
    Warn,
    /// There was nothing to do, as for exposures.
    NoOp,
}

impl Status {
    /// The word of `run_results.json`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::PartialSuccess => "partial success",
            Status::Error => "error",
            Status::Skipped => "skipped",
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Warn => "warn",
            Status::NoOp => "no-op",
        }
    }

    /// Whether the node makes the run fail, and blocks what is downstream.
    pub fn is_bad(self) -> bool {
        matches!(self, Status::Error | Status::Fail | Status::PartialSuccess)
    }
}

/// What happened to one node.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The node's unique id.
    pub node: String,
    pub status: Status,
    /// For instance `OK` or `Got 3 results, configured to fail if != 0`.
    pub message: Option<String>,
    /// Rows that a test found.
    pub failures: Option<i64>,
    /// dbt's `adapter_response`.
    pub response: JsonMap,
    pub compiled: Option<CompiledNode>,
    /// What the materialization has sent as its main statement.
    pub sent: Option<Arc<str>>,
    /// Of a microbatch model: how its batches ended.
    pub batches: Option<Progress>,
    /// The SQL of the batches that were compiled.
    pub batch_sql: Vec<BatchSql>,
    /// Mistakes that the node's own run brought to light, with their places.
    pub diagnostics: Vec<Diagnostic>,
    /// Number of the worker, from 1.
    pub worker: usize,
    pub started: SystemTime,
    pub compile_time: Duration,
    pub execute_time: Duration,
}

/// The SQL of a batch, as it was compiled and as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSql {
    pub batch: Batch,
    pub compiled: Arc<str>,
    pub sent: Option<Arc<str>>,
}

/// What happened to every node of a run.
#[derive(Debug, Clone, Default)]
pub struct RunResults {
    /// In the order in which they ended.
    pub outcomes: Vec<Outcome>,
    pub elapsed: Duration,
    /// Stopped by a signal or by `--fail-fast` before the end.
    pub interrupted: bool,
}

impl RunResults {
    pub fn failed(&self) -> bool {
        self.interrupted || self.outcomes.iter().any(|outcome| outcome.status.is_bad())
    }

    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }
}

/// What a run tells while it goes on.
pub enum Event<'a> {
    /// Before the first node: how many nodes will run, on how many workers.
    Started {
        total: usize,
        workers: usize,
    },
    /// A node begins; `index` counts from 1 in the order in which nodes begin.
    NodeStarted {
        index: usize,
        total: usize,
        node: &'a Node,
    },
    /// A node has ended; skipped nodes have no `NodeStarted`.
    NodeFinished {
        index: usize,
        total: usize,
        node: &'a Node,
        outcome: &'a Outcome,
    },
    /// `log(…, info=true)` and `print(…)` of a template.
    Message {
        node: Option<&'a Node>,
        text: &'a str,
    },
    /// `log(…)` without `info`: for `--debug` only.
    Debug {
        text: &'a str,
    },
    /// `exceptions.warn(…)` of a template.
    Warning {
        node: Option<&'a Node>,
        text: &'a str,
    },
    Finished {
        results: &'a RunResults,
    },
}

/// Where events go. Called from several workers.
pub trait Listener: Send + Sync {
    fn event(&self, event: &Event<'_>);
}

/// How to run a plan.
pub struct RunOptions {
    pub workers: usize,
    pub fail_fast: bool,
    /// Set from outside (a signal) to stop the run.
    pub stop: Arc<AtomicBool>,
}

/// Runs every step of a plan.
pub fn run(
    session: &Arc<Session>,
    adapter: &Arc<dyn Adapter>,
    plan: &Plan,
    options: &RunOptions,
    journal: Option<&Journal>,
    listener: &dyn Listener,
) -> RunResults {
    let begin = Instant::now();
    let total = plan.steps.len();
    let workers = options.workers.clamp(1, total.max(1));
    listener.event(&Event::Started { total, workers });
    let store = session.flags.get("STORE_FAILURES") == Some(&serde_json::Value::Bool(true));
    let batches = batch::is_possible(&session.manifest.library);
    let subject = |step: &crate::plan::Step| {
        let node = session.manifest.node(&step.node).filter(|_| batches)?;
        batch::subject(node, store)
    };
    let shared = Shared {
        subjects: plan.steps.iter().map(subject).collect(),
        scheduler: Scheduler::new(plan),
        begun: AtomicUsize::new(0),
        busy: AtomicUsize::new(0),
        workers,
        ended: AtomicBool::new(false),
        outcomes: Mutex::new(Vec::with_capacity(total)),
        session,
        plan,
        options,
        journal,
        listener,
    };
    adapter.share(workers);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| shared.watch(adapter.as_ref()));
        let running: Vec<_> = (1..=workers)
            .map(|number| {
                let warehouse = Arc::new(Warehouse::open(adapter.clone()));
                let stop = options.stop.clone();
                let worker = Worker { session: session.clone(), warehouse, number, stop };
                let shared = &shared;
                // Templates and the engine's planner recurse: give them room.
                let build = std::thread::Builder::new().stack_size(WORKER_STACK);
                build.spawn_scoped(scope, move || shared.work(&worker)).expect("the system gives us a thread")
            })
            .collect();
        running.into_iter().for_each(|thread| drop(thread.join()));
        shared.ended.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        drop(watch.join());
    });
    let unfinished = shared.scheduler.unfinished();
    let interrupted = !unfinished.is_empty() || options.stop.load(Ordering::Relaxed);
    unfinished.into_iter().for_each(|step| shared.never_run(step));
    let outcomes = shared.outcomes.into_inner().expect("every worker has ended well");
    RunResults { outcomes, elapsed: begin.elapsed(), interrupted }
}

/// After so many looks at an idle worker (20 ms each) the engine may use all its threads for what runs.
const IDLE_TICKS: usize = 3;

const WORKER_STACK: usize = 16 * 1024 * 1024;

/// What the workers of a run share.
struct Shared<'a> {
    /// Of each step, what it can be batched on.
    subjects: Vec<Option<&'a str>>,
    scheduler: Scheduler,
    begun: AtomicUsize,
    /// Workers that have something to do.
    busy: AtomicUsize,
    workers: usize,
    /// Set when every worker has come to its end.
    ended: AtomicBool,
    outcomes: Mutex<Vec<Outcome>>,
    session: &'a Arc<Session>,
    plan: &'a Plan,
    options: &'a RunOptions,
    journal: Option<&'a Journal>,
    listener: &'a dyn Listener,
}

/// Ends the run when a worker panics: nobody waits for steps that it will never end.
struct Alarm<'a>(&'a Scheduler);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

impl Shared<'_> {
    fn work(&self, worker: &Worker) {
        let _alarm = Alarm(&self.scheduler);
        loop {
            match self.scheduler.next() {
                Next::Done => return,
                Next::Skip(step, blame) => self.skip(step, self.node(blame), worker),
                Next::Run(step) => {
                    self.busy.fetch_add(1, Ordering::Relaxed);
                    match self.subjects[step] {
                        _ if !self.plan.steps[step].unit.is_empty() => self.work_on_unit(worker, step),
                        Some(subject) => self.work_on_tests(worker, step, subject),
                        None => {
                            let index = self.begin(step);
                            self.ended(index, step, worker.run(self.node(step)));
                        }
                    }
                    self.busy.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Ends a step, and all that is done with it, because another did not end well.
    fn skip(&self, step: usize, blame: &Node, worker: &Worker) {
        let alone = [step];
        let unit = &self.plan.steps[step].unit;
        for step in if unit.is_empty() { &alone[..] } else { unit } {
            self.ended(self.next_index(), *step, node::skipped(self.node(*step), blame, worker.number));
        }
    }

    fn next_index(&self) -> usize {
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells that a step begins; its number stays with it to its end.
    fn begin(&self, step: usize) -> usize {
        let index = self.next_index();
        let total = self.plan.steps.len();
        self.listener.event(&Event::NodeStarted { index, total, node: self.node(step) });
        index
    }

    /// Runs a test together with the others of its subject that are ready.
    fn work_on_tests(&self, worker: &Worker, first: usize, subject: &str) {
        let others = self.scheduler.take_ready(|step| self.subjects[step] == Some(subject));
        let steps: Vec<usize> = [first].into_iter().chain(others).collect();
        let passed = match steps.len() {
            1 => vec![false],
            _ => worker.batch(subject, &steps.iter().map(|step| self.node(*step)).collect::<Vec<_>>()),
        };
        for (step, passed) in steps.into_iter().zip(passed) {
            if self.scheduler.is_stopped() {
                return;
            }
            let index = self.begin(step);
            let node = self.node(step);
            self.ended(index, step, if passed { worker.pass(node) } else { worker.run(node) });
        }
    }

    fn node(&self, step: usize) -> &Node {
        let id = &self.plan.steps[step].node;
        self.session.manifest.node(id).expect("a plan is made of the manifest's nodes")
    }

    /// A step that was not begun when the run stopped. dbt's results have it as skipped.
    fn never_run(&self, step: usize) {
        let mut outcomes = self.outcomes.lock().expect("nobody panics while holding the lock");
        let node = self.node(step);
        if !outcomes.iter().any(|outcome| outcome.node == node.id) {
            let reason = match outcomes.iter().find(|outcome| self.options.fail_fast && outcome.status.is_bad()) {
                Some(first) => format!("the run stopped when `{}` failed (`--fail-fast`)", first.node),
                None => "the run was interrupted".to_string(),
            };
            outcomes.push(node::not_begun(node, reason));
        }
    }

    fn ended(&self, index: usize, step: usize, outcome: Outcome) {
        let status = outcome.status;
        if let Some(journal) = self.journal {
            journal.record(&outcome);
        }
        self.outcomes.lock().expect("nobody panics while holding the lock").push(outcome.clone());
        let total = self.plan.steps.len();
        self.listener.event(&Event::NodeFinished { index, total, node: self.node(step), outcome: &outcome });
        if self.options.fail_fast && status.is_bad() {
            self.options.stop.store(true, Ordering::Relaxed);
            self.scheduler.stop();
        }
        self.scheduler.end(step, status);
    }

    /// Stops the run, and the engine's running statements, when somebody asks for it.
    fn watch(&self, adapter: &dyn Adapter) {
        let mut idle = 0;
        while !self.ended.load(Ordering::Relaxed) {
            idle = if self.busy.load(Ordering::Relaxed) < self.workers { idle + 1 } else { 0 };
            if idle == IDLE_TICKS && self.workers > 1 {
                adapter.share(1);
            }
            // Again and again: a worker may be between two statements.
            if self.options.stop.load(Ordering::Relaxed) {
                self.scheduler.stop();
                adapter.interrupt();
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}
