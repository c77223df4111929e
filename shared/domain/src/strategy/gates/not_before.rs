//! The earliest start that the policy or a trigger names.

use jiff::Timestamp;

use super::{Facts, Verdict};
use crate::instant::in_words;

pub(super) fn check(at: Timestamp, facts: &Facts<'_>) -> Verdict {
    Verdict::until(at, facts.now, || format!("starts no earlier than {}", in_words(at)))
}
