//! What must always hold, and what must hold in the end. It knows the rules, and reads the store past every fault.

mod content;
mod device;
mod ending;
mod lines;
mod news;
mod progress;
mod proof;
mod safeguards;
mod stored;

pub(super) use ending::is_at_rest;
pub(super) use stored::{all_rows, rollouts, stored_policies};

use std::collections::BTreeMap;

use jiff::Timestamp;
use tidegate_domain::command::Command;
use tidegate_domain::counts::Counts;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::image::Digest;
use tidegate_domain::policy::Policy;
use tidegate_domain::rollout::{Rollout, Status};

use super::scenario::{Push, Scenario, digest};
use crate::memory::MemoryStore;
use content::Contents;
use lines::Lines;
use stored::pages;

/// How far clocks may differ, in milliseconds.
const SKEW: i64 = 1_700;

/// How old what a function acts on may be, in milliseconds: it is ended after this.
const READ_MS: i64 = 10_000;

/// Something new that is worth a line and a count.
pub(super) struct News {
    pub coverage: String,
    pub words: String,
}

pub(super) struct Oracle {
    /// Of each rollout, the policy as it was frozen with it.
    policies: BTreeMap<RolloutId, Policy>,
    pub violations: Vec<String>,
    /// Each rollout's states, with the times when they were stored.
    history: BTreeMap<RolloutId, Vec<(i64, Rollout)>>,
    /// Rounds in a row in which nothing moved.
    pub quiet: u32,
    /// Which policies are one to people.
    lines: Lines,
    /// What ran where.
    contents: Contents,
    /// Whether some push is told under two ids.
    twins: bool,
    /// When each version was pushed, by its sender's clock, and what.
    pushes: BTreeMap<u32, (i64, Digest)>,
    /// Rollouts that were named to who pushed this version's tag a second time.
    repushed: BTreeMap<RolloutId, u32>,
    /// Whether some content is pushed under several tags.
    pushes_again: bool,
    /// When another rollout's place took the place of this one on a device, in milliseconds.
    left: BTreeMap<(DeviceUuid, RolloutId), i64>,
    /// Rows that were waited for though their devices have no place, and for how many rounds in a row.
    placeless: BTreeMap<(RolloutId, DeviceUuid), u32>,
}

impl Oracle {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let pushed = |push: &Push| (push.version, (push.at + push.clock, digest(push.content)));
        Self {
            policies: BTreeMap::new(),
            lines: Lines::default(),
            contents: Contents::default(),
            twins: scenario.twins(),
            pushes: scenario.pushes.iter().map(pushed).collect(),
            repushed: BTreeMap::new(),
            pushes_again: scenario.pushes_again(),
            violations: Vec::new(),
            history: BTreeMap::new(),
            quiet: 0,
            left: BTreeMap::new(),
            placeless: BTreeMap::new(),
        }
    }

    /// The policy that a rollout follows.
    fn policy(&self, id: &RolloutId) -> &Policy {
        self.policies.get(id).expect("a rollout is stored with its policy")
    }

    fn wrong(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Looks at rollouts that were written since the last look.
    pub(super) fn watch_rollouts(&mut self, store: &MemoryStore, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        let all = rollouts(store);
        for rollout in &all {
            if !self.policies.contains_key(&rollout.rollout_id)
                && let Some(policy) = stored::policy(store, &rollout.rollout_id)
            {
                self.policies.insert(rollout.rollout_id.clone(), policy);
            }
            let last =
                self.history.get(&rollout.rollout_id).and_then(|states| states.last()).map(|(_, old)| old.clone());
            if last.as_ref() == Some(rollout) {
                continue;
            }
            let from = last.as_ref().map(|old| old.status);
            if from != Some(rollout.status) {
                news.push(News {
                    coverage: format!("status: {}", rollout.status.name()),
                    words: format!(
                        "rollout {} ({}): {} → {}{}",
                        rollout.rollout_id,
                        rollout.target.tag.as_ref().map_or("", |tag| tag.as_str()),
                        from.map_or("new", Status::name),
                        rollout.status.name(),
                        rollout.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default()
                    ),
                });
            }
            if let Some(old) = &last {
                if old.batch != rollout.batch {
                    news.push(News {
                        coverage: format!("batch {} opens", rollout.batch),
                        words: format!(
                            "rollout {}: batch {} opens to {}",
                            rollout.rollout_id, rollout.batch, rollout.open_to
                        ),
                    });
                }
                self.check_change(store, old, rollout, now);
                self.check_observed(store, old, rollout, now.as_millisecond());
            } else {
                self.check_kept_out(store, rollout);
            }
            self.history.entry(rollout.rollout_id.clone()).or_default().push((now.as_millisecond(), rollout.clone()));
        }
        if !news.is_empty() {
            self.check_owners(&all);
        }
        self.check_news(&all);
        news
    }

    /// What a command did is stored: its revision, with its status.
    pub(super) fn command_done(&mut self, id: &RolloutId, command: &Command, status: Status) {
        let seen =
            self.history.get(id).is_some_and(|states| states.iter().rev().take(4).any(|(_, r)| r.status == status));
        if !seen {
            self.wrong(format!("{} of {id} was confirmed and is not stored", command.name()));
        }
    }

    /// Counts equal the rows that they count.
    pub(super) fn audit(&mut self, store: &MemoryStore) {
        let rows = all_rows(store);
        for rollout in rollouts(store).iter().filter(|rollout| !rollout.batches.is_empty()) {
            let mut counted = rollout.clone();
            let all = pages(store, &rollout.rollout_id);
            if let Some((n, (number, _))) = all.iter().enumerate().find(|(n, (number, _))| *n as u32 + 1 != **number) {
                self.wrong(format!("{}: page {number} of the journal is the {n}th", rollout.rollout_id));
            }
            for (_, page) in all.iter().filter(|(number, _)| **number > rollout.cursor) {
                page.count_into(&mut counted.batches);
            }
            let mut real: Vec<Counts> = counted.batches.iter().map(|_| Counts::default()).collect();
            for row in rows.iter().filter(|row| row.rollout_id == rollout.rollout_id) {
                let Some(counts) = real.get_mut(row.batch as usize - 1) else { continue };
                counts.add(row.class, 1);
                counts.add_updated(i64::from(row.updated));
                counts.add_ever_failed(i64::from(row.ever_failed()));
            }
            for (n, (batch, real)) in counted.batches.iter().zip(&real).enumerate() {
                if batch.counts != *real {
                    self.wrong(format!(
                        "{}: batch {} counts {:?}, and its rows are {real:?}",
                        rollout.rollout_id,
                        n + 1,
                        batch.counts
                    ));
                }
            }
        }
    }
}
