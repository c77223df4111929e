//! So long since the stage settled.

use super::{Facts, Verdict};
use crate::instant::{in_words, later};

pub(super) fn check(delay_seconds: u32, facts: &Facts<'_>) -> Verdict {
    let rollout = facts.rollout;
    let Some(settled_at) = rollout.current().and_then(|batch| batch.completed_at) else {
        return if delay_seconds == 0 { Verdict::Pass } else { Verdict::wait("begins when the batch has settled") };
    };
    let due = later(settled_at, i64::from(delay_seconds));
    Verdict::until(due, facts.now, || format!("batch {} opens at {}", rollout.batch + 1, in_words(due)))
}
