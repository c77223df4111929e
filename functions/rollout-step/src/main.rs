//! The one writer of a rollout's progress: steps the rollouts that messages name, and sweeps over all live ones.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_aws::bootstrap;
use tidegate_aws::wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let started = bootstrap::start(Wiring::STORE.with_queues().with_scheduler())?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started.ports, event.payload))).await
}
