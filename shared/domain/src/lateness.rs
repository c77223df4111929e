//! Silent devices: the two clocks, the graces, and what becomes of who is late.
//!
//! Clocks run in server time only. A device that was not offered anything has no clock; one that waits for a window,
//! for a resume or for a lock has a stopped one.

use jiff::{SignedDuration, Timestamp};

use crate::assignment::{Assignment, LogEntry, Progress, Reason};
use crate::context::{RolloutContext, RolloutContexts};
use crate::counts::Class;
use crate::device::{Device, Track};
use crate::event::DeviceEvent;
use crate::failure_rules::Outcome;
use crate::ids::RolloutId;
use crate::rollout::{Rollout, Status};
use crate::swap_time::{SwapTime, swap_time};

/// The device's item after what is overdue in one rollout was written down; `None` where nothing is.
pub fn overdue(device: &Device, rollout_id: &RolloutId, known: &RolloutContexts, now: Timestamp) -> Option<Device> {
    let facts = known.get(rollout_id)?;
    let (repository, assignment) = device.assignment(rollout_id)?;
    let (repository, to) = (repository.clone(), verdict(device, assignment, facts, now)?);
    let mut next = device.next_revision();
    let track = next.tracks.get_mut(&repository)?;
    let assignment =
        [&mut track.current, &mut track.next].into_iter().flatten().find(|a| a.rollout_id == *rollout_id)?;
    let mut entry = write_down(assignment, to, now);
    let no_zone = swap_time(&facts.plan.policy, device.timezone.as_deref(), now) == SwapTime::NoZone;
    if no_zone && assignment.progress == Progress::Deferred {
        entry.reason = Some(Reason::NoTimezone);
    }
    next.log.push(entry);
    next.move_up(known, now);
    Some(next)
}

/// The item of a deleted device after its part in rollouts that began to wait for it since, as those do which are taken
/// back, was ended; `None` where none does.
pub fn ended(device: &Device, known: &RolloutContexts, now: Timestamp) -> Option<Device> {
    device.deleted_at?;
    let mut next = device.next_revision();
    next.end(known, now);
    (!next.log.is_empty()).then_some(next)
}

/// The device's item after a row that its rollout waits for, or is owed a way back, was given up because the device has
/// no place in the rollout any more: another policy's rollout took it, or it was deleted and enrolled anew. `None` where
/// it has one. The row may be behind the device: the entry holds only where it still is of that class.
pub fn without_place(device: &Device, class: Class, rollout: &Rollout, now: Timestamp) -> Option<Device> {
    if device.assignment(&rollout.rollout_id).is_some() {
        return None;
    }
    let generation = device.tracks.get(&rollout.repository).map_or(0, Track::generation);
    let reason = if generation > rollout.generation { Reason::TakenOver } else { Reason::Removed };
    let mut left = Assignment::new(rollout.rollout_id.clone(), rollout.generation, 0, 0);
    let mut next = device.next_revision();
    next.log.push(LogEntry { only_from: Some(class), ..left.leaves(reason, now) });
    Some(next)
}

fn write_down(assignment: &mut Assignment, to: Progress, now: Timestamp) -> LogEntry {
    let (event, outcome) = match &to {
        Progress::Failed { .. } => (DeviceEvent::UpdateTimedOut, Some(Outcome::TimedOut)),
        Progress::Deferred | Progress::NotSeen => (DeviceEvent::UpdateDeferred, None),
        _ => (DeviceEvent::UpdateSkipped, None),
    };
    assignment.moves(to, now).event(event).outcome(outcome)
}

