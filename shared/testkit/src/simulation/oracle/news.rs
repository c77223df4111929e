//! Newer content is never lost, and old news never takes the place of newer.

use std::collections::BTreeMap;

use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::image::Tag;
use tidegate_domain::rollout::{Rollout, Trigger};

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
            let before = self.pushes.get(version).map(|(_, digest)| digest);
            if before.is_some() && rollout.target.digest.as_ref() == before {
                let id = &rollout.rollout_id;
                return self.wrong(format!("{id} brings what v{version} was before the push that it was named for"));
            }
        }
        let mut rollouts: Vec<&Rollout> = all.iter().collect();
        rollouts.sort_by_key(|rollout| rollout.generation);
        let mut newest_of: BTreeMap<&PolicyId, i64> = BTreeMap::new();
        for rollout in rollouts {
            // A person may go back as far as they like, and for a day their word is no reason to leave a push.
            if rollout.triggered_by == Trigger::Manual {
                newest_of.remove(&rollout.policy_id);
                continue;
            }
            // What the registry says now counts whenever it was pushed, and so does what a person asked for since.
            let created = rollout.created_at.as_millisecond();
            let asked = rollout
                .news
                .as_ref()
                .is_some_and(|news| news.older || news.before.get("person").is_some_and(|at| *at >= created));
            let tag = rollout.target.tag.as_ref().map_or("", Tag::as_str);
            let version: Option<u32> = tag.trim_start_matches('v').parse().ok().filter(|_| !asked);
            let Some((date, _)) = version.and_then(|version| self.pushes.get(&version)) else { continue };
            let newest = newest_of.entry(&rollout.policy_id).or_insert(*date);
            // A newer push of the same content under another tag counts for it, too.
            let told = rollout.news.as_ref().and_then(|news| news.happened_at);
            let counts = told.map_or(*date, |at| at.as_millisecond().max(*date));
            if counts + FORGIVEN < *newest && !self.repushed_then(version) {
                let id = &rollout.rollout_id;
                return self.wrong(format!("{id} brings {tag}, which is older than what was rolled out before it"));
            }
            *newest = (*newest).max(*date);
        }
    }

    /// Whether the version's tag was pushed a second time: that push has a date of its own.
    fn repushed_then(&self, version: Option<u32>) -> bool {
        version.is_some_and(|version| self.repushed.values().any(|repushed| *repushed == version))
    }
}
