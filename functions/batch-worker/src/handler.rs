//! Messages of the batch queue.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use jiff::Timestamp;
use lambda_runtime::Error;
use tidegate_aws::{clock, lambda};
use tidegate_engine::jobs;
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::ports::{Job, Ports, Queue};
use tidegate_engine::settings::Settings;

/// Does the messages' work, one after the other.
pub(crate) async fn handle(
    ports: &Ports,
    settings: &Settings,
    memory: &RolloutMemory,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Error> {
    let now = clock::now();
    Ok(lambda::each_job(event, |job| run(ports, settings, memory, job, now)).await)
}

async fn run(
    ports: &Ports,
    settings: &Settings,
    memory: &RolloutMemory,
    job: Job,
    now: Timestamp,
) -> Result<(), String> {
    if job.queue() != Queue::Batch {
        return Err(format!("{job:?} belongs into another queue"));
    }
    jobs::run(ports, settings, memory, &job, now).await.map_err(|error| lambda::told(&error))?;
    tracing::info!(?job, "done");
    Ok(())
}
