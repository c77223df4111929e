//! Removing policies, and which rollouts that touches.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use jiff::Timestamp;
use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::policy::WrittenPolicy;
use tidegate_domain::rollout::{Rollout, Status};

use super::{PolicyError, Wanted, overtaken, stored, told};
use crate::entities::{policies, policy_names, rollouts};
use crate::error::EngineError;
use crate::ports::{Freshness, Ports, Store, WriteError};

/// What removing a policy touches.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// The policy.
    pub policy: WrittenPolicy,
    /// Its rollouts that are under way, oldest first. They go on by the copy that they have.
    pub rollouts: Vec<Rollout>,
}

/// Says what [`delete`] would touch. Nothing changes.
pub async fn look_before_delete(ports: &Ports, wanted: &Wanted) -> Result<Removal, PolicyError> {
    let policy = stored(ports, wanted).await?;
    let rollouts = under_way(&*ports.store, &BTreeSet::from([policy.id.clone()])).await?;
    Ok(Removal { policy, rollouts })
}

/// Removes a policy. Rollouts that follow it go on by the copy that they have. Its name keeps its id: created again
/// under that name, it is the same policy, with all that is known of its images.
pub async fn delete(ports: &Ports, wanted: &Wanted, now: Timestamp) -> Result<Removal, PolicyError> {
    let removal = look_before_delete(ports, wanted).await?;
    let stored = &removal.policy;
    let ids: Vec<&str> = removal.rollouts.iter().map(|rollout| rollout.rollout_id.as_str()).collect();
    let event = told("policy.deleted", stored, now).with("rollouts", (!ids.is_empty()).then_some(ids));
    let writes = [policies::delete(stored), policy_names::keep(stored), crate::entities::events::put(&event)];
    match ports.store.write(&writes).await {
        Ok(()) => Ok(removal),
        Err(WriteError::Refused(0)) => Err(overtaken(ports, wanted).await),
        Err(error) => Err(error.into()),
    }
}

/// The rollouts of these policies that are under way, oldest first.
pub(super) async fn under_way(store: &dyn Store, policies: &BTreeSet<PolicyId>) -> Result<Vec<Rollout>, EngineError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (live, next) = rollouts::live(store, after).await?;
        let all =
            try_join_all(live.rollouts.iter().map(|id: &RolloutId| rollouts::get(store, id, Freshness::Consistent)));
        let all = all.await?.into_iter().flatten();
        // The index also has those that ended and are not done with yet.
        let moves = |rollout: &Rollout| rollout.status.live() || rollout.status == Status::RollingBack;
        found.extend(all.filter(|rollout| policies.contains(&rollout.policy_id) && moves(rollout)));
        if next.is_none() {
            // The store's clock is in milliseconds, and several can be made in one.
            found.sort_by_key(|rollout: &Rollout| (rollout.created_at, rollout.generation));
            return Ok(found);
        }
        after = next;
    }
}
