//! Operators: at random while faults last, and settling what is left open afterwards.

use std::sync::Arc;

use rand::Rng;
use tidegate_domain::command::Command;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::Status;
use tidegate_engine::commands::{self, Commanded};
use tidegate_engine::error::EngineError;

use super::oracle::is_at_rest;
use super::stage::{Event, Owner, Stage, Value};

impl Stage {
    pub(super) fn order(&mut self, dice: u32) {
        let rollouts = self.rollouts();
        if rollouts.is_empty() {
            return;
        }
        let newest = !dice.is_multiple_of(4);
        let n = if newest { rollouts.len() - 1 } else { self.rng.random_range(0..rollouts.len()) };
        let rollout = &rollouts[n];
        let back = Command::RollbackAll {
            respect_windows: self.rng.random_range(0..6) == 0,
            max_in_flight: (self.rng.random_range(0..4) == 0).then_some(2),
        };
        let command = match dice {
            0..30 => Command::Pause,
            30..50 => Command::Resume { skip_batch: dice.is_multiple_of(2) },
            50..62 => Command::Cancel,
            62..80 => back,
            80..95 => Command::Approve,
            _ => Command::Reject,
        };
        // What suits the status is worth more than what does not.
        let command = match (rollout.status, dice % 3) {
            (Status::AwaitingApproval, 0 | 1) => Command::Approve,
            (Status::Paused, 0) => Command::Resume { skip_batch: true },
            _ => command,
        };
        self.command(rollout.rollout_id.clone(), command, rollout.status);
    }

    fn command(&mut self, id: RolloutId, command: Command, status: Status) {
        let (ports, now) = (self.ports.clone(), self.time());
        self.tell(|| format!("operator: {} {id} ({})", command.name(), status.name()));
        let owner =
            Owner::Command { rollout: id.clone(), command: command.clone(), status_before: status.name().to_owned() };
        self.spawn_api(owner, async move {
            Value::Commanded(commands::carry_out(&ports, &id, &command, Some("the simulation says so"), now).await)
        });
    }

    pub(super) fn commanded(
        &mut self,
        id: &RolloutId,
        command: &Command,
        before: &str,
        result: &Result<Commanded, EngineError>,
        injected: u32,
    ) {
        let how = match result {
            Ok(Commanded::Done { changed: true, .. }) => "changes",
            Ok(Commanded::Done { changed: false, .. }) => "holds already",
            Ok(Commanded::Refused { .. }) => "is refused",
            Ok(Commanded::Newer(_)) => "is refused for a newer rollout",
            Err(_) => "fails",
        };
        self.coverage.met(format!("command: {} {how}", command.name()));
        if let Ok(Commanded::Done { rollout, changed: true }) = result {
            self.oracle.command_done(id, command, rollout.status);
        }
        if let Err(EngineError::Contended { .. }) = result
            && injected == 0
        {
            self.oracle.violations.push(format!("{} of {id} ({before}) lost to others", command.name()));
        }
    }

    /// Faults end; operators settle what is open, round by round, and in the end stop it.
    pub(super) fn settle(&mut self, round: u32) {
        self.faults = false;
        for rollout in self.rollouts() {
            let command = match rollout.status {
                Status::Paused if round < 3 && self.rng.random_range(0..2) == 0 => Command::Resume { skip_batch: true },
                Status::Paused if self.rng.random_range(0..2) == 0 => {
                    Command::RollbackAll { respect_windows: false, max_in_flight: None }
                }
                Status::Paused => Command::Cancel,
                Status::AwaitingApproval => Command::Approve,
                Status::InProgress | Status::Scheduled | Status::Pending if round > 100 => Command::Cancel,
                _ => continue,
            };
            self.command(rollout.rollout_id.clone(), command, rollout.status);
        }
        self.after(20 * 60_000, Event::Settle(round + 1));
        self.oracle.check_places(&Arc::clone(&self.memory.store));
        let (store, agents) = (Arc::clone(&self.memory.store), &self.agents);
        // Of two rounds in a row: in between every device asked once more, and is where the last rollout's end has it.
        self.oracle.quiet = if is_at_rest(&store, agents) { self.oracle.quiet + 1 } else { 0 };
    }
}
