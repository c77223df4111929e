//! How rollouts may go on: from status to status, batch to batch, under every rule that stops them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tidegate_domain::counts::{Class, Counts};
use tidegate_domain::failure_rules::{FailureRules, Outcome};
use tidegate_domain::rollout::{Rollout, Status, Trigger};
use tidegate_domain::row::Row;

use super::stored::{all_rows, pages};
use super::{Oracle, SKEW};
use crate::memory::MemoryStore;

impl Oracle {
    /// At most one rollout of an image and policy is under way, whatever became of the policy meanwhile.
    pub(super) fn check_owners(&mut self, all: &[Rollout]) {
        let mut owners: BTreeMap<String, Vec<&Rollout>> = BTreeMap::new();
        for rollout in all.iter().filter(|rollout| {
            matches!(rollout.status, Status::AwaitingApproval | Status::Scheduled | Status::InProgress | Status::Paused)
        }) {
            let line = self.lines.first(&rollout.policy_id);
            owners.entry(format!("{}/{line}", rollout.repository)).or_default().push(rollout);
        }
        for (image, live) in owners.into_iter().filter(|(_, live)| live.len() > 1) {
            self.wrong(format!("{image} has {} live rollouts", live.len()));
        }
        // A push that is told twice under two ids may come again after another one, whatever became of that: a legitimate
        // way back to it. Told under one id it makes one rollout, whatever comes between.
        let mut newest: Vec<&Rollout> = all.iter().collect();
        newest.sort_by_key(|rollout| rollout.generation);
        let same = |one: &Rollout, two: &Rollout| {
            let cancelled = one.status == Status::Cancelled || two.status == Status::Cancelled;
            // A person may want an image as often as they like.
            let by_hand = one.triggered_by == Trigger::Manual || two.triggered_by == Trigger::Manual;
            let policy = one.policy_id == two.policy_id && !by_hand;
            // Of one that came without its digest nobody knew before that it is another's.
            let first = self.history.get(&two.rollout_id).and_then(|states| states.first());
            let unknown = self.twins && first.is_none_or(|(_, first)| first.target.digest.is_none());
            // Nobody approved it in time: told again, it asks again.
            let of_one = self.history.get(&one.rollout_id);
            let expired = of_one.is_some_and(|states| states.iter().any(|(_, one)| one.status == Status::Expired));
            let asks_again = self.twins && expired;
            policy
                && !(cancelled || unknown || asks_again)
                && one.target.digest.is_some()
                && one.target.digest == two.target.digest
        };
        let twice = newest.iter().enumerate().find_map(|(n, rollout)| {
            let mut later = newest[n + 1..]
                .iter()
                .filter(|next| next.policy_id == rollout.policy_id)
                .take(if self.twins { 1 } else { usize::MAX });
            let twin = later.find(|next| same(rollout, next))?;
            Some(format!("{} and {} bring the same delivered image", rollout.rollout_id, twin.rollout_id))
        });
        // Contents that come again under another tag are brought again: that is how people go back.
        if let Some(twice) = twice.filter(|_| !self.pushes_again) {
            self.wrong(twice);
        }
    }

    pub(super) fn check_change(&mut self, store: &MemoryStore, old: &Rollout, new: &Rollout, now: Timestamp) {
        let id = &new.rollout_id;
        if new.revision <= old.revision {
            self.wrong(format!("{id}: a write did not raise the revision"));
        }
        if !may_follow(old.status, new.status) {
            self.wrong(format!("{id}: {} became {}", old.status.name(), new.status.name()));
        }
        if old.status == Status::Paused && new.status != Status::Paused && new.command_at == old.command_at {
            let fails = new.status == Status::Failed;
            if !fails {
                self.wrong(format!("{id}: a paused rollout went on without a command"));
            }
        }
        if new.open_to > old.open_to || new.batch > old.batch {
            self.check_opening(store, old, new, now);
            self.check_safeguards(store, new);
        }
        if new.cursor > old.cursor || new.status == Status::InProgress {
            self.check_thresholds(store, new);
        }
        if new.status == Status::RolledBack && old.status == Status::RollingBack {
            let counts = new.counts();
            let left = counts.of(Class::Healthy) + counts.of(Class::Reverting) + counts.of(Class::Failed);
            if left > 0 {
                self.wrong(format!("{id}: rolled back, and {left} devices are not"));
            }
        }
    }

