//! What became of a set of policies.

use serde::Serialize;
use tidegate_engine::policies::{Applied, Change, Changed};
use utoipa::ToSchema;

use super::removal::TouchedRollout;
use crate::schemas::words::{PolicyChange, PolicyOrigin};

/// What became of a set of policies, or with `dry_run` would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppliedPolicies)]
pub(crate) struct AppliedView {
    /// Whether nothing was done.
    dry_run: bool,
    /// Names what is to be done: sent with the same set as `plan`, exactly that is done or nothing.
    plan: String,
    /// Transactions that it takes, one event each; 0 where nothing changes.
    parts: u32,
    /// Every policy: those of the set in its order, then the others by name.
    policies: Vec<AppliedPolicy>,
}

/// One policy of a set, or of the stack.
#[derive(Debug, Serialize, ToSchema)]
struct AppliedPolicy {
    /// Its name.
    name: String,
    /// What becomes of it.
    #[schema(value_type = PolicyChange)]
    change: &'static str,
    /// Its id; a new one has none before it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Its revision afterwards; of a removed one, its last.
    revision: u64,
    /// Where it comes from.
    #[schema(value_type = PolicyOrigin)]
    origin: &'static str,
    /// Of a removed one, its rollouts that are under way. They go on by the copy that they have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rollouts: Vec<TouchedRollout>,
}

impl From<Applied> for AppliedView {
    fn from(applied: Applied) -> Self {
        let Applied { dry_run, plan, parts, policies } = applied;
        let view = |changed: Changed| {
            let policy = changed.policy;
            let made_up = dry_run && changed.change == Change::Created && policy.revision == 1;
            AppliedPolicy {
                name: policy.name,
                change: changed.change.name(),
                id: (!made_up).then(|| policy.id.to_string()),
                revision: policy.revision,
                origin: policy.origin.as_str(),
                rollouts: changed.rollouts.iter().map(TouchedRollout::from).collect(),
            }
        };
        Self { dry_run, plan, parts: parts as u32, policies: policies.into_iter().map(view).collect() }
    }
}
