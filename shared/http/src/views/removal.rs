//! What removing a policy touches.

use serde::Serialize;
use tidegate_domain::image::Tag;
use tidegate_domain::rollout::Rollout;
use tidegate_engine::policies::Removal;
use utoipa::ToSchema;

use crate::schemas::forms::RolloutId;
use crate::schemas::words::RolloutStatus;

/// A policy that is removed, or would be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Removal)]
pub(crate) struct RemovalView {
    /// Whether nothing was done.
    dry_run: bool,
    /// The policy's id. Its name keeps it.
    id: String,
    /// The policy's name.
    name: String,
    /// The last revision.
    revision: u64,
    /// Its rollouts that are under way, oldest first. They go on by the copy of the policy that they have.
    rollouts: Vec<TouchedRollout>,
}

/// A rollout that is under way under a policy that is removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TouchedRollout {
    /// Its id.
    #[schema(value_type = RolloutId)]
    rollout_id: String,
    /// The repository.
    image_name: String,
    /// The tag that it brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_tag: Option<String>,
    /// Where it stands.
    #[schema(value_type = RolloutStatus)]
    status: &'static str,
    /// The policy that it follows.
    policy: String,
}

impl From<&Rollout> for TouchedRollout {
    fn from(rollout: &Rollout) -> Self {
        Self {
            rollout_id: rollout.rollout_id.to_string(),
            image_name: rollout.repository.to_string(),
            new_tag: rollout.target.tag.as_ref().map(Tag::as_str).map(str::to_owned),
            status: rollout.status.name(),
            policy: rollout.policy.clone(),
        }
    }
}

impl RemovalView {
    pub(crate) fn new(removal: Removal, dry_run: bool) -> Self {
        let Removal { policy, rollouts } = removal;
        Self {
            dry_run,
            id: policy.id.to_string(),
            name: policy.name,
            revision: policy.revision,
            rollouts: rollouts.iter().map(TouchedRollout::from).collect(),
        }
    }
}
