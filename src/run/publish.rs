//! Runs a unit of the plan: its models are built, audited and published in one transaction, or none of them is.
//!
//! What stands under the name of a model is set aside first, and comes back if the unit is not published. Until the
//! commit nobody but the unit's own tests sees what was built; a kill at any moment leaves what was there.

use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::layer::actions::{self, Action};
use crate::layer::publishing::publishing;
use crate::manifest::{Node, microbatch, refable};
use crate::project::layers::Publishing;
use crate::run::balance::{Balance, Read};
use crate::run::drift;
use crate::run::ledger;
use crate::run::node::Worker;
use crate::run::outcome::Timer;
use crate::run::{Outcome, Shared, Status, node};
use crate::sql::flow::Fate;

/// A model of a unit that was built.
struct Member<'a> {
    node: &'a Node,
    step: usize,
    index: usize,
    publishing: Publishing,
    /// What `set_aside` said of what was there.
    before: Json,
    rows: Json,
    balance: Balance,
    /// The model adds rows to what is there.
    adds: bool,
    /// How its columns have changed, as `schema_drift` says.
    drift: Json,
    outcome: Outcome,
}

/// How a test of a unit has ended.
struct Check<'a> {
    test: &'a Node,
    status: Status,
    failures: Option<i64>,
}

/// Why a unit is not published.
enum Refusal {
    /// Tests that failed, by name.
    Tests(Vec<String>),
    /// A guard of the layer, for the model of this name.
    Guard(String, Diagnostic),
    /// `--no-publish`.
    NotAsked,
}

