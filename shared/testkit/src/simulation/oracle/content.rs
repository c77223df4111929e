//! What devices really run after their swaps, and what rollouts are proven with by it.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_domain::counts::Class;
use tidegate_domain::device::Device;
use tidegate_domain::failure_rules::Outcome;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::image::Digest;
use tidegate_domain::rollout::{Rollout, Status};

use super::stored::{head, heads, is_retry, rollouts};
use super::{Oracle, SKEW};
use crate::memory::MemoryStore;

/// How long a step may work on what it read, in milliseconds.
const STEP_MS: i64 = 60_000;

/// The truth of what ran where; of a device that lies, what it says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// What ran on a device since its swap to this rollout's image, and until its next one.
    ran: BTreeMap<RolloutId, BTreeMap<DeviceUuid, BTreeSet<Digest>>>,
    /// The rollout of each device's last swap.
    last: BTreeMap<DeviceUuid, RolloutId>,
}

impl Contents {
    fn ran_on(&self, id: &RolloutId, device: DeviceUuid, content: &Digest) -> bool {
        self.ran.get(id).and_then(|devices| devices.get(&device)).is_some_and(|ran| ran.contains(content))
    }

    fn ran_anywhere(&self, id: &RolloutId, content: &Digest) -> bool {
        self.ran.get(id).is_some_and(|devices| devices.values().any(|ran| ran.contains(content)))
    }
}

impl Oracle {
    /// A device replaced its container for this rollout.
    pub(in crate::simulation) fn runs_after_its_swap(&mut self, device: DeviceUuid, id: &RolloutId, content: Digest) {
        self.contents.last.insert(device, id.clone());
        self.contents.ran.entry(id.clone()).or_default().entry(device).or_default().insert(content);
    }

    /// Somebody started something else on a device.
    pub(in crate::simulation) fn runs_something_else(&mut self, device: DeviceUuid, content: Digest) {
        if let Some(id) = self.contents.last.get(&device).cloned() {
            self.runs_after_its_swap(device, &id, content);
        }
    }

    /// A device is healthy with what it ran after its swap, and with nothing that it ran before.
    pub(super) fn check_healthy(&mut self, device: &Device) {
        for entry in &device.log {
            if !matches!(entry.outcome, Some(Outcome::Healthy | Outcome::Recovered)) {
                continue;
            }
            let id = &entry.rollout_id;
            let states = self.history.get(id).and_then(|states| states.last());
            let content = entry.digest.as_ref().or_else(|| states.and_then(|(_, it)| it.target.digest.as_ref()));
            if let Some(content) = content.filter(|it| !self.contents.ran_on(id, device.device_uuid, it)) {
                let uuid = device.device_uuid;
                self.wrong(format!(
                    "device {uuid} is healthy in {id} with {content}, which it never ran after its swap"
                ));
            }
        }
    }

    /// A rollout whose content nobody told knows it from a device that ran it after the swap; and that is nothing that the
    /// policy kept out when the step read.
    pub(super) fn check_observed(&mut self, store: &MemoryStore, old: &Rollout, new: &Rollout, now: i64) {
        let id = &new.rollout_id;
        if let Some(content) = new.observed.as_ref().filter(|it| !self.contents.ran_anywhere(id, it)) {
            self.wrong(format!("{id} is proven with {content}, which no device ran after its swap"));
        }
        let found = new.target.digest.as_ref().filter(|_| old.target.digest.is_none() && old.started_at.is_some());
        let bad = found.and_then(|content| head(store, new)?.bad(content).cloned());
        if let Some(bad) = bad.filter(|bad| bad.at.as_millisecond() + STEP_MS + SKEW < now)
            && !is_retry(store, id)
        {
            self.wrong(format!("{id} goes on with {} although that is kept out: {}", bad.digest, bad.reason));
        }
        if new.status == Status::Completed && old.status != Status::Completed {
            self.check_completed(new);
        }
    }

    fn check_completed(&mut self, rollout: &Rollout) {
        let id = &rollout.rollout_id;
        let is_healthy = rollout.counts().of(Class::Healthy) > 0;
        let content = rollout.target.digest.as_ref().filter(|_| is_healthy);
        if let Some(content) = content.filter(|it| !self.contents.ran_anywhere(id, it)) {
            self.wrong(format!("{id} completed with {content}, which no device ran after its swap"));
        }
    }

    /// What is promoted is what a rollout brought in the end.
    pub(super) fn judge_promoted(&mut self, store: &MemoryStore) {
        let all = rollouts(store);
        for promoted in heads(store).into_iter().filter_map(|head| head.promoted) {
            let brought = all.iter().find(|rollout| rollout.rollout_id == promoted.rollout_id);
            if brought.is_some_and(|rollout| rollout.target != promoted.pin) {
                self.wrong(format!("{:?} is promoted, and is not what {} brought", promoted.pin, promoted.rollout_id));
            }
        }
    }
}
