//! What a device reports, and what it changes.

mod drift;
mod observe;
mod swap;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::assignment::{Assignment, LogEntry, Progress, ROLLBACK_ATTEMPTS, Reason};
use crate::context::{RolloutContext, RolloutContexts};
use crate::device::Device;
use crate::event::DeviceEvent;
use crate::failure_rules::Outcome;
use crate::ids::RolloutId;
use crate::image::{Digest, ImageRef, Repository};

/// How long a lock is taken to last where the device does not say, in minutes.
const LOCK_MINUTES: i64 = 5;

/// Reports without a `seq` whose ids are remembered.
const REMEMBERED_IDS: usize = 16;

/// What a service runs, as the device sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The reference that it was started by.
    pub image: Option<ImageRef>,
    /// What it runs.
    pub digest: Option<Digest>,
    /// It told a digest that cannot be read.
    pub unread_digest: bool,
    /// The container's state.
    pub status: Option<String>,
    /// Whether it is healthy.
    pub healthy: Option<bool>,
}

/// One report of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its id, of the device's making.
    pub id: String,
    /// The service that it is about.
    pub service: Option<String>,
    /// The rollout.
    pub rollout_id: RolloutId,
    /// The attempt.
    pub attempt: u8,
    /// Its place among the attempt's reports, from 1.
    pub seq: Option<u32>,
    /// What happened.
    pub event: DeviceEvent,
    /// The device's reason or message.
    pub message: Option<String>,
    /// Until when a lock lasts.
    pub until: Option<Timestamp>,
    /// The content that it is about: what was pulled.
    pub digest: Option<Digest>,
}

/// Everything in one body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reports {
    /// By service name.
    pub services: BTreeMap<String, Observed>,
    /// Told where it changed.
    pub platform: Option<String>,
    /// In the order of the body.
    pub reports: Vec<Report>,
}

/// What became of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Taken.
    Accepted,
    /// Known already; nothing changed.
    Duplicate,
    /// The device has, and had last, no place in that rollout.
    NotAssigned,
    /// The image was not offered to the device yet.
    NotOffered,
    /// Devices cannot tell this event.
    NotADeviceEvent,
    /// The running digest contradicts it.
    DigestMismatch,
}

impl Verdict {
    /// The stable word of a report that was not taken.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Accepted | Self::Duplicate => None,
            Self::NotAssigned => Some("not_assigned"),
            Self::NotOffered => Some("not_offered"),
            Self::NotADeviceEvent => Some("not_a_device_event"),
            Self::DigestMismatch => Some("digest_mismatch"),
        }
    }
}

/// What a body of reports leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The item to store; `None` where nothing changed.
    pub device: Option<Device>,
    /// One per report, in the order of the body.
    pub verdicts: Vec<Verdict>,
}

/// Applies a body of reports.
pub fn report(device: &Device, body: &Reports, known: &RolloutContexts, now: Timestamp) -> Reported {
    let mut next = device.next_revision();
    if body.platform.is_some() {
        next.platform.clone_from(&body.platform);
    }
    for report in &body.reports {
        swap::begin(&mut next, report);
    }
    for (name, observed) in &body.services {
        observe::observe(&mut next, name, observed, body);
    }
    let strange = drift::Changed::between(device, &next).unexplained(&mut next, known, now);
    let mut order: Vec<usize> = (0..body.reports.len()).collect();
    // Stable: reports without a `seq` keep their place behind those that have one.
    order.sort_by_key(|&i| (body.reports[i].attempt, body.reports[i].seq.unwrap_or(u32::MAX)));
    let mut verdicts = vec![Verdict::Duplicate; body.reports.len()];
    for i in order {
        verdicts[i] = take(&mut next, &body.reports[i], known, now);
    }
    // What the body tells of its work can explain what runs after it.
    strange.unexplained(&mut next, known, now).mark(&mut next);
    if !next.log.is_empty() {
        next.move_up(known, now);
    }
    let changed =
        Device { rev: device.rev, log: device.log.clone(), ..next.clone() } != *device || !next.log.is_empty();
    Reported {
        device: changed.then(|| {
            next.last_seen = now.max(device.last_seen);
            next
        }),
        verdicts,
    }
}

