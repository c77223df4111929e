//! Newer content is never lost, and old news never takes the place of newer.

use std::collections::BTreeMap;

use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::rollout::Rollout;

use super::super::scenario::{digest, repushed};
use super::Oracle;

/// How much older than an earlier rollout's push the push of a later one may be, in milliseconds: what is forgiven,
/// twice, for the one between may be forgiven too.
const FORGIVEN: i64 = 2 * 300_000;

impl Oracle {
    /// Who pushed this version's tag a second time was told that this rollout brings it.
    pub(in crate::simulation) fn named_for_another(&mut self, rollout: RolloutId, version: u32) {
        self.repushed.insert(rollout, version);
    }

    pub(super) fn check_news(&mut self, all: &[Rollout]) {
        for rollout in all {
            let Some(version) = self.repushed.get(&rollout.rollout_id) else { continue };
            if rollout.target.digest.as_ref() == Some(&digest(*version)) {
                let id = &rollout.rollout_id;
                return self.wrong(format!("{id} brings what v{version} was before the push that it was named for"));
            }
        }
        let mut rollouts: Vec<&Rollout> = all.iter().collect();
        rollouts.sort_by_key(|rollout| rollout.generation);
        let mut newest_of: BTreeMap<&PolicyId, i64> = BTreeMap::new();
        for rollout in rollouts {
            let version = self.dates.iter().find(|(version, _)| {
                let of = |digest| rollout.target.digest.as_ref() == Some(&digest);
                of(digest(**version)) || of(repushed(**version))
            });
            // What the registry says now counts whenever it was pushed.
            let asked = rollout.news.as_ref().is_some_and(|news| news.older);
            let Some((version, date)) = version.filter(|_| !asked) else { continue };
            let newest = newest_of.entry(&rollout.policy_id).or_insert(*date);
            if *date + FORGIVEN < *newest {
                let id = &rollout.rollout_id;
                return self
                    .wrong(format!("{id} brings v{version}, which is older than what was rolled out before it"));
            }
            *newest = (*newest).max(*date);
        }
    }
}
