//! A device's place in one rollout, and how far it got.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::{optional as ms_opt, required as ms};
use serde::{Deserialize, Serialize};

use crate::counts::Class;
use crate::event::DeviceEvent;
use crate::failure_rules::Outcome;
use crate::ids::RolloutId;
use crate::image::Digest;

/// Most attempts at taking one device back (semantics rule 21).
pub const ROLLBACK_ATTEMPTS: u8 = 3;

/// Longest text that is kept of a report's details, in bytes.
pub const DETAIL_MAX: usize = 200;

/// Why a device stands where it stands: the API's `status_reason`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its health check failed.
    Unhealthy,
    /// The image could not be fetched, or the swap not begun.
    PullFailed,
    /// The swap itself failed.
    UpdateFailed,
    /// It was silent for too long.
    TimedOut,
    /// It could not go back to its old image.
    RollbackFailed,
    /// A rollback of everything took it back.
    RollbackAll,
    /// There is no old image to go back to.
    NoPrevious,
    /// The policy does not select it (any more), or it was deleted.
    Removed,
    /// Another policy's rollout has it now.
    TakenOver,
    /// The image has no entry for its platform.
    NotApplicable,
    /// It runs something else, and the policy says to leave that.
    Pinned,
    /// It runs this content already.
    UpToDate,
    /// The offer was taken back before the swap.
    Withdrawn,
    /// It was not seen within the grace.
    Offline,
    /// A rollback of everything did not reach it within the grace.
    NotSeen,
    /// A lock on the device.
    Locked,
    /// It told no time zone that is known, its window is in its own, and the policy names no fallback.
    NoTimezone,
    /// It told no time zone that is known: the policy's fallback counts.
    FallbackTimezone,
}

impl Reason {
    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unhealthy => "unhealthy",
            Self::PullFailed => "pull_failed",
            Self::UpdateFailed => "update_failed",
            Self::TimedOut => "timed_out",
            Self::RollbackFailed => "rollback_failed",
            Self::RollbackAll => "rollback_all",
            Self::NoPrevious => "no_previous",
            Self::Removed => "removed",
            Self::TakenOver => "taken_over",
            Self::NotApplicable => "not_applicable",
            Self::Pinned => "pinned",
            Self::UpToDate => "up_to_date",
            Self::Withdrawn => "withdrawn",
            Self::Offline => "offline",
            Self::NotSeen => "not_seen",
            Self::Locked => "locked",
            Self::NoTimezone => "no_timezone",
            Self::FallbackTimezone => "fallback_timezone",
        }
    }
}

/// How far the device got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Not offered.
    #[serde(rename = "w")]
    Waiting,
    /// Not offered within the grace; still eligible.
    #[serde(rename = "d")]
    Deferred,
    /// Offered; fetching.
    #[serde(rename = "o")]
    Offered,
    /// Has the image, and may ask for the swap.
    #[serde(rename = "p")]
    Pulled,
    /// A lock on the device holds it before the swap.
    #[serde(rename = "b")]
    Blocked {
        /// Since when.
        #[serde(rename = "s", with = "ms")]
        since: Timestamp,
        /// Until when, as the device told, or a few minutes.
        #[serde(rename = "u", with = "ms")]
        until: Timestamp,
        /// Whether it has the image.
        #[serde(rename = "p")]
        pulled: bool,
    },
    /// May replace the container; from here on it is past the swap.
    #[serde(rename = "s")]
    Swapping,
    /// On the new image, healthy.
    #[serde(rename = "h")]
    Healthy,
    /// Failed. `swapped`: the new image may be running.
    #[serde(rename = "f")]
    Failed {
        /// Why.
        #[serde(rename = "r")]
        reason: Reason,
        /// Whether the swap had begun.
        #[serde(rename = "w")]
        swapped: bool,
    },
    /// Told to go back by a rollback of everything.
    #[serde(rename = "v")]
    Reverting,
    /// On the old image again.
    #[serde(rename = "r")]
    RolledBack {
        /// Why it went back.
        #[serde(rename = "r")]
        reason: Reason,
    },
    /// Could not go back; nothing more is tried by itself.
    #[serde(rename = "x")]
    Stuck {
        /// Why.
        #[serde(rename = "r")]
        reason: Reason,
    },
    /// The rollback of everything gave up waiting for it.
    #[serde(rename = "n")]
    NotSeen,
    /// Takes no part.
    #[serde(rename = "k")]
    Skipped {
        /// Why.
        #[serde(rename = "r")]
        reason: Reason,
    },
}

