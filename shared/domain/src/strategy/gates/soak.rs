//! So long since the last device became healthy.

use super::{Facts, Verdict};
use crate::instant::{in_words, later};

pub(super) fn check(soak_seconds: u32, facts: &Facts<'_>) -> Verdict {
    let rollout = facts.rollout;
    let Some(healthy_at) = rollout.last_healthy_at else { return Verdict::Pass };
    let due = later(healthy_at, i64::from(soak_seconds));
    Verdict::until(due, facts.now, || format!("batch {} opens at {}", rollout.batch + 1, in_words(due)))
}
