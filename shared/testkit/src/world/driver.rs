//! Runs tasks from port call to port call, in the order that is asked for.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::gate::{Decision, Gate, TaskId, Ticket, Waiting};

/// Where a task stands after it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// At least one of its calls waits.
    Waiting,
    /// It is done; see [`Driver::take_done`].
    Done,
    /// It awaits something that is no port call, and will never go on.
    Stuck,
    /// There is no such call or task.
    Unknown,
}

/// A task that is done.
#[derive(Debug)]
pub struct Done<T> {
    /// Which.
    pub task: TaskId,
    /// As it was spawned.
    pub label: String,
    /// What it returned.
    pub value: T,
}

struct Task<T> {
    label: String,
    future: Pin<Box<dyn Future<Output = T>>>,
}

/// The tasks of one world.
pub struct Driver<T> {
    gate: Arc<Gate>,
    tasks: BTreeMap<TaskId, Task<T>>,
    spawned: u64,
    done: Vec<Done<T>>,
}

impl<T> Driver<T> {
    /// For tasks whose ports wait at this gate.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate, tasks: BTreeMap::new(), spawned: 0, done: Vec::new() }
    }

    /// Starts a task and runs it to its first port call.
    pub fn spawn(&mut self, label: impl Into<String>, future: impl Future<Output = T> + 'static) -> TaskId {
        self.spawned += 1;
        let task = TaskId(self.spawned);
        self.tasks.insert(task, Task { label: label.into(), future: Box::pin(future) });
        self.poll(task);
        task
    }

    /// The calls that wait, the oldest first.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.gate.waiting()
    }

    /// Decides a call and runs its task to the next.
    pub fn resume(&mut self, ticket: Ticket, decision: Decision) -> Progress {
        self.gate.decide(ticket, decision).map_or(Progress::Unknown, |task| self.poll(task))
    }

    /// Ends a task where it stands, as a process that dies. Returns its label.
    pub fn crash(&mut self, task: TaskId) -> Option<String> {
        self.tasks.remove(&task).map(|task| task.label)
    }

    /// The label of a task that is not done.
    pub fn label(&self, task: TaskId) -> Option<&str> {
        self.tasks.get(&task).map(|task| task.label.as_str())
    }

    /// The tasks that are not done.
    pub fn running(&self) -> impl Iterator<Item = (TaskId, &str)> {
        self.tasks.iter().map(|(id, task)| (*id, task.label.as_str()))
    }

    /// Takes what is done, in the order of completion.
    pub fn take_done(&mut self) -> Vec<Done<T>> {
        std::mem::take(&mut self.done)
    }

    /// Lets one task's calls proceed until it is done, while all others wait. Nothing if it gets stuck.
    pub fn finish(&mut self, task: TaskId) -> Option<T> {
        while self.tasks.contains_key(&task) {
            let next = self.waiting().into_iter().find(|waiting| waiting.task == task)?;
            self.resume(next.ticket, Decision::Proceed);
        }
        let position = self.done.iter().position(|done| done.task == task)?;
        Some(self.done.remove(position).value)
    }

    fn poll(&mut self, id: TaskId) -> Progress {
        let Some(task) = self.tasks.get_mut(&id) else { return Progress::Unknown };
        self.gate.run_as(Some(id));
        let polled = task.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.gate.run_as(None);
        match polled {
            Poll::Ready(value) => {
                let label = self.tasks.remove(&id).map(|task| task.label).unwrap_or_default();
                self.done.push(Done { task: id, label, value });
                Progress::Done
            }
            Poll::Pending if self.gate.holds(id) => Progress::Waiting,
            Poll::Pending => Progress::Stuck,
        }
    }
}

#[cfg(test)]
mod tests;
