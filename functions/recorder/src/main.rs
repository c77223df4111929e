//! Brings a device's row and the rollout's journal up to what the device's own item says.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let started = tidegate_aws::bootstrap::start().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started, event.payload))).await
}
