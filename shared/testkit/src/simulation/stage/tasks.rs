//! Whose task it is, and what becomes of its owner when it ends, well or not.

use tidegate_domain::command::Command;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_engine::commands::Commanded;
use tidegate_engine::error::EngineError;
use tidegate_engine::policies::PolicyError;
use tidegate_engine::poll::Answer;
use tidegate_engine::report::Accepted;
use tidegate_engine::trigger::{TriggerError, Triggered};
use tidegate_engine::webhook::Ingested;

use super::super::policies::Edit;
use super::{Event, Stage};

/// A message that was not taken back comes again after this, in milliseconds.
const VISIBILITY: i64 = 90_000;

/// Whose task it is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::simulation) enum Owner {
    Message(u64),
    Stream {
        shard: usize,
        upto: usize,
    },
    Publisher {
        upto: usize,
    },
    Sweep,
    Push(usize),
    Notice(usize),
    Trigger(usize),
    Command {
        rollout: RolloutId,
        command: Command,
        status_before: String,
    },
    Policy(Edit),
    Poll(usize),
    Report {
        agent: usize,
        ids: Vec<String>,
    },
    Join(DeviceUuid),
    Leave(usize),
    Relocate(usize, usize),
    Narrow,
    /// Nobody waits for it any more: its caller gave up, or asked twice.
    Nobody,
}

/// What a task returns.
pub(in crate::simulation) enum Value {
    Done(Result<(), EngineError>),
    Polled(Result<Answer, EngineError>),
    Reported(Result<Accepted, EngineError>),
    Commanded(Result<Commanded, EngineError>),
    Ingested(Result<Ingested, EngineError>),
    Triggered(Result<Vec<Triggered>, TriggerError>),
    Edited(Result<(), PolicyError>),
}

impl Stage {
    pub(super) fn finished(&mut self, owner: Owner, value: Value, injected: u32) {
        match (owner, value) {
            (
                owner @ (Owner::Message(_) | Owner::Stream { .. } | Owner::Publisher { .. } | Owner::Sweep),
                Value::Done(result),
            ) => match result {
                Ok(()) => self.succeeded(&owner),
                Err(error) => {
                    if !error.retryable() {
                        self.oracle.violations.push(format!("{} cannot succeed: {error}", owner_name(&owner)));
                    }
                    self.failed(&owner);
                }
            },
            (Owner::Poll(agent), Value::Polled(result)) => self.polled(agent, result),
            (Owner::Report { agent, ids }, Value::Reported(result)) => self.reported(agent, &ids, result),
            (Owner::Command { rollout, command, status_before }, Value::Commanded(result)) => {
                self.commanded(&rollout, &command, &status_before, &result, injected);
            }
            (Owner::Policy(edit), Value::Edited(result)) => self.edited(edit, &result),
            (Owner::Push(n), Value::Ingested(result)) => self.ingested(Event::Push(n, 0), None, result),
            (Owner::Notice(n), Value::Ingested(result)) => {
                let notice = self.scenario.notices[n];
                let moved = notice.moves.then(|| self.scenario.pushes[notice.push].version);
                self.ingested(Event::Notice(n), moved, result);
            }
            (Owner::Trigger(n), Value::Triggered(result)) => self.triggered(n, &result),
            (Owner::Join(uuid), Value::Done(result)) => self.has_joined(uuid, result.is_ok()),
            (Owner::Leave(agent), Value::Done(result)) => {
                if result.is_ok() {
                    self.agents[agent].gone = true;
                }
            }
            (Owner::Relocate(agent, fleet), Value::Done(result)) => {
                if result.is_err() {
                    self.after(20_000, Event::Relocate(agent, fleet));
                }
            }
            (Owner::Narrow, Value::Done(_)) | (Owner::Nobody, _) => {}
            (owner, _) => unreachable!("{owner:?} returns something else"),
        }
    }

    fn succeeded(&mut self, owner: &Owner) {
        match *owner {
            Owner::Message(id) => {
                self.messages.remove(&id);
            }
            Owner::Stream { shard, upto } => {
                let again = self.faults && self.one_in_thousand(30);
                let stream = &mut self.shards[shard];
                stream.running = false;
                if again {
                    // The consumer's checkpoint was lost: the same records come again.
                    self.coverage.met("fault: stream records come again");
                } else {
                    stream.records.drain(..upto);
                }
                if !self.shards[shard].records.is_empty() {
                    self.after(20, Event::Pump(shard));
                }
            }
            Owner::Publisher { upto } => {
                self.publishing = false;
                self.outbox.drain(..upto);
                if !self.outbox.is_empty() {
                    self.after(20, Event::Pump(usize::MAX));
                }
            }
            _ => {}
        }
    }

    pub(super) fn failed(&mut self, owner: &Owner) {
        match *owner {
            Owner::Message(id) => {
                if let Some(message) = self.messages.get_mut(&id) {
                    message.running = false;
                }
                self.after(VISIBILITY, Event::Deliver(id));
            }
            Owner::Stream { shard, .. } => {
                self.shards[shard].running = false;
                self.after(1_000, Event::Pump(shard));
            }
            Owner::Publisher { .. } => {
                self.publishing = false;
                self.after(1_000, Event::Pump(usize::MAX));
            }
            Owner::Sweep | Owner::Command { .. } | Owner::Trigger(_) | Owner::Narrow | Owner::Nobody => {}
            Owner::Policy(edit) => self.edit_failed(edit),
            // The registry sends again.
            Owner::Push(n) => self.after(15_000, Event::Push(n, 0)),
            Owner::Notice(n) => self.notice_again(n),
            Owner::Poll(agent) => {
                self.agents[agent].asking = false;
                self.after(5_000, Event::Poll(agent));
            }
            Owner::Report { agent, .. } => {
                self.agents[agent].asking = false;
                self.after(5_000, Event::Tell(agent));
            }
            Owner::Join(_) => {
                self.after(20_000, Event::Join);
            }
            Owner::Leave(agent) => self.after(20_000, Event::Leave(agent)),
            Owner::Relocate(agent, fleet) => self.after(20_000, Event::Relocate(agent, fleet)),
        }
    }
}

pub(super) fn owner_name(owner: &Owner) -> String {
    match owner {
        Owner::Message(id) => format!("message {id}"),
        Owner::Stream { shard, .. } => format!("recorder {shard}"),
        Owner::Publisher { .. } => "publisher".to_owned(),
        Owner::Sweep => "sweep".to_owned(),
        Owner::Push(n) => format!("push {n}"),
        Owner::Notice(n) => format!("notice {n}"),
        Owner::Trigger(n) => format!("trigger {n}"),
        Owner::Command { command, .. } => format!("operator ({})", command.name()),
        Owner::Policy(edit) => format!("operator ({} of a policy)", edit.what.name()),
        Owner::Poll(agent) => format!("poll of device {agent}"),
        Owner::Report { agent, .. } => format!("report of device {agent}"),
        Owner::Join(_) => "enrolment".to_owned(),
        Owner::Leave(agent) => format!("removal of device {agent}"),
        Owner::Relocate(agent, _) => format!("move of device {agent}"),
        Owner::Narrow => "creation of a policy".to_owned(),
        Owner::Nobody => "a function that nobody waits for".to_owned(),
    }
}