/// What an assignment becomes because nothing was heard of it; `None` while it is in time.
fn verdict(device: &Device, assignment: &Assignment, facts: &RolloutContext, now: Timestamp) -> Option<Progress> {
    let rollout = &facts.rollout;
    let policy = &facts.plan.policy;
    let offline_grace = SignedDuration::from_hours(i64::from(policy.offline_grace_hours));
    let past = |since: Timestamp, by: SignedDuration| since.saturating_add(by).is_ok_and(|due| due <= now);
    match &assignment.progress {
        Progress::Waiting if rollout.status == Status::InProgress && rollout.open_for(assignment.position) => {
            let opened = rollout.batches.get(assignment.batch.max(1) as usize - 1)?.opened_at?;
            let since = first_chance(device, facts, opened.max(rollout.resumed_at.unwrap_or(opened)))?;
            past(since, offline_grace).then_some(Progress::Deferred)
        }
        // Never past the swap, and the rollout ended: the server itself may take the offer back.
        progress if progress.before_swap() && rollout.status.withdraws() => {
            Some(Progress::Skipped { reason: Reason::Withdrawn })
        }
        Progress::Blocked { since, .. } => {
            past(*since, SignedDuration::from_hours(i64::from(policy.lock_grace_hours))).then_some(Progress::Deferred)
        }
        Progress::Offered | Progress::Pulled if matches!(rollout.status, Status::InProgress | Status::Completed) => {
            match swap_time(policy, device.timezone.as_deref(), now) {
                SwapTime::Open(window) => silent(assignment, facts, window, now).then_some(timed_out(false)),
                SwapTime::Closed(_) | SwapTime::NoZone => None,
            }
        }
        Progress::Swapping if !rollout.status.takes_back() => {
            let opened = assignment.offered_at.and_then(|offered| last_opening(device, facts, offered, now));
            silent(assignment, facts, opened, now).then_some(timed_out(true))
        }
        progress
            if match rollout.status {
                Status::RollingBack => progress.is_owed_a_way_back(),
                // It was given up, came back, and went silent again.
                Status::RolledBack => *progress == Progress::Reverting,
                _ => false,
            } =>
        {
            let started = rollout.rollback.as_ref()?.started_at;
            let since =
                [assignment.offered_at, assignment.progress_at].into_iter().flatten().fold(started, Timestamp::max);
            let respects = rollout.rollback.as_ref().is_some_and(|rollback| rollback.respect_windows);
            // Who waits for its window is not absent.
            let since = if respects { first_chance(device, facts, since).unwrap_or(since) } else { since };
            (rollout.rollback_open_for(assignment.position) && past(since, offline_grace)).then_some(Progress::NotSeen)
        }
        Progress::Waiting
        | Progress::Deferred
        | Progress::Offered
        | Progress::Pulled
        | Progress::Swapping
        | Progress::Healthy
        | Progress::Failed { .. }
        | Progress::Reverting
        | Progress::RolledBack { .. }
        | Progress::Stuck { .. }
        | Progress::NotSeen
        | Progress::Skipped { .. } => None,
    }
}

fn timed_out(swapped: bool) -> Progress {
    Progress::Failed { reason: Reason::TimedOut, swapped }
}

/// From when on the device could have been offered the image: the batch's opening, or its own next window.
fn first_chance(device: &Device, facts: &RolloutContext, opened: Timestamp) -> Option<Timestamp> {
    match swap_time(&facts.plan.policy, device.timezone.as_deref(), opened) {
        // Without a zone it has no chance, and the batch does not wait for that longer than for one that is offline.
        SwapTime::Open(_) | SwapTime::NoZone => Some(opened),
        SwapTime::Closed(next) => next,
    }
}

/// The newest opening of the device's window after its offer: a swap that it let start may outlast the window.
fn last_opening(device: &Device, facts: &RolloutContext, offered: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let window = facts.plan.policy.window.as_ref()?;
    let zone = window.zone_for(device.timezone.as_deref()).zone()?;
    window.intervals(&zone, offered).map(|interval| interval.opens_at).take_while(|opens_at| *opens_at <= now).last()
}

/// The stall clock and the total clock: the first starts again with each report, the second does not.
fn silent(assignment: &Assignment, facts: &RolloutContext, window_opened: Option<Timestamp>, now: Timestamp) -> bool {
    let policy = &facts.plan.policy;
    let Some(offered) = assignment.offered_at else { return false };
    let start = [facts.rollout.resumed_at, window_opened].into_iter().flatten().fold(offered, Timestamp::max);
    let heard = assignment.progress_at.map_or(start, |at| at.max(start));
    let past = |since: Timestamp, seconds: u32| {
        since.saturating_add(SignedDuration::from_secs(i64::from(seconds))).is_ok_and(|due| due <= now)
    };
    past(heard, policy.stall_seconds) || past(start, policy.total_seconds)
}

#[cfg(test)]
mod tests;
