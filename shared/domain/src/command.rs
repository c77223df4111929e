//! What an operator's command does to a rollout: one write, conditional on the status that it may leave.

use jiff::{SignedDuration, Timestamp};

use crate::event::ImageEvent;
use crate::rollout::{By, Decided, Rollback, Rollout, Status};
use crate::strategy::unproven;

/// How long after its end a rollout can still be rolled back (semantics rule 21), in hours.
const ROLLBACK_HOURS: i64 = 30 * 24;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// No new offers.
    Pause,
    /// Offers go on, in the same batch.
    Resume {
        /// Leave a settled batch although none in it is healthy.
        skip_batch: bool,
    },
    /// No new offers, for good; what is updated stays.
    Cancel,
    /// Yes.
    Approve,
    /// No, for this digest.
    Reject,
    /// Every device back to its own old image.
    RollbackAll {
        /// Only inside the policy's windows.
        respect_windows: bool,
        /// At most about this many at a time.
        max_in_flight: Option<u32>,
    },
}

/// What a command leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It holds already; nothing changes.
    Holds,
    /// The rollout with the command's fields changed; to be stored on the condition that its status is still the old.
    Changes(Box<Changed>),
    /// The rollout's status forbids it.
    Refused {
        /// The statuses that allow it.
        allowed: Vec<Status>,
        /// What else there is to say.
        because: Option<String>,
    },
}

/// A command's change.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The rollout afterwards. Only the fields that commands own differ.
    pub next: Rollout,
    /// What is told.
    pub event: ImageEvent,
    /// The digest is kept out from now on, and what the rollout proved counts no more.
    pub ban: bool,
}

impl Command {
    /// Its name, as in the route.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume { .. } => "resume",
            Self::Cancel => "cancel",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::RollbackAll { .. } => "rollback-all",
        }
    }

    /// The statuses that it may leave.
    pub fn allowed(&self) -> Vec<Status> {
        use Status as S;
        match self {
            Self::Pause => vec![S::Scheduled, S::InProgress],
            Self::Resume { .. } => vec![S::Paused],
            Self::Cancel => vec![S::Pending, S::AwaitingApproval, S::Scheduled, S::InProgress, S::Paused],
            Self::Approve => vec![S::AwaitingApproval, S::Expired],
            Self::Reject => vec![S::AwaitingApproval],
            Self::RollbackAll { .. } => vec![S::InProgress, S::Paused, S::Completed, S::Failed, S::Cancelled],
        }
    }

    fn holds(&self, status: Status) -> bool {
        use Status as S;
        match self {
            Self::Pause => status == S::Paused,
            Self::Resume { .. } => matches!(status, S::InProgress | S::Scheduled),
            Self::Cancel => status == S::Cancelled,
            Self::Approve => matches!(status, S::Scheduled | S::InProgress | S::Completed),
            Self::Reject => status == S::Rejected,
            Self::RollbackAll { .. } => status.takes_back(),
        }
    }
}

/// Decides a command. `last_page` is the rollout's last journal page now, folded or not.
pub fn command(rollout: &Rollout, command: &Command, reason: Option<&str>, last_page: u32, now: Timestamp) -> Verdict {
    let allowed = command.allowed();
    if !allowed.contains(&rollout.status) {
        if command.holds(rollout.status) {
            return Verdict::Holds;
        }
        return Verdict::Refused { allowed, because: None };
    }
    let mut next = Rollout { revision: rollout.revision + 1, command_at: Some(now), ..rollout.clone() };
    let (event, ban) = match command {
        Command::Pause => {
            next.status = Status::Paused;
            next.resume_to = Some(rollout.status);
            (ImageEvent::RolloutPaused, false)
        }
        Command::Resume { skip_batch } => {
            if unproven(rollout) && !skip_batch {
                let because =
                    format!("batch {} settled with no healthy device; say skip_batch to go on", rollout.batch);
                return Verdict::Refused { allowed, because: Some(because) };
            }
            next.status = rollout.resume_to.unwrap_or(Status::InProgress);
            next.resume_to = None;
            next.resumed_at = Some(now);
            next.judged_from = last_page;
            next.skip_batch = *skip_batch && unproven(rollout);
            (ImageEvent::RolloutResumed, false)
        }
        Command::Cancel => {
            next.status = Status::Cancelled;
            next.completed_at = Some(now);
            (ImageEvent::RolloutCancelled, false)
        }
        Command::Approve if rollout.status == Status::Expired => {
            next.status = Status::AwaitingApproval;
            next.asked_at = Some(now);
            next.wake_at = None;
            (ImageEvent::RolloutApproved, false)
        }
        Command::Approve => {
            next.status = Status::Scheduled;
            (ImageEvent::RolloutApproved, false)
        }
        Command::Reject => {
            next.status = Status::Rejected;
            next.completed_at = Some(now);
            (ImageEvent::RolloutRejected, true)
        }
        Command::RollbackAll { respect_windows, max_in_flight } => {
            let too_late = |at: Timestamp| now.duration_since(at) > SignedDuration::from_hours(ROLLBACK_HOURS);
            if rollout.completed_at.is_some_and(too_late) {
                let because = "it ended more than 30 days ago".to_owned();
                return Verdict::Refused { allowed, because: Some(because) };
            }
            next.status = Status::RollingBack;
            next.check_at = None;
            next.rollback = Some(Rollback {
                started_at: now,
                open_to: max_in_flight.unwrap_or(u32::MAX),
                max_in_flight: *max_in_flight,
                respect_windows: *respect_windows,
            });
            (ImageEvent::RollbackStarted, true)
        }
    };
    next.live = Some("1".to_owned());
    next.reason = reason.map(str::to_owned);
    next.decided = Some(Decided { by: By::Operator, at: now });
    Verdict::Changes(Box::new(Changed { next, event, ban }))
}

#[cfg(test)]
mod tests;
