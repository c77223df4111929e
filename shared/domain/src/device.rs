//! A device's own item: the one truth of what it is, runs and should run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::{optional as ms_opt, required as ms};
use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, LogEntry, Progress, Reason};
use crate::context::{RolloutContext, RolloutContexts};
use crate::ids::{DeviceUuid, PolicyId, RolloutId};
use crate::image::{Digest, Repository, Tag};
use crate::pin::Pin;
use crate::rollout::{Rollout, Status};

/// A device. Names are short: with one service and one assignment it is at most 1 KB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its identity.
    pub device_uuid: DeviceUuid,
    /// Grows with every write.
    pub rev: u64,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its fleet.
    #[serde(rename = "fleet")]
    pub fleet_id: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// IANA name of its zone, as it told.
    #[serde(rename = "tz", default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Such as `linux/arm64/v8`, as it told.
    #[serde(rename = "pf", default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Hash of its token.
    #[serde(rename = "tok")]
    pub token_hash: String,
    /// Hash of the token of a re-enrolment, until its first use.
    #[serde(rename = "tok2", default, skip_serializing_if = "Option::is_none")]
    pub next_token_hash: Option<String>,
    /// An operator allowed a re-enrolment until then.
    #[serde(rename = "re", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub reenrol_until: Option<Timestamp>,
    /// What runs on it, by service name.
    #[serde(rename = "svc", default)]
    pub services: BTreeMap<String, Service>,
    /// Its way through rollouts, by image repository.
    #[serde(rename = "trk", default)]
    pub tracks: BTreeMap<Repository, Track>,
    /// When it enrolled.
    #[serde(rename = "enr", with = "ms")]
    pub enrolled_at: Timestamp,
    /// When it was last heard of, to within six hours.
    #[serde(rename = "seen", with = "ms")]
    pub last_seen: Timestamp,
    /// When it was deleted. Its item stays, to answer its last token.
    #[serde(rename = "del", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// What the last write means for rollouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogEntry>,
}

/// A service of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The repository of its image.
    #[serde(rename = "r")]
    pub repository: Repository,
    /// What it reported to run.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
}

/// What a service reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The tag that it was started by.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What it runs.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The container's state, in the engine's word.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether it is healthy, where it told.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// The digest was told before the last swap: nobody said yet what runs since.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub before_swap: bool,
}

/// A device's way through the rollouts of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Track {
    /// The last proven image: where a rollback leads.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Pin>,
    /// What it rests on while it is not updated, where that is not the baseline: healthy in a rollout that ended early.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub resting: Option<Pin>,
    /// What ran before it drifted, while it runs what nobody of ours put there.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub drifted: Option<Pin>,
    /// Its place in the newest rollout that it takes part in.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Assignment>,
    /// Its place in a newer one, while the current swap is under way.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Assignment>,
    /// Its place in the rollout before the current one, for late reports.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastPlace>,
}

/// What is kept of a place that a newer one replaced: enough to tell a late report from a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPlace {
    /// The rollout.
    #[serde(rename = "r")]
    pub rollout_id: RolloutId,
    /// The attempt.
    #[serde(rename = "a")]
    pub attempt: u8,
    /// The highest `seq` reported in it.
    #[serde(rename = "q")]
    pub seq: u32,
}

impl Track {
    /// The assignment in this rollout, current or next.
    pub fn assignment(&self, rollout_id: &RolloutId) -> Option<&Assignment> {
        self.current.iter().chain(&self.next).find(|a| a.rollout_id == *rollout_id)
    }

    /// What the device runs while it waits: its resting image, else its baseline.
    pub fn idle(&self) -> Option<&Pin> {
        self.resting.as_ref().or(self.baseline.as_ref())
    }

    /// What the device runs while it waits in this rollout. What a rollout brought and takes back is rested on by nobody,
    /// a latecomer included.
    pub fn idle_in(&self, rollout: &Rollout) -> Option<&Pin> {
        let rests = |pin: &&Pin| !(rollout.status.takes_back() && pin.same_image(&rollout.target));
        self.resting.as_ref().filter(rests).or(self.baseline.as_ref())
    }

    /// It was found to run this content already, whoever put it there: it rests on that.
    pub(crate) fn rest_on(&mut self, pin: &Pin) {
        if !self.idle().is_some_and(|idle| idle.same_image(pin)) {
            self.resting = Some(pin.clone());
        }
        self.drifted = None;
    }

    /// The highest generation that it knows.
    pub fn generation(&self) -> u64 {
        self.current.iter().chain(&self.next).map(|a| a.generation).max().unwrap_or(0)
    }

