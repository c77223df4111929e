//! Policies by the line that they are of: what is deleted under a name and created again there is one policy to people,
//! whatever ids they have. What is known of its images holds along the line.

use std::collections::BTreeMap;

use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::WrittenPolicy;
use tidegate_domain::rollout::Rollout;

use super::super::scenario::REPOSITORY;
use super::stored::{heads, is_retry, stored_policies};
use super::{Oracle, SKEW};
use crate::memory::MemoryStore;

/// Who descends from whom.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The policies of the last look.
    present: BTreeMap<PolicyId, WrittenPolicy>,
    /// By name, who was deleted under it last and was not created again.
    left: BTreeMap<String, PolicyId>,
    /// The first of each one's line; an id that is missing is the first of its own.
    first: BTreeMap<PolicyId, PolicyId>,
}

impl Lines {
    /// The first of the policy's line.
    pub(super) fn first<'a>(&'a self, id: &'a PolicyId) -> &'a PolicyId {
        self.first.get(id).unwrap_or(id)
    }

    /// What was done to policies since the last look.
    fn look(&mut self, now: BTreeMap<PolicyId, WrittenPolicy>) {
        for (id, policy) in self.present.iter().filter(|(id, _)| !now.contains_key(id)) {
            self.left.insert(policy.name.clone(), id.clone());
        }
        for (id, policy) in now.iter().filter(|(id, _)| !self.present.contains_key(id)) {
            let Some(before) = self.left.remove(&policy.name).filter(|before| before != id) else { continue };
            let first = self.first(&before).clone();
            self.first.insert(id.clone(), first);
        }
        self.present = now;
    }
}

impl Oracle {
    /// Whether a policy was deleted under this name last, and nothing was created there since.
    pub(in crate::simulation) fn is_left(&self, name: &str) -> bool {
        self.lines.left.contains_key(name)
    }

    /// Looks at policies that were written since the last look.
    pub(in crate::simulation) fn watch_policies(&mut self, store: &MemoryStore) {
        self.lines.look(stored_policies(store));
    }

    /// What a rollout of the line made bad comes no more, unless a person has it tried again.
    pub(super) fn check_kept_out(&mut self, store: &MemoryStore, new: &Rollout) {
        let Some(digest) = &new.target.digest else { return };
        if is_retry(store, &new.rollout_id) {
            return;
        }
        let line = self.lines.first(&new.policy_id).clone();
        let ours = |id: &PolicyId| new.repository.as_str() == REPOSITORY && *self.lines.first(id) == line;
        let bad =
            heads(store).into_iter().filter(|head| ours(&head.policy_id)).find_map(|head| head.bad(digest).cloned());
        // A ban that comes while the rollout is made is found by its first step.
        if let Some(bad) = bad.filter(|bad| bad.at.as_millisecond() + SKEW < new.created_at.as_millisecond()) {
            let (id, name) = (&new.rollout_id, &new.policy);
            self.wrong(format!("{id} brings {digest} under {name} although it is bad there: {}", bad.reason));
        }
    }
}
