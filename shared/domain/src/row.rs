//! A device's row in a rollout: a projection of the device's item, written by the recorder alone.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::{optional as ms_opt, required as ms};
use serde::{Deserialize, Serialize};

use crate::assignment::{LogEntry, Reason};
use crate::counts::{Class, Counts};
use crate::event::DeviceEvent;
use crate::failure_rules::Outcome;
use crate::ids::{DeviceUuid, RolloutId};
use crate::image::Digest;
use crate::journal::{BatchDelta, Page, PageOutcome};
use crate::pin::Pin;

/// Longest history that is kept: a device that repeats itself for ever does not grow its row for ever.
const HISTORY_MAX: usize = 60;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The rollout.
    pub rollout_id: RolloutId,
    /// The device.
    pub device_uuid: DeviceUuid,
    /// The revision of the device's item that it includes.
    pub rev: u64,
    /// Position in the plan's order.
    pub position: u32,
    /// The batch (from 1) that it counts in.
    pub batch: u32,
    /// How it is counted.
    pub class: Class,
    /// How planning counted it, and in which batch; absent where the recorder made the row and counted it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<(u32, Class)>,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What it ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Pin>,
    /// The attempt.
    pub attempt: u8,
    /// Its final outcome, as the thresholds counted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Whether it ever sent `update_completed`.
    #[serde(default)]
    pub updated: bool,
    /// While a lock holds it: until when.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
    /// The device's last words on a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What happened, in order.
    pub history: Vec<Happened>,
}

/// One event of a row's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// What.
    #[serde(rename = "e")]
    pub event: DeviceEvent,
    /// When, in server time.
    #[serde(rename = "t", with = "ms")]
    pub at: Timestamp,
    /// In which attempt, beyond the first.
    #[serde(rename = "a", default = "first", skip_serializing_if = "is_first")]
    pub attempt: u8,
    /// The device's words.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

fn first() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_first(attempt: &u8) -> bool {
    *attempt == 1
}

/// What applying a device's revision to its row changes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Changes of counts, per batch (from 1).
    pub counts: Vec<(u32, Counts)>,
    /// Outcomes, in order.
    pub outcomes: Vec<PageOutcome>,
    /// What the device pulled in an unpinned rollout.
    pub pulled: Vec<Digest>,
}

impl Change {
    /// Whether no count and no outcome changed: the row alone is to be written.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|(_, counts)| counts.is_empty()) && self.outcomes.is_empty() && self.pulled.is_empty()
    }

    /// Adds it to a page.
    pub fn add_to(self, page: &mut Page) {
        for (batch, counts) in self.counts {
            match page.deltas.iter_mut().find(|delta| delta.batch == batch) {
                Some(delta) => delta.counts.merge(&counts),
                None => page.deltas.push(BatchDelta { batch, counts }),
            }
        }
        page.outcomes.extend(self.outcomes);
        for digest in self.pulled {
            if !page.pulled.contains(&digest) {
                page.pulled.push(digest);
            }
        }
    }
}

impl Row {
    /// The row of a device that planning did not see: it joined later.
    pub fn joined(entry: &LogEntry, device_uuid: DeviceUuid, old: Option<Pin>) -> Self {
        let scheduled = Happened { event: DeviceEvent::ImageUpdateScheduled, at: entry.at, attempt: 1, message: None };
        // Unless the entry says so itself.
        let first = (entry.event != Some(DeviceEvent::ImageUpdateScheduled)).then_some(scheduled);
        Self {
            rollout_id: entry.rollout_id.clone(),
            device_uuid,
            rev: 0,
            position: entry.position.unwrap_or(u32::MAX),
            batch: entry.batch.unwrap_or(1),
            class: Class::Pending,
            planned: None,
            reason: None,
            old,
            attempt: 1,
            outcome: None,
            updated: false,
            locked_until: None,
            message: None,
            history: first.into_iter().collect(),
        }
    }

    /// A planned row. It includes no revision of the device: no write before its first offer concerns it.
    pub fn planned(
        rollout_id: RolloutId,
        device_uuid: DeviceUuid,
        (position, batch): (u32, u32),
        (class, reason): (Class, Option<Reason>),
        old: Option<Pin>,
        now: Timestamp,
    ) -> Self {
        let event =
            if class == Class::Skipped { DeviceEvent::UpdateSkipped } else { DeviceEvent::ImageUpdateScheduled };
        Self {
            rollout_id,
            device_uuid,
            rev: 0,
            position,
            batch,
            class,
            planned: Some((batch, class)),
            reason,
            old,
            attempt: 1,
            outcome: None,
            updated: false,
            locked_until: None,
            message: None,
            history: vec![Happened { event, at: now, attempt: 1, message: None }],
        }
    }