    /// Puts a new assignment, in a rollout of the policy `by`, in the place of the current one, whose rollout is `old`
    /// (where it is known). What the device proved, or rests on, is kept. Returns what that means for the old row.
    pub fn replace(
        &mut self,
        new: Assignment,
        by: &PolicyId,
        old: Option<&RolloutContext>,
        ran: Option<&Digest>,
        now: Timestamp,
    ) -> Vec<LogEntry> {
        let mut log = Vec::new();
        if let Some(mut current) = self.current.take() {
            let before_swap = current.progress.before_swap();
            if old.is_some_and(|old| is_taken_from(&current, old, by)) {
                log.push(current.leaves(Reason::TakenOver, now));
            } else if before_swap {
                log.push(current.leaves(Reason::Withdrawn, now));
            }
            if let Some(known) = old {
                self.settle_baseline(&current, known, ran);
            }
            self.last = Some(LastPlace { rollout_id: current.rollout_id, attempt: current.attempt, seq: current.seq });
        }
        self.current = Some(new);
        log
    }

    /// The baseline advances only when the device was healthy and its rollout completed; what is healthy in a rollout
    /// that ended otherwise is rested on, and never a way back.
    fn settle_baseline(&mut self, settled: &Assignment, known: &RolloutContext, ran: Option<&Digest>) {
        let rollout = &known.rollout;
        let up_to_date = Progress::Skipped { reason: Reason::UpToDate };
        let joined = (matches!(settled.progress, Progress::Waiting | Progress::Deferred)
            || settled.progress == up_to_date)
            && ran.is_some_and(|digest| known.is_target(digest, None));
        let kept = matches!(settled.progress, Progress::Healthy)
            || matches!(&settled.progress, Progress::Failed { swapped: true, .. } if !known.plan.policy.auto_rollback)
            || joined;
        let untouched = match &settled.progress {
            Progress::Waiting | Progress::Deferred | Progress::Skipped { .. } => true,
            Progress::Failed { swapped, .. } => !swapped,
            progress => progress.before_swap(),
        };
        let taken_back = rollout.status.takes_back();
        // Of an unpinned rollout the device itself knows the content: by its tag alone it could not be told from, or be
        // taken for, another.
        let pulled = settled.pulled.as_ref();
        let tried_it = matches!(&settled.progress, Progress::Failed { reason: Reason::Unhealthy, swapped: true });
        let content = ran.or(pulled).filter(|content| match &settled.progress {
            Progress::Healthy => true,
            // What was not healthy was told of the new container.
            _ => pulled.map_or(tried_it, |pulled| pulled == *content),
        });
        let content = content.filter(|_| self.drifted.is_none());
        let digest = rollout.target.digest.clone().or_else(|| content.cloned());
        let brought = Pin { digest, ..rollout.target.clone() };
        if untouched && !joined {
            // What it rested on still runs, unless that is what this rollout brought and took back.
            self.resting.take_if(|resting| taken_back && resting.same_image(&rollout.target));
        } else if !kept || taken_back {
            self.resting = None;
        } else if rollout.status == Status::Completed && !matches!(settled.progress, Progress::Failed { .. }) {
            self.baseline = Some(brought);
            self.resting = None;
        } else {
            self.resting = Some(brought);
        }
    }
}

impl Device {
    /// A swap begins: what was told of the repository's services says nothing of what they run after it.
    pub(crate) fn swaps(&mut self, repository: &Repository) {
        let services = self.services.values_mut().filter(|service| service.repository == *repository);
        for running in services.filter_map(|service| service.running.as_mut()) {
            running.before_swap = true;
        }
    }

    /// The services whose image is of this repository: they move together.
    pub fn services_of(&self, repository: &Repository) -> impl Iterator<Item = (&String, &Service)> {
        self.services.iter().filter(move |(_, service)| service.repository == *repository)
    }

    /// What the repository's services reported to run.
    fn running(&self, repository: &Repository) -> impl Iterator<Item = &Running> {
        self.services_of(repository).filter_map(|(_, service)| service.running.as_ref())
    }

    /// The digest that the repository's (first) service reported.
    pub fn running_digest(&self, repository: &Repository) -> Option<&Digest> {
        self.running(repository).find_map(|running| running.digest.as_ref())
    }

    /// That digest, where it was told since the last swap began. After one that nothing was heard of, nobody knows what runs.
    pub fn certain_digest(&self, repository: &Repository) -> Option<&Digest> {
        self.running(repository).filter(|running| !running.before_swap).find_map(|running| running.digest.as_ref())
    }

    /// The tag by which the repository's (first) service reported to run.
    pub fn running_tag(&self, repository: &Repository) -> Option<&Tag> {
        self.running(repository).find_map(|running| running.tag.as_ref())
    }

