//! Folding the journal: counts, and the failure rules' look at each outcome.

use std::collections::BTreeSet;

use super::Stepping;
use crate::failure_rules::{Outcome, RuleFired};
use crate::image::Digest;
use crate::journal::{Page, PageOutcome};
use crate::rollout::Rollout;
use crate::strategy::{Refused, StopRule};

/// Most contents of one tag that a rollout remembers; more than that is no tag to roll out.
const CONTENTS_MAX: usize = 8;

/// What devices of an unpinned rollout told of its content, and nobody else knows: what they pulled before the swap, and
/// what runs on the healthy ones.
pub fn contents<'a>(rollout: &'a Rollout, pages: &'a [(u32, Page)]) -> BTreeSet<&'a Digest> {
    if rollout.target.digest.is_some() {
        return BTreeSet::new();
    }
    let told = |page: &'a Page| page.pulled.iter().chain(page.outcomes.iter().filter_map(|it| it.digest.as_ref()));
    let new = pages.iter().flat_map(|(_, page)| told(page));
    rollout.admitted.iter().chain(&rollout.kept_out).chain(new).collect()
}

impl Stepping<'_> {
    /// Brings the rollout up to the newest page. The failure rules look at every outcome once.
    pub(super) fn fold(&mut self, before: &Rollout) {
        let resumed_at = self.next.resumed_at;
        self.next.failure_rules.resumed(resumed_at);
        // Before its batches are known a rollout counts nothing: its pages wait.
        if self.next.batches.is_empty() {
            return;
        }
        for (number, page) in self.inputs.pages {
            page.count_into(&mut self.next.batches);
            self.next.cursor = *number;
            for outcome in &page.outcomes {
                self.judge(outcome, *number);
            }
        }
        self.contents = self.look_at(&contents(before, self.inputs.pages));
    }

    /// Sorts what devices pulled into what may be swapped to and what is kept out. Looked at anew by every step: what a
    /// person clears is let in, and what is kept out stops the rollout again where it is resumed all the same.
    fn look_at(&mut self, contents: &BTreeSet<&Digest>) -> Option<Refused> {
        let kept_out = &self.inputs.standing.kept_out;
        let (bad, good): (Vec<_>, Vec<_>) = contents
            .iter()
            .map(|digest| (*digest).clone())
            .partition(|digest| kept_out.iter().any(|(bad, _)| bad == digest));
        let surplus = good.len() > CONTENTS_MAX;
        self.next.kept_out = bad;
        if !surplus {
            self.next.admitted = good;
        }
        if let Some((digest, why)) = kept_out.iter().find(|(digest, _)| contents.contains(digest)) {
            let why =
                format!("devices pulled {digest}, which is kept out ({why}); clear it to go on with it, or cancel");
            return Some(Refused { why, rule: StopRule::KeptOut });
        }
        let why = || format!("devices pulled more than {CONTENTS_MAX} different contents");
        surplus.then(|| Refused { why: why(), rule: StopRule::Contents })
    }

    fn judge(&mut self, outcome: &PageOutcome, page: u32) {
        let healthy = matches!(outcome.outcome, Outcome::Healthy | Outcome::Recovered);
        if healthy {
            self.next.last_healthy_at = self.next.last_healthy_at.max(Some(outcome.at));
        }
        let differs = if healthy { self.observe(outcome) } else { None };
        if page <= self.next.judged_from {
            return;
        }
        let planned = self.next.batches.get(outcome.batch as usize - 1).map_or(0, |batch| batch.counts.planned());
        let rules = &mut self.next.failure_rules;
        let fired = rules.take(outcome.outcome, outcome.batch, planned, &self.plan.policy);
        rules.keep(fired.or(differs));
    }

    fn observe(&mut self, outcome: &PageOutcome) -> Option<RuleFired> {
        let digest = outcome.digest.as_ref().filter(|_| self.next.target.digest.is_none())?;
        match &self.next.observed {
            None => {
                self.next.observed = Some(digest.clone());
                None
            }
            Some(first) if first == digest => None,
            Some(first) => Some(RuleFired::Differs(first.clone(), digest.clone())),
        }
    }
}
