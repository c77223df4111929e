//! Brings a device's row and the rollout's journal up to what the device's own item says.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_aws::bootstrap;
use tidegate_aws::wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let started = bootstrap::start(Wiring::STORE.with_queues())?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started, event.payload))).await
}