    /// The ids of every rollout that its target state may depend on.
    pub fn rollout_ids(&self) -> impl Iterator<Item = &RolloutId> {
        self.tracks.values().flat_map(|track| track.current.iter().chain(&track.next)).map(|a| &a.rollout_id)
    }

    /// The assignment in this rollout with its repository.
    pub fn assignment(&self, rollout_id: &RolloutId) -> Option<(&Repository, &Assignment)> {
        self.tracks.iter().find_map(|(repository, track)| Some((repository, track.assignment(rollout_id)?)))
    }

    /// A copy to change: one revision later, with an empty log.
    #[must_use]
    pub fn next_revision(&self) -> Self {
        Self { rev: self.rev + 1, log: Vec::new(), ..self.clone() }
    }

    /// Ends its part, before the swap, in rollouts that are not for it any more, as `is_for` says. Past the swap it settles
    /// there first. Whoever waits in a rollout that ended keeps its place: nobody waits for it.
    pub fn leave(&mut self, known: &RolloutContexts, is_for: impl Fn(&Self, &RolloutContext) -> bool, now: Timestamp) {
        let leaves = |device: &Self, place: &Assignment, facts: &RolloutContext| {
            let waited_for = facts.rollout.status.waits_for_devices() && place.progress.can_leave();
            (waited_for || place.progress.before_swap()) && !is_for(device, facts)
        };
        self.end_places(known, leaves, now);
    }

    /// Ends every part that somebody waits for: it was deleted, and will never say more.
    pub fn end(&mut self, known: &RolloutContexts, now: Timestamp) {
        let ends = |_: &Self, place: &Assignment, facts: &RolloutContext| {
            let (status, progress) = (facts.rollout.status, &place.progress);
            let waited_for = match status {
                Status::RollingBack => progress.can_leave() || progress.is_owed_a_way_back(),
                Status::RolledBack => *progress == Progress::Reverting,
                status => status.waits_for_devices() && (progress.can_leave() || *progress == Progress::Swapping),
            };
            waited_for || progress.before_swap()
        };
        self.end_places(known, ends, now);
    }

    fn end_places(
        &mut self,
        known: &RolloutContexts,
        ends: impl Fn(&Self, &Assignment, &RolloutContext) -> bool,
        now: Timestamp,
    ) {
        let leaves = |place: &Assignment| known.get(&place.rollout_id).is_some_and(|facts| ends(self, place, facts));
        let places = self.tracks.values().flat_map(|track| track.current.iter().chain(&track.next));
        let left: Vec<RolloutId> = places.filter(|place| leaves(place)).map(|place| place.rollout_id.clone()).collect();
        for track in self.tracks.values_mut() {
            let places = [&mut track.current, &mut track.next].into_iter().flatten();
            for place in places.filter(|place| left.contains(&place.rollout_id)) {
                self.log.push(place.leaves(Reason::Removed, now));
            }
        }
    }

    /// Moves waiting assignments up where the current one is settled. Part of every write that settles something.
    pub(crate) fn move_up(&mut self, known: &RolloutContexts, now: Timestamp) {
        let repositories: Vec<Repository> = self.tracks.keys().cloned().collect();
        for repository in repositories {
            let ran = self.certain_digest(&repository).cloned();
            let Some(track) = self.tracks.get_mut(&repository) else { continue };
            let free = track
                .current
                .as_ref()
                .is_none_or(|current| known.get(&current.rollout_id).is_some_and(|known| !holds(current, known)));
            if free && let Some(next) = track.next.take() {
                let old = track.current.as_ref().and_then(|current| known.get(&current.rollout_id)).cloned();
                let Some(by) = known.get(&next.rollout_id).map(|known| known.rollout.policy_id.clone()) else {
                    track.next = Some(next);
                    continue;
                };
                self.log.extend(track.replace(next, &by, old.as_deref(), ran.as_ref(), now));
            }
        }
    }
}

/// Whether a rollout of the policy `by` takes the device out of another policy's that would wait for it. A newer rollout
/// of the same policy supersedes the older one, which then waits for nobody: telling every row of that would be a write
/// for every device.
pub(crate) fn is_taken_from(place: &Assignment, old: &RolloutContext, by: &PolicyId) -> bool {
    old.rollout.policy_id != *by && old.rollout.status.waits_for_devices() && place.progress.can_leave()
}

/// Whether an assignment keeps a newer one waiting: a swap, there or back, is under way or owed.
pub fn holds(assignment: &Assignment, known: &RolloutContext) -> bool {
    let owed = known.rollout.status == Status::RollingBack
        && matches!(
            assignment.progress,
            Progress::Healthy | Progress::Failed { swapped: true, .. } | Progress::Swapping | Progress::Reverting
        );
    owed || assignment.progress.busy(known.plan.policy.auto_rollback)
}

#[cfg(test)]
mod tests;
