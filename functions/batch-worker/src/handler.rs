//! Messages of the batch queue.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use jiff::Timestamp;
use lambda_runtime::Error;
use tidegate_aws::{bootstrap, lambda};
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::ports::{Job, Ports};
use tidegate_engine::settings::Settings;
use tidegate_engine::{EngineError, deadlines, keep, plan, resolve, webhook};

/// Does the messages' work, one after the other.
pub(crate) async fn handle(
    ports: &Ports,
    settings: &Settings,
    memory: &RolloutMemory,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Error> {
    let now = bootstrap::now();
    Ok(lambda::each_job(event, |job| run(ports, settings, memory, job, now)).await)
}

async fn run(
    ports: &Ports,
    settings: &Settings,
    memory: &RolloutMemory,
    job: Job,
    now: Timestamp,
) -> Result<(), String> {
    let done: Result<(), EngineError> = match &job {
        Job::Resolve { rollout_id } => resolve::resolve(ports, rollout_id).await,
        Job::Plan { rollout_id } => plan::freeze(ports, rollout_id).await,
        Job::PlanPage { rollout_id, page } => plan::assign_page(ports, memory, rollout_id, *page, now).await,
        Job::CheckDeadlines { rollout_id, shard } => {
            deadlines::check(ports, memory, rollout_id, *shard, now).await.map(|late| {
                if late > 0 {
                    tracing::info!(%rollout_id, shard, late, "devices were given up");
                }
            })
        }
        Job::Keep { rollout_id, part, after } => keep::keep(ports, rollout_id, *part, after.as_deref()).await,
        Job::Deliver { source, delivery_id } => webhook::finish(ports, settings, source, delivery_id, now).await,
        Job::Step { .. } => return Err(format!("{job:?} belongs into another queue")),
    };
    done.map_err(|error| lambda::told(&error))?;
    tracing::info!(?job, "done");
    Ok(())
}
