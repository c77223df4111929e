//! What production does to functions and messages now and then, done all the time.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate_domain::ids::RolloutId;
use tidegate_engine::ports::Job;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::client::Client;
use crate::queues::Queues;
use crate::stack::{Stack, say};

/// Between two kills.
const KILL_EVERY: Duration = Duration::from_secs(1);

/// Kills a random process of a function every second, whatever it is doing.
pub(crate) struct Killer {
    stop: Arc<AtomicBool>,
    work: JoinHandle<u32>,
}

impl Killer {
    /// Begins; nothing where the emulator is not ours.
    pub(crate) fn start(stack: &Stack) -> Option<Self> {
        let Some(emulator) = stack.emulator else {
            say("SKIPPED: killing functions; the emulator of a given stack is not ours");
            return None;
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = tokio::spawn(async move {
            let mut killed = 0;
            while !stopped.load(Ordering::Relaxed) {
                killed += u32::from(kill_one(emulator));
                tokio::time::sleep(KILL_EVERY).await;
            }
            killed
        });
        Some(Self { stop, work })
    }

    /// Ends; how many it killed.
    pub(crate) async fn end(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.work.await.expect("it ends")
    }
}

fn kill_one(emulator: u32) -> bool {
    let functions = functions(emulator);
    if functions.is_empty() {
        return false;
    }
    let victim = functions[(Uuid::new_v4().as_u128() % functions.len() as u128) as usize];
    Command::new("sh").args(["-c", &format!("kill -KILL {victim}")]).status().is_ok_and(|status| status.success())
}

/// Processes of functions: children of the emulator that run a `bootstrap`.
fn functions(emulator: u32) -> Vec<u32> {
    let parent = format!("PPid:\t{emulator}");
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            read("status").lines().any(|line| line == parent) && read("cmdline").contains("/bootstrap")
        })
        .collect()
}

/// Sends every kind of job of this rollout once more, and at once once more.
pub(crate) async fn send_everything_twice(client: &Client, rollout: &str) {
    let Some(queues) = Queues::of(client) else { return };
    let rollout_id = RolloutId::trusted(rollout);
    let jobs = [
        Job::Step { rollout_id: rollout_id.clone() },
        Job::Resolve { rollout_id: rollout_id.clone() },
        Job::Plan { rollout_id: rollout_id.clone() },
        Job::PlanPage { rollout_id: rollout_id.clone(), page: 0 },
        Job::CheckDeadlines { rollout_id, shard: 0 },
    ];
    for job in jobs.iter().chain(&jobs) {
        queues.send(job).await;
    }
}
