//! What a rollout in progress does: opens the next batch, stops, or waits, as the gates say.

use super::{Detail, Effect, Stepping};
use crate::counts::Class;
use crate::event::ImageEvent;
use crate::instant::in_words;
use crate::policy::OnFailure;
use crate::rollout::{By, Decided, Rollback, Status};
use crate::strategy::{Gate, StopRule, Verdict};

impl Stepping<'_> {
    /// A rollout in progress: stops it, opens the next batch, or says what it waits for.
    pub(super) fn progress(&mut self) -> String {
        if let Some(report) = self.nothing_healthy() {
            return report;
        }
        let mut verdict = self.verdict();
        if !matches!(verdict, Verdict::Stop { .. }) && self.batch_is_done() {
            self.complete_batch();
            verdict = self.verdict();
        }
        match verdict {
            Verdict::Stop { why, rule } => self.stop(&why, rule),
            Verdict::Inconclusive { why } => self.pause(&why),
            Verdict::Wait { why, until } => {
                self.keep_going();
                self.wake_at(until);
                why
            }
            Verdict::Pass if self.next.batch as usize == self.next.batches.len() => self.complete(),
            Verdict::Pass => self.open_next(),
        }
    }

    /// Whether the open batch has just settled with what it must show.
    fn batch_is_done(&self) -> bool {
        self.next.current().is_some_and(|batch| batch.completed_at.is_none())
            && Gate::Settled.check(&self.facts()) == Verdict::Pass
    }

    /// While the open batch is not done: offers go on, and late devices are looked for.
    fn keep_going(&mut self) {
        if Gate::Settled.check(&self.facts()) == Verdict::Pass {
            return;
        }
        self.stride();
        if self.next.current().is_some_and(|batch| batch.counts.unsettled() > 0) {
            self.watch();
        }
    }

    /// While paused, outcomes are still counted and looked at; they can make it worse in view, not better.
    pub(super) fn paused(&mut self) -> String {
        if self.next.counts().of(Class::Updating) > 0 {
            self.watch();
        }
        if let Some(report) = self.nothing_healthy() {
            return report;
        }
        if let Verdict::Stop { why, .. } = self.verdict()
            && !self.next.failure_rules.told
        {
            self.next.failure_rules.told = true;
            self.next.reason = Some(why.clone());
            self.emit(ImageEvent::RolloutFailed, Detail::because(&why));
        }
        self.pause_in_words()
    }

    /// Who paused it, when, why, and how it goes on.
    fn pause_in_words(&self) -> String {
        let who = self.next.decided.map(|told| format!(" by {} at {}", told.by.words(), in_words(told.at)));
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
    pub(super) fn stop(&mut self, reason: &str, rule: StopRule) -> String {
        self.next.reason = Some(reason.to_owned());
        self.next.decided = Some(Decided { by: By::Rules, at: self.now });
        self.next.failure_rules.told = true;
        self.emit(ImageEvent::RolloutFailed, Detail { batch: Some(self.next.batch), ..Detail::because(reason) });
        match self.plan.policy.on_failure {
            OnFailure::Pause => self.pause(reason),
            // No device failed: who pulled it has not swapped.
            OnFailure::RollbackAll if rule == StopRule::KeptOut => self.pause(reason),
            OnFailure::RollbackAll => {
                self.next.status = Status::RollingBack;
                self.next.command_at = Some(self.now);
                self.next.rollback = Some(Rollback {
                    started_at: self.now,
                    open_to: u32::MAX,
                    max_in_flight: None,
                    respect_windows: false,
                });
                self.effects.push(Effect::Ban(reason.to_owned()));
                self.emit(ImageEvent::RollbackStarted, Detail::because(reason));
                format!("rolling everything back: {reason}")
            }
        }
    }

    /// Stops by itself, until a person resumes.
    pub(super) fn pause(&mut self, reason: &str) -> String {
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
        if self.next.open_to >= batch.end {
            return;
        }
        if let Verdict::Wait { until, .. } = Gate::Window.check(&self.facts()) {
            return self.wake_at(until);
        }
        let Some(batch) = self.next.current() else { return };
        let closed = batch.end - self.next.open_to;
        // Of the closed places those that take no part are settled already, so at least who is at work is counted.
        let at_work = batch.counts.of(Class::Updating) + batch.counts.of(Class::Blocked);
        let in_flight = batch.counts.unsettled().saturating_sub(closed).max(at_work);
        let room = limit.max(1).saturating_sub(in_flight);
        self.next.open_to = batch.end.min(self.next.open_to + room);
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

    /// Opens the next batch that has anyone in it.
    pub(super) fn open_next(&mut self) -> String {
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
