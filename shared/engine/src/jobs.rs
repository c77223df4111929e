//! What each message of the queues asks for: the one place that says who does it.

use jiff::Timestamp;

use crate::error::EngineError;
use crate::memory::RolloutMemory;
use crate::ports::{Job, Ports};
use crate::settings::Settings;
use crate::{deadlines, keep, plan, resolve, step, webhook};

/// Does what a message asks for. Safe to repeat, and to run beside itself.
pub async fn run(
    ports: &Ports,
    settings: &Settings,
    memory: &RolloutMemory,
    job: &Job,
    now: Timestamp,
) -> Result<(), EngineError> {
    match job {
        Job::Step { rollout_id } => step::run(ports, rollout_id, now).await.map(drop),
        Job::Resolve { rollout_id } => resolve::resolve(ports, rollout_id).await,
        Job::Plan { rollout_id } => plan::freeze(ports, rollout_id).await,
        Job::PlanPage { rollout_id, page } => plan::assign_page(ports, memory, rollout_id, *page, now).await,
        Job::CheckDeadlines { rollout_id, shard } => {
            let late = deadlines::check(ports, memory, rollout_id, *shard, now).await?;
            if late > 0 {
                tracing::info!(%rollout_id, shard, late, "devices were given up");
            }
            Ok(())
        }
        Job::Keep { rollout_id, part, after } => keep::keep(ports, rollout_id, *part, after.as_deref()).await,
        Job::Deliver { source, delivery_id } => webhook::finish(ports, settings, source, delivery_id, now).await,
    }
}
