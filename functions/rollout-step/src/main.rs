//! The one writer of a rollout's progress: steps the rollouts that messages name, and sweeps over all live ones.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let started = tidegate_aws::bootstrap::start().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started.ports, event.payload))).await
}