fn take(device: &mut Device, report: &Report, known: &RolloutContexts, now: Timestamp) -> Verdict {
    if !report.event.told_by_devices() {
        return Verdict::NotADeviceEvent;
    }
    let Some(repository) = device.assignment(&report.rollout_id).map(|(repository, _)| repository.clone()) else {
        return take_late(device, report, now);
    };
    let runs = Runs::of(device, &repository, report.service.as_deref());
    let Some(track) = device.tracks.get_mut(&repository) else { return Verdict::NotAssigned };
    let has_way_back = track.baseline.is_some();
    let slot = [&mut track.current, &mut track.next].into_iter().flatten().find(|a| a.rollout_id == report.rollout_id);
    let (Some(assignment), Some(facts)) = (slot, known.get(&report.rollout_id)) else { return Verdict::NotAssigned };
    if is_known(assignment, report) {
        return Verdict::Duplicate;
    }
    match apply(assignment, report, facts, &runs, has_way_back, now) {
        Ok(entry) => {
            remember(assignment, report);
            device.log.push(entry.event(report.event).message(report.message.as_deref()));
            Verdict::Accepted
        }
        Err(Verdict::DigestMismatch) if is_done_with_it(assignment, report, facts, has_way_back) => {
            let entry = way_back_failed(assignment, now).event(DeviceEvent::RollbackFailed);
            device.log.push(entry.message(Some("it says that it is back, and runs the new image")));
            Verdict::DigestMismatch
        }
        Err(verdict) => verdict,
    }
}

/// Whether a device has finished an attempt to go back that did not bring it back, as it sees it: somebody started the
/// new image again, or it does not tell the truth. Without another attempt it would do nothing more.
fn is_done_with_it(assignment: &Assignment, report: &Report, facts: &RolloutContext, has_way_back: bool) -> bool {
    report.event == DeviceEvent::RolledBack
        && match assignment.progress {
            Progress::Reverting | Progress::NotSeen => true,
            Progress::Failed { .. } => facts.plan.policy.auto_rollback && has_way_back,
            _ => false,
        }
}

/// A report of the rollout before the current one: a fact for its row, and nothing else.
fn take_late(device: &mut Device, report: &Report, now: Timestamp) -> Verdict {
    let mut places = device.tracks.values_mut().filter_map(|track| track.last.as_mut());
    let Some(last) = places.find(|last| last.rollout_id == report.rollout_id) else { return Verdict::NotAssigned };
    let told = (report.attempt, report.seq.unwrap_or(last.seq + 1));
    if told <= (last.attempt, last.seq) {
        return Verdict::Duplicate;
    }
    (last.attempt, last.seq) = told;
    let entry = Assignment::new(report.rollout_id.clone(), 0, 0, 0).log(now);
    device.log.push(LogEntry { class: None, ..entry.event(report.event).message(report.message.as_deref()) });
    Verdict::Accepted
}

fn is_known(assignment: &Assignment, report: &Report) -> bool {
    match report.seq {
        Some(seq) => (report.attempt, seq) <= (assignment.attempt, assignment.seq),
        None => report.attempt < assignment.attempt || assignment.seen.contains(&short(&report.id)),
    }
}

fn remember(assignment: &mut Assignment, report: &Report) {
    match report.seq {
        Some(seq) if report.attempt >= assignment.attempt => assignment.seq = assignment.seq.max(seq),
        Some(_) => {}
        None => {
            assignment.seen.push(short(&report.id));
            let surplus = assignment.seen.len().saturating_sub(REMEMBERED_IDS);
            assignment.seen.drain(..surplus);
        }
    }
}

fn short(id: &str) -> String {
    hex::encode(&Sha256::digest(id.as_bytes())[..4])
}

/// What the device's moving services run, as this body told.
struct Runs {
    service: Option<String>,
    moving: usize,
    digest: Option<Digest>,
    before_swap: bool,
    platform: Option<String>,
}

impl Runs {
    fn of(device: &Device, repository: &Repository, service: Option<&str>) -> Self {
        let named = service.and_then(|name| device.services.get_key_value(name));
        // A service of another image proves nothing about this one.
        let found = match named {
            Some((_, service)) => named.filter(|_| service.repository == *repository),
            None => device.services_of(repository).next(),
        };
        let running = found.and_then(|(_, service)| service.running.as_ref());
        Self {
            service: found.map(|(name, _)| name.clone()),
            moving: device.services_of(repository).count(),
            digest: running.and_then(|running| running.digest.clone()),
            before_swap: running.is_some_and(|running| running.before_swap),
            platform: device.platform.clone(),
        }
    }
}

