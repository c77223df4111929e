//! Publishes every event on the bus: those of the events table, and those that rows' histories gained.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let started = tidegate_aws::bootstrap::start().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started, event.payload))).await
}
