//! What a poll moves: the one place that decides what a device runs next.
//!
//! [`poll`] answers with the device's item as it is to be stored *before* the new target is told; where that write
//! fails, the old target is the answer.

use jiff::{SignedDuration, Timestamp};

use crate::assignment::{Assignment, LogEntry, Progress, Reason};
use crate::context::{RolloutContext, RolloutContexts};
use crate::device::Device;
use crate::event::DeviceEvent;
use crate::image::Repository;
use crate::rollout::Status;
use crate::strategy::Phase;
use crate::swap_time::{SwapTime, swap_time};

/// `last_seen` is at most this old while a device polls, in hours: it costs a write of its own on a settled device.
pub const LAST_SEEN_HOURS: i64 = 6;

/// The device's item as a poll at `now` leaves it; `None` where nothing is to be written.
pub fn poll(device: &Device, known: &RolloutContexts, now: Timestamp) -> Option<Device> {
    let mut next = device.next_revision();
    let mut moved = false;
    for repository in by_policy_name(device, known) {
        moved |= advance(&mut next, &repository, known, now);
    }
    if moved {
        next.move_up(known, now);
    }
    let stale = device.last_seen.saturating_add(SignedDuration::from_hours(LAST_SEEN_HOURS)).is_ok_and(|at| at <= now);
    (moved || stale).then(|| {
        next.last_seen = now.max(device.last_seen);
        next
    })
}

/// Different images move one at a time, in the order of their policies' names.
fn by_policy_name(device: &Device, known: &RolloutContexts) -> Vec<Repository> {
    let mut named: Vec<(&str, &Repository)> = device
        .tracks
        .iter()
        .filter_map(|(repository, track)| {
            let known = known.get(&track.current.as_ref()?.rollout_id)?;
            Some((known.plan.policy.name.as_str(), repository))
        })
        .collect();
    named.sort_unstable();
    named.into_iter().map(|(_, repository)| repository.clone()).collect()
}

/// Moves one image's assignment on, if it may move now. Says whether it did.
fn advance(device: &mut Device, repository: &Repository, known: &RolloutContexts, now: Timestamp) -> bool {
    let Some(current) = device.tracks.get(repository).and_then(|track| track.current.as_ref()) else { return false };
    let Some(facts) = known.get(&current.rollout_id).cloned() else { return false };
    let status = facts.rollout.status;
    let step = match &current.progress {
        Progress::Offered | Progress::Pulled | Progress::Blocked { .. } if status.withdraws() => {
            Some(skip(Reason::Withdrawn))
        }
        Progress::Waiting | Progress::Deferred => offer(device, repository, current, &facts, known, now),
        Progress::Pulled => allow_swap(device, current, &facts, now),
        Progress::Blocked { until, pulled, .. } if *until <= now => {
            Some(unblock(device, current, &facts, *pulled, now))
        }
        Progress::Swapping | Progress::Healthy | Progress::NotSeen | Progress::Failed { swapped: true, .. }
            if status.takes_back() =>
        {
            take_back(device, repository, current, &facts, now)
        }
        Progress::Offered
        | Progress::Blocked { .. }
        | Progress::Swapping
        | Progress::Healthy
        | Progress::Failed { .. }
        | Progress::Reverting
        | Progress::RolledBack { .. }
        | Progress::Stuck { .. }
        | Progress::NotSeen
        | Progress::Skipped { .. } => None,
    };
    let Some(step) = step else { return false };
    if step.to == Progress::Swapping {
        device.swaps(repository);
    }
    let Some(track) = device.tracks.get_mut(repository) else { return false };
    if step.to == (Progress::Skipped { reason: Reason::UpToDate }) {
        track.rest_on(&facts.rollout.target);
    }
    let Some(current) = track.current.as_mut() else { return false };
    device.log.extend(step.apply(current, &facts, now));
    true
}

/// A move of one assignment, decided and not yet made.
struct Step {
    to: Progress,
    /// An offer, of the image or of the way back: starts the clocks.
    offer: bool,
    event: Option<DeviceEvent>,
    /// Whether the row changes at all.
    told: bool,
}

fn skip(reason: Reason) -> Step {
    Step { to: Progress::Skipped { reason }, offer: false, event: Some(DeviceEvent::UpdateSkipped), told: true }
}