    /// A batch opens when the one before is done, proven and old enough, in an open window, and not while stopped.
    fn check_opening(&mut self, store: &MemoryStore, old: &Rollout, new: &Rollout, now: Timestamp) {
        let id = &new.rollout_id;
        // Empty batches are passed over on the way to an end; nobody is in them.
        if matches!(new.status, Status::Paused | Status::Scheduled | Status::AwaitingApproval | Status::Pending) {
            self.wrong(format!("{id}: opened further while {}", new.status.name()));
        }
        let end = new.batches.get(new.batch as usize - 1).map_or(0, |batch| batch.end);
        if new.open_to > end {
            self.wrong(format!("{id}: open to {} although batch {} ends at {end}", new.open_to, new.batch));
        }
        if new.batch <= old.batch || old.batch == 0 {
            return;
        }
        let Some(before) = new.batches.get(old.batch as usize - 1) else { return };
        let counts = &before.counts;
        let rows: Vec<Row> =
            all_rows(store).into_iter().filter(|row| row.rollout_id == *id && row.batch == old.batch).collect();
        // What a device did since the step read the journal is for the next step.
        let folded = pages(store, id).keys().max().is_none_or(|last| *last <= new.cursor);
        if counts.unsettled() > 0 || (folded && rows.iter().any(|row| row.class.unsettled())) {
            self.wrong(format!(
                "{id}: batch {} opened while {} devices of batch {} are unsettled",
                new.batch,
                counts.unsettled(),
                old.batch
            ));
        }
        if counts.of(Class::Healthy) == 0 && counts.devices() > 0 && !old.skip_batch {
            self.wrong(format!("{id}: batch {} opened although nothing is healthy in batch {}", new.batch, old.batch));
        }
        let delay = i64::from(self.policy(id).batch_delay_seconds) * 1_000;
        if before.completed_at.is_none_or(|at| now.as_millisecond() + SKEW < at.as_millisecond() + delay) {
            self.wrong(format!("{id}: batch {} opened before the delay was over", new.batch));
        }
        let soak = i64::from(self.policy(id).soak_seconds) * 1_000;
        if new.last_healthy_at.is_some_and(|at| now.as_millisecond() + SKEW < at.as_millisecond() + soak) {
            self.wrong(format!("{id}: batch {} opened before the soak was over", new.batch));
        }
        if let Some(kept_out) = new.kept_out.first() {
            self.wrong(format!(
                "{id}: batch {} opened although devices pulled {kept_out}, which is kept out",
                new.batch
            ));
        }
    }

    /// No rollout goes on over an outcome that a rule forbids, unless it was resumed since.
    fn check_thresholds(&mut self, store: &MemoryStore, rollout: &Rollout) {
        if rollout.status != Status::InProgress {
            return;
        }
        let policy = self.policy(&rollout.rollout_id).clone();
        let mut batches: Vec<Counts> = rollout.batches.iter().map(|_| Counts::default()).collect();
        let mut judge = FailureRules::default();
        let planned = |batch: u32| rollout.batches.get(batch as usize - 1).map_or(0, |batch| batch.counts.devices());
        for (number, page) in pages(store, &rollout.rollout_id) {
            if number > rollout.cursor {
                break;
            }
            for delta in &page.deltas {
                if let Some(counts) = batches.get_mut(delta.batch as usize - 1) {
                    counts.merge(&delta.counts);
                }
            }
            for outcome in page.outcomes.iter().filter(|_| number > rollout.judged_from) {
                // Only what no later change of a batch's size can explain away.
                let size = planned(outcome.batch).max(page.outcomes.len() as u32);
                if let Some(rule) = judge.take(outcome.outcome, outcome.batch, size, &policy)
                    && !matches!(outcome.outcome, Outcome::Healthy | Outcome::Recovered)
                    && matches!(rule, tidegate_domain::failure_rules::RuleFired::Consecutive(_))
                {
                    let id = &rollout.rollout_id;
                    return self.wrong(format!("{id} goes on although {rule}"));
                }
            }
        }
        let counts = rollout.current().map(|batch| batch.counts.clone()).unwrap_or_default();
        let failed = counts.failed() + counts.of(Class::RolledBack);
        // Of all that were planned: who is skipped later makes no outcome worse after the fact.
        let excess = policy.max_failure_rate.exceeded_by(failed, counts.rows());
        if excess && rollout.judged_from == 0 && policy.count_timeouts && rollout.batch > 0 {
            let id = &rollout.rollout_id;
            self.wrong(format!("{id} goes on although {failed} of {} devices of its batch failed", counts.devices()));
        }
    }
}

/// The statuses that may follow one another.
fn may_follow(old: Status, new: Status) -> bool {
    use Status as S;
    if old == new {
        return true;
    }
    match old {
        S::Pending => {
            !matches!(new, S::Paused | S::Completed | S::RollingBack | S::RolledBack | S::Expired | S::Rejected)
        }
        S::AwaitingApproval => {
            matches!(new, S::Scheduled | S::Rejected | S::Expired | S::Cancelled | S::Superseded)
        }
        S::Expired => matches!(new, S::AwaitingApproval | S::Superseded),
        S::Scheduled => matches!(new, S::InProgress | S::Paused | S::Cancelled | S::Superseded),
        S::InProgress => {
            matches!(new, S::Paused | S::Completed | S::Failed | S::Cancelled | S::Superseded | S::RollingBack)
        }
        S::Paused => {
            matches!(new, S::InProgress | S::Scheduled | S::Failed | S::Cancelled | S::Superseded | S::RollingBack)
        }
        S::Completed | S::Failed | S::Cancelled => new == S::RollingBack,
        S::RollingBack => new == S::RolledBack,
        S::Superseded | S::Rejected | S::RolledBack => false,
    }
}
