//! No failure rule fired since the last resume. The rules themselves look at each outcome once, as it is folded.

use super::{Facts, StopRule, Verdict};

pub(super) fn check(facts: &Facts<'_>) -> Verdict {
    match facts.rollout.failure_rules.fired() {
        Some(fired) => Verdict::Stop { why: fired.to_string(), rule: StopRule::Failures },
        None => Verdict::Pass,
    }
}
