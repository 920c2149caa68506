//! Turns a piece of work into what it cost.

use std::path::Path;
use std::process::Command;

use nix::sys::resource::{Usage, UsageWho, getrusage};

const MEDAL: &str = env!("CARGO_BIN_EXE_medal");

/// What a piece of work took.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Seconds of the processor.
    pub cpu: f64,
    /// Seconds of the clock.
    pub wall: f64,
}

/// The cheapest of three: what else the machine does can only add.
pub fn best(mut run: impl FnMut() -> Cost) -> Cost {
    let runs = [run(), run(), run()];
    runs.into_iter().min_by(|a, b| a.cpu.total_cmp(&b.cpu)).expect("there are three")
}

/// Runs medal on a project, which must end well.
pub fn medal(project: &Path, arguments: &[&str]) -> Cost {
    measure(UsageWho::RUSAGE_CHILDREN, || {
        let output = Command::new(MEDAL).args(arguments).current_dir(project).output().expect("medal can be started");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "medal {arguments:?}: {text}");
    })
}

pub fn measure(who: UsageWho, work: impl FnOnce()) -> Cost {
    let seconds = |usage: Usage| {
        let (user, system) = (usage.user_time(), usage.system_time());
        (user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6
    };
    let usage = || seconds(getrusage(who).expect("the system counts"));
    let (before, begin) = (usage(), std::time::Instant::now());
    work();
    Cost { wall: begin.elapsed().as_secs_f64(), cpu: usage() - before }
}
