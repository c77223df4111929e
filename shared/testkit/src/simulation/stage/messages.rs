//! Queues and wake-ups: messages are lost, doubled, late, and come again.

use std::sync::Arc;

use rand::Rng;
use tidegate_engine::jobs;
use tidegate_engine::ports::Job;

use super::{Event, Owner, Stage, Value, WORKER_TIMEOUT};

/// Receives after which a message is given up: what the template says.
const RECEIVES: u32 = 50;

/// A message in a queue.
pub(super) struct Message {
    pub job: Job,
    receives: u32,
    pub running: bool,
}

impl Stage {
    pub(super) fn take_messages(&mut self) {
        for sent in self.memory.queues.take() {
            let delay = i64::from(sent.delay_seconds) * 1_000;
            if self.faults && self.one_in_thousand(self.scenario.lose_message) {
                self.coverage.met("fault: a message is lost");
                continue;
            }
            let copies = if self.faults && self.one_in_thousand(self.scenario.double_message) { 2 } else { 1 };
            for copy in 0..copies {
                if copy > 0 {
                    self.coverage.met("fault: a message is doubled");
                    if matches!(sent.job, Job::Deliver { .. }) {
                        self.coverage.met("fault: what is left of a delivery is told twice");
                    }
                }
                // Late, and so out of order.
                let late = match self.rng.random_range(0..50) {
                    0 if self.faults => self.rng.random_range(10_000..400_000),
                    _ => self.rng.random_range(5..400),
                };
                self.next_message += 1;
                let id = self.next_message;
                self.messages.insert(id, Message { job: sent.job.clone(), receives: 0, running: false });
                self.after(delay + late, Event::Deliver(id));
            }
        }
        for wake in self.memory.scheduler.peek() {
            if wake.at <= self.time() {
                for due in self.memory.scheduler.take_due(self.time()) {
                    self.next_message += 1;
                    let id = self.next_message;
                    let job = Job::Step { rollout_id: due.rollout_id.clone() };
                    self.messages.insert(id, Message { job, receives: 0, running: false });
                    self.after(1, Event::Deliver(id));
                }
                break;
            }
        }
    }

    pub(super) fn deliver(&mut self, id: u64) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        message.receives += 1;
        message.running = true;
        if message.receives > RECEIVES {
            let job = message.job.clone();
            self.oracle.violations.push(format!("a message went to the dead-letter queue: {job:?}"));
            return;
        }
        let (job, ports, memory, now) =
            (message.job.clone(), self.ports.clone(), Arc::clone(&self.worker), self.time());
        let settings = self.settings.clone();
        if matches!(job, Job::Deliver { .. }) {
            self.coverage.met("webhook: is gone on with behind the queue");
        }
        self.spawn(Owner::Message(id), WORKER_TIMEOUT, async move {
            Value::Done(jobs::run(&ports, &settings, &memory, &job, now).await)
        });
    }
}
