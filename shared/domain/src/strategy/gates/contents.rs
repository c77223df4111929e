//! What devices of an unpinned rollout pulled is not kept out. The step looks at it anew each time: what a person clears
//! is let in.

use super::{Facts, Verdict};

pub(super) fn check(facts: &Facts<'_>) -> Verdict {
    match facts.contents {
        Some(refused) => Verdict::Stop { why: refused.why.clone(), rule: refused.rule },
        None => Verdict::Pass,
    }
}
