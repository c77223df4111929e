//! Who is asked about the notices of one repository: the policies that are about them, with the devices that they have.

use std::collections::BTreeMap;

use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::{Digest, Repository};
use tidegate_domain::policy::{Contest, WrittenPolicy};

use super::audience::{Affected, Audience};
use super::intake::{Fresh, Intake};
use super::told::DeliveryOutcome;
use crate::error::EngineError;

/// A notice that a policy is about, and the devices that it has for it.
pub(super) struct Candidate<'a> {
    pub fresh: &'a Fresh<'a>,
    pub affected: Affected,
}

impl Candidate<'_> {
    pub(super) fn digest(&self) -> Option<&Digest> {
        self.fresh.notice.digest.as_ref()
    }
}

/// A policy, and the notices that it is about, oldest first.
pub(super) struct Asked<'a> {
    pub policy: &'a WrittenPolicy,
    pub candidates: Vec<Candidate<'a>>,
}

impl Asked<'_> {
    /// The notices that it has devices for.
    pub(super) fn concerned(&self) -> usize {
        self.candidates.iter().filter(|candidate| !candidate.affected.is_nobody()).count()
    }

    pub(super) fn is_concerned(&self) -> bool {
        self.concerned() > 0
    }
}

/// The policies that are asked about the notices of one repository.
pub(super) struct Candidates<'a> {
    pub repository: &'a Repository,
    /// What is told of notices that no policy is about, by their place.
    pub told: Vec<(usize, DeliveryOutcome)>,
    by_name: BTreeMap<&'a str, Asked<'a>>,
}

impl<'a> Candidates<'a> {
    /// Without the policies before this name.
    pub(super) fn from(mut self, name: &str) -> Self {
        self.by_name.retain(|own, _| *own >= name);
        self
    }

    /// Those that are worked on now, by name, and those for whom nothing is left of what may be done at once. Who has no
    /// devices costs nothing.
    pub(super) fn share(self, left: &mut usize) -> (Vec<Asked<'a>>, Vec<Asked<'a>>) {
        self.by_name.into_values().partition(|asked| {
            let now = *left > 0 || !asked.is_concerned();
            *left = left.saturating_sub(asked.concerned());
            now
        })
    }
}

impl Intake<'_> {
    /// Finds the policies for the notices of one repository.
    pub(super) async fn candidates<'a>(
        &self,
        repository: &'a Repository,
        mut fresh: Vec<&'a Fresh<'a>>,
        policies: &'a [WrittenPolicy],
    ) -> Result<Candidates<'a>, EngineError> {
        let mut told = Vec::new();
        // Where nobody tells a time, the order in the delivery counts.
        fresh.sort_by_key(|fresh| fresh.news.happened_at.unwrap_or(fresh.news.taken_at));
        let about: Vec<&WrittenPolicy> =
            policies.iter().filter(|policy| policy.image_pattern.matches_repository(repository)).collect();
        let mut audience = None;
        let mut counted: BTreeMap<Vec<&PolicyId>, BTreeMap<PolicyId, u32>> = BTreeMap::new();
        let mut by_name: BTreeMap<&str, Asked<'a>> = BTreeMap::new();
        for fresh in fresh {
            let contest = Contest::over(about.iter().copied(), &fresh.notice.image());
            if contest.is_empty() {
                told.push((fresh.n, DeliveryOutcome::of(fresh.notice, "no_policy")));
                continue;
            }
            let audience: &Audience = match &audience {
                Some(audience) => audience,
                None => audience.insert(Audience::read(&*self.ports.store, repository).await?),
            };
            let mut ids: Vec<&PolicyId> = contest.policies().map(|policy| &policy.id).collect();
            ids.sort();
            // Tags that the same policies are about are for the same devices.
            let counts = counted.entry(ids).or_insert_with(|| audience.counts(&contest));
            for policy in contest.policies() {
                let affected = audience.affected(counts.get(&policy.id).copied().unwrap_or(0));
                let asked = by_name.entry(&policy.name).or_insert(Asked { policy, candidates: Vec::new() });
                asked.candidates.push(Candidate { fresh, affected });
            }
        }
        Ok(Candidates { repository, told, by_name })
    }
}
