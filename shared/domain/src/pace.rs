//! When a device should ask again: far apart when idle, close when its turn is near, never all at once.

use jiff::{SignedDuration, Timestamp};

use crate::assignment::{Assignment, Progress};
use crate::context::{RolloutContext, RolloutContexts};
use crate::device::Device;
use crate::rollout::Status;
use crate::swap_time::{SwapTime, swap_time};

/// The configured intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between polls of a device that nothing is planned for, in seconds.
    pub idle_seconds: u32,
    /// Between polls of a device whose turn is near, in seconds.
    pub near_seconds: u32,
}

/// Seconds until the device's next poll; `entropy` is a random number of this poll.
pub fn poll_after(device: &Device, known: &RolloutContexts, pace: Pace, entropy: u64, now: Timestamp) -> u32 {
    let wanted = device
        .tracks
        .values()
        .filter_map(|track| {
            let current = track.current.as_ref()?;
            Some((current, known.get(&current.rollout_id)?))
        })
        .map(|(current, known)| wanted(device, current, known, pace, entropy, now))
        .min()
        .unwrap_or(pace.idle_seconds)
        .clamp(1, pace.idle_seconds.max(1));
    jitter(wanted, entropy)
}

/// Takes off up to a quarter, so that devices that were started together drift apart.
fn jitter(seconds: u32, entropy: u64) -> u32 {
    let spread = u64::from(seconds) / 4;
    (u64::from(seconds) - entropy % (spread + 1)).max(1) as u32
}

fn wanted(
    device: &Device,
    current: &Assignment,
    known: &RolloutContext,
    pace: Pace,
    entropy: u64,
    now: Timestamp,
) -> u32 {
    let rollout = &known.rollout;
    match &current.progress {
        Progress::Waiting | Progress::Deferred => match rollout.status {
            Status::InProgress if next_in_turn(current, known) => {
                match swap_time(&known.plan.policy, device.timezone.as_deref(), now) {
                    SwapTime::Open(_) => pace.near_seconds,
                    SwapTime::Closed(Some(opens_at)) => into_window(opens_at, pace, entropy, now),
                    SwapTime::Closed(None) | SwapTime::NoZone => pace.idle_seconds,
                }
            }
            Status::Scheduled => match swap_time(&known.plan.policy, device.timezone.as_deref(), now) {
                SwapTime::Closed(Some(opens_at)) => into_window(opens_at, pace, entropy, now),
                SwapTime::Open(_) => pace.near_seconds,
                SwapTime::Closed(None) | SwapTime::NoZone => pace.idle_seconds,
            },
            Status::Pending
            | Status::AwaitingApproval
            | Status::InProgress
            | Status::Paused
            | Status::Completed
            | Status::Failed
            | Status::Cancelled
            | Status::Superseded
            | Status::Rejected
            | Status::Expired
            | Status::RollingBack
            | Status::RolledBack => pace.idle_seconds,
        },
        Progress::Offered | Progress::Pulled | Progress::Blocked { .. }
            if matches!(rollout.status, Status::InProgress | Status::Completed) =>
        {
            pace.near_seconds
        }
        Progress::Swapping | Progress::Reverting | Progress::Failed { swapped: true, .. } => pace.near_seconds,
        Progress::Healthy if rollout.status == Status::RollingBack => pace.near_seconds,
        Progress::Offered
        | Progress::Pulled
        | Progress::Blocked { .. }
        | Progress::Healthy
        | Progress::Failed { swapped: false, .. }
        | Progress::RolledBack { .. }
        | Progress::Stuck { .. }
        | Progress::NotSeen
        | Progress::Skipped { .. } => pace.idle_seconds,
    }
}

/// Its batch is open or the next to open.
fn next_in_turn(current: &Assignment, known: &RolloutContext) -> bool {
    let rollout = &known.rollout;
    rollout.open_for(current.position) || rollout.batch_of(current.position) <= rollout.batch + 1
}

/// Spread over a few minutes after the opening, so that a fleet does not arrive in one second.
fn into_window(opens_at: Timestamp, pace: Pace, entropy: u64, now: Timestamp) -> u32 {
    let until = opens_at.duration_since(now).max(SignedDuration::ZERO).as_secs() as u64;
    u32::try_from(until + entropy % (u64::from(pace.idle_seconds) + 1) + 1).unwrap_or(u32::MAX)
}
