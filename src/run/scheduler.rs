//! Hands the steps of a plan to workers as soon as what they need has ended well.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex};

use crate::plan::Plan;
use crate::run::Status;

/// What a worker does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Run the step of this number.
    Run(usize),
    /// Do not run it: a step that it needs (the second number) went wrong.
    Skip(usize, usize),
    /// There is nothing left to do.
    Done,
}

/// The state of a run, shared by its workers.
pub struct Scheduler {
    children: Vec<Vec<usize>>,
    /// Steps that come after a step, however it ends.
    followers: Vec<Vec<usize>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    ready: BTreeSet<usize>,
    /// Steps to skip, each with the step that is to blame.
    skipped: Vec<(usize, usize)>,
    waiting: Vec<usize>,
    ended: Vec<Option<Status>>,
    left: usize,
    stopped: bool,
}

impl Scheduler {
    pub fn new(plan: &Plan) -> Scheduler {
        let mut children = vec![Vec::new(); plan.steps.len()];
        let mut followers = vec![Vec::new(); plan.steps.len()];
        for (at, step) in plan.steps.iter().enumerate() {
            step.needs.iter().for_each(|need| children[*need].push(at));
            step.after.iter().for_each(|before| followers[*before].push(at));
        }
        let waiting: Vec<usize> = plan.steps.iter().map(|step| step.needs.len() + step.after.len()).collect();
        // The parts of a unit are begun by its first step.
        let parts: BTreeSet<usize> = plan.steps.iter().flat_map(|step| step.unit.iter().skip(1)).copied().collect();
        let is_ready = |at: &usize| waiting[*at] == 0 && !parts.contains(at);
        let state = State {
            ready: (0..waiting.len()).filter(is_ready).collect(),
            skipped: Vec::new(),
            ended: vec![None; waiting.len()],
            left: waiting.len(),
            waiting,
            stopped: false,
        };
        Scheduler { children, followers, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for something to do. Every step is given to exactly one worker, unless the run is stopped.
    pub fn next(&self) -> Next {
        let mut state = self.state.lock().expect("nobody panics while holding the lock");
        loop {
            if state.stopped || state.left == 0 {
                return Next::Done;
            }
            if let Some((step, blame)) = state.skipped.pop() {
                return Next::Skip(step, blame);
            }
            if let Some(step) = state.ready.pop_first() {
                return Next::Run(step);
            }
            state = self.changed.wait(state).expect("nobody panics while holding the lock");
        }
    }

    /// Takes further steps that could be run now and that fit the caller.
    pub fn take_ready(&self, fits: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut state = self.state.lock().expect("nobody panics while holding the lock");
        let taken: Vec<usize> = state.ready.iter().copied().filter(|step| fits(*step)).collect();
        state.ready.retain(|step| !taken.contains(step));
        taken
    }

    /// Tells how a step ended, which may set others free, or make them be skipped.
    pub fn end(&self, step: usize, status: Status) {
        let mut state = self.state.lock().expect("nobody panics while holding the lock");
        state.ended[step] = Some(status);
        state.left -= 1;
        let bad = status.is_bad() || status == Status::Skipped;
        for child in &self.children[step] {
            if state.waiting[*child] == 0 {
                continue;
            }
            if bad {
                // Skipped at once, whatever else it waits for.
                state.waiting[*child] = 0;
                state.skipped.push((*child, step));
            } else {
                state.waiting[*child] -= 1;
                if state.waiting[*child] == 0 {
                    state.ready.insert(*child);
                }
            }
        }
        for follower in &self.followers[step] {
            if state.waiting[*follower] > 0 {
                state.waiting[*follower] -= 1;
                if state.waiting[*follower] == 0 {
                    state.ready.insert(*follower);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Gives out no further steps.
    pub fn stop(&self) {
        self.state.lock().expect("nobody panics while holding the lock").stopped = true;
        self.changed.notify_all();
    }

    pub fn is_stopped(&self) -> bool {
        self.state.lock().expect("nobody panics while holding the lock").stopped
    }

    /// Steps that never ended, in order.
    pub fn unfinished(&self) -> Vec<usize> {
        let state = self.state.lock().expect("nobody panics while holding the lock");
        state.ended.iter().enumerate().filter(|(_, status)| status.is_none()).map(|(at, _)| at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, Scheduler};
    use crate::plan::{Plan, Step};
    use crate::run::Status;

    fn plan(needs: &[&[usize]]) -> Plan {
        let step =
            |(at, needs): (usize, &&[usize])| Step { node: format!("n{at}"), needs: needs.to_vec(), ..Step::default() };
        Plan { steps: needs.iter().enumerate().map(step).collect() }
    }

    #[test]
    fn a_failure_skips_what_is_downstream_and_nothing_else() {
        let scheduler = Scheduler::new(&plan(&[&[], &[], &[0], &[2], &[1]]));
        assert_eq!(scheduler.next(), Next::Run(0));
        assert_eq!(scheduler.next(), Next::Run(1));
        scheduler.end(0, Status::Fail);
        assert_eq!(scheduler.next(), Next::Skip(2, 0));
        scheduler.end(2, Status::Skipped);
        assert_eq!(scheduler.next(), Next::Skip(3, 2));
        scheduler.end(3, Status::Skipped);
        scheduler.end(1, Status::Success);
        assert_eq!(scheduler.next(), Next::Run(4));
        scheduler.end(4, Status::Success);
        assert_eq!(scheduler.next(), Next::Done);
    }
}
