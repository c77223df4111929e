//! Messages of the step queue, and the sweep.

use aws_lambda_events::sqs::SqsBatchResponse;
use jiff::Timestamp;
use lambda_runtime::Error;
use serde_json::Value;
use tidegate_aws::bootstrap::ALWAYS_LOGGED;
use tidegate_aws::{clock, lambda};
use tidegate_engine::ports::{Job, Ports};
use tidegate_engine::step;

/// Steps the rollouts that the messages name. What is no batch of messages is the sweep's schedule.
pub(crate) async fn handle(ports: &Ports, payload: Value) -> Result<SqsBatchResponse, Error> {
    if payload.get("Records").is_none() {
        let rollouts = step::sweep(ports, clock::now()).await.map_err(|error| lambda::told(&error))?;
        // An alarm counts these lines.
        tracing::info!(target: ALWAYS_LOGGED, rollouts, "swept");
        return Ok(SqsBatchResponse::default());
    }
    let now = clock::now();
    Ok(lambda::each_job(serde_json::from_value(payload)?, |job| run(ports, job, now)).await)
}

async fn run(ports: &Ports, job: Job, now: Timestamp) -> Result<(), String> {
    let Job::Step { rollout_id } = job else { return Err(format!("{job:?} belongs into another queue")) };
    let report = step::run(ports, &rollout_id, now).await.map_err(|error| lambda::told(&error))?;
    tracing::info!(%rollout_id, report, "stepped");
    Ok(())
}