/// Moves the assignment as the event says, and answers what the row is to learn.
fn apply(
    assignment: &mut Assignment,
    report: &Report,
    facts: &RolloutContext,
    runs: &Runs,
    has_way_back: bool,
    now: Timestamp,
) -> Result<LogEntry, Verdict> {
    let policy = &facts.plan.policy;
    match assignment.progress.clone() {
        Progress::Waiting | Progress::Deferred => Err(Verdict::NotOffered),
        Progress::Offered | Progress::Pulled | Progress::Blocked { .. } | Progress::Swapping => {
            let entry = under_way(assignment, report, facts, runs, has_way_back, now)?;
            assignment.progress_at = Some(now);
            Ok(entry)
        }
        Progress::Failed { reason: Reason::TimedOut, swapped } => {
            after_timeout(assignment, report, facts, runs, swapped, now)
        }
        Progress::Failed { reason, .. } => match report.event {
            DeviceEvent::RolledBack => going_back_ends(assignment, facts, runs, reason, now),
            DeviceEvent::RollbackFailed if policy.auto_rollback && has_way_back => Ok(way_back_failed(assignment, now)),
            _ => Ok(noted(assignment, now)),
        },
        Progress::Reverting | Progress::NotSeen => match report.event {
            DeviceEvent::RolledBack => going_back_ends(assignment, facts, runs, Reason::RollbackAll, now),
            DeviceEvent::RollbackFailed => Ok(way_back_failed(assignment, now)),
            _ => {
                assignment.progress_at = Some(now);
                Ok(noted(assignment, now))
            }
        },
        Progress::Stuck { reason } if report.event == DeviceEvent::RolledBack => {
            going_back_ends(assignment, facts, runs, reason, now)
        }
        Progress::Healthy | Progress::RolledBack { .. } | Progress::Stuck { .. } | Progress::Skipped { .. } => {
            Ok(noted(assignment, now))
        }
    }
}

/// A fact for the history that changes nothing.
fn noted(assignment: &Assignment, now: Timestamp) -> LogEntry {
    LogEntry { class: None, reason: None, ..assignment.log(now) }
}

fn under_way(
    assignment: &mut Assignment,
    report: &Report,
    facts: &RolloutContext,
    runs: &Runs,
    has_way_back: bool,
    now: Timestamp,
) -> Result<LogEntry, Verdict> {
    let swapping = matches!(assignment.progress, Progress::Swapping);
    let fails = |assignment: &mut Assignment, reason, swapped| {
        Ok(assignment.moves(Progress::Failed { reason, swapped }, now).outcome(Some(Outcome::Failed)))
    };
    match report.event {
        DeviceEvent::ImagePulling => {
            if matches!(assignment.progress, Progress::Blocked { .. }) {
                assignment.progress = Progress::Offered;
            }
            Ok(assignment.log(now))
        }
        DeviceEvent::ImagePulled if !swapping => {
            // Nobody but the device knows what an unpinned rollout brings: the step looks at it before the swap.
            assignment.pulled = report.digest.clone().filter(|_| facts.rollout.target.digest.is_none());
            let pulled = assignment.pulled.clone();
            Ok(LogEntry { digest: pulled, ..assignment.moves(Progress::Pulled, now) })
        }
        DeviceEvent::ImagePulled => Ok(assignment.log(now)),
        DeviceEvent::ContainerUpdating => Ok(assignment.moves(Progress::Swapping, now)),
        DeviceEvent::UpdateCompleted if facts.plan.policy.health.enabled => {
            Ok(assignment.moves(Progress::Swapping, now))
        }
        DeviceEvent::UpdateCompleted | DeviceEvent::HealthCheckPassed => {
            proven(assignment, facts, runs, Outcome::Healthy, now)
        }
        DeviceEvent::HealthCheckFailed => fails(assignment, Reason::Unhealthy, true),
        DeviceEvent::UpdateFailed if swapping => fails(assignment, Reason::UpdateFailed, true),
        DeviceEvent::UpdateFailed => fails(assignment, Reason::PullFailed, false),
        DeviceEvent::RolledBack => {
            let reason = if swapping { Reason::Unhealthy } else { Reason::UpdateFailed };
            let entry = going_back_ends(assignment, facts, runs, reason, now)?;
            Ok(entry.outcome(Some(Outcome::Failed)))
        }
        // The failure before it was never told. The device has finished this attempt: it needs a new one.
        DeviceEvent::RollbackFailed if facts.plan.policy.auto_rollback && has_way_back => {
            assignment.progress = Progress::Failed { reason: Reason::RollbackFailed, swapped: true };
            Ok(way_back_failed(assignment, now).outcome(Some(Outcome::Failed)))
        }
        DeviceEvent::RollbackFailed => fails(assignment, Reason::RollbackFailed, true),
        DeviceEvent::UpdateBlocked | DeviceEvent::UpdateDeferred => {
            let pulled =
                swapping || matches!(assignment.progress, Progress::Pulled | Progress::Blocked { pulled: true, .. });
            let since = match assignment.progress {
                Progress::Blocked { since, .. } => since,
                _ => now,
            };
            let until = report.until.unwrap_or_else(|| {
                now.saturating_add(SignedDuration::from_mins(LOCK_MINUTES)).unwrap_or(Timestamp::MAX)
            });
            Ok(assignment.moves(Progress::Blocked { since, until, pulled }, now))
        }
        DeviceEvent::UpdateSkipped if !swapping => {
            Ok(assignment.moves(Progress::Skipped { reason: Reason::NotApplicable }, now))
        }
        DeviceEvent::UpdateSkipped
        | DeviceEvent::ImageUpdateScheduled
        | DeviceEvent::UpdateTimedOut
        | DeviceEvent::Reenrolled => Ok(noted(assignment, now)),
    }
}