impl Shared<'_> {
    /// Runs all steps of a unit.
    pub(super) fn work_on_unit(&self, worker: &Worker, first: usize) {
        let unit = &self.plan.steps[first].unit;
        if let Some((held, why)) = unit.iter().find_map(|step| Some((self.node(*step), worker.held(self.node(*step))?)))
        {
            for step in unit {
                let reason = format!("`{}` is held: {why}", held.name);
                self.ended(self.next_index(), *step, node::not_begun(self.node(*step), reason));
            }
            return;
        }
        let mut members: Vec<Member<'_>> = Vec::new();
        let (mut checks, mut guards, mut done) = (Vec::new(), Vec::new(), Vec::new());
        let several = unit.iter().filter(|step| !self.node(**step).is_test()).count() > 1;
        for step in unit {
            if done.contains(step) {
                continue;
            }
            if self.options.stop.load(Ordering::Relaxed) {
                break;
            }
            let node = self.node(*step);
            if node.is_test() {
                let tests = self.tests_of_subject(*step, unit, &done);
                checks.extend(self.audit(worker, &tests));
                done.extend(tests);
                continue;
            }
            let index = self.begin(*step);
            match worker.build_member(node, *step, index, several) {
                Ok(member) => {
                    let problem = member.balance.problem(node).or_else(|| worker.over_budget(node));
                    let problem = problem.or_else(|| worker.lost_history(&member));
                    let problem = problem.or_else(|| worker.shrunk(&member)).or_else(|| worker.drifted(&member));
                    guards.extend(problem.map(|problem| (node.name.clone(), problem)));
                    members.push(member);
                }
                Err(outcome) => return self.give_up(worker, unit, members, (*step, index, *outcome), &done),
            }
        }
        let bad = checks.iter().filter(|check: &&Check<'_>| check.status.is_bad());
        let failed: Vec<String> = bad.map(|check| check.test.name.clone()).collect();
        let mut guards = guards.into_iter();
        let first = if failed.is_empty() { guards.next() } else { None };
        // What else is wrong is told, too.
        for (model, problem) in guards {
            let member = members.iter_mut().find(|member| member.node.name == model);
            member.into_iter().for_each(|member| member.outcome.diagnostics.push(problem.clone()));
        }
        let refusal = match first {
            _ if !failed.is_empty() => Some(Refusal::Tests(failed)),
            Some((model, problem)) => Some(Refusal::Guard(model, problem)),
            None if worker.is_on("NO_PUBLISH") && members.iter().any(|member| member.publishing.audited) => {
                Some(Refusal::NotAsked)
            }
            None => None,
        };
        match refusal {
            _ if self.options.stop.load(Ordering::Relaxed) => worker.undo(),
            None => self.publish(worker, members, &checks),
            Some(refusal) => self.withdraw(worker, members, &refusal, &checks),
        }
    }

    /// The tests of a unit that can share a scan with one of them, itself among them.
    fn tests_of_subject(&self, step: usize, unit: &[usize], done: &[usize]) -> Vec<usize> {
        let Some(subject) = self.subjects[step] else { return vec![step] };
        let alike = |other: &usize| self.subjects[*other] == Some(subject) && !done.contains(other);
        unit.iter().copied().filter(alike).collect()
    }

    /// Runs tests.
    fn audit(&self, worker: &Worker, tests: &[usize]) -> Vec<Check<'_>> {
        let nodes: Vec<&Node> = tests.iter().map(|step| self.node(*step)).collect();
        let passed = match (tests, self.subjects[tests[0]]) {
            ([_, _, ..], Some(subject)) => worker.batch(subject, &nodes),
            _ => vec![false; tests.len()],
        };
        let mut checks = Vec::new();
        for ((step, node), passed) in tests.iter().zip(nodes).zip(passed) {
            let index = self.begin(*step);
            let outcome = if passed { worker.pass(node) } else { in_unit(worker.judge(node, worker.run(node))) };
            checks.push(Check { test: node, status: outcome.status, failures: outcome.failures });
            self.ended(index, *step, outcome);
        }
        checks
    }

    /// A model cannot be built: nothing of the unit stays.
    fn give_up(
        &self,
        worker: &Worker,
        unit: &[usize],
        members: Vec<Member<'_>>,
        (step, index, outcome): (usize, usize, Outcome),
        done: &[usize],
    ) {
        worker.undo();
        let blame = self.node(step);
        let built: Vec<usize> = members.iter().map(|member| member.step).collect();
        for member in members {
            let outcome = node::skipped(member.node, blame, worker.number);
            self.ended(member.index, member.step, outcome);
        }
        self.ended(index, step, outcome);
        for other in unit.iter().filter(|other| **other != step && !built.contains(other) && !done.contains(other)) {
            self.ended(self.next_index(), *other, node::skipped(self.node(*other), blame, worker.number));
        }
    }

    fn publish(&self, worker: &Worker, members: Vec<Member<'_>>, checks: &[Check<'_>]) {
        let recorded = members.iter().try_for_each(|member| {
            let keep = member.publishing.keep.unwrap_or(2);
            let entry = worker.entry(member, "published", None, checks);
            worker.ask(member.node, "record_publication", &[&member.before, &entry, &json!(keep)]).map(drop)
        });
        let committed = recorded.and_then(|()| {
            let ended = worker.warehouse.end_held(true);
            ended.map_err(|error| Diagnostic::error(Code::SqlError, None, error.to_string()))
        });
        if committed.is_err() {
            worker.undo();
        }
        for member in members {
            let outcome = match &committed {
                Ok(()) => member.outcome,
                Err(problem) => not_published(member.outcome, problem.clone()),
            };
            self.ended(member.index, member.step, outcome);
        }
    }

    /// Gives back what was there. What was built stays beside it, to be looked at.
    fn withdraw(&self, worker: &Worker, members: Vec<Member<'_>>, refusal: &Refusal, checks: &[Check<'_>]) {
        let kept = worker.return_all(&members, refusal, checks);
        for member in members {
            let outcome = match refusal {
                Refusal::NotAsked if kept => Outcome { message: Some(refusal.message()), ..member.outcome },
                _ => not_published(member.outcome, worker.explain_refusal(member.node, &member.before, refusal, kept)),
            };
            self.ended(member.index, member.step, outcome);
        }
    }
}