impl Progress {
    /// How it is counted.
    pub const fn class(&self) -> Class {
        match self {
            Self::Waiting => Class::Pending,
            Self::Deferred => Class::Deferred,
            Self::Offered | Self::Pulled | Self::Swapping => Class::Updating,
            Self::Blocked { .. } => Class::Blocked,
            Self::Healthy => Class::Healthy,
            Self::Failed { swapped: true, .. } => Class::Failed,
            Self::Failed { swapped: false, .. } => Class::Unchanged,
            Self::Reverting => Class::Reverting,
            Self::RolledBack { .. } => Class::RolledBack,
            Self::Stuck { .. } => Class::Stuck,
            Self::NotSeen => Class::NotSeen,
            Self::Skipped { .. } => Class::Skipped,
        }
    }

    /// Not past the swap, and not done: its part can end without a trace on the device.
    pub const fn can_leave(&self) -> bool {
        matches!(self, Self::Waiting | Self::Deferred) || self.before_swap()
    }

    /// Offered, and not past the swap: the offer can still be taken back.
    pub const fn before_swap(&self) -> bool {
        matches!(self, Self::Offered | Self::Pulled | Self::Blocked { .. })
    }

    /// Runs the new image, or may: a rollback of everything has to bring it back.
    pub const fn is_owed_a_way_back(&self) -> bool {
        matches!(self, Self::Swapping | Self::Healthy | Self::Failed { swapped: true, .. } | Self::Reverting)
    }

    /// A swap, there or back, is or may be under way: nothing else may begin on the device.
    pub const fn busy(&self, auto_rollback: bool) -> bool {
        match self {
            Self::Swapping | Self::Reverting => true,
            Self::Failed { swapped, .. } => *swapped && auto_rollback,
            Self::Waiting
            | Self::Deferred
            | Self::Offered
            | Self::Pulled
            | Self::Blocked { .. }
            | Self::Healthy
            | Self::RolledBack { .. }
            | Self::Stuck { .. }
            | Self::NotSeen
            | Self::Skipped { .. } => false,
        }
    }

    /// The reason that is shown.
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Failed { reason, .. }
            | Self::RolledBack { reason }
            | Self::Stuck { reason }
            | Self::Skipped { reason } => Some(reason),
            Self::Deferred => Some(&Reason::Offline),
            Self::NotSeen => Some(&Reason::NotSeen),
            Self::Blocked { .. } => Some(&Reason::Locked),
            Self::Waiting | Self::Offered | Self::Pulled | Self::Swapping | Self::Healthy | Self::Reverting => None,
        }
    }
}

