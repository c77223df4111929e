//! Where port calls wait for a decision.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::call::Call;

/// A task of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// A call that waits; a task may have several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What becomes of a call. To crash instead, end its task: a call that waits has had no effect, and all before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decision {
    /// It does what it should.
    Proceed,
    /// It has no effect and reports that nothing answered.
    FailBefore,
    /// It has its effect and reports that nothing answered.
    FailAfter,
    /// It has the first half of its effects and reports that nothing answered. Where the effects are one: as
    /// `FailBefore`.
    FailHalfway,
    /// A transaction was in the way. Of other calls than writes: as `FailBefore`.
    Conflict,
    /// An eventual read sees old versions. Of other calls: as `Proceed`.
    Stale {
        /// Chooses the versions.
        seed: u64,
    },
    /// A page ends after this many items at most, at least one. Of other calls: as `Proceed`.
    ShortPage {
        /// How many.
        items: u32,
    },
}

/// A call that waits for its decision.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Names the call when it is decided.
    pub ticket: Ticket,
    /// Whose it is.
    pub task: TaskId,
    /// What it is.
    pub call: Arc<Call>,
}

#[derive(Debug)]
struct Entry {
    task: TaskId,
    call: Arc<Call>,
    decision: Option<Decision>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct State {
    running: Option<TaskId>,
    tickets: u64,
    entries: BTreeMap<Ticket, Entry>,
}

/// Holds the calls of a driver's tasks. Calls from anywhere else pass at once: a test may prepare and inspect the
/// world through the same ports.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
}

impl Gate {
    /// Waits for the decision about this call.
    pub fn pass(&self, call: Call) -> impl Future<Output = Decision> + Send + '_ {
        Pass { gate: self, call: Some(call), ticket: None }
    }

    /// The calls that wait, the oldest first.
    pub fn waiting(&self) -> Vec<Waiting> {
        let state = self.state();
        let undecided = state.entries.iter().filter(|(_, entry)| entry.decision.is_none());
        undecided
            .map(|(ticket, entry)| Waiting { ticket: *ticket, task: entry.task, call: Arc::clone(&entry.call) })
            .collect()
    }

    /// Decides a call; returns whose it is, or nothing if it does not wait.
    pub(super) fn decide(&self, ticket: Ticket, decision: Decision) -> Option<TaskId> {
        let mut state = self.state();
        let entry = state.entries.get_mut(&ticket).filter(|entry| entry.decision.is_none())?;
        entry.decision = Some(decision);
        let (task, waker) = (entry.task, entry.waker.clone());
        drop(state);
        waker.wake();
        Some(task)
    }

    /// From now on calls are this task's; `None` is nobody's.
    pub(super) fn run_as(&self, task: Option<TaskId>) {
        self.state().running = task;
    }

    /// Whether a call of the task waits.
    pub(super) fn holds(&self, task: TaskId) -> bool {
        self.state().entries.values().any(|entry| entry.task == task)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pass<'a> {
    gate: &'a Gate,
    call: Option<Call>,
    ticket: Option<Ticket>,
}

impl Future for Pass<'_> {
    type Output = Decision;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Decision> {
        let gate = self.gate;
        let mut state = gate.state();
        if let Some(ticket) = self.ticket {
            let Some(entry) = state.entries.get_mut(&ticket) else { return Poll::Ready(Decision::Proceed) };
            let Some(decision) = entry.decision else {
                entry.waker.clone_from(context.waker());
                return Poll::Pending;
            };
            state.entries.remove(&ticket);
            return Poll::Ready(decision);
        }
        let (Some(task), Some(call)) = (state.running, self.call.take()) else { return Poll::Ready(Decision::Proceed) };
        state.tickets += 1;
        let ticket = Ticket(state.tickets);
        let waker = context.waker().clone();
        state.entries.insert(ticket, Entry { task, call: Arc::new(call), decision: None, waker });
        drop(state);
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.gate.state().entries.remove(&ticket);
        }
    }
}
