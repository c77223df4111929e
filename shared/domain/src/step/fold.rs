//! Folding the journal: counts, and the judgement of outcomes one by one.

use std::collections::BTreeSet;

use super::Stepping;
use crate::image::Digest;
use crate::journal::{Page, PageOutcome};
use crate::judge::{Outcome, Rule};
use crate::rollout::Rollout;

/// What the folded pages set off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fired {
    /// A threshold.
    Rule(Rule),
    /// Devices of an unpinned rollout have different contents.
    Differs(String),
    /// Devices of an unpinned rollout pulled what is kept out.
    KeptOut(String),
}

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
    /// Brings the rollout up to the newest page. Answers what stops it, if anything does; every outcome is judged once.
    pub(super) fn fold(&mut self, before: &Rollout) -> Option<Fired> {
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
        let contents = if self.next.batches.is_empty() { BTreeSet::new() } else { contents(before, pages) };
        self.look_at(&contents).or(fired)
    }

    /// Sorts what devices pulled into what may be swapped to and what is kept out. Looked at anew by every step: what a
    /// person clears is let in, and what is kept out stops the rollout again where it is resumed all the same.
    fn look_at(&mut self, contents: &BTreeSet<&Digest>) -> Option<Fired> {
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
            return Some(Fired::KeptOut(format!(
                "devices pulled {digest}, which is kept out ({why}); clear it to go on with it, or cancel"
            )));
        }
        surplus.then(|| Fired::Differs(format!("devices pulled more than {CONTENTS_MAX} different contents")))
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