/// Healthy is: the running digest is the target's, the check passed, and the report of it arrived; of every service
/// that moves.
fn proven(
    assignment: &mut Assignment,
    facts: &RolloutContext,
    runs: &Runs,
    outcome: Outcome,
    now: Timestamp,
) -> Result<LogEntry, Verdict> {
    let pinned = facts.rollout.target.digest.is_some();
    let digest = runs.digest.as_ref().ok_or(Verdict::DigestMismatch)?;
    let right = if pinned {
        facts.is_target(digest, runs.platform.as_deref())
    } else {
        // Nobody else knows the content: what ran before is no proof, unless it is what was pulled.
        !runs.before_swap || assignment.pulled.as_ref() == Some(digest)
    };
    if !right {
        return Err(Verdict::DigestMismatch);
    }
    if runs.moving > 1 {
        if let Some(service) = &runs.service
            && !assignment.passed.contains(service)
        {
            assignment.passed.push(service.clone());
        }
        if assignment.passed.len() < runs.moving {
            return Ok(assignment.log(now));
        }
        assignment.passed.clear();
    }
    let observed = (!pinned).then(|| digest.clone());
    Ok(LogEntry { digest: observed, ..assignment.moves(Progress::Healthy, now).outcome(Some(outcome)) })
}

/// Silence was counted as failure; the truth, when it comes late, replaces the guess once.
fn after_timeout(
    assignment: &mut Assignment,
    report: &Report,
    facts: &RolloutContext,
    runs: &Runs,
    swapped: bool,
    now: Timestamp,
) -> Result<LogEntry, Verdict> {
    let health_off = !facts.plan.policy.health.enabled;
    match report.event {
        DeviceEvent::HealthCheckPassed if !facts.rollout.status.takes_back() => {
            proven(assignment, facts, runs, Outcome::Recovered, now)
        }
        DeviceEvent::UpdateCompleted if health_off && !facts.rollout.status.takes_back() => {
            proven(assignment, facts, runs, Outcome::Recovered, now)
        }
        DeviceEvent::HealthCheckFailed | DeviceEvent::UpdateFailed => {
            let swapped = swapped || report.event == DeviceEvent::HealthCheckFailed;
            let reason = match (report.event, swapped) {
                (DeviceEvent::HealthCheckFailed, _) => Reason::Unhealthy,
                (_, true) => Reason::UpdateFailed,
                (_, false) => Reason::PullFailed,
            };
            Ok(assignment.moves(Progress::Failed { reason, swapped }, now).outcome(Some(Outcome::FailedAfterAll)))
        }
        DeviceEvent::RolledBack => {
            let entry = going_back_ends(assignment, facts, runs, Reason::TimedOut, now)?;
            Ok(entry.outcome(Some(Outcome::FailedAfterAll)))
        }
        DeviceEvent::RollbackFailed => Ok(way_back_failed(assignment, now).outcome(Some(Outcome::FailedAfterAll))),
        DeviceEvent::ContainerUpdating | DeviceEvent::UpdateCompleted | DeviceEvent::HealthCheckPassed => {
            Ok(assignment.moves(Progress::Failed { reason: Reason::TimedOut, swapped: true }, now))
        }
        _ => Ok(noted(assignment, now)),
    }
}

fn going_back_ends(
    assignment: &mut Assignment,
    facts: &RolloutContext,
    runs: &Runs,
    reason: Reason,
    now: Timestamp,
) -> Result<LogEntry, Verdict> {
    // The platform digests of the old image are not known; the new image's are.
    let told = runs.digest.as_ref().filter(|_| !runs.before_swap);
    if told.is_some_and(|digest| facts.is_target(digest, runs.platform.as_deref())) {
        return Err(Verdict::DigestMismatch);
    }
    Ok(assignment.moves(Progress::RolledBack { reason }, now))
}

/// A new attempt, up to the limit; then nothing more is tried by itself.
fn way_back_failed(assignment: &mut Assignment, now: Timestamp) -> LogEntry {
    if assignment.attempt >= ROLLBACK_ATTEMPTS {
        return assignment.moves(Progress::Stuck { reason: Reason::RollbackFailed }, now);
    }
    assignment.attempt += 1;
    assignment.seq = 0;
    assignment.offered_at = Some(now);
    assignment.log(now)
}

#[cfg(test)]
mod tests;