    /// Brings the row up to the device's revision `rev`, whose write meant `entries`. `None` where it has it already.
    pub fn apply(&mut self, rev: u64, entries: &[LogEntry]) -> Option<Change> {
        if rev <= self.rev {
            return None;
        }
        self.rev = rev;
        let mut change = Change::default();
        for entry in entries {
            if entry.rollout_id == self.rollout_id {
                self.apply_entry(entry, &mut change);
            }
        }
        Some(change)
    }

    /// The change that a row made by the recorder brings with it: it was counted nowhere before.
    pub fn counted(&self) -> Change {
        let mut counts = Counts::default();
        counts.add(self.class, 1);
        Change { counts: vec![(self.batch, counts)], ..Change::default() }
    }

    fn apply_entry(&mut self, entry: &LogEntry, change: &mut Change) {
        if entry.only_from.is_some_and(|class| class != self.class) {
            return;
        }
        let before = (self.batch, self.class);
        if let Some(batch) = entry.batch {
            self.batch = batch;
        }
        if let Some(class) = entry.class {
            self.class = class;
            self.reason.clone_from(&entry.reason);
            self.locked_until = entry.locked_until;
            self.attempt = self.attempt.max(entry.attempt);
        }
        if before != (self.batch, self.class) {
            change.counts.push((before.0, one(before.1, -1)));
            change.counts.push((self.batch, one(self.class, 1)));
        }
        if before.0 != self.batch {
            for (counted, by) in [(self.ever_failed(), ever_failed as fn(i64) -> Counts), (self.updated, updated)] {
                if counted {
                    change.counts.push((before.0, by(-1)));
                    change.counts.push((self.batch, by(1)));
                }
            }
        }
        if entry.event == Some(DeviceEvent::UpdateCompleted) && !self.updated {
            self.updated = true;
            change.counts.push((self.batch, updated(1)));
        }
        if entry.event == Some(DeviceEvent::ImagePulled) {
            change.pulled.extend(entry.digest.clone());
        }
        if let Some(outcome) = entry.outcome.and_then(|outcome| self.final_outcome(outcome)) {
            let failed_before = self.ever_failed();
            self.outcome = Some(outcome);
            let by = i64::from(self.ever_failed()) - i64::from(failed_before);
            if by != 0 {
                change.counts.push((self.batch, ever_failed(by)));
            }
            change.outcomes.push(PageOutcome {
                batch: self.batch,
                outcome,
                at: entry.at,
                digest: entry.digest.clone(),
            });
        }
        if let Some(event) = entry.event {
            if entry.message.is_some() {
                self.message.clone_from(&entry.message);
            }
            if self.history.len() < HISTORY_MAX {
                self.history.push(Happened {
                    event,
                    at: entry.at,
                    attempt: entry.attempt,
                    message: entry.message.clone(),
                });
            }
        }
    }

    /// A device counts once; only silence gives way to the truth.
    fn final_outcome(&self, new: Outcome) -> Option<Outcome> {
        match (self.outcome, new) {
            (None, Outcome::Recovered) => Some(Outcome::Healthy),
            (None, Outcome::FailedAfterAll) => Some(Outcome::Failed),
            (None, outcome) => Some(outcome),
            (Some(Outcome::TimedOut), Outcome::Healthy | Outcome::Recovered) => Some(Outcome::Recovered),
            (Some(Outcome::TimedOut), Outcome::Failed | Outcome::FailedAfterAll) => Some(Outcome::FailedAfterAll),
            (Some(_), _) => None,
        }
    }

    /// Whether the device ever failed in this rollout.
    pub fn ever_failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failed | Outcome::TimedOut | Outcome::FailedAfterAll))
    }

    /// When the event first happened.
    pub fn first(&self, wanted: &[DeviceEvent]) -> Option<Timestamp> {
        self.history.iter().find(|happened| wanted.contains(&happened.event)).map(|happened| happened.at)
    }
}

fn ever_failed(by: i64) -> Counts {
    let mut counts = Counts::default();
    counts.add_ever_failed(by);
    counts
}

fn updated(by: i64) -> Counts {
    let mut counts = Counts::default();
    counts.add_updated(by);
    counts
}

fn one(class: Class, by: i64) -> Counts {
    let mut counts = Counts::default();
    counts.add(class, by);
    counts
}

#[cfg(test)]
mod tests;
