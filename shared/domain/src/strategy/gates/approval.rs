//! A person says yes.

use jiff::Timestamp;

use super::{Facts, Verdict};
use crate::instant::{in_words, later};
use crate::rollout::Status;

/// When a question that was asked then is closed without an answer.
pub(crate) fn expires_at(asked_at: Timestamp, expiry_hours: u32) -> Timestamp {
    later(asked_at, i64::from(expiry_hours) * 3600)
}

pub(super) fn check(expiry_hours: u32, facts: &Facts<'_>) -> Verdict {
    if facts.rollout.status != Status::AwaitingApproval {
        return Verdict::Pass;
    }
    let due = expires_at(facts.rollout.asked_at.unwrap_or(facts.now), expiry_hours);
    let why = format!("waiting for approval; without one it expires at {}", in_words(due));
    Verdict::wait(why)
}
