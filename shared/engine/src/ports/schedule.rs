//! Wake-ups later than 15 minutes.

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;

use super::QueueError;

/// One-time schedules that delete themselves after they fired.
#[async_trait]
pub trait Scheduler: Send + Sync {
    /// Sends `Job::Step` for the rollout at `at` (to the second). The same call twice makes one schedule.
    async fn step_at(&self, rollout_id: &RolloutId, at: Timestamp) -> Result<(), QueueError>;
}
