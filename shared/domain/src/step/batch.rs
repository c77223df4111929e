//! Whether a batch opens: the thresholds, the batch before, the delay, the soak and the window.

use jiff::Timestamp;

use super::fold::Fired;
use super::{Detail, Effect, Stepping, later};
use crate::counts::{Class, Counts};
use crate::event::ImageEvent;
use crate::policy::OnFailure;
use crate::rollout::{By, Decided, Rollback, Status};

impl Stepping<'_> {
    /// A rollout in progress: stops it, opens the next batch, or says what it waits for.
    pub(super) fn progress(&mut self, fired: Option<Fired>) -> String {
        if let Some(report) = self.nothing_healthy() {
            return report;
        }
        if let Some(fired) = fired {
            return self.stop(&fired);
        }
        let Some(batch) = self.next.current().cloned() else { return self.open_next() };
        let counts = &batch.counts;
        if counts.unsettled() > 0 {
            self.stride();
            self.watch();
            let zoneless = self.next.zones.missing.min(counts.of(Class::Pending));
            return waiting_for(counts, self.next.batch) + &without_zone(zoneless);
        }
        match self.proof(counts) {
            Proof::Given => {}
            Proof::Awaited(report) => {
                self.stride();
                return report;
            }
            Proof::Missing(reason) => return self.pause(&reason),
        }
        if batch.completed_at.is_none() {
            self.complete_batch();
        }
        if self.next.batch as usize == self.next.batches.len() {
            return self.complete();
        }
        let due = self.next_opening();
        if due > self.now {
            self.wake(due);
            return format!("batch {} opens at {}", self.next.batch + 1, seconds(due));
        }
        self.open_next()
    }

    /// While paused, outcomes are still counted and judged; they can make it worse in view, not better.
    pub(super) fn paused(&mut self, fired: Option<Fired>) -> String {
        if self.next.counts().of(Class::Updating) > 0 {
            self.watch();
        }
        if let Some(report) = self.nothing_healthy() {
            return report;
        }
        if let Some(fired) = fired
            && !self.next.judge.told
        {
            let reason = fired.to_string();
            self.next.judge.told = true;
            self.next.reason = Some(reason.clone());
            self.emit(ImageEvent::RolloutFailed, Detail::because(&reason));
        }
        self.pause_in_words()
    }

    /// Who paused it, when, why, and how it goes on.
    fn pause_in_words(&self) -> String {
        let who = self.next.decided.map(|told| format!(" by {} at {}", told.by.words(), seconds(told.at)));
        let why = self.next.reason.as_deref().map(|reason| format!(": {reason}"));
        let on = "it goes on when it is resumed; cancel ends it, rollback-all takes every device back";
        format!("paused{}{}; {on}", who.unwrap_or_default(), why.unwrap_or_default())
    }

    /// Every device of the whole plan settled and none is healthy: failed, instead of a pause.
    fn nothing_healthy(&mut self) -> Option<String> {
        let counts = self.next.counts();
        let over = counts.of(Class::Healthy) == 0
            && counts.unsettled() == 0
            && counts.of(Class::Deferred) == 0
            && counts.devices() > 0
            && self.next.batch as usize == self.next.batches.len()
            && self.next.batch > 0;
        (over && self.settled_since_command()).then(|| self.fail("every device settled and none is healthy"))
    }

    /// Pauses, or rolls everything back where the policy says so.
    fn stop(&mut self, fired: &Fired) -> String {
        let reason = fired.to_string();
        self.next.reason = Some(reason.clone());
        self.next.decided = Some(Decided { by: By::Rules, at: self.now });
        self.next.judge.told = true;
        self.emit(ImageEvent::RolloutFailed, Detail { batch: Some(self.next.batch), ..Detail::because(&reason) });
        match self.plan.policy.on_failure {
            OnFailure::Pause => self.pause(&reason),
            // No device failed: who pulled it has not swapped.
            OnFailure::RollbackAll if matches!(fired, Fired::KeptOut(_)) => self.pause(&reason),
            OnFailure::RollbackAll => {
                self.next.status = Status::RollingBack;
                self.next.command_at = Some(self.now);
                self.next.rollback = Some(Rollback {
                    started_at: self.now,
                    open_to: u32::MAX,
                    max_in_flight: None,
                    respect_windows: false,
                });
                self.effects.push(Effect::Ban(reason.clone()));
                self.emit(ImageEvent::RollbackStarted, Detail::because(&reason));
                format!("rolling everything back: {reason}")
            }
        }
    }

    /// Stops by itself, until a person resumes.
    fn pause(&mut self, reason: &str) -> String {
        self.next.status = Status::Paused;
        self.next.resume_to = Some(Status::InProgress);
        self.next.reason = Some(reason.to_owned());
        self.next.decided = Some(Decided { by: By::Rules, at: self.now });
        self.emit(ImageEvent::RolloutPaused, Detail::because(reason));
        self.watch();
        self.pause_in_words()
    }

    /// Moves `open_to` on inside the open batch, where only so many may be in flight.
    fn stride(&mut self) {
        let Some(limit) = self.plan.policy.max_in_flight else { return };
        let Some(batch) = self.next.current() else { return };
        if self.next.open_to >= batch.end || self.closed_until().is_some() {
            return;
        }
        let Some(batch) = self.next.current() else { return };
        let closed = batch.end - self.next.open_to;
        // Of the closed places those that take no part are settled already, so at least who is at work is counted.
        let at_work = batch.counts.of(Class::Updating) + batch.counts.of(Class::Blocked);
        let in_flight = batch.counts.unsettled().saturating_sub(closed).max(at_work);
        let room = limit.max(1).saturating_sub(in_flight);
        self.next.open_to = batch.end.min(self.next.open_to + room);
    }

    /// A settled batch without a healthy device proves nothing.
    fn proof(&self, counts: &Counts) -> Proof {
        if counts.of(Class::Healthy) > 0 || counts.devices() == 0 || self.next.skip_batch {
            return Proof::Given;
        }
        let last = self.next.batch as usize == self.next.batches.len();
        if last && self.next.counts().of(Class::Healthy) > 0 {
            return Proof::Given;
        }
        if counts.of(Class::Deferred) == counts.devices() {
            return Proof::Awaited(format!(
                "every device of batch {} is offline; it goes on when one of them is back and healthy",
                self.next.batch
            ));
        }
        Proof::Missing(format!(
            "batch {} settled with no healthy device; resume with skip_batch to go on without",
            self.next.batch
        ))
    }

    fn complete_batch(&mut self) {
        let number = self.next.batch;
        if self.next.target.digest.is_none() {
            // What the first batch proved is what the later ones get.
            self.next.target.digest = self.next.observed.clone();
        }
        let now = self.now;
        if let Some(batch) = self.next.batches.get_mut(number as usize - 1) {
            batch.completed_at = Some(now);
        }
        self.next.check_at = None;
        self.emit(ImageEvent::RolloutBatchCompleted, Detail::batch(number));
    }

    /// The batch's end and the delay, or the last healthy report and the soak: whichever is later.
    fn next_opening(&self) -> Timestamp {
        let policy = &self.plan.policy;
        let ended = self.next.current().and_then(|batch| batch.completed_at).unwrap_or(self.now);
        let by_delay = later(ended, i64::from(policy.batch_delay_seconds));
        let by_soak = self.next.last_healthy_at.map(|at| later(at, i64::from(policy.soak_seconds)));
        by_soak.map_or(by_delay, |at| at.max(by_delay))
    }

    /// Opens the next batch that has anyone in it.
    fn open_next(&mut self) -> String {
        if let Some(closed) = self.closed_until() {
            return closed;
        }
        // What the batch before kept closed is settled: only who is in the next one counts against its limit.
        self.next.open_to = self.next.open_to.max(self.next.current().map_or(0, |batch| batch.end));
        while let Some(batch) = self.next.batches.get(self.next.batch as usize) {
            let (empty, end) = (batch.counts.devices() == 0, batch.end);
            self.next.batch += 1;
            self.next.skip_batch = false;
            if empty {
                self.next.open_to = end.max(self.next.open_to);
                continue;
            }
            let number = self.next.batch;
            let stride = self.plan.policy.max_in_flight.map_or(u32::MAX, |limit| limit.max(1));
            self.next.open_to = end.min(self.next.open_to.saturating_add(stride));
            let now = self.now;
            if let Some(batch) = self.next.batches.get_mut(number as usize - 1) {
                batch.opened_at = Some(now);
            }
            self.next.check_at = None;
            self.watch();
            self.emit(ImageEvent::RolloutBatchStarted, Detail::batch(number));
            let devices = self.next.current().map_or(0, |batch| batch.counts.devices());
            return format!("batch {number} is open to {devices} devices");
        }
        self.complete()
    }
}

/// Whether a settled batch shows that the next may open.
enum Proof {
    /// It does, or a person said to go on without.
    Given,
    /// It may still: for this.
    Awaited(String),
    /// It does not, and nothing will come of waiting.
    Missing(String),
}

impl std::fmt::Display for Fired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::Differs(what) | Self::KeptOut(what) => f.write_str(what),
        }
    }
}

fn waiting_for(counts: &Counts, batch: u32) -> String {
    let unsettled = counts.unsettled();
    let mut parts = Vec::new();
    for (class, words) in
        [(Class::Pending, "not yet offered"), (Class::Updating, "updating"), (Class::Blocked, "locked")]
    {
        if counts.of(class) > 0 {
            parts.push(format!("{} {words}", counts.of(class)));
        }
    }
    format!("waiting for {unsettled} of {} devices in batch {batch}: {}", counts.devices(), parts.join(", "))
}

/// Of whom it was known when the rollout was planned; who told a zone since is offered the image all the same.
fn without_zone(devices: u32) -> String {
    match devices {
        0 => String::new(),
        n => format!(
            "; {n} had told no time zone when they were planned, and the policy names no fallback_timezone: until they do, \
                     their window never opens"
        ),
    }
}

pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