impl Worker {
    /// What the versions that this run builds are called.
    fn version(&self) -> String {
        self.session.invocation.id.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
    }

    fn is_on(&self, flag: &str) -> bool {
        self.session.flags.get(flag) == Some(&Json::Bool(true))
    }

    /// Sets aside what is there, and builds a model in the transaction of its unit.
    fn build_member<'a>(
        &self,
        node: &'a Node,
        step: usize,
        index: usize,
        several: bool,
    ) -> Result<Member<'a>, Box<Outcome>> {
        let timer = Timer::start(node, self.number);
        let publishing = publishing(node, &self.session.project.layers).expect("only such models form units");
        if let Err(error) = self.warehouse.hold() {
            return Err(Box::new(timer.failed(None, Diagnostic::error(Code::SqlError, None, error.to_string()))));
        }
        if let Err(problem) = self.watch(node) {
            return Err(Box::new(timer.failed(None, problem)));
        }
        let in_batches = microbatch::is_microbatch(node) && self.runs_in_batches();
        let compiled = match in_batches {
            true => None,
            false => match self.compile(node, None) {
                Ok(compiled) => Some(compiled),
                Err(refused) => return Err(Box::new(timer.failed(refused.0, refused.1))),
            },
        };
        let adds = node.materialized() == "incremental" && self.is_incremental(node);
        let reads_itself = compiled.as_ref().is_some_and(|compiled| compiled.sql.contains(&node.relation.render()));
        let keeps_copy = several || self.is_on("NO_PUBLISH") || publishing.keep.is_some_and(|keep| keep > 1);
        let how = match (adds, reads_itself) {
            (true, _) if !keeps_copy => "keep",
            (true, _) | (_, true) => "copy",
            (false, false) => "move",
        };
        let before = match self.ask(node, "set_aside", &[&json!(how)]) {
            Ok(before) => before,
            Err(problem) => return Err(Box::new(timer.failed(compiled, problem))),
        };
        let outcome = match in_batches {
            true => self.run_batches(node),
            false => self.run_compiled(timer, node, compiled),
        };
        if outcome.status.is_bad() {
            return Err(Box::new(outcome));
        }
        let drift = self.ask(node, "schema_drift", &[&before]);
        match self.ask(node, "built_rows", &[]).and_then(|rows| Ok((rows, drift?))) {
            Ok((rows, drift)) => {
                let balance = self.balance(node, &outcome, before["rows"].as_u64().filter(|_| adds), rows.as_u64());
                Ok(Member { node, step, index, publishing, before, rows, balance, adds, drift, outcome })
            }
            Err(problem) => Err(Box::new(not_published(outcome, problem))),
        }
    }

    /// What became of the rows that a model reads. Those of a view are counted if that costs little.
    fn balance(&self, node: &Node, outcome: &Outcome, before: Option<u64>, after: Option<u64>) -> Balance {
        let sql = outcome.compiled.as_ref().map(|compiled| &*compiled.sql);
        let read = sql.and_then(|sql| self.rows_read(node, sql));
        let is_cheap = |read: &&Read| matches!(read.fate, Fate::Kept | Fate::Filtered);
        let after = after.or_else(|| read.as_ref().filter(is_cheap).and_then(|_| self.count(&node.relation)));
        Balance::of(read, self.session.sifted(&node.id), before, after)
    }

    /// Why nothing of a model is to change, if `medal hold` has said so.
    fn held(&self, node: &Node) -> Option<String> {
        if node.is_test() {
            return None;
        }
        self.ask(node, "hold_of", &[]).ok()?.as_str().map(str::to_string)
    }

    /// Whether the command lets a model lose rows.
    fn may_shrink(&self, node: &Node) -> bool {
        let allowed = self.session.flags.get("ALLOW_SHRINK").and_then(Json::as_array);
        let name = node.search_name();
        allowed.is_some_and(|names| names.iter().any(|allowed| allowed.as_str() == Some(&*name)))
    }

    /// What is wrong if an incremental model that was built anew begins later than before.
    fn lost_history(&self, member: &Member<'_>) -> Option<Diagnostic> {
        let is_anew = member.node.materialized() == "incremental" && !member.adds;
        if !is_anew || !member.publishing.audited || self.may_shrink(member.node) {
            return None;
        }
        let lost = self.ask(member.node, "lost_history", &[&member.before]).ok()?;
        let (column, was, is) = (lost["column"].as_str()?, lost["was"].as_str()?, lost["is"].as_str()?);
        let name = member.node.search_name();
        let message = format!("`{name}` would begin with `{column}` {is}, and has rows since {was}");
        let help = format!("if they are meant to go, build with `--allow-shrink {name}`");
        Some(Diagnostic::error(Code::LostHistory, refable::place(member.node), message).help(help))
    }

    /// What is wrong if a table has lost more rows than it may.
    fn shrunk(&self, member: &Member<'_>) -> Option<Diagnostic> {
        let (before, after) = (member.before["rows"].as_u64()?, member.rows.as_u64()?);
        let name = member.node.search_name();
        let is_allowed = self.may_shrink(member.node);
        #[expect(clippy::cast_precision_loss, reason = "a share of rows need not be exact")]
        let lost = 1.0 - after as f64 / before.max(1) as f64;
        let is_too_much = (after == 0 && before > 0) || member.publishing.max_shrink.is_some_and(|most| lost > most);
        if !member.publishing.audited || is_allowed || !is_too_much {
            return None;
        }
        let message = format!("`{name}` would go from {before} rows to {after}");
        let help = format!("if they are meant to go, build with `--allow-shrink {name}`");
        Some(Diagnostic::error(Code::Shrink, refable::place(member.node), message).help(help))
    }

    /// What is wrong if a model that was built anew has other columns than it may.
    fn drifted(&self, member: &Member<'_>) -> Option<Diagnostic> {
        if member.adds || !member.publishing.audited { None } else { drift::refused(member.node, &member.drift) }
    }

    /// What the ledger says of a model and its tests.
    fn entry(&self, member: &Member<'_>, state: &str, note: Option<String>, checks: &[Check<'_>]) -> Json {
        let attached = |check: &&Check<'_>| match check.test.generic_test().and_then(|test| test.attached.as_ref()) {
            Some(id) => *id == member.node.id,
            None => check.test.depends_on.contains(&member.node.id),
        };
        let check = |check: &Check<'_>| {
            let action = actions::action(check.test).map_or("fail", Action::name);
            json!({"test_id": check.test.id, "action": action, "status": check.status.name(), "failures": check.failures})
        };
        json!({
            "version": self.version(), "state": state, "note": note, "layer": member.node.layer, "rows": member.rows,
            "counts": member.balance.counts(), "rows_given": member.balance.given(),
            "mode": if member.adds { "incremental" } else { "full" }, "drift": member.drift,
            "checks": checks.iter().filter(attached).map(check).collect::<Vec<_>>(),
        })
    }

    /// Puts back what the models of a unit have replaced; whether their candidates are kept.
    fn return_all(&self, members: &[Member<'_>], refusal: &Refusal, checks: &[Check<'_>]) -> bool {
        let state = if matches!(refusal, Refusal::NotAsked) { "audited" } else { "staged" };
        let call = |member: &Member<'_>, name: &str| {
            let entry = self.entry(member, state, Some(refusal.message()), checks);
            self.ask(member.node, name, &[&member.before, &entry]).is_ok()
        };
        let can_return = members.iter().all(|member| member.before["can_return"] == json!(true));
        let returned = can_return && members.iter().rev().all(|member| call(member, "withdraw"));
        if returned && self.warehouse.end_held(true).is_ok() {
            return true;
        }
        let kept = self.keep_copies(members) || (members.len() == 1 && self.build_again(&members[0]));
        let recorded = kept && members.iter().all(|member| call(member, "record_copy"));
        let committed = recorded && self.warehouse.end_held(true).is_ok();
        if !committed {
            self.undo();
        }
        committed
    }

    /// Keeps copies of what was built, and undoes all else; false if the engine cannot do that.
    fn keep_copies(&self, members: &[Member<'_>]) -> bool {
        let copy = |member: &Member<'_>| self.ask(member.node, "copy_candidate", &[&json!(self.version())]).is_ok();
        let candidates: Vec<Relation> = members.iter().map(|member| self.candidate(member.node)).collect();
        let can = self.warehouse.with(|connection| Ok(connection.in_transaction() && connection.can_undo_in_part()));
        let undone = can.unwrap_or(false)
            && members.iter().all(copy)
            && self.warehouse.with(|connection| connection.undo_but(&candidates)).is_ok();
        self.session.existing.forget();
        undone
    }

    /// Undoes all, and runs the query of a model once more.
    fn build_again(&self, member: &Member<'_>) -> bool {
        self.undo();
        let Some(compiled) = &member.outcome.compiled else { return false };
        let arguments = [&json!(compiled.sql), &json!(self.version())];
        self.warehouse.hold().is_ok() && self.ask(member.node, "keep_candidate", &arguments).is_ok()
    }

    /// What was built and is not published.
    fn candidate(&self, node: &Node) -> Relation {
        let mut candidate = node.relation.clone();
        candidate.identifier = candidate.identifier.map(|name| format!("{name}__medal_{}", self.version()));
        candidate
    }

    /// Undoes what the transaction of a unit has done.
    fn undo(&self) {
        // A connection that cannot be rolled back has lost its transaction already.
        let _ = self.warehouse.end_held(false);
        self.session.existing.forget();
    }

    /// Calls a macro of medal's own for a model.
    fn ask(&self, node: &Node, name: &str, arguments: &[&Json]) -> Result<Json, Diagnostic> {
        ledger::ask(&self.session, &self.warehouse, node, name, arguments)
    }

    fn explain_refusal(&self, node: &Node, before: &Json, refusal: &Refusal, kept: bool) -> Diagnostic {
        let what = refusal.message();
        let problem = match refusal {
            Refusal::Guard(model, problem) if *model == node.name => problem.clone(),
            _ => Diagnostic::error(Code::NotPublished, refable::place(node), format!("`{}` is {what}", node.name)),
        };
        let stays = match before["version"].as_str() {
            Some("earlier") => "what was there stays".to_string(),
            Some(version) => format!("the version `{version}` stays"),
            None => "nothing is published".to_string(),
        };
        let look = format!("; what was built is in `{}`", self.candidate(node).render());
        problem.label(format!("{stays}{}", if kept { look.as_str() } else { "" }))
    }
}

impl Refusal {
    fn message(&self) -> String {
        match self {
            Refusal::Tests(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("not published: {} failed", names.join(", "))
            }
            Refusal::Guard(_, problem) => format!("not published: {}", problem.message),
            Refusal::NotAsked => "not published: `--no-publish`".to_string(),
        }
    }
}

/// A test that has failed in a unit: what it has found is not what is published.
fn in_unit(mut outcome: Outcome) -> Outcome {
    for problem in outcome.diagnostics.iter_mut().filter(|problem| problem.severity == Severity::Error) {
        if problem.code == Code::TestFailed {
            problem.help = Some("the rows that it found are in what was built and is not published".to_string());
        }
    }
    outcome
}

fn not_published(outcome: Outcome, problem: Diagnostic) -> Outcome {
    let message = Some(problem.message.clone());
    let mut diagnostics = outcome.diagnostics;
    diagnostics.push(problem);
    Outcome { status: Status::Error, message, diagnostics, ..outcome }
}
