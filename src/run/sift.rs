//! Turns the tests that take rows out of a model into rules for its build, and what the build counted into outcomes.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::compile::host::NodeHost;
use crate::compile::session::Sifted;
use crate::compile::{explain, scope};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::layer::actions::{self, Action};
use crate::manifest::{Node, refable, test_code};
use crate::project::layers::medal_key;
use crate::run::node::Worker;
use crate::run::outcome::Timer;
use crate::run::{Outcome, Status};

impl Worker {
    /// The rules of a model, as its materialization reads them: `sift_rules`.
    pub fn sift_rules(&self, model: &Node) -> Result<Json, Diagnostic> {
        let tests = actions::sifting(&self.session.manifest, &self.session.project.layers, model);
        let kind = if tests.len() < 63 { "bigint" } else { "uhugeint" };
        let rules = tests.into_iter().enumerate().map(|(at, test)| {
            let bit = u32::try_from(at).ok().and_then(|at| 1_u128.checked_shl(at));
            let bit = bit.ok_or_else(|| {
                let message = format!("more than 128 tests take rows out of `{}`", model.name);
                Diagnostic::error(Code::TestAction, refable::place(model), message)
            })?;
            self.sift_rule(model, test, &format!("{bit}::{kind}"))
        });
        rules.collect::<Result<Vec<Json>, Diagnostic>>().map(Json::Array)
    }

    /// A rule; its bit is set for the rows that break it.
    fn sift_rule(&self, model: &Node, test: &Node, bit: &str) -> Result<Json, Diagnostic> {
        let host = Arc::new(NodeHost::new(self.session.clone(), self.warehouse.clone(), Some(test)));
        let order: Vec<&str> = match medal_key(model.config.written(), "sequence_by") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let rendered = test_code::row_template(test, &self.session.files, &order).and_then(|template| {
            self.session.manifest.library.render(&Arc::new(template), &scope(&self.session, test, None), host.clone())
        });
        let violation = rendered.map_err(|error| explain(test, &host, &error))?.text;
        let violation = match test.config.text("where") {
            Some(condition) => format!("({condition}) and ({violation})"),
            None => violation,
        };
        let action = actions::action(test).map(Action::name);
        let column = test.generic_test().and_then(|test| test.column_name.as_deref());
        Ok(json!({
            "test_id": test.id, "code": actions::code(test), "action": action, "column": column, "violation": violation,
            "bit": bit,
        }))
    }

    /// Notes what a materialization says of the rows that it was given: `sifted` of what it returns.
    pub fn note_sifted(&self, model: &Node, rules: &Json, returned: &Json) -> Result<(), Diagnostic> {
        let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
        let counts = returned.get("sifted").filter(|counts| counts.is_object());
        if rules.is_empty() && counts.is_none() {
            return Ok(());
        }
        let Some(counts) = counts else {
            let message = format!(
                "tests take rows out of `{}`, and its materialization `{}` leaves them in",
                model.name,
                model.materialized()
            );
            let help = "use the materialization that comes with medal, or call `build_sifted` in your own";
            return Err(Diagnostic::error(Code::TestAction, refable::place(model), message).help(help));
        };
        let count = |key: &str| counts.get(key).and_then(Json::as_u64).unwrap_or(0);
        let of_rule = |(at, rule): (usize, &Json)| {
            let rows = counts.get("broken").and_then(|broken| broken.get(at)?.as_u64()).unwrap_or(0);
            (rule["test_id"].as_str().unwrap_or_default().to_string(), rows)
        };
        let sifted = Sifted {
            rows_in: count("rows_in"),
            rows_out: count("rows_out"),
            quarantined: count("rows_quarantined"),
            dropped: count("rows_dropped"),
            released: count("rows_released"),
            broken: rules.iter().enumerate().map(of_rule).collect(),
        };
        self.session.note_sifted(&model.id, &sifted);
        Ok(())
    }

    /// How a test ended whose rows were taken out while its model was built in this run; none for all other tests.
    pub fn sifted_outcome(&self, test: &Node) -> Option<Outcome> {
        let action = actions::action(test).filter(|action| action.sifts())?;
        let sifted = self.session.sifted(test.generic_test()?.attached.as_deref()?)?;
        let rows = *sifted.broken.get(&test.id)?;
        let timer = Timer::start(test, self.number);
        let status = match actions::max_rate(test) {
            _ if rows == 0 => Status::Pass,
            Some(most) if rate(rows, sifted.rows_in) > most => Status::Fail,
            _ => Status::Warn,
        };
        let done = if action == Action::Drop { "dropped" } else { "in quarantine" };
        let message = match status {
            Status::Pass => None,
            Status::Warn => Some(format!("{rows} of {} rows {done}", sifted.rows_in)),
            _ => Some(format!("{rows} of {} rows {done}, more than `max_rate` allows", sifted.rows_in)),
        };
        let diagnostics = message.iter().filter(|_| status == Status::Fail).map(|message| {
            Diagnostic::error(Code::QuarantineBudget, test.generic_test().map(|test| test.span), message)
        });
        let diagnostics = diagnostics.collect();
        Some(Outcome { failures: i64::try_from(rows).ok(), diagnostics, ..timer.ended(status, message) })
    }

    /// The outcome of a test with its `action` and `max_rate`: a share of the rows may break it, or all of them.
    pub fn judge(&self, test: &Node, outcome: Outcome) -> Outcome {
        if outcome.status != Status::Fail || actions::action(test).is_some_and(Action::sifts) {
            return outcome;
        }
        let lets_pass = actions::action(test) == Some(Action::Warn)
            || actions::max_rate(test).is_some_and(|most| {
                let rows = self.rows_tested(test);
                let failures = outcome.failures.and_then(|failures| u64::try_from(failures).ok());
                rows.zip(failures).is_some_and(|(rows, failures)| rate(failures, rows) <= most)
            });
        if !lets_pass {
            return outcome;
        }
        let warn = |problem: &Diagnostic| Diagnostic { severity: Severity::Warning, ..problem.clone() };
        let diagnostics = outcome.diagnostics.iter().map(warn).collect();
        Outcome { status: Status::Warn, diagnostics, ..outcome }
    }

    /// The rows of what a test is written on.
    fn rows_tested(&self, test: &Node) -> Option<u64> {
        let attached = test.generic_test()?.attached.as_deref()?;
        self.count(&self.session.manifest.node(attached)?.relation)
    }

    /// What is wrong if tests have taken more rows out of a model than they may.
    pub fn over_budget(&self, model: &Node) -> Option<Diagnostic> {
        let Sifted { rows_in, quarantined, dropped, .. } = self.session.sifted(&model.id)?;
        let most = actions::budget(model)?;
        (rate(quarantined + dropped, rows_in) > most).then(|| {
            let message = format!(
                "{} of {rows_in} rows of `{}` break its tests, more than `max_rate` of its `quarantine` allows",
                quarantined + dropped,
                model.name
            );
            Diagnostic::error(Code::QuarantineBudget, refable::place(model), message)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of rows need not be exact")]
fn rate(rows: u64, of: u64) -> f64 {
    rows as f64 / of.max(1) as f64
}