impl Step {
    fn apply(self, assignment: &mut Assignment, facts: &RolloutContext, now: Timestamp) -> Option<LogEntry> {
        let late = matches!(assignment.progress, Progress::Deferred) || assignment.position >= facts.rollout.total;
        if self.offer {
            assignment.offered_at = Some(now);
            assignment.progress_at = None;
            if late && matches!(self.to, Progress::Offered) {
                assignment.batch = facts.rollout.batch.max(1);
            }
        }
        let mut entry = assignment.moves(self.to, now);
        entry.event = self.event;
        entry.offered = self.offer;
        if self.offer && late {
            entry.batch = Some(assignment.batch);
            entry.position = Some(assignment.position);
        }
        self.told.then_some(entry)
    }
}

fn offer(
    device: &Device,
    repository: &Repository,
    current: &Assignment,
    facts: &RolloutContext,
    known: &RolloutContexts,
    now: Timestamp,
) -> Option<Step> {
    let rollout = &facts.rollout;
    if rollout.status != Status::InProgress || !rollout.open_for(current.position) {
        return None;
    }
    let policy = &facts.plan.policy;
    if !policy.selector.selects(&device.fleet_id, &device.tags) || device.services_of(repository).next().is_none() {
        return Some(skip(Reason::Removed));
    }
    if facts.not_applicable(device.platform.as_deref()) {
        return Some(skip(Reason::NotApplicable));
    }
    let platform = device.platform.as_deref();
    if device.certain_digest(repository).is_some_and(|digest| facts.is_target(digest, platform)) {
        return Some(skip(Reason::UpToDate));
    }
    if device.tracks.iter().any(|(other, track)| other != repository && moving(track.current.as_ref(), known)) {
        return None;
    }
    match swap_time(policy, device.timezone.as_deref(), now) {
        SwapTime::Open(_) => Some(Step { to: Progress::Offered, offer: true, event: None, told: true }),
        SwapTime::Closed(_) | SwapTime::NoZone => None,
    }
}

fn moving(other: Option<&Assignment>, known: &RolloutContexts) -> bool {
    other.is_some_and(|a| {
        a.progress.before_swap()
            || known.get(&a.rollout_id).is_some_and(|k| a.progress.busy(k.plan.policy.auto_rollback))
    })
}

fn may_swap(device: &Device, current: &Assignment, facts: &RolloutContext, now: Timestamp) -> bool {
    // An offer can cross the rollout's completion: the image is proven then, and the device goes on.
    matches!(facts.rollout.status, Status::InProgress | Status::Completed)
        && facts.rollout.open_for(current.position)
        && facts.plan.stages.phase(facts.rollout.batch) == Phase::Swap
        && facts.rollout.admits(current.pulled.as_ref())
        && matches!(swap_time(&facts.plan.policy, device.timezone.as_deref(), now), SwapTime::Open(_))
}

/// The answer to the question before the swap. The row is not told: its next report says it.
fn allow_swap(device: &Device, current: &Assignment, facts: &RolloutContext, now: Timestamp) -> Option<Step> {
    may_swap(device, current, facts, now).then_some(Step {
        to: Progress::Swapping,
        offer: false,
        event: None,
        told: false,
    })
}

fn unblock(device: &Device, current: &Assignment, facts: &RolloutContext, pulled: bool, now: Timestamp) -> Step {
    let to = match (pulled, may_swap(device, current, facts, now)) {
        (true, true) => Progress::Swapping,
        (true, false) => Progress::Pulled,
        (false, _) => Progress::Offered,
    };
    // The clocks start again at the end of the lock.
    Step { to, offer: true, event: None, told: true }
}

fn take_back(
    device: &Device,
    repository: &Repository,
    current: &Assignment,
    facts: &RolloutContext,
    now: Timestamp,
) -> Option<Step> {
    let rollback = facts.rollout.rollback.as_ref()?;
    let by_itself = matches!(current.progress, Progress::Failed { .. }) && facts.plan.policy.auto_rollback;
    let closed = rollback.respect_windows
        && !matches!(swap_time(&facts.plan.policy, device.timezone.as_deref(), now), SwapTime::Open(_));
    if by_itself || closed || !facts.rollout.rollback_open_for(current.position) {
        return None;
    }
    let to = match device.tracks.get(repository).and_then(|track| track.baseline.as_ref()) {
        Some(_) => Progress::Reverting,
        None => Progress::Stuck { reason: Reason::NoPrevious },
    };
    Some(Step { to, offer: true, event: None, told: true })
}

#[cfg(test)]
mod tests;
