//! Publishes every event on the bus: those of the events table, and those that rows' histories gained.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_aws::bootstrap;
use tidegate_aws::wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let started = bootstrap::start(Wiring::STORE.with_bus())?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started, event.payload))).await
}