/// The place of a device in a rollout. Names are short: it is part of an item of at most 1 KB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The rollout.
    #[serde(rename = "r")]
    pub rollout_id: RolloutId,
    /// The rollout's generation: only a higher one replaces it.
    #[serde(rename = "g")]
    pub generation: u64,
    /// Position in the plan's order; at or beyond the total for a latecomer.
    #[serde(rename = "p")]
    pub position: u32,
    /// The batch (from 1) that the device counts in.
    #[serde(rename = "b")]
    pub batch: u32,
    /// Raised by the server for each repeated way back.
    #[serde(rename = "a")]
    pub attempt: u8,
    /// The highest `seq` reported in this attempt.
    #[serde(rename = "q", default, skip_serializing_if = "is_zero")]
    pub seq: u32,
    /// How far it got.
    #[serde(rename = "s")]
    pub progress: Progress,
    /// When the image (or the way back) was first offered.
    #[serde(rename = "o", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub offered_at: Option<Timestamp>,
    /// The last report of work.
    #[serde(rename = "l", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub progress_at: Option<Timestamp>,
    /// What it pulled in an unpinned rollout, as it told before the swap.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Digest>,
    /// Services that passed their check, where several move.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<String>,
    /// The first bytes of the ids of reports without a `seq`, newest last.
    #[serde(rename = "i", default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Assignment {
    /// A place that was not offered anything yet.
    pub fn new(rollout_id: RolloutId, generation: u64, position: u32, batch: u32) -> Self {
        Self {
            rollout_id,
            generation,
            position,
            batch,
            attempt: 1,
            seq: 0,
            progress: Progress::Waiting,
            offered_at: None,
            progress_at: None,
            pulled: None,
            passed: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Moves on, and says what the recorder is to write of it.
    pub fn moves(&mut self, to: Progress, at: Timestamp) -> LogEntry {
        self.progress = to;
        self.log(at)
    }

    /// What the recorder is to write of how things stand.
    pub fn log(&self, at: Timestamp) -> LogEntry {
        LogEntry {
            rollout_id: self.rollout_id.clone(),
            at,
            event: None,
            class: Some(self.progress.class()),
            reason: self.progress.reason().cloned(),
            batch: None,
            position: None,
            attempt: self.attempt,
            outcome: None,
            message: None,
            digest: None,
            locked_until: match self.progress {
                Progress::Blocked { until, .. } => Some(until),
                _ => None,
            },
            offered: false,
            only_from: None,
        }
    }

    /// Has (again) a place of its own making, which its row is to learn of.
    pub fn scheduled(&self, at: Timestamp) -> LogEntry {
        let entry = self.log(at).event(DeviceEvent::ImageUpdateScheduled);
        LogEntry { batch: Some(self.batch), position: Some(self.position), ..entry }
    }

    /// Takes no part any more, for this reason.
    pub fn leaves(&mut self, reason: Reason, at: Timestamp) -> LogEntry {
        self.moves(Progress::Skipped { reason }, at).event(DeviceEvent::UpdateSkipped)
    }
}

/// What one write of a device's item means for its row in a rollout. The item carries the entries of its last write;
/// its stream brings each of them to the recorder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The rollout whose row it is.
    #[serde(rename = "r")]
    pub rollout_id: RolloutId,
    /// Server time.
    #[serde(rename = "t", with = "ms")]
    pub at: Timestamp,
    /// The event, where it is one.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub event: Option<DeviceEvent>,
    /// The row's class from now on; absent where it stays.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The row's reason from now on.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The batch that the row counts in from now on.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// A latecomer's position, for the row that the recorder makes.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The attempt.
    #[serde(rename = "a")]
    pub attempt: u8,
    /// A final outcome, for the thresholds.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The device's words, cut.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The digest that a device of an unpinned rollout pulled, or runs and is healthy.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Until when a lock holds the device, where one does.
    #[serde(rename = "u", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
    /// Whether this is the offer itself.
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
    /// The entry holds only where the row is of this class still: who wrote it looked at the row, which may have been
    /// behind the device.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub only_from: Option<Class>,
}

impl LogEntry {
    /// With an event.
    #[must_use]
    pub fn event(mut self, event: DeviceEvent) -> Self {
        self.event = Some(event);
        self
    }

    /// With an outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Option<Outcome>) -> Self {
        self.outcome = outcome;
        self
    }

    /// With the device's words, cut at a character's end.
    #[must_use]
    pub fn message(mut self, text: Option<&str>) -> Self {
        self.message = text.map(|text| cut(text).to_owned());
        self
    }
}

/// At most `DETAIL_MAX` bytes, whole characters.
pub fn cut(text: &str) -> &str {
    let mut end = text.len().min(DETAIL_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
