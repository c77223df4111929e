//! How often a call fares how.

use rand::Rng;

use super::call::{Call, Verb};
use super::gate::Decision;

/// Chances in a thousand, all together at most a thousand. What cannot befall a call leaves it to proceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chances {
    /// Of no effect and no answer.
    pub fail_before: u32,
    /// Of an effect and no answer.
    pub fail_after: u32,
    /// Of half the effects and no answer.
    pub fail_halfway: u32,
    /// Of a transaction in the way of a write.
    pub conflict: u32,
    /// Of old versions.
    pub stale: u32,
    /// Of a page that ends early.
    pub short_page: u32,
}

impl Chances {
    /// Draws what becomes of a call. Uses up the same amount of randomness for every call.
    pub fn draw(&self, call: &Call, random: &mut impl Rng) -> Decision {
        let (mut at, detail): (u32, u64) = (random.random_range(0..1000), random.random());
        let writes = matches!(call, Call::Write { writes } if writes.iter().any(|(verb, _)| *verb != Verb::Check));
        let fates = [
            (self.fail_before, true, Decision::FailBefore),
            (self.fail_after, call.has_effect(), Decision::FailAfter),
            (self.fail_halfway, call.is_divisible(), Decision::FailHalfway),
            (self.conflict, writes, Decision::Conflict),
            (self.stale, call.may_be_stale(), Decision::Stale { seed: detail }),
            (self.short_page, call.is_paged(), Decision::ShortPage { items: 1 + (detail % 3) as u32 }),
        ];
        for (chance, can_befall, decision) in fates {
            if at < chance {
                return if can_befall { decision } else { Decision::Proceed };
            }
            at -= chance;
        }
        Decision::Proceed
    }
}
