//! Folding the journal: counts, and the judgement of outcomes one by one.

use super::Stepping;
use crate::journal::PageOutcome;
use crate::judge::{Outcome, Rule};

/// What the folded pages set off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fired {
    /// A threshold.
    Rule(Rule),
    /// Healthy devices of an unpinned rollout run different contents.
    Differs(String),
}

impl Stepping<'_> {
    /// Brings the rollout up to the newest page. Answers what stops it, if anything does; every outcome is judged once.
    pub(super) fn fold(&mut self) -> Option<Fired> {
        let resumed_at = self.next.resumed_at;
        self.next.judge.resumed(resumed_at);
        let mut fired = None;
        // Before its batches are known a rollout counts nothing: its pages wait.
        let pages = if self.next.batches.is_empty() { &[] } else { self.inputs.pages };
        for (number, page) in pages {
            page.count_into(&mut self.next.batches);
            self.next.cursor = *number;
            for outcome in &page.outcomes {
                let stop = self.judge(outcome, *number);
                fired = fired.or(stop);
            }
        }
        fired
    }

    fn judge(&mut self, outcome: &PageOutcome, page: u32) -> Option<Fired> {
        let healthy = matches!(outcome.outcome, Outcome::Healthy | Outcome::Recovered);
        if healthy {
            self.next.last_healthy_at = self.next.last_healthy_at.max(Some(outcome.at));
        }
        let differs = if healthy { self.observe(outcome) } else { None };
        if page <= self.next.judged_from {
            return None;
        }
        let planned = self.next.batches.get(outcome.batch as usize - 1).map_or(0, |batch| batch.counts.planned());
        let rule = self.next.judge.take(outcome.outcome, outcome.batch, planned, &self.plan.policy);
        rule.map(Fired::Rule).or(differs)
    }

    fn observe(&mut self, outcome: &PageOutcome) -> Option<Fired> {
        let digest = outcome.digest.as_ref().filter(|_| self.next.target.digest.is_none())?;
        match &self.next.observed {
            None => {
                self.next.observed = Some(digest.clone());
                None
            }
            Some(first) if first == digest => None,
            Some(first) => {
                Some(Fired::Differs(format!("healthy devices run different contents: {first} and {digest}")))
            }
        }
    }
}
